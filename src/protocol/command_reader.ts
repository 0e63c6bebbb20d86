/**
 * Turns the bytes of a connection into commands: a parser that is fed, never waits and has no socket.
 *
 * Bytes are read into `space()` and announced with `filled(n)`; `run()` then hands every complete command
 * to the handler, in order, and stops where one is incomplete. It may be cut anywhere.
 *
 * Data layout: one buffer; unread bytes are [start, end). Positions inside a command are kept relative to
 * its start, because the bytes move when the buffer is closed up or grows. The buffer grows only as bytes
 * arrive, after the sizes that announce them were checked, and shrinks when reads get small: an idle
 * connection holds 512 bytes.
 *
 * Cost: FIN is one comparison of a word, one of a byte and the parsing of the id; PUB and MPUB look at
 * each body once. A command cut in the middle is not scanned again from its start.
 */
import type { Buffer, BufferPool } from "../buffers/buffer_pool.ts";
import {
  type BodyCommandName,
  type CommandHandler,
  commandName,
  type Parameters,
  type ReaderLimits,
} from "./command.ts";
import * as errors from "./errors.ts";
import { ID_LENGTH, parseHex4, parseId } from "./message.ts";

/** The line of a command, with its newline, is longer than allowed: the connection closes without a word. */
export class LineTooLongError extends Error {}

/** Bytes of a command's line including the newline. Specified by nsqd. */
const MAX_LINE_BYTES = 16_384;
/** Parameters that are kept; more are counted and ignored. */
const MAX_PARAMETERS = 4;
const MIN_BUFFER_BYTES = 512;
const MAX_IDLE_BUFFER_BYTES = 131_072;
/** Fills of less than a quarter in a row after which the buffer gets smaller. */
const SMALL_FILLS_TO_SHRINK = 8;
const NEWLINE = 10;
const SPACE = 32;
const CARRIAGE_RETURN = 13;
/** `FIN `, as a big-endian word. */
const FIN_WORD = 0x46494e20;
const FIN_BYTES = 4 + ID_LENGTH + 1;

/**
 * Where the parameters of the line being dispatched begin and end, relative to its start. One for all readers:
 * parameters are valid during a call only.
 */
const BOUNDS = new Int32Array(MAX_PARAMETERS * 2);

const LINE = 0, SIZE = 1, BODY = 2, COUNT = 3, MESSAGES = 4;

export class CommandReader implements Parameters {
  /** Parameters of the current line. */
  count = 0;
  /** While true, no further command is started: an answer has to come first. */
  suspended = false;

  readonly #handler: CommandHandler;
  readonly #pool: BufferPool;
  readonly #limits: ReaderLimits;
  readonly #nodeId: number;
  #buffer: Buffer;
  #start = 0;
  #end = 0;
  #smallFills = 0;
  #state = LINE;
  #name: BodyCommandName = "PUB";
  /** Relative to the start of the command: how far the line was searched, and where its body part begins. */
  #scanned = 0;
  #bodyAt = 0;
  #bodyBytes = 0;
  #messageCount = 0;
  #messageIndex = 0;
  #messageAt = 0;

  constructor(handler: CommandHandler, pool: BufferPool, limits: ReaderLimits, nodeId: number) {
    this.#handler = handler;
    this.#pool = pool;
    this.#limits = limits;
    this.#nodeId = nodeId;
    this.#buffer = pool.take(MIN_BUFFER_BYTES);
  }

  // ---- bytes in -----------------------------------------------------------------------------

