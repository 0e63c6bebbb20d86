import assert from "node:assert/strict";
import { aggregateChannel, aggregateTopic } from "../../src/cluster/aggregate.ts";
import type { NodeWithStats } from "../../src/cluster/cluster.ts";
import { readNodeStats, readProducer } from "../../src/cluster/node_answers.ts";
import { goChannel, goStats, goTopic } from "../admin/fixtures.ts";

function node(hostname: string, topics: unknown[], extra: object = {}): NodeWithStats {
  return {
    producer: readProducer({ broadcast_address: hostname, hostname, http_port: 4151, ...extra }),
    stats: readNodeStats(goStats(...topics)),
  };
}

const latency = (count: number, value: number) => ({ count, percentiles: [{ quantile: 0.99, value }] });

Deno.test("aggregateTopic() adds numbers, takes pauses as of any node, and sorts nodes by host", () => {
  const nodes = [
    node("b", [
      goTopic("t", [goChannel("c", { depth: 4, backend_depth: 1, zone_local_msg_count: 2 })], {
        paused: true,
        depth: 1,
      }),
    ]),
    node("a", [goTopic("t", [goChannel("c", { depth: 6 }), goChannel("d")]), goTopic("other")]),
    node("c", [goTopic("other")]),
  ];
  const topic = aggregateTopic("t", nodes, 0)!;
  assert.deepEqual([topic.depth, topic.message_count, topic.paused], [1, 6, true]);
  assert.deepEqual(topic.nodes!.map(({ hostname }) => hostname), ["a", "b"]);
  const [c, d] = topic.channels;
  assert.deepEqual([c.channel_name, c.depth, c.memory_depth, c.backend_depth], ["c", 10, 9, 1]);
  assert.deepEqual([c.delivery_msg_count, c.zone_local_msg_count, c.region_local_msg_count], [
    2,
    2,
    undefined,
  ]);
  assert.deepEqual([d.nodes!.length, d.delivery_msg_count], [1, undefined]);
  assert.equal(topic.nodes![1].channels[0].depth, 4, "what one node has stays apart from the sum");
  assert.equal(aggregateTopic("nope", nodes, 0), undefined);
});

Deno.test("aggregateTopic() weighs latencies by how many messages each node saw", () => {
  const topic = aggregateTopic("t", [
    node("a", [goTopic("t", [], { e2e_processing_latency: latency(1, 100) })]),
    node("b", [goTopic("t", [], { e2e_processing_latency: latency(3, 200) })]),
    node("c", [goTopic("t", [], { e2e_processing_latency: { count: 0, percentiles: null } })]),
  ], 0)!;
  assert.deepEqual(topic.e2e_processing_latency, {
    count: 4,
    percentiles: [{ average: 175, count: 4, max: 200, min: 100, quantile: 0.99 }],
    topic: "t",
    channel: "",
    host: "*",
  });
});

Deno.test("aggregateChannel() lists clients by node, those near it first, and says for how long they are there", () => {
  const client = (hostname: string, topology_region: string, topology_zone: string) => ({
    hostname,
    client_id: hostname,
    connect_ts: 90,
    topology_region,
    topology_zone,
  });
  const clients = [client("far", "us", "1"), client("region", "eu", "2"), client("zone", "eu", "1")];
  const nodes = [
    node("b", [goTopic("t", [goChannel("c", { clients: [client("x", "", "")] })])]),
    node("a", [goTopic("t", [goChannel("c", { clients })])], { topology_region: "eu", topology_zone: "1" }),
  ];
  const channel = aggregateChannel("t", "c", nodes, 100_999)!;
  assert.deepEqual(channel.clients!.map(({ hostname }) => hostname), ["zone", "region", "far", "x"]);
  const [zone, , , x] = channel.clients!;
  assert.deepEqual([zone.connected, zone.node_topology_region, zone.topology_zone], [
    10_000_000_000,
    "eu",
    "1",
  ]);
  assert.equal("topology_zone" in x, false);
  assert.equal(aggregateChannel("t", "nope", nodes, 0), undefined);
});
