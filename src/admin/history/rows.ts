/**
 * Rows of figures over time in little memory: a chunk is a run of rows as bytes, each row the differences to the one
 * before, and only of what changed. A figure that stands still costs nothing, one that moves a little a byte.
 *
 * A row: how many steps after the one before (varint), which figures changed (varint, a bit each), and for each of
 * those the difference (zigzag varint). Figures are whole numbers; -1 stands for unknown.
 * Tested in test/admin/history/rows_test.ts.
 */

/** Rows of a chunk at most. */
const MAX_ROWS = 60;
const FIRST_BYTES = 48;

export interface Row {
  readonly step: number;
  readonly values: readonly number[];
}

/** What a chunk looks like in a file. */
export interface StoredChunk {
  readonly firstStep: number;
  readonly lastStep: number;
  readonly rowCount: number;
  readonly bytes: Uint8Array;
}

export class Chunk {
  readonly firstStep: number;
  lastStep: number;
  rowCount = 0;
  #bytes: Uint8Array;
  #length = 0;
  /** The last row; null for a chunk that was read back, to which nothing is added. */
  #last: number[] | null;

  private constructor(firstStep: number, bytes: Uint8Array, last: number[] | null) {
    this.firstStep = this.lastStep = firstStep;
    this.#bytes = bytes;
    this.#last = last;
  }

  static begin(firstStep: number, width: number): Chunk {
    return new Chunk(firstStep, new Uint8Array(FIRST_BYTES), Array(width).fill(0));
  }

  static restore(stored: StoredChunk): Chunk {
    const chunk = new Chunk(stored.firstStep, stored.bytes, null);
    chunk.lastStep = stored.lastStep;
    chunk.rowCount = stored.rowCount;
    chunk.#length = stored.bytes.length;
    return chunk;
  }

  get byteLength(): number {
    return this.#bytes.length;
  }

  get isFull(): boolean {
    return this.#last === null || this.rowCount >= MAX_ROWS;
  }

  store(): StoredChunk {
    const { firstStep, lastStep, rowCount } = this;
    return { firstStep, lastStep, rowCount, bytes: this.#bytes.subarray(0, this.#length) };
  }

  /** @param step not before that of the last row */
  add(step: number, values: readonly number[]): void {
    const last = this.#last!;
    this.#varint(step - this.lastStep);
    let changed = 0;
    for (let at = 0; at < values.length; at++) if (values[at] !== last[at]) changed += 2 ** at;
    this.#varint(changed);
    for (let at = 0; at < values.length; at++) {
      const difference = values[at] - last[at];
      if (difference !== 0) this.#varint(difference > 0 ? 2 * difference : -2 * difference - 1);
      last[at] = values[at];
    }
    this.lastStep = step;
    this.rowCount++;
    // Nothing is added any more: give the rest of the buffer back.
    if (this.rowCount === MAX_ROWS) this.#bytes = this.#bytes.slice(0, this.#length);
  }

  *rows(width: number): Generator<Row> {
    const bytes = this.#bytes;
    let at = 0, step = this.firstStep;
    const varint = () => {
      let value = 0, factor = 1;
      for (;; factor *= 128) {
        const byte = bytes[at++];
        value += (byte & 127) * factor;
        if (byte < 128) return value;
      }
    };
    let values: number[] = Array(width).fill(0);
    for (let row = 0; row < this.rowCount; row++) {
      step += varint();
      const changed = varint();
      values = values.map((value, index) => {
        if (Math.floor(changed / 2 ** index) % 2 === 0) return value;
        const code = varint();
        return value + (code % 2 === 0 ? code / 2 : -(code + 1) / 2);
      });
      yield { step, values };
    }
  }

  #varint(value: number): void {
    for (;; value = Math.floor(value / 128)) {
      if (this.#length === this.#bytes.length) this.#grow();
      if (value < 128) {
        this.#bytes[this.#length++] = value;
        return;
      }
      this.#bytes[this.#length++] = value % 128 + 128;
    }
  }

  #grow(): void {
    const bytes = new Uint8Array(2 * this.#bytes.length);
    bytes.set(this.#bytes);
    this.#bytes = bytes;
  }
}
