/**
 * One channel as rows of numbers, which scripts read, and any channels as lines of JSON.
 *
 * Tested in test/tools/stat/stat_test.ts.
 */
import type { ChannelRow } from "./counts.ts";

/** After this many looks the header comes again. */
export const LOOKS_PER_HEADER = 25;

export const header = [
  "------rate------+----------------depth----------------+--------------metadata---------------",
  "ingress  egress |   total     mem    disk inflt   def |     req     t-o         msgs clients",
].join("\n");

export function formatRow(row: ChannelRow): string {
  const cells = (values: [number, number][]) =>
    values.map(([value, width]) => String(value).padStart(width)).join(" ");
  return [
    cells([[row.ingress, 7], [row.egress, 7]]),
    cells([[row.depth, 7], [row.memory, 7], [row.disk, 7], [row.inFlight, 5], [row.deferred, 5]]),
    cells([[row.requeued, 7], [row.timedOut, 7], [row.messages, 12], [row.clients, 7]]),
  ].join(" | ");
}

/** One line. Rates are messages a second, `time` is when the row was made, in UTC. */
export function formatJsonRow(row: ChannelRow, time: Date): string {
  return JSON.stringify({
    time: time.toISOString(),
    topic: row.topic,
    channel: row.channel,
    ingress: row.ingress,
    egress: row.egress,
    depth: row.depth,
    memory_depth: row.memory,
    backend_depth: row.disk,
    in_flight_count: row.inFlight,
    deferred_count: row.deferred,
    requeue_count: row.requeued,
    timeout_count: row.timedOut,
    message_count: row.messages,
    client_count: row.clients,
    paused: row.isPaused,
    nodes: row.nodes,
  });
}
