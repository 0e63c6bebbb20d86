/**
 * Turns what a handler returns, or fails with, into an answer.
 *
 * There are two styles. `v1`: text and bytes go out as they are, nothing is an empty body, everything else
 * is compact JSON; errors are `{"message":"CODE"}`; every answer names the version of the API. `plain`: text
 * only, also for errors. An `Answer` or a `Response` passes as it is in both.
 *
 * Tested in test/http/router_test.ts.
 */
import { encodeJson } from "../protocol/json.ts";
import { Answer, type AnswerBody, AnswerHead } from "./answer.ts";
import type { HttpError } from "./errors.ts";

export type Style = "v1" | "plain";

/** JSON that is encoded already. */
export class EncodedJson {
  readonly body: AnswerBody;
  readonly isGzip: boolean;

  /** @param body belongs to the response from here on, and must not change; with `isGzip` it is compressed */
  constructor(body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>, isGzip = false) {
    this.body = body;
    this.isGzip = isGzip;
  }
}

/** Spelled as other implementations put it on the wire. */
export const VERSION_HEADER: [string, string] = ["X-Nsq-Content-Type", "nsq; version=1.0"];
const TEXT: [string, string] = ["Content-Type", "text/plain; charset=utf-8"];
const JSON_TYPE: [string, string] = ["Content-Type", "application/json; charset=utf-8"];

// What stands in the head of an answer is made once.
const PLAIN_TEXT = new AnswerHead(200, [TEXT]);
const PLAIN_EMPTY = new AnswerHead(200);
const V1_TEXT = new AnswerHead(200, [TEXT, VERSION_HEADER]);
const V1_JSON = new AnswerHead(200, [JSON_TYPE, VERSION_HEADER]);
const V1_GZIP = new AnswerHead(200, [
  JSON_TYPE,
  VERSION_HEADER,
  ["Content-Encoding", "gzip"],
  ["Vary", "Accept-Encoding"],
]);
const V1_EMPTY = new AnswerHead(200, [VERSION_HEADER]);

/** Makes the answer for the value that a handler returned. */
export function respond(style: Style, value: unknown): Answer {
  if (value instanceof Answer) return value;
  if (value instanceof Response) return Answer.of(value);
  if (typeof value === "string" || value instanceof Uint8Array) {
    if (value.length === 0) return empty(style);
    return new Answer(style === "v1" ? V1_TEXT : PLAIN_TEXT, value);
  }
  if (value === undefined || value === null) return empty(style);
  if (value instanceof EncodedJson) return new Answer(value.isGzip ? V1_GZIP : V1_JSON, value.body);
  return new Answer(V1_JSON, encodeJson(value));
}

function empty(style: Style): Answer {
  return new Answer(style === "v1" ? V1_EMPTY : PLAIN_EMPTY);
}

/** Makes the answer for an error; in style `v1`, `headers` come before the usual ones. */
export function respondError(style: Style, error: HttpError, headers: [string, string][] = []): Answer {
  if (style === "plain") return new Answer(new AnswerHead(error.status, [TEXT]), error.code);
  const body = encodeJson({ message: error.code });
  return new Answer(new AnswerHead(error.status, [...headers, JSON_TYPE, VERSION_HEADER]), body);
}
