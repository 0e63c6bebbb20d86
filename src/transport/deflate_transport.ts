/**
 * Raw DEFLATE in both directions, one stream each that never finishes; every write ends with a sync flush, so
 * that the client can inflate all of it at once.
 *
 * A small input may inflate to a thousand times its size. Hence the next input is taken only when the last
 * one is inflated and mostly read: what waits inflated is bounded by the stream's mark.
 *
 * Tested in test/transport/transport_test.ts and test/wire/upgrade_test.ts.
 */
import { Buffer } from "node:buffer";
import { constants, createDeflateRaw, createInflateRaw } from "node:zlib";
import { PulledStream } from "./pulled_stream.ts";
import { type Transport, writeAll } from "./transport.ts";

/** The most that is compressed at once: the loop is not held up for longer than about a millisecond. */
const MAX_WRITE_BYTES = 65_536;
const IDLE_BUFFER_BYTES = 512;
const BUSY_BUFFER_BYTES = 16_384;
/** Above what one write can become, so that the compressor never waits for a reader. */
const OUTPUT_MARK_BYTES = 4 * MAX_WRITE_BYTES;

export class DeflateTransport implements Transport {
  readonly #below: Transport;
  readonly #deflate;
  readonly #inflate = createInflateRaw();
  readonly #input = new PulledStream(this.#inflate);
  #buffer = new Uint8Array(IDLE_BUFFER_BYTES);
  #closed = false;

  /** `level` is 1 to 9. */
  constructor(below: Transport, level: number) {
    this.#below = below;
    const options = { level, flush: constants.Z_SYNC_FLUSH, readableHighWaterMark: OUTPUT_MARK_BYTES };
    this.#deflate = createDeflateRaw(options);
    // Whoever writes hears of it; without a listener it would end the process.
    this.#deflate.on("error", () => {});
    this.#feed();
  }

  async #feed(): Promise<void> {
    try {
      for (let at: number | null = 0; at !== null && !this.#closed;) {
        const buffer = this.#buffer;
        at = await this.#below.read(buffer);
        if (at === null || this.#closed) break;
        if (at === buffer.length) this.#buffer = new Uint8Array(BUSY_BUFFER_BYTES);
        else if (at < IDLE_BUFFER_BYTES && buffer.length > IDLE_BUFFER_BYTES) {
          this.#buffer = new Uint8Array(IDLE_BUFFER_BYTES);
        }
        await this.#put(buffer.subarray(0, at));
      }
      // What was inflated can still be read; the stream itself has no end of its own.
      if (!this.#closed) this.#inflate.push(null);
    } catch (cause) {
      this.#inflate.destroy(cause as Error);
    }
  }

  /** Resolves once `bytes` are inflated, which waits for the reader when that is much. */
  #put(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#inflate.write(bytes, (cause) => cause ? reject(cause) : resolve());
    });
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#input.read(into);
  }

  async write(bytes: Uint8Array): Promise<number> {
    const part = bytes.length > MAX_WRITE_BYTES ? bytes.subarray(0, MAX_WRITE_BYTES) : bytes;
    const deflate = this.#deflate;
    await new Promise<void>((resolve, reject) => {
      deflate.write(part, (cause: Error | null | undefined) => cause ? reject(cause) : resolve());
    });
    await writeAll(this.#below, this.#compressed());
    return part.length;
  }

  /** The stream gives its pieces one by one. */
  #compressed(): Uint8Array {
    const pieces: Uint8Array[] = [];
    for (let piece; (piece = this.#deflate.read() as Uint8Array | null) !== null;) pieces.push(piece);
    return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
  }

  closeWrite(): Promise<void> {
    return this.#below.closeWrite();
  }

  close(): void {
    this.#closed = true;
    this.#input.abandon();
    this.#deflate.destroy();
    this.#inflate.destroy();
    this.#below.close();
  }
}
