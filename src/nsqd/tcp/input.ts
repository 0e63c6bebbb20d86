/**
 * What a connection receives: reads, one at a time, the magic, and the commands in them, strictly in order.
 *
 * A slow client delays only itself: while a command waits for an answer, or answers wait for the client to read
 * them, no more than a bounded number of bytes is taken in.
 *
 * Tested in test/nsqd/tcp/connection_test.ts.
 */
import { setImmediate } from "node:timers";
import type { BufferPool } from "../../buffers/buffer_pool.ts";
import type { CommandHandler, ReaderLimits } from "../../protocol/command.ts";
import { CommandReader } from "../../protocol/command_reader.ts";
import * as errors from "../../protocol/errors.ts";
import type { Transport } from "../../transport/transport.ts";

/** Whose input it is. */
export interface InputOwner {
  /** So many bytes were read. */
  inputReceived(byteCount: number): void;
  inputEnded(): void;
  streamFailed(cause: unknown): void;
  /** The magic has come, and is the right one. */
  greeted(): void;
  /** A command threw. False when none is run after it. */
  commandFailed(cause: unknown): boolean;
}

const MAGIC = "  V2";
/** While commands are not run, no more than this and one read is taken in of them. */
const MAX_WAITING_BYTES = 65_536;
/** What is taken in before others have their turn: reads may follow one another without one, inflated ones for long. */
const MAX_TURN_BYTES = 262_144;
const decoder = new TextDecoder();

export class Input {
  readonly #reader: CommandReader;
  readonly #owner: InputOwner;
  #transport: Transport;
  #isGreeted = false;
  /** True while a read is out, or about to be. */
  #isReading = false;
  #isClosed = false;
  /** Bytes since others had their turn. */
  #turnBytes = 0;
  /** True from the end of the client's sending half on. */
  isEnded = false;
  readonly #onRead = (byteCount: number | null) => this.#received(byteCount);
  readonly #onReadError = (cause: unknown) => this.#owner.streamFailed(cause);
  readonly #onTurn = () => {
    this.#isReading = false;
    if (!this.#isClosed) this.read();
  };

  constructor(
    transport: Transport,
    handler: CommandHandler,
    pool: BufferPool,
    options: ReaderLimits & { nodeId: number },
    owner: InputOwner,
  ) {
    this.#transport = transport;
    this.#owner = owner;
    this.#reader = new CommandReader(handler, pool, options, options.nodeId);
  }

  /** The id of the FIN in its usual form that was handed over last. */
  get finishedId(): Uint8Array {
    return this.#reader.finishedId;
  }

  /** While false, no further command is started. */
  set mayRun(mayRun: boolean) {
    this.#reader.suspended = !mayRun;
  }

  /** Reads once, unless a read is out: into the buffer, where it counts only when `run()` is told of it. */
  read(): void {
    if (this.#isReading || this.isEnded) return;
    this.#isReading = true;
    this.#transport.read(this.#reader.space()).then(this.#onRead, this.#onReadError);
  }

  /** Reads on unless enough waits; `mayHoldMore` says whether commands that are not run may be taken in at all. */
  readOn(mayHoldMore: boolean): void {
    if (this.#isReading) return;
    const reader = this.#reader;
    if (reader.suspended && (!mayHoldMore || reader.unread > MAX_WAITING_BYTES)) return;
    reader.fit();
    if (this.#turnBytes < MAX_TURN_BYTES) return this.read();
    this.#turnBytes = 0;
    this.#isReading = true;
    setImmediate(this.#onTurn);
  }

  #received(byteCount: number | null): void {
    this.#isReading = false;
    if (byteCount !== null) return this.#owner.inputReceived(byteCount);
    this.isEnded = true;
    this.#owner.inputEnded();
  }

  /** `byteCount` bytes more were read that belong to commands. */
  filled(byteCount: number): void {
    this.#reader.filled(byteCount);
    this.#turnBytes += byteCount;
  }

  /** Runs every complete command. True when a command was taken, and none but the client is awaited now. */
  run(): boolean {
    const reader = this.#reader, before = reader.unread;
    if (!this.#isGreeted && !this.#greet()) return false;
    for (;;) {
      try {
        reader.run();
        return !reader.suspended && reader.unread < before;
      } catch (cause) {
        if (!this.#owner.commandFailed(cause)) return false;
      }
    }
  }

  /** Takes the protocol magic; false while it is incomplete or when it is wrong. */
  #greet(): boolean {
    const magic = this.#reader.takeMagic(MAGIC.length);
    if (magic === null) return false;
    this.#isGreeted = true;
    if (decoder.decode(magic) === MAGIC) {
      this.#owner.greeted();
      return true;
    }
    this.#owner.commandFailed(errors.badProtocol());
    return false;
  }

  /** The error of a command that is cut off in the middle; null when none is. */
  truncation(): errors.ClientError | null {
    return this.#reader.truncation();
  }

  /** Takes what was read and not run: it belongs to another stream. */
  takeUnread(): Uint8Array {
    return this.#reader.takeMagic(this.#reader.unread)!;
  }

  /** Reads go to `transport` from now on. No read may be out. */
  changeTransport(transport: Transport): void {
    this.#transport = transport;
  }

  close(): void {
    this.#isClosed = true;
    this.#reader.close();
  }
}
