/** A clock that moves only when a test says so. */
import type { Clock } from "../../src/clock/clock.ts";

/** Starts at a fixed moment; `advance` moves both readings, `setWallMs` only the wall clock. */
export class FakeClock implements Clock {
  #wallMs: number;
  #monotonicMs: number;

  constructor(wallMs = Date.UTC(2030, 0, 1), monotonicMs = 1_000) {
    this.#wallMs = wallMs;
    this.#monotonicMs = monotonicMs;
  }

  nowMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  /** Lets time pass. */
  advance(ms: number): void {
    if (ms < 0) throw new RangeError(`Cannot advance the clock: ${ms} ms is negative`);
    this.#wallMs += ms;
    this.#monotonicMs += ms;
  }

  /** Sets the wall clock, as an operator or a time server would, without time passing. */
  setWallMs(wallMs: number): void {
    this.#wallMs = wallMs;
  }
}
