import assert from "node:assert/strict";
import { get } from "../../http/raw_http.ts";
import { parseMetrics, valueOf } from "../../support/metrics_text.ts";
import { startNsqd, type TestNsqd } from "../../support/running_nsqd.ts";
import { channelStats, until } from "../../wire/observe.ts";
import { bytes, WireClient, withBody } from "../../wire/wire_client.ts";

const PERCENTILES = "--e2e-processing-latency-percentile=0.5,1";

/** Publishes and consumes a little: one message finished, one requeued for long, one in flight, one waiting. */
async function use(server: TestNsqd): Promise<WireClient> {
  await server.http("POST", "/topic/create?topic=t");
  await server.http("POST", "/channel/create?topic=t&channel=c");
  const client = await WireClient.open(server.tcpPort);
  const identity = JSON.stringify({ client_id: 'a "quoted" \\ name', hostname: "h\nh" });
  await client.ask(withBody("IDENTIFY", identity));
  await client.subscribe("t", "c", 2);
  for (let i = 0; i < 4; i++) await server.http("POST", "/pub?topic=t", "12345");
  const first = await client.message(), second = await client.message();
  await client.send(bytes(`FIN ${first.id}\n`, `REQ ${second.id} 60000\n`, "RDY 1\n"));
  await client.message();
  await until("all is told", async () => (await channelStats(server)).deferred_count === 1);
  return client;
}

Deno.test("GET /metrics is strict Prometheus text with the counts of topics and channels", async () => {
  await using server = await startNsqd([PERCENTILES]);
  using _client = await use(server);
  const response = await get(server.httpPort, "/metrics");
  assert.equal(response.status, 200);
  const families = parseMetrics(response.body);
  const topic = { topic: "t" }, channel = { topic: "t", channel: "c" };
  const expected: [string, Record<string, string>, number][] = [
    ["nsq_healthy", {}, 1],
    ["nsq_topics", {}, 1],
    ["nsq_channels", {}, 1],
    ["nsq_tcp_connections", {}, 1],
    ["nsq_tcp_connections_total", {}, 1],
    ["nsq_topic_depth", topic, 0],
    ["nsq_topic_messages_total", topic, 4],
    ["nsq_topic_message_bytes_total", topic, 20],
    ["nsq_channel_depth", channel, 1],
    ["nsq_channel_in_flight", channel, 1],
    ["nsq_channel_deferred", channel, 1],
    ["nsq_channel_messages_total", channel, 4],
    ["nsq_channel_deliveries_total", channel, 3],
    ["nsq_channel_requeues_total", channel, 1],
    ["nsq_channel_timeouts_total", channel, 0],
    ["nsq_channel_clients", channel, 1],
    ["nsq_channel_paused", channel, 0],
  ];
  for (const [name, labels, value] of expected) assert.equal(valueOf(families, name, labels), value, name);
  assert.ok(valueOf(families, "nsq_channel_processing_latency_seconds", { ...channel, quantile: "1" }) > 0);
  assert.ok(valueOf(families, "nsq_queue_memory_bytes") > 0);
  assert.ok(valueOf(families, "nsq_log_written_bytes_total") > 0);
  const commits = families.get("nsq_commit_seconds")!.samples.find(({ name }) => name.endsWith("_count"))!;
  assert.equal(commits.value, 4);
  assert.equal([...families.keys()].some((name) => name.startsWith("nsq_client_")), false);
});

Deno.test("GET /metrics?include_clients=true adds consumers and producers, with their names escaped", async () => {
  await using server = await startNsqd();
  using client = await use(server);
  await client.ask(withBody("PUB other", "x"));
  const families = parseMetrics((await get(server.httpPort, "/metrics?include_clients=true")).body);
  const labels = { client_id: 'a "quoted" \\ name', hostname: "h\nh", topic: "t", channel: "c" };
  assert.equal(valueOf(families, "nsq_client_ready", labels), 1);
  assert.equal(valueOf(families, "nsq_client_in_flight", labels), 1);
  assert.equal(valueOf(families, "nsq_client_messages_total", labels), 3);
  assert.equal(valueOf(families, "nsq_client_finished_total", labels), 1);
  assert.equal(valueOf(families, "nsq_client_requeued_total", labels), 1);
  assert.equal(valueOf(families, "nsq_client_published_total", { topic: "other" }), 1);
});

Deno.test("GET /metrics of many topics comes in parts and is whole", async () => {
  await using server = await startNsqd();
  for (let i = 0; i < 300; i++) {
    await server.http("POST", `/topic/create?topic=topic_${i}`);
    await server.http("POST", `/channel/create?topic=topic_${i}&channel=c`);
  }
  const body = await server.http("GET", "/metrics");
  assert.ok(body.length > 100_000);
  const families = parseMetrics(body);
  for (const [name, { samples }] of families) {
    if (/^nsq_(topic|channel)_/.test(name)) {
      assert.equal(samples.length, name.includes("latency") ? 0 : 300, name);
    }
  }
});

Deno.test("GET /stats shows the latency percentiles of channels, and merges them for the topic", async () => {
  await using server = await startNsqd([PERCENTILES]);
  using _client = await use(server);
  await server.http("POST", "/topic/create?topic=empty");
  await server.http("POST", "/channel/create?topic=t&channel=unused");
  const { topics } = JSON.parse(await server.http("GET", "/stats?format=json"));
  const [empty, topic] = topics;
  assert.deepEqual(empty.e2e_processing_latency, { count: 0, percentiles: null });
  const [used, unused] = topic.channels, { count, percentiles } = used.e2e_processing_latency;
  assert.equal(count, 1);
  assert.deepEqual(percentiles.map(({ quantile }: { quantile: number }) => quantile), [1, 0.5]);
  assert.ok(Number.isInteger(percentiles[0].value) && percentiles[0].value > 0);
  assert.deepEqual(unused.e2e_processing_latency, {
    count: 0,
    percentiles: [{ quantile: 1, value: 0 }, { quantile: 0.5, value: 0 }],
  });
  assert.deepEqual(topic.e2e_processing_latency, used.e2e_processing_latency);
  assert.match(await server.http("GET", "/stats?topic=t"), /\[c {24}\].* e2e%: \d+\.\d\w+, \d+\.\d\w+\n/);
});
