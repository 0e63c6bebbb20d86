/**
 * Reads the body of a reply, compressed or not, and never more of it than a limit allows.
 *
 * Tested in test/http/client/http_client_test.ts.
 */
import type { IncomingMessage } from "node:http";
import { createGunzip } from "node:zlib";
import { HttpRequestError } from "./errors.ts";

/**
 * Resolves with the body of `response`, which is at most `maxBytes` long, gzip undone.
 *
 * @throws {HttpRequestError} when it is longer, breaks off, or is no gzip though its headers say so
 */
export async function readReplyBody(
  response: IncomingMessage,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const isGzip = response.headers["content-encoding"]?.toLowerCase() === "gzip";
  const chunks: Uint8Array[] = [];
  let byteCount = 0;
  try {
    for await (const chunk of (isGzip ? inflated(response) : response) as AsyncIterable<Uint8Array>) {
      byteCount += chunk.length;
      if (byteCount > maxBytes) {
        throw new HttpRequestError("reply", `the reply is longer than ${maxBytes} bytes`);
      }
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof HttpRequestError) throw cause;
    throw new HttpRequestError("reply", isGzip ? "the reply is damaged" : "the reply broke off", { cause });
  }
  const bytes = new Uint8Array(byteCount);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function inflated(response: IncomingMessage): AsyncIterable<Uint8Array> {
  const gunzip = createGunzip();
  response.on("error", (cause) => gunzip.destroy(cause));
  response.on("aborted", () => gunzip.destroy(new Error("the reply broke off")));
  return response.pipe(gunzip) as unknown as AsyncIterable<Uint8Array>;
}
