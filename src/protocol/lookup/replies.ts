/**
 * Replies of V1, both ends: for each command an int32 length and as many bytes of text, without a frame type.
 */
import { type ByteText, encodeByteText } from "../quote.ts";

const LENGTH_BYTES = 4;
const FIRST_BUFFER_BYTES = 4096;

/** Encodes the replies to consecutive commands, for one write. */
export function encodeReplies(texts: readonly ByteText[]): Uint8Array<ArrayBuffer> {
  let byteCount = 0;
  for (const text of texts) byteCount += LENGTH_BYTES + text.length;
  const bytes = new Uint8Array(byteCount);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const text of texts) {
    view.setInt32(at, text.length);
    bytes.set(encodeByteText(text), at + LENGTH_BYTES);
    at += LENGTH_BYTES + text.length;
  }
  return bytes;
}

/** The end of nsqd: cuts the byte stream of a lookupd into replies. */
export class ReplyReader {
  readonly #maxReplyBytes: number;
  #buffer = new Uint8Array(FIRST_BUFFER_BYTES);
  #start = 0;
  #end = 0;

  /** @param maxReplyBytes a longer reply is refused before it is stored */
  constructor(maxReplyBytes: number) {
    this.#maxReplyBytes = maxReplyBytes;
  }

  /** Returns the space that the next read goes to; at least one byte. */
  space(): Uint8Array<ArrayBuffer> {
    const unread = this.#end - this.#start;
    const wanted = unread < LENGTH_BYTES ? LENGTH_BYTES : LENGTH_BYTES + this.#length();
    if (wanted > this.#buffer.length) {
      const grown = new Uint8Array(wanted);
      grown.set(this.#buffer.subarray(this.#start, this.#end));
      this.#buffer = grown;
    } else {
      this.#buffer.copyWithin(0, this.#start, this.#end);
    }
    this.#start = 0;
    this.#end = unread;
    return this.#buffer.subarray(unread);
  }

  /** `byteCount` bytes were read into `space()`. */
  received(byteCount: number): void {
    this.#end += byteCount;
  }

  /**
   * Returns the next complete reply, or null when more bytes are needed.
   *
   * @throws {Error} when a length is negative or over the limit
   */
  next(): string | null {
    if (this.#end - this.#start < LENGTH_BYTES) return null;
    const length = this.#length();
    if (length < 0 || length > this.#maxReplyBytes) {
      throw new Error(`reply of ${length} bytes, max is ${this.#maxReplyBytes}`);
    }
    const from = this.#start + LENGTH_BYTES, to = from + length;
    if (to > this.#end) return null;
    this.#start = to;
    return new TextDecoder().decode(this.#buffer.subarray(from, to));
  }

  #length(): number {
    return new DataView(this.#buffer.buffer).getInt32(this.#start);
  }
}
