/** Who asked for an action, and how, as audit log and notifications tell it. Tested in test/admin/actions/actions_test.ts. */
import type { User } from "../model/action.ts";

export interface Requester {
  readonly user: User;
  /** `ip:port`, or `@` on a Unix socket. */
  readonly remoteAddress: string;
  readonly userAgent: string;
  /** As the client sees it, such as `http://host:4171/api/topics`. */
  readonly url: string;
  /** The user name of basic authorization; "" without. */
  readonly basicUser: string;
}

/** @param target path and query as they were sent */
export function requesterOf(
  request: { headers: { get(name: string): string | null } },
  target: string,
  remoteAddress: string,
  user: User,
): Requester {
  const { headers } = request;
  const isSecure = headers.get("x-scheme") === "https" || headers.get("x-forwarded-proto") === "https";
  return {
    user,
    remoteAddress,
    userAgent: headers.get("user-agent") ?? "",
    url: `${isSecure ? "https" : "http"}://${headers.get("host") ?? ""}${target}`,
    basicUser: basicCredentials(headers.get("authorization"))?.name ?? "",
  };
}

/** Undefined for what is no basic authorization. */
export function basicCredentials(header: string | null): { name: string; password: string } | undefined {
  const match = /^basic ([A-Za-z0-9+/=_-]+)$/i.exec(header ?? "");
  if (match === null) return undefined;
  let pair: string;
  try {
    const bytes = Uint8Array.from(atob(match[1]), (char) => char.charCodeAt(0));
    pair = new TextDecoder().decode(bytes);
  } catch {
    return undefined;
  }
  const colon = pair.indexOf(":");
  return colon < 0 ? undefined : { name: pair.slice(0, colon), password: pair.slice(colon + 1) };
}
