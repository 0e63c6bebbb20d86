/**
 * What a caller learns when a request got no usable reply.
 *
 * Tested in test/http/client/http_client_test.ts.
 */

export type HttpFailureKind =
  /** The name does not resolve, nobody listens, the handshake failed, or it took too long. */
  | "connect"
  /** The time for the whole request was over. */
  | "timeout"
  /** The caller gave up. */
  | "aborted"
  /** A reply broke off, is longer than allowed, or is not what was asked for. */
  | "reply"
  /** It was sent on a kept connection that the other side had closed meanwhile. */
  | "stale connection";

/** Thrown by `HttpClient`. The message stands behind the name of whom was asked, as in `node1:4151: no reply ...`. */
export class HttpRequestError extends Error {
  override name = "HttpRequestError";
  readonly kind: HttpFailureKind;
  /** Of the reply, where its status is what is wrong; else null. */
  readonly status: number | null;

  constructor(
    kind: HttpFailureKind,
    message: string,
    options: ErrorOptions & { status?: number | null } = {},
  ) {
    super(message, options);
    this.kind = kind;
    this.status = options.status ?? null;
  }

  /** For a reply of another status than 200, of which the beginning is shown. */
  static ofStatus(status: number, text: string): HttpRequestError {
    const shown = text.trim() === "" ? "" : ` ${JSON.stringify(text.trim().slice(0, 80))}`;
    return new HttpRequestError("reply", `answered status ${status}${shown}`, { status });
  }

  /** For whatever was thrown; an error of this class as it is. */
  static from(cause: unknown, kind: HttpFailureKind): HttpRequestError {
    if (cause instanceof HttpRequestError) return cause;
    return new HttpRequestError(kind, kind === "aborted" ? "given up" : reasonOf(cause), { cause });
  }
}

const REASONS: Record<string, string> = {
  ENOTFOUND: "this name does not resolve here",
  EAI_AGAIN: "this name does not resolve here",
  ECONNREFUSED: "Connection refused",
  ECONNRESET: "connection closed",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "network is unreachable",
  ENOENT: "no such socket",
};

/** The reason in plain words, without addresses and the numbers of the operating system. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const { code } = cause as { code?: string };
  if (code !== undefined && code in REASONS) return REASONS[code];
  return cause.message.replace(/ \(os error \d+\)$/, "");
}
