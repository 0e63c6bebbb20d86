/** The queue of deadlines, as ranges of messages. */
import assert from "node:assert/strict";
import { DeadlineRanges } from "../../../src/broker/consumer/deadline_ranges.ts";
import { Random } from "../../support/random.ts";

Deno.test("DeadlineRanges is empty at first", () => {
  const ranges = new DeadlineRanges();
  assert.deepEqual([ranges.size, ranges.headDeadlineMs], [0, Infinity]);
  assert.ok(Number.isNaN(ranges.headFrom) && Number.isNaN(ranges.headTo));
});

Deno.test("DeadlineRanges.push() joins runs within 10 ms under the later deadline, and no later ones", () => {
  const ranges = new DeadlineRanges();
  ranges.push(1, 3, 100);
  ranges.push(5, 6, 106);
  ranges.push(6, 9, 110);
  assert.deepEqual([ranges.size, ranges.headFrom, ranges.headTo, ranges.headDeadlineMs], [1, 1, 9, 110]);
  ranges.push(9, 10, 111);
  assert.equal(ranges.size, 2);
  assert.deepEqual([ranges.deadlineOf(8), ranges.deadlineOf(9)], [110, 111]);
});

Deno.test("DeadlineRanges.push() after all were shifted opens a range of its own", () => {
  const ranges = new DeadlineRanges();
  ranges.push(1, 2, 100);
  ranges.shift();
  ranges.push(7, 8, 101);
  assert.deepEqual([ranges.size, ranges.headFrom, ranges.headTo, ranges.headDeadlineMs], [1, 7, 8, 101]);
});

Deno.test("DeadlineRanges keeps order and deadlines as it grows and wraps", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = new Random(seed), ranges = new DeadlineRanges();
    const expected: { from: number; to: number; deadlineMs: number }[] = [];
    let seq = 0, nowMs = 0;
    for (let i = 0; i < 300; i++) {
      if (random.chance(0.4) && expected.length > 0) {
        ranges.shift();
        expected.shift();
      } else {
        nowMs += 11 + random.int(5);
        const from = seq + random.int(3), to = from + random.between(1, 20);
        ranges.push(from, to, nowMs);
        expected.push({ from, to, deadlineMs: nowMs });
        seq = to;
      }
      assert.equal(ranges.size, expected.length);
      for (const { from, to, deadlineMs } of expected) {
        assert.equal(ranges.deadlineOf(from), deadlineMs, `seed ${seed}`);
        assert.equal(ranges.deadlineOf(to - 1), deadlineMs, `seed ${seed}`);
      }
      if (expected.length === 0) continue;
      const [head] = expected;
      assert.deepEqual(
        { from: ranges.headFrom, to: ranges.headTo, deadlineMs: ranges.headDeadlineMs },
        head,
        `seed ${seed}`,
      );
    }
  }
});

Deno.test("DeadlineRanges.headFrom moves the start of the oldest range", () => {
  const ranges = new DeadlineRanges();
  ranges.push(1, 10, 100);
  ranges.headFrom = 6;
  assert.deepEqual([ranges.headFrom, ranges.headTo], [6, 10]);
  ranges.clear();
  assert.equal(ranges.size, 0);
});
