/**
 * A set of sequence numbers, in order of the stretches that they lie in.
 *
 * One set of a million stops the process for a tenth of a second and more each time it grows, and these numbers are no
 * small integers, which costs a set twice as much again; so there is one for each stretch, of offsets.
 */

/** Sequence numbers of a stretch. */
const STRETCH = 8192;

export class SeqSet {
  readonly #stretches = new Map<number, Set<number>>();
  #hotNumber = -1;
  #hot: Set<number> | undefined;
  #size = 0;

  constructor(seqs: Iterable<number> = []) {
    for (const seq of seqs) this.add(seq);
  }

  get size(): number {
    return this.#size;
  }

  add(seq: number): void {
    const number = Math.floor(seq / STRETCH);
    let stretch = this.#stretch(number);
    if (stretch === undefined) {
      stretch = this.#hot = new Set();
      this.#stretches.set(number, stretch);
    }
    const before = stretch.size;
    stretch.add(seq - number * STRETCH);
    this.#size += stretch.size - before;
  }

  has(seq: number): boolean {
    const number = Math.floor(seq / STRETCH);
    return this.#stretch(number)?.has(seq - number * STRETCH) ?? false;
  }

  *[Symbol.iterator](): Generator<number> {
    for (const [number, stretch] of this.#stretches) {
      for (const offset of stretch) yield number * STRETCH + offset;
    }
  }

  #stretch(number: number): Set<number> | undefined {
    if (number !== this.#hotNumber) {
      this.#hotNumber = number;
      this.#hot = this.#stretches.get(number);
    }
    return this.#hot;
  }
}
