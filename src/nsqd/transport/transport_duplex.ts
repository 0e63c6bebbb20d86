/** A transport as the Node stream that `node:tls` wants below it. */
import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import { type Transport, writeAll } from "./transport.ts";

/** What an idle connection holds to read into; a full buffer asks for the large one next. */
const IDLE_BUFFER_BYTES = 2048;
const BUSY_BUFFER_BYTES = 65_536;

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
    writeAll(this.#transport, Buffer.concat(chunks.map(({ chunk }) => chunk))).then(() => done(), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#transport.closeWrite().then(() => done(), done);
  }
}
