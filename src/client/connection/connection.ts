/**
 * One connection to a node after its handshake: frames go to a listener, commands are gathered and leave
 * together at the end of the turn, heartbeats are answered, silence and a blocked way out are noticed.
 *
 * Of timers there is one, which looks from time to time at when something was last read and written.
 */
import { CommandWriter } from "../../protocol/command_writer.ts";
import { FrameStream, readInt32 } from "../../protocol/frame_reader.ts";
import { FRAME_TYPE_ERROR, FRAME_TYPE_MESSAGE, RECORD_OVERHEAD } from "../../protocol/message.ts";
import { ProtocolFault } from "../../protocol/protocol_fault.ts";
import { ConnectionError, NsqError, type ServerError } from "../errors.ts";
import type { Connecting } from "../options/options.ts";
import { atEndOfTurn } from "../runtime.ts";
import type { ByteStream, Dial } from "./byte_stream.ts";
import { type Agreement, serverError, shakeHands } from "./handshake.ts";

/** Who uses a connection. */
export interface ConnectionListener {
  /** The frame of a message: `totalBytes` at `at` of `run`, which nobody changes. */
  onMessage(run: Uint8Array, at: number, totalBytes: number): void;
  /** All frames of a piece were handed over. */
  onRunEnd(): void;
  /** A response but a heartbeat. */
  onResponse(text: string): void;
  /** An error frame. */
  onServerError(error: ServerError): void;
  /** More can be sent after it was too much. */
  onDrain(): void;
  /** It is over; null when both sides wanted that. Nothing follows. */
  onClosed(error: NsqError | null): void;
}

const SIZE_BYTES = 4, TYPE_OFFSET = 4, DATA_OFFSET = 8;
const MIN_HANDSHAKE_MS = 5_000;
/** For the node to end its half after ours ended. */
const END_MS = 1_000;
/** Above this a connection is congested: what else is to be sent had better wait where it can be taken back. */
const CONGESTED_BYTES = 4 << 20;
const MAX_PIECE_BYTES = 256 << 10;
const HEARTBEAT = new TextEncoder().encode("_heartbeat_");
const decoder = new TextDecoder();

