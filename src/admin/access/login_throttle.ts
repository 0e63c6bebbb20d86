/**
 * Slows guessing of passwords down: after five failures for a name, or from an address, each further one doubles
 * the time for which neither is tried again. Tested in test/admin/access/login_throttle_test.ts.
 */

const FREE_FAILURES = 5;
const FIRST_WAIT_MS = 2_000;
const MAX_WAIT_MS = 15 * 60_000;
/** Without a failure for so long, all is forgotten. */
const FORGET_MS = 60 * 60_000;
const MAX_KEPT = 10_000;

interface Failures {
  count: number;
  lastMs: number;
}

export class LoginThrottle {
  readonly #failures = new Map<string, Failures>();
  readonly #nowMs: () => number;

  /** @param nowMs a clock that does not go back */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** How long from now nothing may be tried for any of `keys`, ms; 0 when it may. */
  waitMs(keys: readonly string[]): number {
    const nowMs = this.#nowMs();
    return Math.max(
      0,
      ...keys.map((key) => {
        const failures = this.#failures.get(key);
        if (failures === undefined || failures.count < FREE_FAILURES) return 0;
        const waitMs = Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures.count - FREE_FAILURES));
        return failures.lastMs + waitMs - nowMs;
      }),
    );
  }

  fail(keys: readonly string[]): void {
    const nowMs = this.#nowMs();
    for (const key of keys) {
      const before = this.#failures.get(key);
      const isFresh = before !== undefined && nowMs - before.lastMs < FORGET_MS;
      this.#failures.delete(key);
      this.#failures.set(key, { count: (isFresh ? before.count : 0) + 1, lastMs: nowMs });
    }
    for (const oldest of this.#failures.keys()) {
      if (this.#failures.size <= MAX_KEPT) return;
      this.#failures.delete(oldest);
    }
  }

  succeed(keys: readonly string[]): void {
    for (const key of keys) this.#failures.delete(key);
  }
}
