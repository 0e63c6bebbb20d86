import assert from "node:assert/strict";
import { Deadlines } from "../../../src/nsqd/tcp/deadlines.ts";

function newDeadlines(): { deadlines: Deadlines; asked: number[] } {
  const asked: number[] = [];
  return { deadlines: new Deadlines((timeMs) => asked.push(timeMs)), asked };
}

Deno.test("Deadlines has nothing due before it is told of something", () => {
  const { deadlines, asked } = newDeadlines();
  assert.equal(deadlines.nextMs, Infinity);
  assert.ok(!deadlines.isLimited && !deadlines.isOver(1e12) && !deadlines.takeHeartbeat(1e12));
  assert.deepEqual(asked, []);
});

Deno.test("Deadlines.takeHeartbeat() is true once an interval, and makes nothing up for a late look", () => {
  const { deadlines, asked } = newDeadlines();
  deadlines.startHeartbeats(1000, 300);
  assert.deepEqual(asked, [1300]);
  assert.ok(!deadlines.takeHeartbeat(1299));
  assert.ok(deadlines.takeHeartbeat(1300));
  assert.ok(!deadlines.takeHeartbeat(1300));
  assert.ok(deadlines.takeHeartbeat(5000));
  assert.equal(deadlines.nextMs, 5000);
  assert.ok(deadlines.takeHeartbeat(5000));
  assert.equal(deadlines.nextMs, 5300);
});

Deno.test("Deadlines.startHeartbeats() with 0 stops them", () => {
  const { deadlines } = newDeadlines();
  deadlines.startHeartbeats(0, 300);
  deadlines.startHeartbeats(0, 0);
  assert.equal(deadlines.heartbeatIntervalMs, 0);
  assert.ok(!deadlines.takeHeartbeat(1e12));
});

Deno.test("Deadlines.limit() is over at its time, and never while it is suspended", () => {
  const { deadlines, asked } = newDeadlines();
  deadlines.limit(700);
  assert.deepEqual([asked, deadlines.nextMs, deadlines.isLimited], [[700], 700, true]);
  assert.ok(!deadlines.isOver(699.9) && deadlines.isOver(700));
  deadlines.suspend();
  assert.ok(!deadlines.isOver(1e12) && !deadlines.isLimited);
});