  /** Where to read into; at least one byte long. */
  space(): Uint8Array<ArrayBuffer> {
    const { bytes } = this.#buffer;
    if (this.#end === bytes.length) this.#makeRoom();
    return this.#end === 0 ? this.#buffer.bytes : this.#buffer.bytes.subarray(this.#end);
  }

  /** `byteCount` bytes were read into `space()`. */
  filled(byteCount: number): void {
    this.#end += byteCount;
  }

  /** Copies `chunk` in, for connections whose bytes come from a stream. */
  push(chunk: Uint8Array): void {
    while (this.#buffer.bytes.length - this.#end < chunk.length) this.#makeRoom();
    this.#buffer.bytes.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** Drops what was read and not run, as when the stream changes to TLS or compression. */
  discard(): void {
    this.#start = this.#end = 0;
  }

  /** Takes `byteCount` bytes off the front, when there are so many: the protocol magic. */
  takeMagic(byteCount: number): Uint8Array | null {
    if (this.#end - this.#start < byteCount) return null;
    const magic = this.#buffer.bytes.slice(this.#start, this.#start + byteCount);
    this.#start += byteCount;
    return magic;
  }

  /** Bytes that were read and not taken by a command. */
  get unread(): number {
    return this.#end - this.#start;
  }

  /** Returns the buffer; the reader is not used again. */
  close(): void {
    this.#pool.give(this.#buffer);
  }

  #makeRoom(): void {
    const used = this.#end - this.#start, { bytes } = this.#buffer;
    if (this.#start >= bytes.length >> 1) {
      bytes.copyWithin(0, this.#start, this.#end);
    } else {
      return this.#moveTo(bytes.length * 4);
    }
    this.#start = 0;
    this.#end = used;
  }

  /** Picks the buffer for the next read by how full this one got: larger at once, smaller after a while. */
  fit(): void {
    const used = this.#end, left = used - this.#start, have = this.#buffer.bytes.length;
    if (used === have && have < MAX_IDLE_BUFFER_BYTES) return this.#moveTo(have * 4);
    if (left > 0) return;
    this.#start = this.#end = 0;
    if (have > MAX_IDLE_BUFFER_BYTES) return this.#moveTo(MAX_IDLE_BUFFER_BYTES);
    if (used >= have >> 2) this.#smallFills = 0;
    else if (++this.#smallFills >= SMALL_FILLS_TO_SHRINK && have > MIN_BUFFER_BYTES) this.#moveTo(have >> 2);
  }

  #moveTo(byteLength: number): void {
    const next = this.#pool.take(byteLength), left = this.#end - this.#start;
    if (left > 0) next.bytes.set(this.#buffer.bytes.subarray(this.#start, this.#end));
    this.#pool.give(this.#buffer);
    this.#buffer = next;
    this.#start = 0;
    this.#end = left;
    this.#smallFills = 0;
  }

  // ---- parameters ---------------------------------------------------------------------------

  get buffer(): Uint8Array {
    return this.#buffer.bytes;
  }

  from(i: number): number {
    return this.#start + BOUNDS[i * 2];
  }

  to(i: number): number {
    return this.#start + BOUNDS[i * 2 + 1];
  }

  bytes(i: number): Uint8Array {
    return i < this.count ? this.#buffer.bytes.subarray(this.from(i), this.to(i)) : EMPTY;
  }

  // ---- commands out -------------------------------------------------------------------------

  /**
   * Hands all complete commands to the handler.
   *
   * @throws {ClientError} what the client did wrong; after a fatal one the reader is not run again, after
   * another it may be, and goes on with the next command
   * @throws {LineTooLongError}
   */
  run(): void {
    while (
      !this.suspended && (this.#state === LINE ? this.#line() : this.#continueBody())
    ) { /* each step moves on */ }
  }

  #line(): boolean {
    this.#finishRun();
    const { bytes } = this.#buffer;
    const start = this.#start, limit = Math.min(this.#end, start + MAX_LINE_BYTES);
    let newline = start + this.#scanned;
    while (newline < limit && bytes[newline] !== NEWLINE) newline++;
    if (newline === limit) {
      if (limit === start + MAX_LINE_BYTES) {
        throw new LineTooLongError(`a command line is longer than ${MAX_LINE_BYTES} bytes`);
      }
      this.#scanned = newline - start;
      return false;
    }
    this.#scanned = 0;
    this.#dispatch(start, newline);
    return true;
  }

  /** The hot path of consumers: FIN after FIN. */
  #finishRun(): void {
    const { bytes, view } = this.#buffer;
    const end = this.#end, nodeId = this.#nodeId, handler = this.#handler;
    let at = this.#start;
    while (
      end - at >= FIN_BYTES && view.getUint32(at) === FIN_WORD && bytes[at + FIN_BYTES - 1] === NEWLINE
    ) {
      const low = parseHex4(bytes, at + 16);
      // Ids of one run differ in their last digits only.
      if (
        low < 0 || view.getUint32(at + 4) !== this.#idWord0 || view.getUint32(at + 8) !== this.#idWord1 ||
        view.getUint32(at + 12) !== this.#idWord2
      ) {
        const seq = parseId(bytes, at + 4, nodeId);
        if (seq < 0) break;
        this.#idWord0 = view.getUint32(at + 4);
        this.#idWord1 = view.getUint32(at + 8);
        this.#idWord2 = view.getUint32(at + 12);
        this.#idBase = seq - low;
      }
      // Moved on before the call: an error of this FIN must not have it run again.
      this.#failedIdAt = at + 4;
      this.#scanned = 0;
      at = this.#start = at + FIN_BYTES;
      handler.finish(this.#idBase + low);
    }
  }

  /** The first twelve digits of the last id, as words, and the sequence number that they stand for. */
  #idWord0 = 0;
  #idWord1 = 0;
  #idWord2 = 0;
  #idBase = 0;
  #failedIdAt = 0;

  /** The id bytes of the FIN that was just handed over; for its error text. */
  get finishedId(): Uint8Array {
    return this.#buffer.bytes.subarray(this.#failedIdAt, this.#failedIdAt + ID_LENGTH);
  }

  #dispatch(start: number, newline: number): void {
    const { bytes } = this.#buffer;
    const end = newline > start && bytes[newline - 1] === CARRIAGE_RETURN ? newline - 1 : newline;
    let wordEnd = start;
    while (wordEnd < end && bytes[wordEnd] !== SPACE) wordEnd++;
    this.#split(start, wordEnd, end);
    const name = commandName(bytes, start, wordEnd);
    if (name === undefined) this.#handler.unknown(bytes.subarray(start, wordEnd));
    switch (name) {
      case "PUB":
      case "MPUB":
      case "DPUB":
      case "IDENTIFY":
      case "AUTH":
        this.#name = name;
        this.#bodyAt = newline + 1 - start;
        this.#handler.begin(name, this);
        this.#state = SIZE;
        return;
      default:
        try {
          this.#handler.command(name, this);
        } finally {
          this.#start = newline + 1;
        }
    }
  }

  #split(start: number, wordEnd: number, end: number): void {
    const { bytes } = this.#buffer, bounds = BOUNDS;
    let count = 0;
    for (let at = wordEnd; at < end;) {
      const from = at + 1;
      at = from;
      while (at < end && bytes[at] !== SPACE) at++;
      if (count < MAX_PARAMETERS) {
        bounds[count * 2] = from - start;
        bounds[count * 2 + 1] = at - start;
      }
      count++;
    }
    this.count = count;
  }

  /** False when more bytes are needed. */
  #continueBody(): boolean {
    const available = this.#end - this.#start;
    if (this.#state === SIZE) {
      if (available < this.#bodyAt + 4) return false;
      this.#bodyBytes = this.#checkSize(this.#buffer.view.getInt32(this.#start + this.#bodyAt));
      this.#bodyAt += 4;
      this.#state = this.#name === "MPUB" ? COUNT : BODY;
    }
    if (this.#state === BODY) return available >= this.#bodyAt + this.#bodyBytes && this.#finishBody();
    if (this.#state === COUNT) {
      if (available < this.#bodyAt + 4) return false;
      this.#messageCount = this.#checkCount(this.#buffer.view.getInt32(this.#start + this.#bodyAt));
      this.#messageAt = this.#bodyAt + 4;
      this.#messageIndex = 0;
      this.#state = MESSAGES;
    }
    return this.#walkMessages(available);
  }

  #checkSize(size: number): number {
    const name = this.#name;
    if (name === "PUB" || name === "DPUB") {
      if (size <= 0) throw errors.invalidMessageSize(name, size);
      if (size > this.#limits.maxMsgSize) throw errors.messageTooBig(name, size, this.#limits.maxMsgSize);
      return size;
    }
    if (name === "MPUB" && size <= 0) throw errors.invalidBodySize(name, size);
    if (size > this.#limits.maxBodySize) throw errors.bodyTooBig(name, size, this.#limits.maxBodySize);
    if (size <= 0) throw errors.invalidBodySize(name, size);
    return size;
  }

  #checkCount(count: number): number {
    if (count <= 0 || count > Math.floor((this.#limits.maxBodySize - 4) / 5)) {
      throw errors.invalidMessageCount(count);
    }
    return count;
  }

  /** Looks at the sizes of an MPUB: all is checked before anything is published. */
  #walkMessages(available: number): boolean {
    const { view } = this.#buffer, start = this.#start, count = this.#messageCount;
    const maxMsgSize = this.#limits.maxMsgSize, maxEnd = this.#bodyAt + this.#limits.maxBodySize;
    let at = this.#messageAt, index = this.#messageIndex;
    while (index < count && at + 4 <= available) {
      const size = view.getInt32(start + at);
      if (size <= 0) throw errors.invalidBatchMessageSize(index, size);
      if (size > maxMsgSize) throw errors.messageTooBig("MPUB", size, maxMsgSize);
      // The announced body size is not binding, the limit on it is.
      if (at + 4 + size > maxEnd) {
        throw errors.bodyTooBig("MPUB", at + 4 + size - this.#bodyAt, this.#limits.maxBodySize);
      }
      if (at + 4 + size > available) break;
      at += 4 + size;
      index++;
    }
    this.#messageAt = at;
    this.#messageIndex = index;
    if (index < count) return false;
    this.#state = LINE;
    this.#handler.publishMany(this.#buffer, start + this.#bodyAt + 4, count);
    this.#start = start + at;
    return true;
  }

  #finishBody(): true {
    const from = this.#start + this.#bodyAt, bodyBytes = this.#bodyBytes;
    this.#state = LINE;
    if (this.#name === "IDENTIFY" || this.#name === "AUTH") {
      const body = this.#buffer.bytes.subarray(from, from + bodyBytes);
      this.#start = from + bodyBytes;
      this.#handler.body(this.#name, body);
    } else {
      this.#handler.publish(this.#buffer, from, bodyBytes);
      this.#start = from + bodyBytes;
    }
    return true;
  }

  /** The error of a command that was cut off by the end of the connection or its deadline; null for none or a line. */
  truncation(): errors.ClientError | null {
    const name = this.#name;
    switch (this.#state) {
      case LINE:
        return null;
      case SIZE:
        return name === "PUB" || name === "DPUB"
          ? errors.unreadableMessageSize(name)
          : errors.unreadableBodySize(name);
      case COUNT:
        return errors.unreadableMessageCount();
      case MESSAGES:
        return this.#end - this.#start < this.#messageAt + 4
          ? errors.unreadableBatchMessageSize(this.#messageIndex)
          : errors.unreadableMessage("MPUB");
      default:
        return name === "IDENTIFY" || name === "AUTH"
          ? errors.unreadableBody(name)
          : errors.unreadableMessage(name as "PUB" | "DPUB");
    }
  }
}

const EMPTY = new Uint8Array(0);
