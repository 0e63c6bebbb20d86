/**
 * What makes a request fail with an answer that says why.
 *
 * Tested in test/http/router_test.ts.
 */

/** Thrown by a handler: ends the request with `status` and, as text or as JSON, `code`. */
export class HttpError extends Error {
  override name = "HttpError";
  readonly status: number;
  /** What the client is told: a code such as `MISSING_ARG_TOPIC`. */
  readonly code: string;

  constructor(status: number, code: string, options?: ErrorOptions) {
    super(code, options);
    this.status = status;
    this.code = code;
  }
}

/** The query string cannot be parsed. */
export function invalidRequest(): HttpError {
  return new HttpError(400, "INVALID_REQUEST");
}

/** Something failed that the client can do nothing about; `cause` is for the log. */
export function internalError(cause?: unknown): HttpError {
  return new HttpError(500, "INTERNAL_ERROR", { cause });
}
