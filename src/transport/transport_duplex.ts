/**
 * A transport as the Node stream that `node:tls` wants below it.
 *
 * Tested in test/transport/transport_test.ts and test/wire/upgrade_test.ts.
 */
import { Duplex } from "node:stream";
import { type Transport, writeAll } from "./transport.ts";

/** What an idle connection holds to read into; a full buffer asks for the large one next. */
const IDLE_BUFFER_BYTES = 2048;
const BUSY_BUFFER_BYTES = 65_536;
/** Records of one write are joined in one of these, which all connections share: it is given back after. */
const JOIN_BUFFER_BYTES = 131_072;
const MAX_FREE_JOIN_BUFFERS = 4;
const freeJoinBuffers: Uint8Array<ArrayBuffer>[] = [];

/**
 * TLS takes all that it can get, whoever reads it, and keeps it. So nothing is read while `isFull` says that it
 * holds enough; `goOn()` is to be called when that may have changed.
 *
 * Destroying it leaves the transport open: the error of a failed handshake is still to be told.
 */
export class TransportDuplex extends Duplex {
  readonly #transport: Transport;
  #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(IDLE_BUFFER_BYTES);
  #reading: Promise<void> | null = null;
  #isWanted = false;
  isFull: () => boolean = () => false;
  /** Its end is not that of the sending half: something else follows. */
  keepsOpen = false;

  constructor(transport: Transport) {
    super();
    this.#transport = transport;
  }

  override _read(): void {
    this.#isWanted = true;
    this.#readIfWanted();
  }

  /** Reads on when that waited for `isFull`. */
  goOn(): void {
    if (this.#isWanted) this.#readIfWanted();
  }

  #readIfWanted(): void {
    if (this.#reading !== null || this.destroyed || this.isFull()) return;
    this.#isWanted = false;
    this.#reading = this.#readOnce();
  }

  async #readOnce(): Promise<void> {
    const buffer = this.#buffer;
    try {
      const byteCount = await this.#transport.read(buffer);
      this.#reading = null;
      if (this.destroyed) return;
      if (byteCount === null) {
        this.push(null);
        return;
      }
      this.push(buffer.subarray(0, byteCount));
      this.#pickBuffer(byteCount);
    } catch (cause) {
      this.#reading = null;
      this.destroy(cause as Error);
    }
  }

  /** TLS copies what it is given at once; only what it did not take yet needs its buffer. */
  #pickBuffer(byteCount: number): void {
    const have = this.#buffer.length;
    let wanted = have;
    if (byteCount === have) wanted = BUSY_BUFFER_BYTES;
    else if (byteCount < IDLE_BUFFER_BYTES) wanted = IDLE_BUFFER_BYTES;
    if (wanted !== have || this.readableLength > 0) this.#buffer = new Uint8Array(wanted);
  }

  /** Resolves when no read of the transport is out, so that another reader may take over. */
  async idle(): Promise<void> {
    await this.#reading;
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    writeAll(this.#transport, chunk).then(() => done(), done);
  }

  /** TLS records come in small pieces; one write takes all that are there. */
  override _writev(chunks: { chunk: Uint8Array }[], done: (error?: Error | null) => void): void {
    const byteCount = chunks.reduce((sum, { chunk }) => sum + chunk.length, 0);
    const isShared = byteCount <= JOIN_BUFFER_BYTES;
    const joined = isShared
      ? freeJoinBuffers.pop() ?? new Uint8Array(JOIN_BUFFER_BYTES)
      : new Uint8Array(byteCount);
    let at = 0;
    for (const { chunk } of chunks) {
      joined.set(chunk, at);
      at += chunk.length;
    }
    const giveBack = () => {
      if (isShared && freeJoinBuffers.length < MAX_FREE_JOIN_BUFFERS) freeJoinBuffers.push(joined);
    };
    writeAll(this.#transport, joined.subarray(0, byteCount)).then(
      () => {
        giveBack();
        done();
      },
      // A write that failed may still be under way somewhere below: its buffer is not used again.
      done,
    );
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.keepsOpen) done();
    else this.#transport.closeWrite().then(() => done(), done);
  }
}
