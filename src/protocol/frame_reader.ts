/**
 * Cuts what a server sends into frames, whatever the pieces are in which it arrives.
 *
 * A frame is: int32 size | int32 type | data, with a size that counts type and data. Frames are not taken
 * out one by one: whole ones that lie back to back stay together as a *run*, an array that starts and ends
 * at frames. So a read of 64 KiB with hundreds of messages costs no object per message, and no copy.
 */
import { ProtocolFault } from "./protocol_fault.ts";

/** The size field. */
const SIZE_BYTES = 4;
/** The type, which the size counts. */
const MIN_SIZE = 4;
/** Far above what any nsqd sends with its defaults: a message is at most 1 MiB then. */
export const DEFAULT_MAX_FRAME_BYTES: number = 256 * 1024 * 1024;
const FIRST_PARTIAL_BYTES = 1024;

/** The big-endian int32 at `at`. */
export function readInt32(bytes: Uint8Array, at: number): number {
  return bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3];
}

/**
 * Bytes of the frame that starts at `at`, its size field included; 0 when the size field is not complete.
 *
 * @throws {ProtocolFault} when the size is impossible or above `maxFrameBytes`
 */
export function frameBytes(bytes: Uint8Array, at: number, maxFrameBytes: number): number {
  if (bytes.length - at < SIZE_BYTES) return 0;
  const size = readInt32(bytes, at);
  if (size < MIN_SIZE) throw new ProtocolFault(`a frame claims a size of ${size} bytes, min is ${MIN_SIZE}`);
  if (size > maxFrameBytes) {
    throw new ProtocolFault(`a frame claims a size of ${size} bytes, max is ${maxFrameBytes}`);
  }
  return SIZE_BYTES + size;
}

/** Takes pieces of any length and gives runs of whole frames. */
export class FrameReader {
  readonly #maxFrameBytes: number;
  /** The frame of which a part arrived: bytes [0, filled). Grows with what arrives, not with what is claimed. */
  #partial: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #filled = 0;

  constructor(maxFrameBytes: number = DEFAULT_MAX_FRAME_BYTES) {
    this.#maxFrameBytes = maxFrameBytes;
  }

  /** Bytes of a frame that is not complete. */
  get partialBytes(): number {
    return this.#filled;
  }

  /**
   * Calls `emit` with the runs that `piece` completes, at most two. They alias `piece`, but for a frame that was
   * cut.
   *
   * @throws {ProtocolFault} the stream is no stream of frames; nothing more can be read from it
   */
  push(piece: Uint8Array, emit: (run: Uint8Array) => void): void {
    let start = 0;
    if (this.#filled > 0) {
      start = this.#complete(piece);
      const total = frameBytes(this.#partial.subarray(0, this.#filled), 0, this.#maxFrameBytes);
      if (total === 0 || this.#filled < total) return;
      const run = this.#partial.subarray(0, total);
      this.#partial = new Uint8Array(0);
      this.#filled = 0;
      emit(run);
    }
    let end = start;
    for (;;) {
      const total = frameBytes(piece, end, this.#maxFrameBytes);
      if (total === 0 || end + total > piece.length) break;
      end += total;
    }
    if (end > start) emit(start === 0 && end === piece.length ? piece : piece.subarray(start, end));
    if (end < piece.length) this.#keep(piece, end, piece.length);
  }

  /** Adds to the frame that was cut; returns how much of `piece` belongs to it. */
  #complete(piece: Uint8Array): number {
    let taken = 0;
    if (this.#filled < SIZE_BYTES) {
      taken = Math.min(SIZE_BYTES - this.#filled, piece.length);
      this.#keep(piece, 0, taken);
    }
    const total = frameBytes(this.#partial.subarray(0, this.#filled), 0, this.#maxFrameBytes);
    const more = Math.min(Math.max(0, total - this.#filled), piece.length - taken);
    this.#keep(piece, taken, taken + more);
    return taken + more;
  }

  #keep(piece: Uint8Array, from: number, to: number): void {
    const needed = this.#filled + to - from;
    if (needed > this.#partial.length) {
      const grown = new Uint8Array(Math.max(FIRST_PARTIAL_BYTES, needed, this.#partial.length * 2));
      grown.set(this.#partial.subarray(0, this.#filled));
      this.#partial = grown;
    }
    this.#partial.set(piece.subarray(from, to), this.#filled);
    this.#filled = needed;
  }
}

/** The same as a transform of Web Streams: pieces go in, runs of whole frames come out. */
export class FrameStream extends TransformStream<Uint8Array, Uint8Array> {
  constructor(maxFrameBytes: number = DEFAULT_MAX_FRAME_BYTES) {
    const reader = new FrameReader(maxFrameBytes);
    super({
      transform(piece, controller) {
        reader.push(piece, (run) => controller.enqueue(run));
      },
      flush() {
        if (reader.partialBytes === 0) return;
        throw new ProtocolFault(`the stream ended ${reader.partialBytes} bytes into a frame`);
      },
    });
  }
}
