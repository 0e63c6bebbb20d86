/**
 * The snappy framing format: chunks that are compressed by themselves, each with a checksum.
 *
 * A chunk is: type, one byte | length of the rest, three bytes, little-endian | the rest. With data the rest is
 * the masked CRC-32C of the uncompressed bytes, little-endian, and then the bytes: compressed in type 0, plain
 * in type 1. At most 65,536 uncompressed bytes go into a chunk, so a chunk that claims more is refused before
 * memory is taken for it. A stream begins with an identifier, which may be repeated; types 0x80 to 0xfe are
 * skipped without being kept, types 2 to 0x7f end the stream.
 *
 * The block format inside a chunk is snappyjs's work. It trusts the lengths in a block, and one that is negative
 * as a signed number would keep it busy for ever; so `checkBlock()` looks at all of them first.
 */
import { compress, uncompress } from "snappyjs";
import { crc32c } from "./crc32c.ts";

/** The client's bytes are no snappy stream; the connection closes without a word. */
export class SnappyError extends Error {
  override name = "SnappyError";
}

/** Uncompressed bytes of one chunk, at most. */
export const MAX_CHUNK_BYTES = 65_536;

const COMPRESSED = 0x00, PLAIN = 0x01, FIRST_SKIPPABLE = 0x80, IDENTIFIER = 0xff;
/** Type and length. */
const HEADER_BYTES = 4;
const CHECKSUM_BYTES = 4;
/** The whole identifier chunk: header and "sNaPpY". */
const IDENTIFIER_CHUNK = new Uint8Array([0xff, 6, 0, 0, 0x73, 0x4e, 0x61, 0x50, 0x70, 0x59]);
const IDENTIFIER_BYTES = IDENTIFIER_CHUNK.length - HEADER_BYTES;
/** What snappy can make of a full chunk in the worst case. */
const MAX_COMPRESSED_BYTES = 32 + MAX_CHUNK_BYTES + Math.ceil(MAX_CHUNK_BYTES / 6);
/** Shorter data has nothing that could be found twice. */
const MIN_BYTES_TO_COMPRESS = 32;
const FIRST_BUFFER_BYTES = 512;
/** Bytes of an element that copies, by its kind; kind 0 is a literal. */
const COPY_BYTES = [0, 2, 3, 5];

