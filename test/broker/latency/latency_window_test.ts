import assert from "node:assert/strict";
import { LatencySketch } from "../../../src/broker/latency/latency_sketch.ts";
import { LatencyWindow } from "../../../src/broker/latency/latency_window.ts";
import { BufferPool } from "../../../src/buffers/buffer_pool.ts";
import { Segment, setTimestamp } from "../../../src/storage/segment.ts";

const START_MS = Date.UTC(2030, 0, 1);
const MIB = 1 << 20;

/** A turn whose two clocks go together. */
class Turn {
  readonly time = { high: 0, low: 0 };
  nowMs = 0;
  readonly latencyWindowMs = 10_000;

  constructor() {
    this.at(0);
  }

  at(ms: number): void {
    this.nowMs = ms;
    setTimestamp(this.time, START_MS + ms);
  }
}

function segmentOf(turn: Turn, publishedAtMs: number[], pool: BufferPool): Segment {
  const segment = new Segment(1, pool.take(2048));
  for (const ms of publishedAtMs) {
    turn.at(ms);
    segment.append(pool.take(16), 0, 8, turn.time, 0);
  }
  return segment;
}

function countAt(window: LatencyWindow, nowMs: number): number {
  const sketch = new LatencySketch();
  window.addTo(sketch, nowMs);
  return sketch.count;
}

Deno.test("LatencyWindow.finished() measures from the time in the record to the turn", () => {
  const turn = new Turn(), window = new LatencyWindow(turn);
  const segment = segmentOf(turn, [0, 1000], new BufferPool(MIB));
  turn.at(1500);
  window.finished(segment, 0);
  window.finished(segment, 1);
  const sketch = new LatencySketch();
  window.addTo(sketch, 1500);
  // 256 ns are lost in a double.
  assert.ok(Math.abs(sketch.quantile(1) - 1500e6) < 1000);
  assert.ok(Math.abs(sketch.quantile(0.5) / 500e6 - 1) < 0.008);
});

Deno.test("LatencyWindow keeps samples for half a window to a whole one", () => {
  const turn = new Turn(), window = new LatencyWindow(turn), half = turn.latencyWindowMs / 2;
  const segment = segmentOf(turn, [0], new BufferPool(MIB));
  turn.at(1);
  window.finished(segment, 0);
  turn.at(half - 1);
  window.finished(segment, 0);
  assert.equal(countAt(window, half - 1), 2);
  assert.equal(countAt(window, half), 2, "the slice before counts");
  turn.at(2 * half - 1);
  window.finished(segment, 0);
  assert.equal(countAt(window, 2 * half - 1), 3);
  assert.equal(countAt(window, 2 * half), 1, "the first slice is dropped");
  assert.equal(countAt(window, 10 * half), 0, "a long pause drops all");
});

Deno.test("LatencyWindow.finished() estimates the time of a record whose segment left memory", () => {
  const turn = new Turn(), window = new LatencyWindow(turn), pool = new BufferPool(MIB);
  const segment = segmentOf(turn, [0, 10, 2000], pool);
  segment.dropBuffer(pool);
  assert.ok(Math.abs(segment.timeNs(0) / 1e6 - START_MS) < 0.01);
  assert.ok(Math.abs(segment.timeNs(1) / 1e6 - START_MS - 1000) < 0.01, "halfway between first and last");
  turn.at(3000);
  window.finished(segment, 2);
  const sketch = new LatencySketch();
  window.addTo(sketch, 3000);
  assert.ok(Math.abs(sketch.quantile(1) / 1e9 - 1) < 0.008);
});

Deno.test("LatencyWindow.finished() leaves out a record whose time is not known", () => {
  const turn = new Turn(), window = new LatencyWindow(turn);
  window.finished(new Segment(1, null), 0);
  assert.equal(countAt(window, 0), 0);
});

Deno.test("LatencyWindow.of() is null when latencies are not kept", () => {
  assert.equal(LatencyWindow.of({ time: { high: 0, low: 0 }, nowMs: 0, latencyWindowMs: 0 }), null);
});

Deno.test("LatencyWindow.finished() lets each 8th of many in one turn stand for 8, and counts all", () => {
  const turn = new Turn(),
    window = new LatencyWindow(turn),
    published = Array.from({ length: 20 }, (_, i) => i);
  const segment = segmentOf(turn, published, new BufferPool(MIB));
  const sketch = new LatencySketch();
  for (const ms of [100, 200]) {
    turn.at(ms);
    for (let i = 0; i < 64 + 5; i++) window.finished(segment, i % 20);
    if (ms === 100) assert.equal(countAt(window, ms), 64);
  }
  window.addTo(sketch, 200);
  assert.equal(sketch.count, 64 + 64 + 8);
  assert.ok(sketch.quantile(0.25) < 101e6 && sketch.quantile(0.75) > 179e6);
});
