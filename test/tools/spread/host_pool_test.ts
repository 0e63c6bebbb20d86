import assert from "node:assert/strict";
import { createPool, LivePool } from "../../../src/tools/spread/host_pool.ts";
import { Random } from "../../support/random.ts";

class Environment {
  atMs = 0;
  readonly #random: () => number;

  constructor(random: () => number = () => 0.999) {
    this.#random = random;
  }

  readonly nowMs = () => this.atMs;
  readonly random = () => this.#random();
}

function take(pool: { next(): number }, count: number): number[] {
  return Array.from({ length: count }, () => pool.next());
}

Deno.test("a round-robin pool begins with the second host and ignores failures", () => {
  const pool = createPool("round-robin", 3);
  pool.report(2, false, 1);
  assert.deepEqual(take(pool, 7), [1, 2, 0, 1, 2, 0, 1]);
  assert.deepEqual(take(createPool("round-robin", 1), 2), [0, 0]);
});

Deno.test("LivePool leaves out a host that failed, and tries it after 30 s, then after twice the time, up to 15 min", () => {
  const environment = new Environment();
  const pool = new LivePool(3, environment);
  assert.deepEqual(take(pool, 4), [0, 1, 2, 0]);
  pool.report(1, false);
  assert.deepEqual(take(pool, 3), [2, 0, 2]);
  const retriesAtMs: number[] = [];
  for (environment.atMs = 0; environment.atMs < 4_000_000; environment.atMs += 1_000) {
    if (take(pool, 3).includes(1)) {
      pool.report(1, false);
      retriesAtMs.push(environment.atMs / 1_000);
    }
  }
  const pauses = retriesAtMs.map((atS, i) => atS - (retriesAtMs[i - 1] ?? 0));
  assert.deepEqual(pauses.map((pause) => Math.round(pause / 10) * 10), [
    30,
    60,
    120,
    240,
    480,
    900,
    900,
    900,
  ]);
  pool.report(1, true);
  assert.equal(take(pool, 3).includes(1), true);
});

Deno.test("LivePool takes all for alive when none is", () => {
  const pool = new LivePool(2, new Environment());
  pool.report(0, false);
  pool.report(1, false);
  assert.deepEqual(take(pool, 3), [0, 1, 0]);
  assert.equal(pool.isAlive(1), true);
});

Deno.test("an epsilon-greedy pool prefers the fast host, tries the slow one now and then, and follows a change", () => {
  const random = new Random(7);
  const environment = new Environment(() => random.next());
  const pool = createPool("epsilon-greedy", 2, environment);
  const shareOfFirst = (elapsedMs: [number, number], rounds: number) => {
    let first = 0;
    for (let i = 0; i < rounds; i++) {
      const host = pool.next();
      if (host === 0) first++;
      pool.report(host, true, elapsedMs[host]);
      environment.atMs += 50;
    }
    return first / rounds;
  };
  shareOfFirst([1, 9], 200);
  const share = shareOfFirst([1, 9], 4_000);
  assert.ok(share > 0.84 && share < 0.95, `9 times as fast, taken ${share}`);
  shareOfFirst([9, 1], 12_000);
  const later = shareOfFirst([9, 1], 2_000);
  assert.ok(later < 0.2, `9 times as slow after the window, taken ${later}`);
});

Deno.test("an epsilon-greedy pool leaves out hosts that failed, and begins as a pool of live hosts", () => {
  const environment = new Environment(() => 0.5);
  const pool = createPool("epsilon-greedy", 3, environment);
  assert.deepEqual(take(pool, 3), [0, 1, 2]);
  pool.report(0, true, 5);
  assert.deepEqual(take(pool, 3), [0, 0, 0]);
  pool.report(0, false, 5);
  pool.report(2, true, 5);
  assert.deepEqual(take(pool, 3), [2, 2, 2]);
});

Deno.test("an epsilon-greedy pool forgets in five minutes", () => {
  const environment = new Environment(() => 0.5);
  const pool = createPool("epsilon-greedy", 2, environment);
  pool.report(0, true, 5);
  environment.atMs = 299_000;
  assert.deepEqual(take(pool, 3), [0, 0, 0]);
  environment.atMs = 700_000;
  assert.deepEqual(take(pool, 4), [0, 1, 0, 1]);
});
