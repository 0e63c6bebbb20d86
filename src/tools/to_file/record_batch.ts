/**
 * Messages of one turn as they will stand in the file: each body and a newline, one behind the other in one buffer.
 *
 * Tested in test/tools/to_file/topic_files_test.ts.
 */
import { Buffer } from "node:buffer";

const NEWLINE = 10;
const FIRST_BYTES = 1 << 16;
/** A buffer that one large burst made larger than this is not kept. */
const MAX_KEPT_BYTES = 8 << 20;

export class RecordBatch {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #usedBytes = 0;
  /** For each record the offset of its end. */
  readonly #ends: number[] = [];
  /** Records that have been taken. */
  #taken = 0;

  get isEmpty(): boolean {
    return this.#taken === this.#ends.length;
  }

  /** Copies `body`. */
  add(body: Uint8Array): void {
    const end = this.#usedBytes + body.length + 1;
    if (end > this.#bytes.length) this.#grow(end);
    this.#bytes.set(body, this.#usedBytes);
    this.#bytes[end - 1] = NEWLINE;
    this.#usedBytes = end;
    this.#ends.push(end);
  }

  /**
   * Takes the next records: those up to the one with which the bytes taken exceed `limitBytes`, and that one too.
   *
   * @returns a view, which is valid until `clear()`
   */
  take(limitBytes: number): Uint8Array {
    const start = this.#taken === 0 ? 0 : this.#ends[this.#taken - 1];
    let end = start;
    while (this.#taken < this.#ends.length) {
      end = this.#ends[this.#taken++];
      if (end - start > limitBytes) break;
    }
    return this.#bytes.subarray(start, end);
  }

  clear(): void {
    this.#usedBytes = 0;
    this.#ends.length = 0;
    this.#taken = 0;
    if (this.#bytes.length > MAX_KEPT_BYTES) this.#bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  }

  #grow(neededBytes: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(neededBytes, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#usedBytes));
    this.#bytes = larger;
  }
}
