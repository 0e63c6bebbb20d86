/**
 * The deadlines of messages delivered once to one consumer: a queue of ranges.
 *
 * A consumer's timeout is fixed and its messages go out in sequence order, so deadlines and sequence
 * numbers both rise along the queue, and one entry stands for a whole run. A range may cover messages of
 * other consumers, and ones that are finished: the channel's owner array says which are meant.
 *
 * Layout: three parallel rings (first sequence number, end sequence number, deadline in monotonic ms).
 * Cost: push and pop O(1), lookup O(log n), no allocation while the ring is large enough.
 */

/** Runs delivered within this time share a deadline, the later one: never early, at most this late. */
const MERGE_WINDOW_MS = 10;
const FIRST_CAPACITY = 8;
const NONE = new Float64Array(0);

export class DeadlineRanges {
  // An idle consumer has none: thousands of those are common.
  #from = NONE;
  #to = NONE;
  #deadlineMs = NONE;
  /** Deadline of the first run merged into the last range, which bounds how far it may be moved. */
  #lastOpenedMs = 0;
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds messages [from, to), which are due at `deadlineMs`; both not before those of the last call. */
  push(from: number, to: number, deadlineMs: number): void {
    const mask = this.#from.length - 1;
    if (this.#size > 0) {
      const last = (this.#head + this.#size - 1) & mask;
      if (deadlineMs - this.#lastOpenedMs <= MERGE_WINDOW_MS) {
        this.#to[last] = to;
        this.#deadlineMs[last] = deadlineMs;
        return;
      }
    }
    if (this.#size === this.#from.length) return this.#pushGrown(from, to, deadlineMs);
    this.#append(from, to, deadlineMs);
  }

  /** First sequence number of the oldest range; NaN when empty. */
  get headFrom(): number {
    return this.#size === 0 ? NaN : this.#from[this.#head];
  }

  /** Moves the start of the oldest range forward, after its first messages were found finished. */
  set headFrom(seq: number) {
    this.#from[this.#head] = seq;
  }

  get headTo(): number {
    return this.#size === 0 ? NaN : this.#to[this.#head];
  }

  /** Deadline of the oldest range; Infinity when empty. */
  get headDeadlineMs(): number {
    return this.#size === 0 ? Infinity : this.#deadlineMs[this.#head];
  }

  shift(): void {
    this.#head = (this.#head + 1) & (this.#from.length - 1);
    this.#size--;
  }

  clear(): void {
    this.#head = this.#size = 0;
  }

  /** The deadline of message `seq`, which is in some range of this queue. */
  deadlineOf(seq: number): number {
    const mask = this.#from.length - 1;
    let low = 0, high = this.#size - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#to[(this.#head + middle) & mask] <= seq) low = middle + 1;
      else high = middle;
    }
    return this.#deadlineMs[(this.#head + low) & mask];
  }

  #pushGrown(from: number, to: number, deadlineMs: number): void {
    const capacity = this.#from.length, grownCapacity = Math.max(FIRST_CAPACITY, capacity * 2);
    const copy = (ring: Float64Array) => {
      const grown = new Float64Array(grownCapacity);
      grown.set(ring.subarray(this.#head));
      grown.set(ring.subarray(0, this.#head), capacity - this.#head);
      return grown;
    };
    this.#from = copy(this.#from);
    this.#to = copy(this.#to);
    this.#deadlineMs = copy(this.#deadlineMs);
    this.#head = 0;
    this.#append(from, to, deadlineMs);
  }

  #append(from: number, to: number, deadlineMs: number): void {
    const at = (this.#head + this.#size++) & (this.#from.length - 1);
    this.#from[at] = from;
    this.#to[at] = to;
    this.#deadlineMs[at] = this.#lastOpenedMs = deadlineMs;
  }
}