/** A connection that is open until `onClosed`. */
export class Connection {
  readonly address: string;
  readonly agreement: Agreement;
  /** Commands for the node; `flushSoon()` sends them. */
  readonly writer: CommandWriter = new CommandWriter();
  readonly #stream: ByteStream;
  readonly #options: Connecting;
  #listener: ConnectionListener | null = null;
  #isFlushing = false;
  #isOver = false;
  #isEnding = false;
  #hasExpectedEnd = false;
  /** What is being written, and how much of it is on its way. */
  #sending: Uint8Array<ArrayBuffer> | null = null;
  #sentBytes = 0;
  #pieceBytes = 0;
  #handedBytes = 0;
  #wasCongested = false;
  #lastReadMs = performance.now();
  #lastWrittenMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  private constructor(address: string, stream: ByteStream, agreement: Agreement, options: Connecting) {
    this.address = address;
    this.#stream = stream;
    this.agreement = agreement;
    this.#options = options;
  }

  /** Connects and shakes hands. `signal` gives up. @throws {NsqError} */
  static async open(
    address: string,
    options: Connecting,
    isConsumer: boolean,
    signal: AbortSignal,
    dial: Dial = dialTcp,
  ): Promise<Connection> {
    const { dialTimeoutMs: timeoutMs, localAddress } = options;
    const stream = await dial(address, { timeoutMs, localAddress, signal });
    const late = new ConnectionError(
      "ERR_NSQ_CONNECT_TIMEOUT",
      address,
      `handshake with ${address} took longer than ${Math.max(timeoutMs, MIN_HANDSHAKE_MS)} ms`,
    );
    let reason: NsqError | null = null;
    const giveUp = (why: NsqError) => {
      reason ??= why;
      stream.destroy();
    };
    const timer = setTimeout(() => giveUp(late), Math.max(timeoutMs, MIN_HANDSHAKE_MS));
    const onAbort = () =>
      giveUp(new ConnectionError("ERR_NSQ_CONNECT", address, `connecting to ${address} was given up`));
    signal.addEventListener("abort", onAbort);
    try {
      if (signal.aborted) onAbort();
      const open = await shakeHands(stream, address, options, isConsumer);
      if (reason !== null) throw reason;
      return new Connection(address, open.stream, open.agreement, options);
    } catch (cause) {
      stream.destroy();
      if (reason !== null) throw reason;
      if (cause instanceof NsqError) throw cause;
      const message = `handshake with ${address}: ${(cause as Error).message}`;
      throw new ConnectionError("ERR_NSQ_HANDSHAKE", address, message, { cause });
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Begins to read. */
  start(listener: ConnectionListener): void {
    this.#listener = listener;
    this.#lastReadMs = performance.now();
    this.#arm(this.#options.readTimeoutMs);
    this.#read();
  }

  /** Whether so much waits to be sent that more had better wait elsewhere. */
  get isCongested(): boolean {
    const isCongested = this.#waitingBytes > CONGESTED_BYTES;
    if (isCongested) this.#wasCongested = true;
    return isCongested;
  }

  /** Whether nothing can be sent any more. */
  get isOver(): boolean {
    return this.#isOver || this.#isEnding;
  }

  /** Sends what was written, and is written until the end of the turn. */
  flushSoon(): void {
    if (this.#isFlushing || this.#isOver) return;
    this.#isFlushing = true;
    atEndOfTurn(() => {
      this.#isFlushing = false;
      this.flush();
    });
  }

  /** Sends what was written; while a write is under way, what follows it waits and leaves together. */
  flush(): void {
    if (this.#isOver || this.#isWriting || this.writer.length === 0) return;
    this.#sending = this.writer.take();
    this.#sentBytes = 0;
    this.#lastWrittenMs = performance.now();
    this.#armSooner(this.#options.writeTimeoutMs);
    this.#writePiece(this.#sending);
  }

  get #isWriting(): boolean {
    return this.#sending !== null;
  }

  /** Pieces are small enough for each to be written in time, even where the way is slow. */
  #writePiece(sending: Uint8Array<ArrayBuffer>): void {
    const end = Math.min(this.#sentBytes + MAX_PIECE_BYTES, sending.length);
    const isWhole = this.#sentBytes === 0 && end === sending.length;
    this.#pieceBytes = end - this.#sentBytes;
    this.#handedBytes += this.#pieceBytes;
    this.#stream.write(isWhole ? sending : sending.subarray(this.#sentBytes, end), () => {
      this.#sentBytes = end;
      this.#pieceBytes = 0;
      this.#lastWrittenMs = performance.now();
      if (this.#isOver) return;
      if (end < sending.length) return this.#writePiece(sending);
      this.#sending = null;
      this.writer.recycle(sending);
      if (this.writer.length > 0) this.flush();
      else if (this.#isEnding) this.#stream.end();
      if (this.#wasCongested && this.#waitingBytes <= CONGESTED_BYTES / 2) {
        this.#wasCongested = false;
        this.#listener?.onDrain();
      }
    });
  }

  /** Bytes that were given to the stream so far: they may have reached the node. */
  get handedBytes(): number {
    return this.#handedBytes;
  }

  /** Bytes of all commands so far, those that wait included. */
  get queuedBytes(): number {
    return this.#handedBytes + this.#waitingBytes - this.#pieceBytes;
  }

  get #waitingBytes(): number {
    return this.writer.length + (this.#sending === null ? 0 : this.#sending.length - this.#sentBytes);
  }

  /** Sends what waits and ends the connection; `onClosed` follows when the node has ended it too. */
  end(): void {
    if (this.#isOver || this.#isEnding) return;
    this.flush();
    this.#isEnding = true;
    if (!this.#isWriting) this.#stream.end();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#close(null), END_MS);
  }

  /** The node will end the connection, and that is no fault. */
  expectEnd(): void {
    this.#hasExpectedEnd = true;
  }

  /** Ends the connection at once; `error` is why. */
  destroy(error: NsqError | null): void {
    this.#close(error);
  }

  async #read(): Promise<void> {
    try {
      const runs = this.#stream.readable.pipeThrough(new FrameStream(this.#options.maxFrameBytes))
        .getReader();
      for (;;) {
        const { value, done } = await runs.read();
        if (done) break;
        if (this.#isOver) return;
        this.#lastReadMs = performance.now();
        this.#take(value);
      }
      const isWanted = this.#isEnding || this.#hasExpectedEnd;
      this.#close(isWanted ? null : this.#lost(`${this.address} ended the connection`));
    } catch (cause) {
      this.#close(this.#isEnding || this.#hasExpectedEnd ? null : this.#faultOf(cause as Error));
    }
  }

  #faultOf(cause: Error): NsqError {
    if (cause instanceof NsqError) return cause;
    if (cause instanceof ProtocolFault) {
      return new ConnectionError("ERR_NSQ_PROTOCOL", this.address, `${this.address}: ${cause.message}`, {
        cause,
      });
    }
    return this.#lost(`connection to ${this.address} broke: ${cause.message}`, cause);
  }

  #lost(message: string, cause?: Error): ConnectionError {
    return new ConnectionError("ERR_NSQ_CONNECTION_LOST", this.address, message, { cause });
  }

  #take(run: Uint8Array): void {
    const listener = this.#listener!;
    for (let at = 0; at < run.length && !this.#isOver;) {
      const total = SIZE_BYTES + readInt32(run, at);
      const type = readInt32(run, at + TYPE_OFFSET);
      if (type === FRAME_TYPE_MESSAGE) {
        if (total < RECORD_OVERHEAD) {
          throw new ProtocolFault(`a message of ${total} bytes, min is ${RECORD_OVERHEAD}`);
        }
        listener.onMessage(run, at, total);
      } else if (isHeartbeat(run, at, total)) {
        this.writer.nop();
        this.flushSoon();
      } else {
        const text = decoder.decode(run.subarray(at + DATA_OFFSET, at + total));
        if (type === FRAME_TYPE_ERROR) listener.onServerError(serverError(text, this.address));
        else listener.onResponse(text);
      }
      at += total;
    }
    if (!this.#isOver) listener.onRunEnd();
  }

  #timerDueMs = 0;

  #arm(inMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), inMs);
    this.#timerDueMs = performance.now() + inMs;
  }

  /** Arms the timer unless it is due before. */
  #armSooner(inMs: number): void {
    if (this.#isEnding || this.#timerDueMs <= performance.now() + inMs) return;
    this.#arm(inMs);
  }

  #look(): void {
    const now = performance.now();
    const { readTimeoutMs, writeTimeoutMs } = this.#options;
    // A loop that was held up has not read what came meanwhile: it gets one turn to do so.
    const isHeldUp = now > this.#timerDueMs + writeTimeoutMs / 4;
    const readDueMs = this.#lastReadMs + readTimeoutMs;
    const writeDueMs = this.#isWriting ? this.#lastWrittenMs + writeTimeoutMs : Infinity;
    if (isHeldUp) this.#arm(writeTimeoutMs / 4);
    else if (now >= readDueMs) {
      this.#close(this.#timeout("ERR_NSQ_READ_TIMEOUT", `sent nothing for ${readTimeoutMs} ms`));
    } else if (now >= writeDueMs) {
      this.#close(this.#timeout("ERR_NSQ_WRITE_TIMEOUT", `took nothing for ${writeTimeoutMs} ms`));
    } else this.#arm(Math.min(readDueMs, writeDueMs) - now + 1);
  }

  #timeout(code: "ERR_NSQ_READ_TIMEOUT" | "ERR_NSQ_WRITE_TIMEOUT", text: string): ConnectionError {
    return new ConnectionError(code, this.address, `${this.address} ${text}`);
  }

  #close(error: NsqError | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#stream.destroy();
    this.writer.clear();
    this.#listener?.onClosed(error);
  }
}

/** Sockets are loaded when they are needed: what has none, as browsers, can load all the rest. */
const dialTcp: Dial = async (address, options) => {
  const sockets = await import("./socket_stream.ts");
  return await sockets.dialTcp(address, options);
};

function isHeartbeat(run: Uint8Array, at: number, total: number): boolean {
  if (total !== DATA_OFFSET + HEARTBEAT.length || run[at + DATA_OFFSET] !== HEARTBEAT[0]) return false;
  return HEARTBEAT.every((byte, i) => run[at + DATA_OFFSET + i] === byte);
}
