/**
 * Recycled buffers in size classes, for segments, socket reads and socket writes.
 *
 * Clearing fresh pages was the largest single cost of publishing in the prototype, so a buffer that
 * has been touched once is worth keeping. The pool counts what is lent out (`lentBytes`), which is
 * what the memory budget is held against, and keeps at most `maxIdleBytes` of returned buffers.
 *
 * A buffer may not be returned while a socket or file operation still uses it: whoever starts such
 * an operation pins the owner of the buffer (see `Segment.pins`) and returns it after.
 */

/** A byte buffer with the two views the hot path needs, made once. */
export interface Buffer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  /** Size class the buffer belongs to, or -1 for a buffer of its own size, which is never recycled. */
  readonly sizeClass: number;
}

/**
 * Bytes of each size class. Steps of four keep the number of free lists and the waste small; the largest is a
 * full segment and room for the block headers that are read with it.
 */
export const SIZE_CLASSES: readonly number[] = [512, 2048, 8192, 32_768, 131_072, 524_288, 1_114_112];

/** Makes a buffer outside of any pool. */
export function newBuffer(byteLength: number, sizeClass = -1): Buffer {
  const bytes = new Uint8Array(byteLength);
  return { bytes, view: new DataView(bytes.buffer), sizeClass };
}

/** Gives bytes that exist already the shape of a buffer, without a copy. */
export function wrapBuffer(bytes: Uint8Array<ArrayBuffer>): Buffer {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), sizeClass: -1 };
}

export class BufferPool {
  readonly #free: Buffer[][] = SIZE_CLASSES.map(() => []);
  readonly #maxIdleBytes: number;
  #idleBytes = 0;
  #lentBytes = 0;

  /** @param maxIdleBytes bytes of returned buffers that are kept for reuse */
  constructor(maxIdleBytes: number) {
    this.#maxIdleBytes = maxIdleBytes;
  }

  /** Bytes of all buffers taken and not yet returned. */
  get lentBytes(): number {
    return this.#lentBytes;
  }

  /** Bytes of returned buffers that wait for reuse. */
  get idleBytes(): number {
    return this.#idleBytes;
  }

  /** Lends a buffer of at least `byteLength` bytes; its content is undefined. */
  take(byteLength: number): Buffer {
    let sizeClass = 0;
    while (sizeClass < SIZE_CLASSES.length && SIZE_CLASSES[sizeClass] < byteLength) sizeClass++;
    if (sizeClass === SIZE_CLASSES.length) {
      this.#lentBytes += byteLength;
      return newBuffer(byteLength);
    }
    const size = SIZE_CLASSES[sizeClass];
    this.#lentBytes += size;
    const recycled = this.#free[sizeClass].pop();
    if (recycled !== undefined) {
      this.#idleBytes -= size;
      return recycled;
    }
    return newBuffer(size, sizeClass);
  }

  /** Takes back a buffer that nothing reads or writes any more. */
  give(buffer: Buffer): void {
    const size = buffer.bytes.length;
    this.#lentBytes -= size;
    if (buffer.sizeClass < 0 || this.#idleBytes + size > this.#maxIdleBytes) return;
    this.#idleBytes += size;
    this.#free[buffer.sizeClass].push(buffer);
  }

  /** Lets go of the idle buffers, so that the memory of a burst can return to the system. */
  trim(): void {
    for (const list of this.#free) list.length = 0;
    this.#idleBytes = 0;
  }
}
