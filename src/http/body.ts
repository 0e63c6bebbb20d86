/**
 * Reads bodies of requests, never more of them than a limit allows. What a handler leaves of a body is the
 * connection's to drop.
 */

/** What was read of a body. */
export interface Body {
  /** At most the limit. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** True when there is more than the limit allows. */
  readonly isCut: boolean;
}

const NOTHING: Body = { bytes: new Uint8Array(0), isCut: false };

/** What is needed of a request. */
export interface RequestWithBody {
  readonly headers: { get(name: string): string | null };
  readonly body: ReadableStream<Uint8Array> | null;
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * The length that the client declared, in bytes; undefined when it declared none (a chunked body), or repeated
 * the header, which servers let pass while the values agree.
 */
export function declaredLength(request: Pick<RequestWithBody, "headers">): number | undefined {
  const text = request.headers.get("content-length");
  const length = text === null ? NaN : Number(text);
  return Number.isNaN(length) ? undefined : length;
}

/**
 * Reads a body up to `maxBytes`. One that declares to be longer is not read at all, and has no bytes then.
 *
 * @throws whatever reading throws, such as when the client goes away
 */
export async function readBody(request: RequestWithBody, maxBytes: number): Promise<Body> {
  const length = declaredLength(request);
  if (length === undefined) return request.body === null ? NOTHING : await readChunks(request.body, maxBytes);
  if (length > maxBytes) return { bytes: NOTHING.bytes, isCut: true };
  return { bytes: await request.bytes(), isCut: false };
}

/**
 * Reads a body whose length shows only at its end, into one buffer that doubles.
 *
 * The runtime gives each chunk a buffer of 64 KiB of its own, however short it is, so that a list of chunks of a
 * byte each would take gigabytes. Hence a chunk is copied and let go, unless it is the only one.
 */
async function readChunks(body: ReadableStream<Uint8Array>, maxBytes: number): Promise<Body> {
  let bytes: Uint8Array<ArrayBuffer> = NOTHING.bytes;
  let length = 0;
  for await (const chunk of body as ReadableStream<Uint8Array<ArrayBuffer>>) {
    const isCut = chunk.length > maxBytes - length;
    const taken = isCut ? chunk.subarray(0, maxBytes - length) : chunk;
    bytes = length === 0 ? taken : append(bytes, length, taken, maxBytes);
    length += taken.length;
    // Leaving the loop cancels the stream.
    if (isCut) return { bytes: bytes.subarray(0, length), isCut };
  }
  return { bytes: bytes.subarray(0, length), isCut: false };
}

/** Puts `chunk` behind the first `length` of `bytes`: there if it fits, else in a copy of at most `maxBytes`. */
function append(
  bytes: Uint8Array<ArrayBuffer>,
  length: number,
  chunk: Uint8Array,
  maxBytes: number,
): Uint8Array<ArrayBuffer> {
  let target = bytes;
  if (length + chunk.length > bytes.length) {
    target = new Uint8Array(Math.min(maxBytes, Math.max(length + chunk.length, 2 * bytes.length)));
    target.set(bytes.subarray(0, length));
  }
  target.set(chunk, length);
  return target;
}
