/**
 * What a client sent and was not used yet: one buffer, small while little comes, that heads are cut out of.
 *
 * One read is out at a most. It may be begun while nobody needs its bytes, to notice that the client leaves.
 */
import type { Transport } from "../../transport/transport.ts";
import { BadRequest, parseHead, type RequestHead } from "./request_head.ts";

const SMALL_BUFFER_BYTES = 2048;
/** A larger buffer is given up when it is empty. */
const KEPT_BUFFER_BYTES = 16_384;
/** Longest head, bytes: what Go's HTTP server takes. */
export const MAX_HEAD_BYTES = (1 << 20) + 4096;
const LINE_FEED = 10;
const RETURN = 13;

export class Input {
  readonly #transport: Transport;
  #buffer = new Uint8Array(SMALL_BUFFER_BYTES);
  #start = 0;
  #end = 0;
  /** Up to here no end of a head was found. */
  #searched = 0;
  #reading: Promise<number | null> | null = null;
  #isEnded = false;
  #isAwaited = false;
  readonly #progressed: () => void;

  /** @param progressed is called when bytes came */
  constructor(transport: Transport, progressed: () => void = () => {}) {
    this.#transport = transport;
    this.#progressed = progressed;
  }

  /** Somebody can do nothing until the client sends something. */
  get isAwaited(): boolean {
    return this.#isAwaited;
  }

  /** Bytes that came and were not used. */
  get unreadBytes(): number {
    return this.#end - this.#start;
  }

  /** The client sends nothing more. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Waits for more bytes; resolves with false when there will be none. */
  async fill(): Promise<boolean> {
    if (this.#isEnded) return false;
    this.#isAwaited = true;
    const byteCount = await this.watch();
    this.#isAwaited = false;
    this.#reading = null;
    if (byteCount === null) this.#isEnded = true;
    else this.#end += byteCount;
    this.#progressed();
    return byteCount !== null;
  }

  /** Begins to read, or goes on with it: resolves with what the next `fill()` will find, null for the end. */
  watch(): Promise<number | null> {
    if (this.#isEnded) return Promise.resolve(null);
    if (this.#reading === null) {
      this.#makeRoom();
      this.#reading = this.#transport.read(this.#buffer.subarray(this.#end));
    }
    return this.#reading;
  }

  /**
   * Cuts out the next head; null while it is incomplete. Empty lines before it are skipped.
   *
   * @throws {BadRequest} when it is none, or too long
   */
  takeHead(): RequestHead | null {
    const bytes = this.#buffer;
    while (this.#start < this.#end && (bytes[this.#start] === LINE_FEED || bytes[this.#start] === RETURN)) {
      this.#start++;
    }
    for (let at = Math.max(this.#searched, this.#start); at < this.#end; at++) {
      if (bytes[at] !== LINE_FEED) continue;
      const next = bytes[at + 1] === RETURN ? at + 2 : at + 1;
      if (next >= this.#end) break;
      if (bytes[next] !== LINE_FEED) continue;
      if (next - this.#start > MAX_HEAD_BYTES) break;
      const head = parseHead(bytes, this.#start, bytes[at - 1] === RETURN ? at - 1 : at);
      this.#start = next + 1;
      this.#searched = this.#start;
      return head;
    }
    if (this.unreadBytes >= MAX_HEAD_BYTES) throw new BadRequest(431, "the head is too long");
    this.#searched = Math.max(this.#start, this.#end - 2);
    return null;
  }

  /** Cuts out the line that comes next, without its end; null while it is incomplete. */
  takeLine(maxBytes: number): Uint8Array | null {
    const unread = this.#buffer.subarray(this.#start, Math.min(this.#end, this.#start + maxBytes + 1));
    const length = unread.indexOf(LINE_FEED);
    if (length < 0) {
      if (unread.length > maxBytes) throw new BadRequest(400, "a line of the body is too long");
      return null;
    }
    this.#start += length + 1;
    this.#searched = this.#start;
    return unread.subarray(0, unread[length - 1] === RETURN ? length - 1 : length);
  }

  /** Cuts out up to `maxBytes`, in an array of their own; empty when nothing is there. */
  take(maxBytes: number): Uint8Array<ArrayBuffer> {
    const taken = this.#buffer.slice(this.#start, Math.min(this.#end, this.#start + maxBytes));
    this.#start += taken.length;
    this.#searched = this.#start;
    return taken;
  }

  /** Drops up to `maxBytes` and returns how many. */
  drop(maxBytes: number): number {
    const byteCount = Math.min(maxBytes, this.#end - this.#start);
    this.#start += byteCount;
    this.#searched = this.#start;
    return byteCount;
  }

  /** Reads straight into `into`; for when nothing is left here. Resolves with null at the end. */
  async readInto(into: Uint8Array<ArrayBuffer>): Promise<number | null> {
    if (this.#reading !== null || this.unreadBytes > 0) {
      if (this.unreadBytes === 0 && !await this.fill()) return null;
      const taken = this.take(into.length);
      into.set(taken);
      return taken.length;
    }
    if (this.#isEnded) return null;
    this.#isAwaited = true;
    const byteCount = await this.#transport.read(into);
    this.#isAwaited = false;
    if (byteCount === null) this.#isEnded = true;
    this.#progressed();
    return byteCount;
  }

  #makeRoom(): void {
    const unread = this.#end - this.#start;
    if (unread === 0) {
      this.#start = this.#end = this.#searched = 0;
      if (this.#buffer.length > KEPT_BUFFER_BYTES) this.#buffer = new Uint8Array(SMALL_BUFFER_BYTES);
      return;
    }
    if (this.#end < this.#buffer.length) return;
    if (this.#start >= this.#buffer.length / 2) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
    } else {
      const grown = new Uint8Array(Math.min(2 * this.#buffer.length, 2 * MAX_HEAD_BYTES));
      grown.set(this.#buffer.subarray(this.#start, this.#end));
      this.#buffer = grown;
    }
    this.#searched -= this.#start;
    this.#start = 0;
    this.#end = unread;
  }
}
