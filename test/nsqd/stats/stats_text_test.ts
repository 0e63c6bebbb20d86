import assert from "node:assert/strict";
import { formatStats } from "../../../src/nsqd/stats/stats_text.ts";
import type { BrokerStats, ClientStats, LatencyStats } from "../../../src/api/stats.ts";

const STARTED_AT_MS = Date.UTC(2030, 0, 1);

function statsOf(latency: LatencyStats, client: Partial<ClientStats> = {}): BrokerStats {
  const channel = { depth: 0, backend_depth: 0, message_count: 123_456_789, paused: false };
  return {
    version: "1.3.0",
    health: "OK",
    start_time: STARTED_AT_MS / 1000,
    topics: [{
      ...channel,
      topic_name: "a-name-longer-than-its-column",
      message_bytes: 0,
      e2e_processing_latency: latency,
      channels: [],
    }],
    producers: [{
      client_id: "c",
      hostname: "h",
      version: "V2",
      remote_address: "10.0.0.1:99",
      state: 3,
      ready_count: 12_345,
      in_flight_count: 0,
      message_count: 0,
      finish_count: 0,
      requeue_count: 0,
      connect_ts: STARTED_AT_MS / 1000,
      sample_rate: 0,
      deflate: false,
      snappy: false,
      user_agent: "",
      topology_zone: "",
      topology_region: "",
      tls: false,
      tls_cipher_suite: "",
      tls_version: "",
      tls_negotiated_protocol: "",
      tls_negotiated_protocol_is_mutual: false,
      ...client,
    }],
  };
}

function linesOf(stats: BrokerStats, elapsedMs: number): string[] {
  return formatStats(stats, STARTED_AT_MS, STARTED_AT_MS + elapsedMs).split("\n");
}

Deno.test("formatStats() writes latencies with one decimal in the unit that fits", () => {
  const values = [5_085_219, 1_000_000, 1_000_000_001, 999, 1000.1, 0];
  const latency = { count: 1, percentiles: values.map((value) => ({ quantile: 1, value })) };
  const topic = linesOf(statsOf(latency), 0)[7];
  assert.match(topic, / e2e%: 5\.1ms, 1000\.0us, 1\.0s, 999\.0ns, 1\.0us, 0\.0ns$/);
});

Deno.test("formatStats() pads columns and does not cut what is longer", () => {
  const lines = linesOf(statsOf({ count: 0, percentiles: null }), 90_500);
  assert.equal(
    lines[7],
    "   [a-name-longer-than-its-column] depth: 0     be-depth: 0     msgs: 123456789 e2e%: ",
  );
  assert.equal(
    lines[10],
    "   [V2 h:99                 ] state: 3 inflt: 0    rdy: 12345 fin: 0        re-q: 0        msgs: 0        " +
      "connected: 1m30s",
  );
});

Deno.test("formatStats() writes the uptime in full and connections in whole seconds", () => {
  const client = { pub_counts: [{ topic: "t", count: 3 }], remote_address: "@", hostname: "" };
  const lines = linesOf(statsOf({ count: 0, percentiles: null }, client), 404_211.125);
  assert.equal(lines[2], "uptime 6m44.211125s");
  assert.match(lines[10], /^ {3}\[V2 : +\] msgs: 3 {8}topics: t=3 connected: 6m44s$/);
});
