import assert from "node:assert/strict";
import { Backoff, type BackoffState } from "../../../src/client/consumer/backoff.ts";

/** A backoff with its changes, each of which can be waited for. */
class Watched {
  readonly states: BackoffState[] = [];
  readonly backoff: Backoff;
  #onChange: () => void = () => {};

  constructor(settings: Partial<ConstructorParameters<typeof Backoff>[0]> = {}, random?: () => number) {
    this.backoff = new Backoff(
      { backoffStrategy: "exponential", maxBackoffMs: 40, backoffMultiplierMs: 5, ...settings },
      (state) => {
        this.states.push(state);
        this.#onChange();
      },
      random,
    );
  }

  /** Resolves when the wait is over. */
  async waited(): Promise<void> {
    if (!this.backoff.isWaiting) return;
    await new Promise<void>((resolve) => this.#onChange = resolve);
  }
}

Deno.test("Backoff.failed() raises the level, and the wait doubles with it up to the longest", async () => {
  const watched = new Watched();
  for (let i = 0; i < 5; i++) {
    watched.backoff.failed();
    await watched.waited();
  }
  const waits = watched.states.filter(({ waitMs }) => waitMs > 0);
  // 5 * 2^3 is the longest that does not pass 40; after it the level stays.
  assert.deepEqual(waits.map(({ level, waitMs }) => [level, waitMs]), [[1, 10], [2, 20], [3, 40], [3, 40], [
    3,
    40,
  ]]);
  watched.backoff.stop();
});

Deno.test("Backoff.succeeded() lowers the level step by step, waiting in between, until all is well", async () => {
  const watched = new Watched();
  for (const step of ["failed", "failed", "succeeded", "succeeded"] as const) {
    watched.backoff[step]();
    await watched.waited();
  }
  assert.deepEqual(watched.states.map(({ level, waitMs }) => [level, waitMs]), [
    [1, 10],
    [1, 0],
    [2, 20],
    [2, 0],
    [1, 10],
    [1, 0],
    [0, 0],
  ]);
});

Deno.test("Backoff ignores outcomes while it waits", async () => {
  const watched = new Watched();
  watched.backoff.failed();
  watched.backoff.failed();
  watched.backoff.succeeded();
  watched.backoff.continued();
  assert.equal(watched.backoff.level, 1);
  await watched.waited();
  watched.backoff.stop();
});

Deno.test("Backoff.continued() keeps the level and waits again, and does nothing at level 0", async () => {
  const watched = new Watched();
  watched.backoff.continued();
  assert.deepEqual(watched.states, []);
  watched.backoff.failed();
  await watched.waited();
  watched.backoff.continued();
  assert.deepEqual(watched.states.at(-1), { level: 1, waitMs: 10 });
  watched.backoff.stop();
});

Deno.test("Backoff with full_jitter waits a random share of the exponential time", () => {
  const watched = new Watched({ backoffStrategy: "full_jitter" }, () => 0.25);
  watched.backoff.failed();
  assert.deepEqual(watched.states, [{ level: 1, waitMs: 2.5 }]);
  watched.backoff.stop();
});

Deno.test("Backoff with maxBackoffMs 0 never waits", () => {
  const watched = new Watched({ maxBackoffMs: 0 });
  watched.backoff.failed();
  assert.deepEqual(watched.states, []);
});
