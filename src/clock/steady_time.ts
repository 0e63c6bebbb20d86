/**
 * Wall time that nobody sets: Unix milliseconds as they were when the first process on these files began to count, and
 * counted by the monotonic clock since. Due times on the disk are told in it, so that a wall clock that is set, or wrong
 * after a restart, makes no message early or late; and moments that are equal on one clock are equal on the other.
 *
 * By how much the wall clock is ahead of it is compared now and then (`check`) and kept with the times; from that and
 * the wall clock the next process goes on (`resume`).
 */
import type { Clock } from "./clock.ts";

/** Clocks that differ by less agree: wall time is right to a millisecond only. */
const TOLERANCE_MS = 2;

export class SteadyTime {
  readonly #clock: Clock;
  /** Added to monotonic time. */
  #offsetMs: number;
  /** By how much the wall clock is ahead. */
  #aheadMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offsetMs = clock.nowMs() - clock.monotonicMs();
  }

  /** By how many ms the wall clock was ahead when the clocks were last compared. */
  get aheadMs(): number {
    return this.#aheadMs;
  }

  /** Steady time of a monotonic moment. */
  ofMonotonic(monotonicMs: number): number {
    return monotonicMs + this.#offsetMs;
  }

  /** Monotonic time of a steady moment. */
  toMonotonic(steadyMs: number): number {
    return steadyMs - this.#offsetMs;
  }

  nowMs(): number {
    return this.ofMonotonic(this.#clock.monotonicMs());
  }

  /**
   * Goes on where another process was: the wall clock was `aheadMs` ahead, and time had come to `reachedMs` at least,
   * which a wall clock that was set back since does not know.
   */
  resume(aheadMs: number, reachedMs: number): void {
    const nowMs = Math.max(this.#clock.nowMs() - aheadMs, reachedMs);
    this.#offsetMs = nowMs - this.#clock.monotonicMs();
    this.#aheadMs = this.#clock.nowMs() - nowMs;
  }

  /** Compares the clocks; true when the wall clock was set since. */
  check(): boolean {
    const aheadMs = this.#clock.nowMs() - this.nowMs();
    if (Math.abs(aheadMs - this.#aheadMs) < TOLERANCE_MS) return false;
    this.#aheadMs = aheadMs;
    return true;
  }
}
