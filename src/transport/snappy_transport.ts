/**
 * Snappy chunks in both directions; each write is as many chunks as it takes, and ready to be read at once.
 *
 * Tested in test/transport/transport_test.ts and test/wire/upgrade_test.ts.
 */
import { MAX_CHUNK_BYTES, SnappyFrameReader, SnappyFrameWriter } from "../protocol/snappy_frames.ts";
import { type Transport, writeAll } from "./transport.ts";

/** The most that is compressed at once: the loop is not held up for longer, and a slow client shows progress. */
const MAX_WRITE_BYTES = MAX_CHUNK_BYTES;
const EMPTY = new Uint8Array(0);

export class SnappyTransport implements Transport {
  readonly #below: Transport;
  readonly #writer = new SnappyFrameWriter();
  readonly #reader = new SnappyFrameReader();
  /** Of the last chunk, what the reader had no room for. */
  #rest: Uint8Array = EMPTY;
  #closed = false;

  constructor(below: Transport) {
    this.#below = below;
  }

  async read(into: Uint8Array): Promise<number | null> {
    if (this.#rest.length > 0) return this.#takeRest(into, 0);
    for (;;) {
      const byteCount = this.#takeChunks(into);
      if (byteCount > 0) return byteCount;
      const read = await this.#below.read(this.#reader.space());
      if (read === null || this.#closed) return null;
      this.#reader.filled(read);
    }
  }

  /** Takes as many chunks as are complete and have room. */
  #takeChunks(into: Uint8Array): number {
    let at = 0;
    while (at < into.length) {
      const data = this.#reader.next();
      if (data === null) break;
      this.#rest = data;
      at = this.#takeRest(into, at);
    }
    return at;
  }

  #takeRest(into: Uint8Array, at: number): number {
    const rest = this.#rest, taken = Math.min(rest.length, into.length - at);
    into.set(taken === rest.length ? rest : rest.subarray(0, taken), at);
    this.#rest = taken === rest.length ? EMPTY : rest.subarray(taken);
    return at + taken;
  }

  async write(bytes: Uint8Array): Promise<number> {
    const part = bytes.length > MAX_WRITE_BYTES ? bytes.subarray(0, MAX_WRITE_BYTES) : bytes;
    await writeAll(this.#below, this.#writer.encode(part));
    return part.length;
  }

  closeWrite(): Promise<void> {
    return this.#below.closeWrite();
  }

  close(): void {
    this.#closed = true;
    this.#below.close();
  }
}
