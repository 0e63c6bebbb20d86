import assert from "node:assert/strict";
import { EventLoopDelay } from "../../src/metrics/event_loop_delay.ts";
import { GarbageCollection } from "../../src/metrics/garbage_collection.ts";
import { ProcessMonitor } from "../../src/metrics/process_monitor.ts";
import { MetricsWriter } from "../../src/metrics/text_format.ts";
import { parseMetrics, valueOf } from "../support/metrics_text.ts";

/** Makes garbage until V8 collected some. */
function collect(collection: GarbageCollection): void {
  let kept: unknown[] = [];
  for (let i = 0; collection.figures().runs < 3 && i < 1000; i++) {
    kept = Array.from({ length: 50_000 }, (_, n) => ({ n, i, last: kept.length }));
  }
}

Deno.test("GarbageCollection counts the collections after its first call, with pauses in seconds", () => {
  const collection = new GarbageCollection(), startedMs = performance.now();
  assert.deepEqual([collection.figures().runs, collection.pauseSeconds(1)], [0, 0]);
  collect(collection);
  const { runs, seconds, kinds } = collection.figures(), elapsed = (performance.now() - startedMs) / 1000;
  assert.ok(runs >= 3);
  // V8 says nothing of its unit, and others have had another.
  assert.ok(seconds < elapsed && seconds > runs * 1e-6, `${runs} took ${seconds} of ${elapsed} s`);
  assert.equal([...kinds.values()].reduce((sum, kind) => sum + kind.runs, 0), runs);
  assert.ok(collection.pauseSeconds(0.5) <= collection.pauseSeconds(1));
  assert.ok(collection.pauseSeconds(1) > 0);
  collection.stop();
});

Deno.test("EventLoopDelay sees that the loop was blocked, and leaves no timer", async () => {
  const delay = new EventLoopDelay();
  delay.start();
  const untilMs = performance.now() + 200;
  while (performance.now() < untilMs);
  await new Promise((resolve) => setTimeout(resolve, 0));
  delay.stop();
  assert.ok(delay.histogram.max >= 0.09, `${delay.histogram.max}`);
});

Deno.test("ProcessMonitor.write() writes memory, processor time and start of this process", () => {
  const monitor = new ProcessMonitor();
  monitor.start();
  collect(monitor.garbageCollection);
  const to = new MetricsWriter("p_");
  monitor.write(to);
  monitor.stop();
  const families = parseMetrics(to.take());
  assert.ok(valueOf(families, "p_process_resident_memory_bytes") > valueOf(families, "p_heap_used_bytes"));
  assert.ok(valueOf(families, "p_process_cpu_seconds_total", { mode: "user" }) > 0);
  const startedAt = valueOf(families, "p_process_start_time_seconds");
  assert.ok(startedAt > 1e9 && startedAt <= Date.now() / 1000);
  const kinds = families.get("p_gc_runs_total")!.samples.map(({ labels }) => labels.kind);
  assert.ok(kinds.length > 0);
  assert.deepEqual(families.get("p_gc_pause_seconds_total")!.samples.map(({ labels }) => labels.kind), kinds);
});
