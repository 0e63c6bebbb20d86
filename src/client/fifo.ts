/**
 * A first-in, first-out queue that costs nothing per entry but its place.
 *
 * Tested in test/client/fifo_test.ts.
 */

const MIN_TO_CUT = 1024;

/** Entries in the order in which they came. */
export class Fifo<T> {
  #entries: (T | undefined)[] = [];
  #head = 0;

  /** Entries that wait. */
  get size(): number {
    return this.#entries.length - this.#head;
  }

  /** Adds `entry` behind all others. */
  push(entry: T): void {
    this.#entries.push(entry);
  }

  /** The first entry; undefined when there is none. */
  peek(): T | undefined {
    return this.#entries[this.#head];
  }

  /** Takes the first entry; undefined when there is none. */
  shift(): T | undefined {
    const head = this.#head;
    if (head === this.#entries.length) return undefined;
    const entry = this.#entries[head];
    this.#entries[head] = undefined;
    this.#head = head + 1;
    if (this.#head === this.#entries.length) {
      this.#entries.length = 0;
      this.#head = 0;
    } else if (this.#head >= MIN_TO_CUT && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return entry;
  }

  /** Puts `entries` in front of all others, the first of them first. */
  unshift(entries: readonly T[]): void {
    if (entries.length === 0) return;
    this.#entries = [...entries, ...this.#entries.slice(this.#head)];
    this.#head = 0;
  }

  /** Takes all entries. */
  takeAll(): T[] {
    const all = this.#entries.slice(this.#head) as T[];
    this.#entries = [];
    this.#head = 0;
    return all;
  }

  /** The entries, which stay. */
  *[Symbol.iterator](): Generator<T> {
    for (let i = this.#head; i < this.#entries.length; i++) yield this.#entries[i] as T;
  }
}
