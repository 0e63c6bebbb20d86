/**
 * The body of a request, cut out of what the client sends: as long as its head said, or in chunks.
 *
 * Nothing is taken in before it is asked for; a client that waits to be told to go on is told then.
 *
 * Tested in test/http/connection/input_test.ts.
 */
import type { Input } from "./input.ts";
import { BadRequest } from "./request_head.ts";
import { decodeLatin1 } from "./text.ts";

/** Longest line around chunks, bytes: their size with its extensions, or a trailer. */
const MAX_LINE_BYTES = 4096;
/** All trailers together, lines. */
const MAX_TRAILERS = 100;
/** What one `read()` gives at most. */
const PIECE_BYTES = 65_536;

export class BodySource {
  readonly #input: Input;
  readonly #isChunked: boolean;
  #goOn: (() => Promise<void>) | null;
  /** Of the body, or of the current chunk. */
  #leftBytes: number;
  #isFirstChunk = true;
  #isSettled: boolean;

  /**
   * @param bodyBytes 0 without a body, -1 for chunks
   * @param goOn tells a client that waits for it to send the body; null when it does not wait
   */
  constructor(input: Input, bodyBytes: number, goOn: (() => Promise<void>) | null) {
    this.#input = input;
    this.#isChunked = bodyBytes < 0;
    this.#leftBytes = Math.max(0, bodyBytes);
    this.#goOn = goOn;
    this.#isSettled = bodyBytes === 0;
  }

  /** Nothing of it is left that would stand before the next request. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** The client still waits to be told to send it. */
  get isAwaited(): boolean {
    return this.#goOn !== null;
  }

  /** Bytes that are still to come, as far as that is known; Infinity in chunks. */
  get leftBytes(): number {
    return this.#isSettled ? 0 : this.#isChunked ? Infinity : this.#leftBytes;
  }

  /**
   * Resolves with the next bytes, which belong to the caller, or null at the end.
   *
   * @throws {BadRequest} when the chunks are none
   * @throws {Error} when the client went away
   */
  async read(): Promise<Uint8Array<ArrayBuffer> | null> {
    if (!await this.#open()) return null;
    const wanted = Math.min(this.#leftBytes, PIECE_BYTES);
    if (this.#input.unreadBytes === 0) {
      const piece = new Uint8Array(wanted);
      const byteCount = await this.#input.readInto(piece);
      if (byteCount === null) throw gone();
      this.#used(byteCount);
      return byteCount === wanted ? piece : piece.slice(0, byteCount);
    }
    const piece = this.#input.take(wanted);
    this.#used(piece.length);
    return piece;
  }

  /**
   * Resolves with all of it, for a body of known length. The memory for it grows with what comes.
   *
   * @throws as `read()`
   */
  async readAll(): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#isChunked) return await this.#gather();
    if (this.#isSettled) return new Uint8Array(0);
    await this.#tellToGoOn();
    const length = this.#leftBytes;
    if (this.#input.unreadBytes >= length) {
      this.#used(length);
      return this.#input.take(length);
    }
    let bytes = new Uint8Array(Math.min(length, 1 << 20));
    for (let at = 0; at < length;) {
      if (at === bytes.length) {
        const grown = new Uint8Array(Math.min(length, 2 * at));
        grown.set(bytes);
        bytes = grown;
      }
      const byteCount = await this.#input.readInto(bytes.subarray(at));
      if (byteCount === null) throw gone();
      at += byteCount;
      this.#used(byteCount);
    }
    return bytes;
  }

  /** Takes in and drops what is left, up to `maxBytes`; resolves with whether that was all. */
  async discard(maxBytes: number): Promise<boolean> {
    this.#goOn = null;
    let dropped = 0;
    while (await this.#open()) {
      if (dropped >= maxBytes) return false;
      if (this.#input.unreadBytes === 0 && !await this.#input.fill()) return false;
      const byteCount = this.#input.drop(this.#leftBytes);
      dropped += byteCount;
      this.#used(byteCount);
    }
    return true;
  }

  async #gather(): Promise<Uint8Array<ArrayBuffer>> {
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    for (let piece = await this.read(); piece !== null; piece = await this.read()) pieces.push(piece);
    return pieces.length === 1 ? pieces[0] : new Uint8Array(await new Blob(pieces).arrayBuffer());
  }

  async #tellToGoOn(): Promise<void> {
    const goOn = this.#goOn;
    this.#goOn = null;
    // Whoever sent some of it did not wait.
    if (goOn !== null && this.#input.unreadBytes === 0) await goOn();
  }

  /** Goes to where bytes of the body are next; resolves with false at its end. */
  async #open(): Promise<boolean> {
    if (this.#isSettled) return false;
    await this.#tellToGoOn();
    if (this.#leftBytes > 0) return true;
    // Only chunks get here: a body of known length is settled with its last byte.
    if (!this.#isFirstChunk && (await this.#line()).length > 0) {
      throw new BadRequest(400, "a chunk has no end");
    }
    this.#isFirstChunk = false;
    this.#leftBytes = chunkSize(await this.#line());
    if (this.#leftBytes > 0) return true;
    for (let i = 0; (await this.#line()).length > 0; i++) {
      if (i === MAX_TRAILERS) throw new BadRequest(400, "too many trailers");
    }
    this.#isSettled = true;
    return false;
  }

  async #line(): Promise<Uint8Array> {
    for (;;) {
      const line = this.#input.takeLine(MAX_LINE_BYTES);
      if (line !== null) return line;
      if (!await this.#input.fill()) throw gone();
    }
  }

  #used(byteCount: number): void {
    this.#leftBytes -= byteCount;
    if (this.#leftBytes === 0 && !this.#isChunked) this.#isSettled = true;
  }
}

function chunkSize(line: Uint8Array): number {
  const [, digits] = /^([0-9A-Fa-f]{1,16})[ \t]*(?:;|$)/.exec(decodeLatin1(line, 0, line.length)) ?? [];
  const size = digits === undefined ? NaN : parseInt(digits, 16);
  if (!Number.isSafeInteger(size)) throw new BadRequest(400, "malformed size of a chunk");
  return size;
}

function gone(): Error {
  return new Error("the client went away before the end of its body");
}
