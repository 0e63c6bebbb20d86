import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { Answers } from "../../src/lookupd/answers.ts";
import type { Producer } from "../../src/lookupd/producer.ts";
import { INACTIVE_PRODUCER_TIMEOUT_MS, nodeInfo, TestDb, TOMBSTONE_LIFETIME_MS, until } from "./fixtures.ts";

Deno.test("Answers.lookup() has the shape and key order of the captured answer", () => {
  const db = new TestDb();
  const info = nodeInfo("127.0.0.1", {
    hostname: "vm",
    tcpPort: 5162,
    httpPort: 5163,
    topologyZone: "",
    topologyRegion: "",
  });
  const producer = db.identify("127.0.0.1:54892", info);
  db.register(producer, "orders", "billing");
  assert.equal(
    db.answers.lookup("orders"),
    `{"channels":["billing"],"producers":[{"remote_address":"127.0.0.1:54892","hostname":"vm",` +
      `"broadcast_address":"127.0.0.1","tcp_port":5162,"http_port":5163,"version":"1.3.0",` +
      `"topology_zone":"","topology_region":""}]}`,
  );
  db.remove(producer);
  assert.equal(db.answers.lookup("orders"), `{"channels":["billing"],"producers":[]}`);
  assert.equal(db.answers.lookup("nope"), undefined);
});

Deno.test("Answers.nodes() has the shape and key order of the captured answer", () => {
  const db = new TestDb();
  assert.equal(db.answers.nodes(), `{"producers":[]}`);
  const a = db.connect("nodeA", 45138), b = db.connect("nodeB", 45140);
  for (const topic of ["et#ephemeral", "orders", "logs"]) db.register(a, topic, "");
  db.register(b, "orders", "");
  db.tombstone("orders", "nodeA:4151");
  assert.equal(
    db.answers.nodes(),
    `{"producers":[{"remote_address":"127.0.0.1:45138","hostname":"nodeA","broadcast_address":"nodeA",` +
      `"tcp_port":4150,"http_port":4151,"version":"1.3.0","topology_zone":"az1","topology_region":"eu",` +
      `"tombstones":[false,true,false],"topics":["et#ephemeral","orders","logs"]},` +
      `{"remote_address":"127.0.0.1:45140","hostname":"nodeB","broadcast_address":"nodeB",` +
      `"tcp_port":4150,"http_port":4151,"version":"1.3.0","topology_zone":"az1","topology_region":"eu",` +
      `"tombstones":[false],"topics":["orders"]}]}`,
  );
});

Deno.test("Answers.nodes() follows tombstones, activity, and topics that come and go", () => {
  const db = new TestDb();
  const producer = db.connect("nodeA");
  const topics = () =>
    JSON.parse(db.answers.nodes()).producers.map((node: { topics: string[] }) => node.topics);
  const tombstones = () => JSON.parse(db.answers.nodes()).producers[0].tombstones;
  assert.deepEqual(topics(), [[]]);
  db.register(producer, "orders", "");
  assert.deepEqual(topics(), [["orders"]]);
  db.tombstone("orders", "nodeA:4151");
  assert.deepEqual(tombstones(), [true]);
  db.advance(TOMBSTONE_LIFETIME_MS);
  assert.deepEqual(tombstones(), [false]);
  db.deleteTopic("orders");
  assert.deepEqual(topics(), [[]]);
  db.advance(INACTIVE_PRODUCER_TIMEOUT_MS);
  assert.deepEqual(topics(), []);
  db.ping(producer);
  assert.deepEqual(topics(), [[]]);
});

Deno.test("Answers.debug() has the shape and key order of the captured answer", () => {
  const db = new TestDb();
  assert.equal(db.debugText(), "{}");
  db.createChannel("empty", "c");
  assert.equal(db.debugText(), "{}");
  db.register(db.connect("nodeA"), "orders", "billing");
  db.tombstone("orders", "nodeA:4151");
  const entry = (tombstone: string) =>
    `[{"broadcast_address":"nodeA","hostname":"nodeA","http_port":4151,"id":"127.0.0.1:45138",` +
    `"last_update":1795391020465000000,"tcp_port":4150,${tombstone},"topology_region":"eu",` +
    `"topology_zone":"az1","version":"1.3.0"}]`;
  const never = entry(`"tombstoned":false,"tombstoned_at":-6795364578871345152`);
  const now = entry(`"tombstoned":true,"tombstoned_at":1795391020465000000`);
  assert.equal(
    db.debugText(),
    `{"channel:orders:billing":${never},"client::":${never},"topic:orders:":${now}}`,
  );
  db.advance(TOMBSTONE_LIFETIME_MS);
  assert.match(db.debugText(), /"tombstoned":true/, "the flag stays when the lifetime is over");
});

Deno.test("Answers.debug() in several pieces is one JSON object with sorted keys", () => {
  const db = new TestDb();
  for (let i = 0; i < 60; i++) {
    const producer = db.identify(`10.0.0.1:${i}`, nodeInfo(`node${i}`));
    for (let j = 0; j < 50; j++) db.register(producer, `t${j}`, "c");
  }
  const pieces = [...db.answers.debug()];
  assert.ok(pieces.length > 1);
  const keys = Object.keys(JSON.parse(db.debugText()));
  assert.equal(keys.length, 101);
  assert.deepEqual(keys, keys.toSorted());
});

