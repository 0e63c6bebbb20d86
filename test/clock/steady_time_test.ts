/** Time that is not moved by those who set the wall clock. */
import assert from "node:assert/strict";
import { SteadyTime } from "../../src/clock/steady_time.ts";
import { FakeClock } from "../support/fake_clock.ts";

const HOUR_MS = 3_600_000;

Deno.test("SteadyTime is wall time at first, and goes on by the monotonic clock whatever the wall clock says", () => {
  const clock = new FakeClock(), steady = new SteadyTime(clock), startMs = clock.nowMs();
  assert.deepEqual([steady.nowMs(), steady.aheadMs, steady.check()], [startMs, 0, false]);
  clock.advance(500);
  clock.setWallMs(startMs - HOUR_MS);
  assert.equal(steady.nowMs(), startMs + 500);
  assert.equal(steady.ofMonotonic(clock.monotonicMs() + 7), startMs + 507);
  assert.equal(steady.toMonotonic(startMs + 507), clock.monotonicMs() + 7);
});

Deno.test("SteadyTime.check() tells once that the wall clock was set, either way, and overlooks a millisecond", () => {
  const clock = new FakeClock(), steady = new SteadyTime(clock), startMs = clock.nowMs();
  for (const aheadMs of [HOUR_MS, -24 * HOUR_MS, 0]) {
    clock.setWallMs(startMs + aheadMs);
    assert.equal(steady.check(), true);
    assert.equal(steady.check(), false);
    assert.deepEqual([steady.aheadMs, steady.nowMs()], [aheadMs, startMs]);
  }
  clock.setWallMs(startMs + 1);
  assert.equal(steady.check(), false);
  // What was overlooked is not forgotten: it adds up.
  clock.setWallMs(startMs + 2);
  assert.equal(steady.check(), true);
});

Deno.test("SteadyTime.resume() goes on from the wall clock, but never before what had been reached", () => {
  const reachedMs = Date.UTC(2030, 0, 2);
  const cases: [wallMs: number, aheadMs: number, expectedMs: number][] = [
    [reachedMs + 5000, 0, reachedMs + 5000],
    [reachedMs + 5000 + HOUR_MS, HOUR_MS, reachedMs + 5000],
    [reachedMs + 5000 - HOUR_MS, -HOUR_MS, reachedMs + 5000],
    [reachedMs - 2 * HOUR_MS, 0, reachedMs],
    [reachedMs - 2 * HOUR_MS, HOUR_MS, reachedMs],
  ];
  for (const [wallMs, aheadMs, expectedMs] of cases) {
    const clock = new FakeClock(wallMs, 123), steady = new SteadyTime(clock);
    steady.resume(aheadMs, reachedMs);
    assert.equal(steady.nowMs(), expectedMs);
    assert.equal(steady.aheadMs, wallMs - expectedMs);
    assert.equal(steady.check(), false);
    clock.advance(10);
    assert.equal(steady.nowMs(), expectedMs + 10);
  }
});
