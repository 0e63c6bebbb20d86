/**
 * Turns what a handler returns, or fails with, into a response.
 *
 * There are two styles. `v1`: text and bytes go out as they are, nothing is an empty body, everything else
 * is compact JSON; errors are `{"message":"CODE"}`; every answer names the version of the API. `plain`: text
 * only, also for errors. A `Response` passes as it is in both.
 */
import { encodeJson } from "../protocol/json.ts";
import type { HttpError } from "./errors.ts";

export type Style = "v1" | "plain";

/** JSON that is encoded already. */
export class EncodedJson {
  readonly body: BodyInit;
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

// Shared between answers, which copy them: building them anew is a good part of what a small answer costs.
const PLAIN_TEXT: ResponseInit = { status: 200, headers: [TEXT] };
const V1_TEXT: ResponseInit = { status: 200, headers: [TEXT, VERSION_HEADER] };
const V1_JSON: ResponseInit = { status: 200, headers: [JSON_TYPE, VERSION_HEADER] };
const V1_GZIP: ResponseInit = {
  status: 200,
  headers: [JSON_TYPE, VERSION_HEADER, ["Content-Encoding", "gzip"], ["Vary", "Accept-Encoding"]],
};
const V1_EMPTY: ResponseInit = { status: 200, headers: [VERSION_HEADER] };

/** Makes the response for the value that a handler returned. */
export function respond(style: Style, value: unknown): Response {
  if (value instanceof Response) return value;
  if (typeof value === "string" || value instanceof Uint8Array) {
    if (value.length === 0) return empty(style);
    return new Response(value as BodyInit, style === "v1" ? V1_TEXT : PLAIN_TEXT);
  }
  if (value === undefined || value === null) return empty(style);
  if (value instanceof EncodedJson) return new Response(value.body, value.isGzip ? V1_GZIP : V1_JSON);
  return new Response(encodeJson(value), V1_JSON);
}

function empty(style: Style): Response {
  return style === "v1" ? new Response(null, V1_EMPTY) : new Response(null);
}

/** Makes the response for an error; in style `v1`, `headers` come before the usual ones. */
export function respondError(style: Style, error: HttpError, headers: [string, string][] = []): Response {
  if (style === "plain") return new Response(error.code, { status: error.status, headers: [TEXT] });
  const body = encodeJson({ message: error.code });
  return new Response(body, { status: error.status, headers: [...headers, JSON_TYPE, VERSION_HEADER] });
}
