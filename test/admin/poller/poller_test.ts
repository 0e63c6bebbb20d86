/** The poll against nodes that answer, hang, die and come back. */
import assert from "node:assert/strict";
import { systemClock } from "../../../src/clock/clock.ts";
import { Cluster } from "../../../src/cluster/cluster.ts";
import { Upstream } from "../../../src/cluster/upstream.ts";
import { HttpClient } from "../../../src/http/client/http_client.ts";
import { Logger } from "../../../src/log/logger.ts";
import { Poller } from "../../../src/admin/poller/poller.ts";
import type { Snapshot } from "../../../src/admin/model/snapshot.ts";
import { FakeNode, goChannel, goProducer, goStats, goTopic, refuse } from "../fixtures.ts";

class Polled implements AsyncDisposable {
  readonly lines: string[] = [];
  readonly #http = new HttpClient({
    connectTimeoutMs: 2_000,
    requestTimeoutMs: 5_000,
    maxIdleConnections: 2,
  });
  readonly poller: Poller;

  constructor(lookupds: readonly string[], nsqds: readonly string[] = [], idleIntervalMs = 0) {
    const upstream = new Upstream(this.#http, null);
    const cluster = new Cluster(
      upstream,
      () => ({ lookupdHttpAddresses: lookupds, nsqdHttpAddresses: nsqds }),
    );
    const settings = { addresses: () => ({ lookupds, nsqds }), idleIntervalMs };
    this.poller = new Poller(
      settings,
      cluster,
      upstream,
      systemClock,
      new Logger("info", "", (line) => this.lines.push(line)),
    );
  }

  /** Resolves with the first snapshot that `isWanted`. */
  async until(isWanted: (snapshot: Snapshot) => boolean): Promise<Snapshot> {
    for (const deadlineMs = performance.now() + 20_000; performance.now() < deadlineMs;) {
      const next = Promise.withResolvers<Snapshot>();
      const off = this.poller.listen(next.resolve);
      const now = await this.poller.look({ clients: "none" });
      if (isWanted(now)) {
        off();
        return now;
      }
      await next.promise;
      off();
    }
    throw new Error(`never: ${isWanted}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.poller.stop();
    this.#http.close();
    assert.deepEqual(this.lines, []);
  }
}

function goNode(...topics: unknown[]): FakeNode {
  return new FakeNode({ "/stats": () => Response.json(goStats(...topics)), "/info": { version: "1.3.0" } });
}

function lookupdOf(nodes: readonly FakeNode[], topics: string[] = []): FakeNode {
  return new FakeNode({
    "/nodes": () =>
      Response.json({ producers: nodes.map(({ port }) => ({ ...goProducer(port), topics: [] })) }),
    "/topics": { topics },
  });
}

Deno.test("Poller.look() has the whole cluster at the first call: sums, each node, and what only lookupds know", async () => {
  await using a = goNode(goTopic("orders", [goChannel("billing", { depth: 4 })], { depth: 1 }));
  await using b = goNode(
    goTopic("orders", [goChannel("billing", { depth: 2, paused: true })]),
    goTopic("x#ephemeral"),
  );
  await using lookupd = lookupdOf([a, b], ["orders", "only"]);
  await using polled = new Polled([lookupd.address]);
  const { topics, nodes, totals, lookupds, message, discovery } = await polled.poller.look({
    clients: "none",
  });
  assert.deepEqual([discovery, message, lookupds[0].isUp], ["lookupd", "", true]);
  assert.deepEqual([...topics.keys()], ["only", "orders", "x#ephemeral"]);
  const orders = topics.get("orders")!, billing = orders.channels.get("billing")!;
  assert.deepEqual([orders.figures.depth, orders.perNode.length, orders.isEphemeral], [1, 2, false]);
  assert.deepEqual([billing.figures.depth, billing.isPaused, billing.diagnosis.cause], [6, true, "paused"]);
  assert.deepEqual([topics.get("only")!.perNode, topics.get("x#ephemeral")!.isEphemeral], [[], true]);
  assert.deepEqual(
    nodes.map(({ id, isUp }) => [id, isUp]).sort(),
    [[a.address, true], [b.address, true]].sort(),
  );
  assert.deepEqual([totals.depth, totals.topicCount, totals.channelCount, totals.nodesUp], [7, 3, 1, 2]);
  assert.match(nodes[0].capabilities.messages, /^nsqd 1\.3\.0 on vm has no list of its messages$/);
  assert.equal(nodes[0].process, null);
});

Deno.test("Poller keeps what a node had that dies, says so, and goes on when it is back", async () => {
  await using a = goNode(
    goTopic("orders", [goChannel("billing", { depth: 4, client_count: 1, in_flight_count: 1 })]),
  );
  await using lookupd = lookupdOf([a]);
  await using polled = new Polled([lookupd.address]);
  await polled.poller.look({ clients: "none" });
  const { "/stats": stats } = a.answers;
  a.answers["/stats"] = refuse(500, "GONE");
  // A lookupd takes a node that it lost out of its list at once.
  lookupd.answers["/nodes"] = { producers: [] };
  const down = await polled.until(({ nodes: [node] }) => !node.isUp);
  const [node] = down.nodes;
  assert.match(node.error, /got response 500/);
  assert.ok(node.lastAnswerMs! > 0);
  assert.equal(down.topics.get("orders")!.figures.inFlight, 1);
  assert.equal(down.topics.get("orders")!.channels.get("billing")!.diagnosis.cause, "node down");
  assert.match(down.message, /^WARNING: got response 500/);
  assert.match(down.attention[0].cause, /^vm \(127\.0\.0\.1:\d+\) does not answer: got response 500/);
  a.answers["/stats"] = stats;
  const up = await polled.until(({ nodes: [node] }) => node.isUp);
  assert.ok(up.attention.some(({ cause }) => cause.includes("is in no lookupd")));
});

Deno.test("Poller waits for no node or lookupd that hangs, and calls it silent", async () => {
  const never = () => new Promise<Response>(() => {});
  await using a = goNode(goTopic("orders"));
  await using b = new FakeNode({ "/stats": never });
  await using lookupd = lookupdOf([a, b]);
  await using hanging = new FakeNode({ "/nodes": never, "/topics": { topics: [] } });
  await using polled = new Polled([lookupd.address, hanging.address]);
  const startMs = performance.now();
  const first = await polled.poller.look({ clients: "none" });
  assert.ok(performance.now() - startMs < 4_000, "it does not wait for a timeout");
  assert.deepEqual(first.topics.get("orders")!.perNode.length, 1);
  const later = await polled.until(({ nodes }) => nodes.some(({ isUp }) => !isUp));
  const silent = later.nodes.find(({ isUp }) => !isUp)!;
  assert.deepEqual([silent.id, silent.lastAnswerMs], [b.address, null]);
  assert.match(silent.error, /^no answer for \d+ s$/);
});

Deno.test("Poller asks for consumers only where somebody looks at them, and says what they do", async () => {
  const client = { hostname: "c1", remote_address: "127.0.0.1:5", finish_count: 3 };
  await using a = goNode(
    goTopic("orders", [goChannel("billing", { client_count: 1, clients: [client] }), goChannel("audit")]),
  );
  await using lookupd = lookupdOf([a]);
  await using polled = new Polled([lookupd.address]);
  const channelOf = ({ topics }: Snapshot, name: string) => topics.get("orders")!.channels.get(name)!;
  const plain = await polled.poller.look({ clients: "none" });
  assert.equal(channelOf(plain, "billing").clients, null);
  assert.ok(
    a.requests.filter((each) => each.includes("/stats")).every((each) =>
      each.includes("include_clients=false")
    ),
  );
  const one = await polled.poller.look({ clients: "channel", topic: "orders", channel: "billing" });
  assert.deepEqual(channelOf(one, "billing").clients!.map(({ hostname }) => hostname), ["c1"]);
  assert.equal(channelOf(one, "audit").clients, null);
  const all = await polled.poller.look({ clients: "all" });
  assert.deepEqual(channelOf(all, "audit").clients, []);
});

Deno.test("Poller asks each node once for all who look, and nobody while nobody does", async () => {
  await using a = goNode(goTopic("orders"));
  await using lookupd = lookupdOf([a]);
  await using polled = new Polled([lookupd.address]);
  const requests = () => a.requests.filter((each) => each.startsWith("GET /stats")).length;
  await Promise.all(Array.from({ length: 20 }, () => polled.poller.look({ clients: "none" })));
  assert.equal(requests(), 1);
  await using idle = new Polled([lookupd.address]);
  const before = requests();
  idle.poller.start();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(requests(), before);
});

Deno.test("Poller asks nsqds who they are, without lookupds, and knows what ours measure of themselves", async () => {
  await using a = goNode(goTopic("orders"));
  a.answers["/info"] = {
    version: "1.2.0",
    broadcast_address: "127.0.0.1",
    hostname: "old",
    http_port: a.port,
    tcp_port: 1,
  };
  a.answers["/metrics"] = () => new Response("nsq_process_resident_memory_bytes 5\n");
  await using polled = new Polled([], [a.address]);
  const { nodes: [node], discovery } = await polled.poller.look({ clients: "none" });
  assert.deepEqual([discovery, node.id, node.hostname, node.version], ["nsqd", a.address, "old", "1.3.0"]);
  assert.equal(node.process!.residentBytes, 5);
  assert.equal(node.capabilities.process, "");
});
