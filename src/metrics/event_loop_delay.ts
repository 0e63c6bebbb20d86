/**
 * How late timers fire: one loop serves all clients, and its delay is what each of them feels first.
 *
 * The figures of `node:perf_hooks` for this are of no use on Deno: a loop blocked for 100 ms shows as 6 µs.
 *
 * Tested in test/metrics/process_monitor_test.ts.
 */
import { Histogram } from "./histogram.ts";

const SAMPLE_INTERVAL_MS = 100;
/** A loop with nothing to do is looked at this rarely, so that measuring does not keep the processor awake. */
const IDLE_INTERVAL_MS = 1000;
/** Seconds. */
const DELAY_BOUNDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

export class EventLoopDelay {
  /** Seconds, since `start()`. */
  readonly histogram: Histogram = new Histogram(DELAY_BOUNDS);
  readonly #isActive: () => boolean;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param isActive asked at each sample: whether anything happened since the last */
  constructor(isActive: () => boolean = () => true) {
    this.#isActive = isActive;
  }

  start(): void {
    const intervalMs = this.#isActive() ? SAMPLE_INTERVAL_MS : IDLE_INTERVAL_MS;
    const dueMs = performance.now() + intervalMs;
    this.#timer = setTimeout(() => {
      this.histogram.add(Math.max(0, performance.now() - dueMs) / 1000);
      this.start();
    }, intervalMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