/** The checksum of `bytes` as a chunk carries it. */
export function maskedChecksum(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** Makes the chunks of one stream. */
export class SnappyFrameWriter {
  #isBegun = false;

  /** Returns `data` in as many chunks as it takes, in a new array; the first call puts the identifier in front. */
  encode(data: Uint8Array): Uint8Array<ArrayBuffer> {
    const leadBytes = this.#isBegun ? 0 : IDENTIFIER_CHUNK.length;
    const chunkCount = Math.ceil(data.length / MAX_CHUNK_BYTES);
    const out = new Uint8Array(leadBytes + chunkCount * (HEADER_BYTES + CHECKSUM_BYTES) + data.length);
    if (!this.#isBegun) out.set(IDENTIFIER_CHUNK);
    this.#isBegun = true;
    let at = leadBytes;
    for (let from = 0; from < data.length; from += MAX_CHUNK_BYTES) {
      at = putChunk(out, at, data.subarray(from, Math.min(from + MAX_CHUNK_BYTES, data.length)));
    }
    return at === out.length ? out : out.subarray(0, at);
  }
}

/** Compresses only where that saves an eighth; returns where the chunk ends. */
function putChunk(out: Uint8Array, at: number, data: Uint8Array): number {
  const compressed: Uint8Array = data.length < MIN_BYTES_TO_COMPRESS ? data : compress(data);
  const isWorth = compressed.length < data.length - (data.length >> 3);
  const content = isWorth ? compressed : data;
  const restBytes = CHECKSUM_BYTES + content.length, checksum = maskedChecksum(data);
  out[at] = isWorth ? COMPRESSED : PLAIN;
  out[at + 1] = restBytes;
  out[at + 2] = restBytes >>> 8;
  out[at + 3] = restBytes >>> 16;
  out[at + 4] = checksum;
  out[at + 5] = checksum >>> 8;
  out[at + 6] = checksum >>> 16;
  out[at + 7] = checksum >>> 24;
  out.set(content, at + HEADER_BYTES + CHECKSUM_BYTES);
  return at + HEADER_BYTES + restBytes;
}

/**
 * Takes the chunks of one stream apart. Bytes go into `space()` and are announced with `filled(n)`; `next()`
 * then gives the data of one chunk after the other. It may be cut anywhere.
 */
export class SnappyFrameReader {
  #buffer = new Uint8Array(FIRST_BUFFER_BYTES);
  /** Bytes that were read and not taken: [start, end). */
  #start = 0;
  #end = 0;
  #isBegun = false;
  /** Bytes of a skippable chunk that are still to come. */
  #skipBytes = 0;

  /** Where to read into; at least one byte long. */
  space(): Uint8Array<ArrayBuffer> {
    const unread = this.#end - this.#start;
    if (unread === 0) {
      // A large buffer is given back once the client falls silent.
      if (this.#buffer.length > FIRST_BUFFER_BYTES && this.#end < FIRST_BUFFER_BYTES) {
        this.#buffer = new Uint8Array(FIRST_BUFFER_BYTES);
      }
      this.#start = this.#end = 0;
    } else if (this.#end > this.#buffer.length * 0.75) this.#makeRoom(unread);
    return this.#buffer.subarray(this.#end);
  }

  #makeRoom(unread: number): void {
    const isFull = unread > this.#buffer.length >> 1;
    const next = isFull ? new Uint8Array(this.#buffer.length * 4) : this.#buffer;
    if (isFull) next.set(this.#buffer.subarray(this.#start, this.#end));
    else next.copyWithin(0, this.#start, this.#end);
    this.#buffer = next;
    this.#start = 0;
    this.#end = unread;
  }

  /** `byteCount` bytes were read into `space()`. */
  filled(byteCount: number): void {
    this.#end += byteCount;
  }

  /**
   * The data of the next chunk, or null when it is not complete. It may alias the buffer: valid until the next
   * call of `space()`.
   *
   * @throws {SnappyError}
   */
  next(): Uint8Array | null {
    for (;;) {
      this.#skip();
      const { type, restBytes } = this.#header();
      if (type < 0) return null;
      if (type >= FIRST_SKIPPABLE && type !== IDENTIFIER) {
        this.#requireIdentifier();
        this.#start += HEADER_BYTES;
        this.#skipBytes = restBytes;
        continue;
      }
      checkLength(type, restBytes);
      if (this.#end - this.#start < HEADER_BYTES + restBytes) return null;
      const from = this.#start + HEADER_BYTES;
      this.#start = from + restBytes;
      const rest = this.#buffer.subarray(from, from + restBytes);
      if (type === IDENTIFIER) {
        if (rest.some((byte, i) => byte !== IDENTIFIER_CHUNK[HEADER_BYTES + i])) {
          throw new SnappyError("wrong stream identifier");
        }
        this.#isBegun = true;
        continue;
      }
      this.#requireIdentifier();
      const data = decode(type, rest);
      if (data.length > 0) return data;
    }
  }

  #skip(): void {
    const skipped = Math.min(this.#skipBytes, this.#end - this.#start);
    this.#skipBytes -= skipped;
    this.#start += skipped;
  }

  /** A negative type when it is not complete. */
  #header(): { type: number; restBytes: number } {
    const bytes = this.#buffer, at = this.#start;
    if (this.#skipBytes > 0 || this.#end - at < HEADER_BYTES) return { type: -1, restBytes: 0 };
    return { type: bytes[at], restBytes: bytes[at + 1] | bytes[at + 2] << 8 | bytes[at + 3] << 16 };
  }

  #requireIdentifier(): void {
    if (!this.#isBegun) throw new SnappyError("the stream does not begin with its identifier");
  }
}

function checkLength(type: number, restBytes: number): void {
  const [min, max] = lengthsOf(type);
  if (restBytes >= min && restBytes <= max) return;
  throw new SnappyError(`chunk of type ${type} is ${restBytes} bytes, must be ${min} to ${max}`);
}

function lengthsOf(type: number): [min: number, max: number] {
  switch (type) {
    case COMPRESSED:
      return [CHECKSUM_BYTES, CHECKSUM_BYTES + MAX_COMPRESSED_BYTES];
    case PLAIN:
      return [CHECKSUM_BYTES, CHECKSUM_BYTES + MAX_CHUNK_BYTES];
    case IDENTIFIER:
      return [IDENTIFIER_BYTES, IDENTIFIER_BYTES];
    default:
      throw new SnappyError(`chunk of the reserved type ${type}`);
  }
}

/**
 * Walks over the elements of a block, without their contents.
 *
 * @throws {SnappyError} unless they lie within the block and yield as many bytes as it says, at most a chunk's
 */
function checkBlock(block: Uint8Array): void {
  let at = 0, claimed = 0, shift = 0, byte;
  do {
    if (at === block.length || shift > 14) {
      throw new SnappyError("length of a block is incomplete or too large");
    }
    byte = block[at++];
    claimed |= (byte & 0x7f) << shift;
    shift += 7;
  } while (byte >= 0x80);
  if (claimed > MAX_CHUNK_BYTES) {
    throw new SnappyError(`block of ${claimed} bytes, max is ${MAX_CHUNK_BYTES}`);
  }
  let yielded = 0;
  while (at < block.length && yielded <= claimed) {
    const tag = block[at], kind = tag & 3;
    if (kind === 0) {
      const extraBytes = Math.max(0, (tag >>> 2) - 59);
      let literalBytes = tag >>> 2;
      // Three bytes are enough for any length that can be right; a fourth must be 0.
      if (extraBytes > 0) literalBytes = block[at + 1] | block[at + 2] << 8 | block[at + 3] << 16;
      if (extraBytes > 0 && extraBytes < 3) literalBytes &= extraBytes === 1 ? 0xff : 0xffff;
      if (extraBytes === 4 && block[at + 4] !== 0) throw new SnappyError("literal of a block is too long");
      at += 1 + extraBytes + literalBytes + 1;
      yielded += literalBytes + 1;
    } else {
      at += COPY_BYTES[kind];
      yielded += kind === 1 ? (tag >>> 2 & 7) + 4 : (tag >>> 2) + 1;
    }
  }
  if (at !== block.length || yielded !== claimed) {
    throw new SnappyError(`block yields ${yielded} bytes instead of ${claimed}, or is incomplete`);
  }
}

function decode(type: number, rest: Uint8Array): Uint8Array {
  const content = rest.subarray(CHECKSUM_BYTES);
  let data = content;
  if (type === COMPRESSED) {
    checkBlock(content);
    try {
      data = uncompress(content, MAX_CHUNK_BYTES);
    } catch (cause) {
      throw new SnappyError(`chunk cannot be uncompressed: ${(cause as Error).message}`, { cause });
    }
  }
  const told = (rest[0] | rest[1] << 8 | rest[2] << 16 | rest[3] << 24) >>> 0;
  if (told !== maskedChecksum(data)) throw new SnappyError("checksum of a chunk does not match");
  return data;
}
