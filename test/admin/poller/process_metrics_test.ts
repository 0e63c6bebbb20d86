import assert from "node:assert/strict";
import { processViewOf } from "../../../src/admin/poller/process_metrics.ts";
import { startNsqd } from "../../support/running_nsqd.ts";

Deno.test("processViewOf() reads the metrics of a real nsqd, which leaves single topics out when asked to", async () => {
  await using nsqd = await startNsqd();
  await nsqd.http("POST", "/topic/create?topic=orders");
  await nsqd.http("POST", "/pub?topic=orders", "hello");
  const text = await nsqd.http("GET", "/metrics?include_topics=false");
  const view = processViewOf(text);
  assert.ok(view.residentBytes! > 1 << 20 && view.heapBytes! > 1 << 20, JSON.stringify(view));
  assert.ok(view.diskBytes! >= 5 && view.commitMs! > 0 && view.eventLoopDelayMs! >= 0, JSON.stringify(view));
  assert.equal(view.connections, 0);
  // Not every system says how much room there is.
  assert.ok(view.diskFreeBytes === null || view.diskFreeBytes > 1 << 20, `${view.diskFreeBytes}`);
  assert.match(text, /^nsq_topics 1$/m);
  assert.equal(text.includes("orders"), false);
  assert.match(await nsqd.http("GET", "/metrics"), /orders/);
});

Deno.test("processViewOf() knows nothing of what is not there", () => {
  const nothing = processViewOf(
    "go_goroutines 9\nnsq_log_sync_seconds_sum 0\nnsq_log_sync_seconds_count 0\n",
  );
  assert.deepEqual(new Set(Object.values(nothing)), new Set([null]));
  assert.equal(processViewOf("nsq_log_sync_seconds_sum 4\nnsq_log_sync_seconds_count 2\n").syncMs, 2_000);
});
