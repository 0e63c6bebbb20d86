/**
 * The end of lookupd: cuts the byte stream of a V1 client into the magic, lines, and bodies of IDENTIFY.
 *
 * Owns one read buffer, 512 bytes while little arrives, so that thousands of nsqds that only ping
 * cost little. It grows up to the longest line, or for the time of one IDENTIFY to its body, and what
 * is longer is refused before it is stored.
 */
import { rawText } from "../quote.ts";
import { checkIdentifySize, LookupProtocolError } from "./errors.ts";

/** Longest line, bytes, without its end. The longest that means anything has 140. */
export const MAX_LINE_BYTES = 4096;

const SMALL_BUFFER_BYTES = 512;
const MAGIC_BYTES = 4;
const LINE_FEED = 10;

/** What the next bytes are part of. */
export type Expected = "magic" | "line" | "body-size" | "body";

/** One part of the stream; `body` aliases the read buffer and is good until the next call. */
export type Part =
  | { kind: "magic"; text: string }
  | { kind: "line"; text: string }
  | { kind: "body"; body: Uint8Array };

export class V1Reader {
  #buffer: Uint8Array = new Uint8Array(SMALL_BUFFER_BYTES);
  #start = 0;
  #end = 0;
  #expected: Expected = "magic";
  #bodyBytes = 0;

  get expected(): Expected {
    return this.#expected;
  }

  /** The next part is a body with its size, not a line. */
  expectBody(): void {
    this.#expected = "body-size";
  }

  /** Returns the space that the next read goes to; at least one byte. */
  space(): Uint8Array {
    const unread = this.#end - this.#start;
    const needed = this.#neededBytes(unread);
    if (needed > this.#buffer.length || (unread === 0 && this.#buffer.length > MAX_LINE_BYTES + 1)) {
      const buffer = new Uint8Array(Math.max(needed, SMALL_BUFFER_BYTES));
      buffer.set(this.#buffer.subarray(this.#start, this.#end));
      this.#buffer = buffer;
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
   * Returns the next complete part, or undefined when more bytes are needed.
   *
   * @throws {LookupProtocolError} when a line or body is too long, or a body size negative
   */
  next(): Part | undefined {
    const unread = this.#end - this.#start;
    switch (this.#expected) {
      case "magic":
        if (unread < MAGIC_BYTES) return undefined;
        this.#expected = "line";
        return { kind: "magic", text: rawText(this.#take(MAGIC_BYTES)) };
      case "line":
        return this.#nextLine();
      case "body-size": {
        if (unread < 4) return undefined;
        const size = this.#take(4);
        this.#bodyBytes = new DataView(size.buffer, size.byteOffset, 4).getInt32(0);
        checkIdentifySize(this.#bodyBytes);
        this.#expected = "body";
        return this.next();
      }
      case "body":
        if (unread < this.#bodyBytes) return undefined;
        this.#expected = "line";
        return { kind: "body", body: this.#take(this.#bodyBytes) };
    }
  }

  #nextLine(): Part | undefined {
    const unread = this.#buffer.subarray(this.#start, this.#end);
    const length = unread.indexOf(LINE_FEED);
    if (length > MAX_LINE_BYTES || (length < 0 && unread.length > MAX_LINE_BYTES)) {
      throw new LookupProtocolError(`E_INVALID command line is longer than ${MAX_LINE_BYTES} bytes`);
    }
    if (length < 0) return undefined;
    const line = this.#take(length + 1);
    return { kind: "line", text: rawText(line.subarray(0, length)) };
  }

  #take(byteCount: number): Uint8Array {
    const part = this.#buffer.subarray(this.#start, this.#start + byteCount);
    this.#start += byteCount;
    return part;
  }

  #neededBytes(unread: number): number {
    if (this.#expected === "body") return Math.max(this.#bodyBytes, unread + 1);
    if (unread < this.#buffer.length) return unread + 1;
    return Math.min(2 * unread, MAX_LINE_BYTES + 1);
  }
}
