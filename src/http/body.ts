/**
 * Reads bodies of requests, never more of them than a limit allows.
 *
 * A body that is not read, or not to its end, does no harm: the server discards the rest, and the client gets
 * its answer.
 */

/** What was read of a body. */
export interface Body {
  /** At most the limit. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** True when there is more than the limit allows. */
  readonly isCut: boolean;
}

const NOTHING: Body = { bytes: new Uint8Array(0), isCut: false };

/** The length that the client declared, in bytes; undefined when it declared none (a chunked body). */
export function declaredLength(request: Request): number | undefined {
  const text = request.headers.get("content-length");
  return text === null ? undefined : Number(text);
}

/**
 * Reads a body up to `maxBytes`. One that declares to be longer is not read at all, and has no bytes then.
 *
 * @throws whatever reading throws, such as when the client goes away
 */
export async function readBody(request: Request, maxBytes: number): Promise<Body> {
  const length = declaredLength(request);
  if (length === undefined) return request.body === null ? NOTHING : await readChunks(request.body, maxBytes);
  if (length > maxBytes) return { bytes: NOTHING.bytes, isCut: true };
  return { bytes: await request.bytes(), isCut: false };
}

async function readChunks(body: ReadableStream<Uint8Array>, maxBytes: number): Promise<Body> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    length += chunk.length;
    // Leaving the loop cancels the stream.
    if (length > maxBytes) break;
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return length > maxBytes ? { bytes: bytes.subarray(0, maxBytes), isCut: true } : { bytes, isCut: false };
}
