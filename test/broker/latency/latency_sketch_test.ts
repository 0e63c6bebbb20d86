import assert from "node:assert/strict";
import { LatencySketch } from "../../../src/broker/latency/latency_sketch.ts";
import { Random } from "../../support/random.ts";

const MAX_RELATIVE_ERROR = 0.008;
const QUANTILES = [0.001, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1];

function sketchOf(samples: Iterable<number>): LatencySketch {
  const sketch = new LatencySketch();
  for (const ns of samples) sketch.add(ns);
  return sketch;
}

function checkQuantiles(sketch: LatencySketch, samples: number[]): void {
  const sorted = samples.toSorted((a, b) => a - b);
  for (const quantile of QUANTILES) {
    const exact = sorted[Math.ceil(quantile * sorted.length) - 1];
    const relativeError = Math.abs(sketch.quantile(quantile) - exact) / exact;
    assert.ok(relativeError <= MAX_RELATIVE_ERROR, `${quantile}: ${sketch.quantile(quantile)}, not ${exact}`);
  }
}

/** Latencies between `fromNs` and `toNs`, each order of magnitude as likely. */
function randomSamples(random: Random, count: number, fromNs: number, toNs: number): number[] {
  return Array.from({ length: count }, () => fromNs * (toNs / fromNs) ** random.next());
}

Deno.test("LatencySketch.quantile() is within 0.8% of the sample of that rank, from microseconds to weeks", () => {
  const random = new Random(1);
  for (const [from, to] of [[2e3, 2e6], [1e6, 1e9], [2e3, 3e15], [5e14, 6e14]]) {
    const samples = randomSamples(random, 5000, from, to);
    checkQuantiles(sketchOf(samples), samples);
  }
});

Deno.test("LatencySketch.quantile() is exact for one sample, for the highest and for none", () => {
  assert.equal(sketchOf([]).quantile(0.99), 0);
  const one = sketchOf([5_085_219]);
  for (const quantile of QUANTILES) assert.equal(one.quantile(quantile), 5_085_219);
  assert.equal(sketchOf([1e6, 123_456_789, 2e6]).quantile(1), 123_456_789);
});

Deno.test("LatencySketch.merge() gives what all samples in one sketch give", () => {
  const random = new Random(2);
  const parts = [[1e9, 1e10], [2e3, 1e5], [1e6, 1e7], [3e3, 3e14]].map(([from, to]) =>
    randomSamples(random, 700, from, to)
  );
  const merged = new LatencySketch();
  for (const part of [...parts, []]) merged.merge(sketchOf(part));
  assert.equal(merged.count, 2800);
  checkQuantiles(merged, parts.flat());
  const whole = sketchOf(parts.flat());
  for (const quantile of QUANTILES) assert.equal(merged.quantile(quantile), whole.quantile(quantile));
});

Deno.test("LatencySketch.add() takes times below a microsecond, negative and absurd ones", () => {
  const sketch = sketchOf([-5, 0, 3, 1e300]);
  assert.equal(sketch.count, 4);
  assert.equal(sketch.quantile(0.5) <= 1032, true);
  assert.equal(sketch.quantile(1), 1e300);
});
