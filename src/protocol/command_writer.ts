/**
 * Writes a client's commands into one growing buffer, so that all commands of a turn leave in one write.
 *
 * A command is a line, and after some of them an int32 size and that many bytes. Names and numbers are not
 * checked here: whoever calls has done it.
 */
import { ID_LENGTH } from "./message.ts";

/** What opens a connection of this protocol. */
export const MAGIC: Uint8Array<ArrayBuffer> = new TextEncoder().encode("  V2");

const encoder = new TextEncoder();
const FIN = encoder.encode("FIN "), TOUCH = encoder.encode("TOUCH "), REQ = encoder.encode("REQ ");
const RDY = encoder.encode("RDY "), PUB = encoder.encode("PUB "), MPUB = encoder.encode("MPUB ");
const DPUB = encoder.encode("DPUB "), NOP = encoder.encode("NOP\n"), CLS = encoder.encode("CLS\n");
const IDENTIFY = encoder.encode("IDENTIFY\n"), AUTH = encoder.encode("AUTH\n"), SUB = encoder.encode("SUB ");
const SPACE = 0x20, LINE_FEED = 0x0a, ZERO = 0x30;
const INT32_BYTES = 4;
const FIRST_BYTES = 1024;
/** A buffer above this is not kept when it comes back: it was one burst's. */
const MAX_KEPT_BYTES = 1 << 20;
/** FIN, REQ and TOUCH with their id and the longest number. */
const MAX_ANSWER_BYTES = 6 + ID_LENGTH + 24;

/** Commands that wait to be sent. */
export class CommandWriter {
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_BYTES);
  #length = 0;
  #spare: Uint8Array<ArrayBuffer> | null = null;

  /** Bytes that wait. */
  get length(): number {
    return this.#length;
  }

  /** Gives away what waits. The array may be given back with `recycle()` once it is sent. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#bytes.subarray(0, this.#length);
    this.#bytes = this.#spare ?? new Uint8Array(Math.min(this.#bytes.length, MAX_KEPT_BYTES));
    this.#spare = null;
    this.#length = 0;
    return taken;
  }

  /** Takes back an array of `take()` that nothing reads any more. */
  recycle(taken: Uint8Array<ArrayBuffer>): void {
    const whole = taken.buffer;
    if (whole.byteLength > MAX_KEPT_BYTES || whole.byteLength <= (this.#spare?.length ?? 0)) return;
    this.#spare = new Uint8Array(whole);
  }

  /** Forgets what waits: its connection is gone. */
  clear(): void {
    this.#length = 0;
  }

  magic(): void {
    this.#put(MAGIC);
  }

  /** `json` is the body. */
  identify(json: string): void {
    this.#put(IDENTIFY);
    this.#body(encoder.encode(json));
  }

  auth(secret: string): void {
    this.#put(AUTH);
    this.#body(encoder.encode(secret));
  }

  sub(topic: string, channel: string): void {
    this.#put(SUB);
    this.#put(encoder.encode(`${topic} ${channel}\n`));
  }

  nop(): void {
    this.#put(NOP);
  }

  cls(): void {
    this.#put(CLS);
  }

  rdy(count: number): void {
    this.#put(RDY);
    this.#room(MAX_ANSWER_BYTES);
    this.#decimal(count);
    this.#bytes[this.#length++] = LINE_FEED;
  }

  /** `id` is 16 bytes at `at`. */
  fin(id: Uint8Array, at: number): void {
    this.#answer(FIN, id, at);
    this.#bytes[this.#length++] = LINE_FEED;
  }

  /** `id` is 16 bytes at `at`. */
  touch(id: Uint8Array, at: number): void {
    this.#answer(TOUCH, id, at);
    this.#bytes[this.#length++] = LINE_FEED;
  }

  /** `id` is 16 bytes at `at`; `delayMs` is a whole number. */
  req(id: Uint8Array, at: number, delayMs: number): void {
    this.#answer(REQ, id, at);
    this.#bytes[this.#length++] = SPACE;
    this.#decimal(delayMs);
    this.#bytes[this.#length++] = LINE_FEED;
  }

  pub(topic: string, body: Uint8Array): void {
    this.#line(PUB, topic);
    this.#body(body);
  }

  /** `deferMs` is a whole number. */
  dpub(topic: string, deferMs: number, body: Uint8Array): void {
    this.#line(DPUB, `${topic} ${deferMs}`);
    this.#body(body);
  }

  /** Begins an MPUB of `count` messages with `bodyBytes` in all, which follow with `batched()`. */
  mpub(topic: string, count: number, bodyBytes: number): void {
    this.#line(MPUB, topic);
    const size = INT32_BYTES + count * INT32_BYTES + bodyBytes;
    this.#room(INT32_BYTES + size);
    this.#int32(size);
    this.#int32(count);
  }

  /** One message of the MPUB that was begun. */
  batched(body: Uint8Array): void {
    this.#body(body);
  }

  #line(command: Uint8Array, parameters: string): void {
    this.#put(command);
    // A topic is at most 64 ASCII characters and a number at most 20.
    this.#room(parameters.length + 1);
    for (let i = 0; i < parameters.length; i++) this.#bytes[this.#length++] = parameters.charCodeAt(i);
    this.#bytes[this.#length++] = LINE_FEED;
  }

  #answer(command: Uint8Array, id: Uint8Array, at: number): void {
    this.#room(MAX_ANSWER_BYTES);
    const bytes = this.#bytes;
    let to = this.#length;
    for (let i = 0; i < command.length; i++) bytes[to++] = command[i];
    for (let i = 0; i < ID_LENGTH; i++) bytes[to++] = id[at + i];
    this.#length = to;
  }

  #body(body: Uint8Array): void {
    this.#room(INT32_BYTES + body.length);
    this.#int32(body.length);
    this.#bytes.set(body, this.#length);
    this.#length += body.length;
  }

  #put(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #int32(value: number): void {
    const bytes = this.#bytes, at = this.#length;
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
    this.#length = at + INT32_BYTES;
  }

  #decimal(value: number): void {
    if (value < 10) {
      this.#bytes[this.#length++] = ZERO + value;
      return;
    }
    const text = String(value);
    for (let i = 0; i < text.length; i++) this.#bytes[this.#length++] = text.charCodeAt(i);
  }

  #room(byteCount: number): void {
    const needed = this.#length + byteCount;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
