/**
 * When each connection is to be looked at next, for its heartbeat and deadlines.
 *
 * The times lie side by side, so that ten thousand idle connections are passed over ten times a second without
 * touching one of them.
 */

/** Something with deadlines. */
export interface Checked {
  /** Does what is due. Returns when to come again, ms; earlier is allowed and costs a look. */
  check(nowMs: number): number;
}

const FIRST_SLOTS = 64;
/** The slot of a subject that is not in: to lower its time does nothing. */
export const NO_SLOT = -1;

export class CheckTimes<T extends Checked> {
  #times = new Float64Array(FIRST_SLOTS);
  readonly #subjects: (T | null)[] = [];
  readonly #freeSlots: number[] = [];

  /** Takes `subject` in, to be checked by the next `run`. Returns its slot. */
  add(subject: T): number {
    const slot = this.#freeSlots.pop() ?? this.#subjects.length;
    if (slot === this.#times.length) {
      const grown = new Float64Array(slot * 2);
      grown.set(this.#times);
      this.#times = grown;
    }
    this.#subjects[slot] = subject;
    this.#times[slot] = 0;
    return slot;
  }

  /** Has the subject of `slot` checked at `timeMs`, unless it is before. */
  lower(slot: number, timeMs: number): void {
    if (timeMs < this.#times[slot]) this.#times[slot] = timeMs;
  }

  /** Gives `slot` up: another subject may get it. */
  remove(slot: number): void {
    this.#subjects[slot] = null;
    this.#times[slot] = Infinity;
    this.#freeSlots.push(slot);
  }

  /** Checks all whose time has come. */
  run(nowMs: number): void {
    const subjects = this.#subjects;
    for (let slot = 0; slot < subjects.length; slot++) {
      if (this.#times[slot] > nowMs) continue;
      const subject = subjects[slot]!;
      this.#times[slot] = Infinity;
      const nextMs = subject.check(nowMs);
      if (subjects[slot] === subject) this.lower(slot, nextMs);
    }
  }
}
