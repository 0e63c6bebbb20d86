/**
 * The source of time, passed to everything that waits or stamps, so that a test can stop it.
 *
 * Two clocks, never mixed: wall time is for what people and other machines read (message timestamps,
 * log lines) and may be set back; monotonic time is for deadlines and never goes back.
 */

/** Tells the time. Both readings are milliseconds and may have a fraction. */
export interface Clock {
  /** Wall time: milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Milliseconds since an arbitrary start; never goes back, whatever happens to the wall clock. */
  monotonicMs(): number;
}

/**
 * The machine's clock.
 *
 * `Date.now()` is whole milliseconds and `performance.now()` is fine but does not follow when the wall
 * clock is adjusted. Wall time is therefore the fine clock, held to the millisecond that `Date.now()`
 * reports: always right to the millisecond and ordered within it.
 */
class SystemClock implements Clock {
  #offsetMs = performance.timeOrigin;

  nowMs(): number {
    const wholeMs = Date.now();
    const fineMs = performance.now();
    let nowMs = this.#offsetMs + fineMs;
    if (nowMs < wholeMs) {
      nowMs = wholeMs;
      this.#offsetMs = nowMs - fineMs;
    } else if (nowMs >= wholeMs + 1) {
      nowMs = wholeMs + 0.999;
      this.#offsetMs = nowMs - fineMs;
    }
    return nowMs;
  }

  monotonicMs(): number {
    return performance.now();
  }
}

/** The one clock of the process outside tests. */
export const systemClock: Clock = new SystemClock();
