/**
 * What to do when connections cannot be accepted, as when descriptors are used up: wait a little longer each time,
 * and say so in the log, but not more often than once a second.
 */
import { type Clock, systemClock } from "../clock/clock.ts";
import type { Logger } from "../log/logger.ts";

const FIRST_PAUSE_MS = 5;
const MAX_PAUSE_MS = 1000;
const LOG_INTERVAL_MS = 1000;

export class AcceptFailures {
  readonly #logger: Logger;
  readonly #name: string;
  readonly #clock: Clock;
  #pauseMs = FIRST_PAUSE_MS;
  #loggedAtMs = -Infinity;
  #unloggedCount = 0;

  /** @param name what leads the lines of the log, such as `TCP` */
  constructor(logger: Logger, name: string, clock: Clock = systemClock) {
    this.#logger = logger;
    this.#name = name;
    this.#clock = clock;
  }

  /** It failed again. Returns how long to wait before the next try: 5 ms at first, then twice as long, up to a second. */
  failed(cause: unknown): number {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#loggedAtMs < LOG_INTERVAL_MS) this.#unloggedCount++;
    else {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const others = this.#unloggedCount > 0 ? `, and ${this.#unloggedCount} times since the last line` : "";
      this.#logger.error(`${this.#name}: accept failed - ${reason}${others}`);
      this.#loggedAtMs = nowMs;
      this.#unloggedCount = 0;
    }
    const pauseMs = this.#pauseMs;
    this.#pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS);
    return pauseMs;
  }

  /** A connection was accepted: the next pause is short again. */
  worked(): void {
    this.#pauseMs = FIRST_PAUSE_MS;
  }
}
