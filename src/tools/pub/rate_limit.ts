/** Holds back what is to happen at most so often a second. */

/** Where time comes from. */
export interface RateClock {
  /** Monotonic, ms. */
  nowMs(): number;
  sleep(ms: number): Promise<void>;
}

const realClock: RateClock = {
  nowMs: () => performance.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

/** Lets one through at once, later as many as the time that has passed is worth, at most those of a second. */
export class RateLimit {
  readonly #perSecond: number;
  readonly #clock: RateClock;
  #allowed = 1;
  #countedAtMs: number;

  /** @param perSecond above 0 */
  constructor(perSecond: number, clock: RateClock = realClock) {
    this.#perSecond = perSecond;
    this.#clock = clock;
    this.#countedAtMs = clock.nowMs();
  }

  /** Resolves when at least one may go, with how many may, at most `wanted`. */
  async take(wanted: number): Promise<number> {
    this.#count();
    while (this.#allowed < 1) {
      await this.#clock.sleep(Math.max(1, (1 - this.#allowed) / this.#perSecond * 1000));
      this.#count();
    }
    const taken = Math.min(wanted, Math.floor(this.#allowed));
    this.#allowed -= taken;
    return taken;
  }

  #count(): void {
    const nowMs = this.#clock.nowMs();
    const earned = (nowMs - this.#countedAtMs) / 1000 * this.#perSecond;
    this.#allowed = Math.min(this.#perSecond, this.#allowed + earned);
    this.#countedAtMs = nowMs;
  }
}
