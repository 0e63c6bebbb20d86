/** Where a request goes, taken apart from its URL; and the URL that an address of an option stands for. */
import { Buffer } from "node:buffer";
import { parseAddress } from "../../net/address.ts";
import { HttpRequestError } from "./errors.ts";

export interface RequestTarget {
  readonly url: URL;
  readonly isTls: boolean;
  /** What is connected to: a host and its port, or a Unix socket. */
  readonly destination: { hostname?: string; port?: number; socketPath?: string };
  /** Path and query. */
  readonly path: string;
  /** The value of `Authorization`, where the URL has a user; else null. */
  readonly authorization: string | null;
}

/**
 * Takes a URL apart: `http://`, `https://`, or `http+unix://` with the escaped path of a socket as its host.
 *
 * @throws {HttpRequestError} when it is no such URL; its message does not repeat it, for it may hold a password
 */
export function targetOfUrl(text: string | URL): RequestTarget {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new HttpRequestError("connect", "this is no URL");
  }
  const { protocol, username, password } = url;
  const common = {
    url,
    isTls: protocol === "https:",
    path: (url.pathname || "/") + url.search,
    authorization: username === "" && password === "" ? null : basicAuthorization(username, password),
  };
  if (protocol === "http+unix:") {
    return { ...common, destination: { socketPath: decodeURIComponent(url.hostname) } };
  }
  if (protocol !== "http:" && protocol !== "https:") {
    throw new HttpRequestError("connect", `"${protocol}//" is neither http:// nor https://`);
  }
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  const port = url.port === "" ? (common.isTls ? 443 : 80) : Number(url.port);
  return { ...common, destination: { hostname, port } };
}

/**
 * The URL of `path` (with its query) at an address as options give it: `host:port`, the path of a Unix socket, or
 * the beginning of a URL, whose own path is kept in front.
 *
 * @throws {StartupError} when the port is no number from 0 to 65535
 */
export function urlOf(address: string, path: string): string {
  if (/^https?:\/\//.test(address)) return address.replace(/\/+$/, "") + path;
  if (parseAddress(address.replace(/^[^/]*@(?!.*@)/, "")).kind === "tcp") return `http://${address}${path}`;
  return `http+unix://${encodeURIComponent(address)}${path}`;
}

function basicAuthorization(username: string, password: string): string {
  const pair = `${unescape(username)}:${unescape(password)}`;
  return `Basic ${Buffer.from(pair).toString("base64")}`;
}

function unescape(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
