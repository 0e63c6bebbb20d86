import assert from "node:assert/strict";
import {
  nodeIdOf,
  readNames,
  readNodeStats,
  readProducer,
  readProducers,
} from "../../src/cluster/node_answers.ts";

Deno.test("readNodeStats() takes the answer of an old node: what it leaves out is 0, empty or counted", () => {
  const { topics, health, startTime, memory } = readNodeStats({
    version: "0.3.8",
    topics: [{
      topic_name: "t",
      channels: [{ channel_name: "c", depth: 4, clients: [{ name: "host", finish_count: 2 }, {}] }],
    }],
  });
  assert.deepEqual([health, startTime, memory], ["", 0, null]);
  const [{ channels: [channel], e2e_processing_latency: latency, message_bytes }] = topics;
  assert.deepEqual([message_bytes, latency], [0, { count: 0, percentiles: null }]);
  assert.deepEqual([channel.depth, channel.client_count, channel.paused], [4, 2, false]);
  const [client] = channel.clients!;
  assert.deepEqual([client.hostname, client.client_id, client.finish_count, client.tls], [
    "host",
    "host",
    2,
    false,
  ]);
});

Deno.test("readNodeStats() lets nothing of a wrong kind through", () => {
  for (const wrong of [null, 5, "text", [], { topics: "x" }, { topics: [null, 3] }]) {
    const { topics } = readNodeStats(wrong);
    for (const topic of topics) {
      assert.deepEqual([topic.topic_name, topic.channels, topic.depth], ["", [], 0]);
    }
  }
  const stats = readNodeStats({ topics: [{ topic_name: 7, depth: "9", message_count: -1, paused: "yes" }] });
  const [topic] = stats.topics;
  assert.deepEqual([topic.topic_name, topic.depth, topic.message_count, topic.paused], ["", 0, 0, false]);
});

Deno.test("readProducer() pairs topics with tombstones, and knows the address of nodes from before 0.2.21", () => {
  const producer = readProducer({
    address: "old",
    http_port: 4151,
    topics: ["a", "b"],
    tombstones: [false, true],
  });
  assert.equal(nodeIdOf(producer), "old:4151");
  assert.deepEqual(producer.topics, [{ topic: "a", isTombstoned: false }, {
    topic: "b",
    isTombstoned: true,
  }]);
  assert.equal(nodeIdOf(readProducer({ broadcast_address: "::1", http_port: 1 })), "[::1]:1");
  assert.deepEqual(readProducers({ producers: null }), []);
  assert.deepEqual(readNames({ topics: ["a", 5, null] }, "topics"), ["a"]);
});