Deno.test("Answers.lookup() shows broadcast_addresses only of a producer that has several", () => {
  const db = new TestDb();
  const broadcastAddresses = ["nodeA", "10.0.0.7"];
  db.register(db.identify("127.0.0.1:1", nodeInfo("nodeA", { broadcastAddresses })), "orders", "");
  db.register(db.connect("nodeB", 2), "orders", "");
  const [a, b] = JSON.parse(db.answers.lookup("orders") ?? "").producers;
  assert.deepEqual(a.broadcast_addresses, broadcastAddresses);
  assert.equal(a.broadcast_address, "nodeA");
  assert.equal("broadcast_addresses" in b, false);
  assert.deepEqual(JSON.parse(db.answers.nodes()).producers[0].broadcast_addresses, broadcastAddresses);
  assert.deepEqual(JSON.parse(db.debugText())["client::"][0].broadcast_addresses, broadcastAddresses);
});

Deno.test("Answers.lookup() escapes what JSON of the original escapes", () => {
  const db = new TestDb();
  db.register(db.identify("127.0.0.1:1", nodeInfo("a", { hostname: "<&>\u2028" })), "orders", "");
  assert.match(db.answers.lookup("orders") ?? "", /"hostname":"\\u003c\\u0026\\u003e\\u2028"/);
});

Deno.test("Answers.channels() of an unknown topic is an empty list", () => {
  const db = new TestDb();
  db.createChannel("orders", "billing");
  assert.equal(db.answers.channels("orders"), `{"channels":["billing"]}`);
  assert.equal(db.answers.channels("nope"), `{"channels":[]}`);
  assert.equal(db.answers.channels("*"), `{"channels":[]}`);
});

Deno.test("Answers.topics() follows topics that come and go", () => {
  const db = new TestDb();
  assert.equal(db.answers.topics(), `{"topics":[]}`);
  db.createTopic("orders");
  assert.equal(db.answers.topics(), `{"topics":["orders"]}`);
  db.deleteTopic("orders");
  assert.equal(db.answers.topics(), `{"topics":[]}`);
});

/** Counts how often the database is asked whether a producer is active, which a kept body needs not. */
class CountingDb extends TestDb {
  askedCount = 0;

  override isActive(producer: Producer, nowMs: number): boolean {
    this.askedCount++;
    return super.isActive(producer, nowMs);
  }

  /** Whether `call` had to build its answer. */
  builds(call: () => unknown): boolean {
    this.askedCount = 0;
    call();
    return this.askedCount > 0;
  }
}

Deno.test("Answers.lookup() returns the kept body until something in it changes", () => {
  const db = new CountingDb();
  const producer = db.connect("nodeA");
  db.register(producer, "orders", "billing");
  assert.equal(db.builds(() => db.answers.lookup("orders")), true);
  db.ping(producer);
  db.register(producer, "logs", "");
  assert.equal(db.builds(() => db.answers.lookup("orders")), false);
  db.register(producer, "orders", "shipping");
  assert.equal(db.builds(() => db.answers.lookup("orders")), true);
});

Deno.test("Answers.lookup() keeps no more than allowed and drops the oldest", () => {
  const db = new CountingDb();
  const producer = db.connect("nodeA");
  for (let i = 0; i < 10; i++) db.register(producer, `t${i}`, "");
  const length = db.answers.lookup("t0")?.length ?? 0;
  const answers = new Answers(db, 3 * length);
  for (let i = 0; i < 3; i++) assert.equal(db.builds(() => answers.lookup(`t${i}`)), true);
  assert.equal(db.builds(() => answers.lookup("t0")), false);
  answers.lookup("t3");
  assert.equal(db.builds(() => answers.lookup("t0")), false, "t1 was the oldest");
  assert.equal(answers.lookupCacheLength, 3 * length);
  for (let i = 0; i < 10; i++) answers.lookup(`t${i}`);
  assert.equal(db.builds(() => answers.lookup("t0")), true);
  assert.equal(answers.lookupCacheLength, 3 * length);
});

Deno.test("Answers.compressedLookup() is ready after the first asker, until something changes", async () => {
  const db = new TestDb();
  db.register(db.connect("small"), "small", "");
  for (let i = 0; i < 400; i++) db.register(db.connect(`node${i}`, 2000 + i), "orders", "");
  assert.equal(db.answers.compressedLookup("nope"), undefined);
  assert.equal(db.answers.compressedLookup("small"), undefined, "not worth it");
  const plainLength = db.answers.lookup("orders")?.length ?? 0;
  assert.equal(db.answers.compressedLookup("orders"), undefined, "nobody waits for it");
  await until(() => db.answers.compressedLookup("orders") !== undefined);
  const compressed = db.answers.compressedLookup("orders") ?? new Uint8Array();
  assert.equal(gunzipSync(compressed).toString(), db.answers.lookup("orders"));
  assert.ok(compressed.length < plainLength / 4);
  assert.equal(
    db.answers.lookupCacheLength,
    plainLength + compressed.length + (db.answers.lookup("small")?.length ?? 0),
  );
  db.register(db.connect("another", 3000), "orders", "");
  assert.equal(db.answers.compressedLookup("orders"), undefined);
  await until(() => db.answers.compressedLookup("orders") !== undefined);
  assert.match(gunzipSync(db.answers.compressedLookup("orders") ?? "").toString(), /"another"/);
});
