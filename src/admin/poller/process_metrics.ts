/** Reads from the metrics of a node what is shown of its process. Tested in test/admin/poller/process_metrics_test.ts. */
import type { ProcessView } from "../model/snapshot.ts";

const PREFIX = "nsq_";

/** @param text in the Prometheus format; members whose metrics it lacks are null */
export function processViewOf(text: string): ProcessView {
  const values = new Map<string, number>();
  for (const line of text.split("\n")) {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{[^}]*\})? (\S+)$/.exec(line);
    if (match === null || !match[1].startsWith(PREFIX)) continue;
    const name = match[1].slice(PREFIX.length), value = Number(match[2]);
    if (Number.isFinite(value) && !values.has(name)) values.set(name, value);
  }
  const value = (name: string) => values.get(name) ?? null;
  const meanMs = (name: string) => {
    const sum = values.get(`${name}_sum`), count = values.get(`${name}_count`);
    return sum === undefined || !count ? null : sum / count * 1000;
  };
  return {
    residentBytes: value("process_resident_memory_bytes"),
    heapBytes: value("heap_used_bytes"),
    diskBytes: value("queue_disk_bytes"),
    diskFreeBytes: value("queue_disk_free_bytes"),
    eventLoopDelayMs: meanMs("event_loop_delay_seconds"),
    commitMs: meanMs("commit_seconds"),
    syncMs: meanMs("log_sync_seconds"),
    connections: value("tcp_connections"),
  };
}
