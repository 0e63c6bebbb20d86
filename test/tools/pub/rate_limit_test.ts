import assert from "node:assert/strict";
import { RateLimit } from "../../../src/tools/pub/rate_limit.ts";

class Clock {
  atMs = 0;
  readonly nowMs = () => this.atMs;
  readonly sleep = (ms: number) => {
    this.atMs += ms;
    return Promise.resolve();
  };
}

Deno.test("RateLimit lets one through at once, and then no more than the rate", async () => {
  const clock = new Clock();
  const limit = new RateLimit(100, clock);
  assert.equal(await limit.take(5), 1);
  assert.equal(clock.atMs, 0);
  let taken = 0;
  while (clock.atMs < 1_000) taken += await limit.take(1);
  assert.ok(taken >= 99 && taken <= 101, String(taken));
});

Deno.test("RateLimit saves up the messages of one second, not more", async () => {
  const clock = new Clock();
  const limit = new RateLimit(100, clock);
  await limit.take(1);
  clock.atMs = 60_000;
  assert.equal(await limit.take(1_000), 100);
  assert.equal(await limit.take(1_000), 1);
  assert.equal(clock.atMs, 60_010);
});
