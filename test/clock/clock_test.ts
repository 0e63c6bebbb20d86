import assert from "node:assert/strict";
import { systemClock } from "../../src/clock/clock.ts";
import { FakeClock } from "../support/fake_clock.ts";

Deno.test("systemClock.nowMs() is Date.now() with a fraction", () => {
  for (let i = 0; i < 10_000; i++) {
    const before = Date.now();
    const nowMs = systemClock.nowMs();
    const after = Date.now();
    assert.ok(before <= nowMs && nowMs < after + 1, `${before} <= ${nowMs} < ${after + 1}`);
  }
});

Deno.test("systemClock.monotonicMs() never goes back", () => {
  let previous = systemClock.monotonicMs();
  for (let i = 0; i < 10_000; i++) {
    const now = systemClock.monotonicMs();
    assert.ok(now >= previous);
    previous = now;
  }
});

Deno.test("FakeClock.advance() moves both readings and setWallMs() only one", () => {
  const clock = new FakeClock(5_000, 10);
  clock.advance(2.5);
  assert.deepEqual([clock.nowMs(), clock.monotonicMs()], [5_002.5, 12.5]);
  clock.setWallMs(1);
  assert.deepEqual([clock.nowMs(), clock.monotonicMs()], [1, 12.5]);
  assert.throws(() => clock.advance(-1), /-1 ms is negative/);
});
