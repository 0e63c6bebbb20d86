import assert from "node:assert/strict";
import { INACTIVE_PRODUCER_TIMEOUT_MS, nodeInfo, TestDb, TOMBSTONE_LIFETIME_MS } from "./fixtures.ts";

Deno.test("RegistrationDb.register() with a channel also registers the topic", () => {
  const db = new TestDb();
  db.register(db.connect("nodeA"), "orders", "billing");
  assert.deepEqual(db.lookupAddresses("orders"), ["nodeA"]);
  assert.deepEqual(db.lookupChannels("orders"), ["billing"]);
});

Deno.test("RegistrationDb.register() twice keeps one entry and its tombstone", () => {
  const db = new TestDb();
  const producer = db.connect("nodeA");
  db.register(producer, "orders", "billing");
  db.tombstone("orders", "nodeA:4151");
  db.register(producer, "orders", "billing");
  assert.deepEqual(db.lookupAddresses("orders"), []);
});

Deno.test("RegistrationDb.unregister() of a channel leaves the topic and the empty channel", () => {
  const db = new TestDb();
  const producer = db.connect("nodeA");
  db.register(producer, "orders", "billing");
  db.unregister(producer, "orders", "billing");
  assert.deepEqual(db.lookupAddresses("orders"), ["nodeA"]);
  assert.deepEqual(db.lookupChannels("orders"), ["billing"]);
});

Deno.test("RegistrationDb.unregister() of a topic leaves its channels and an empty topic", () => {
  const db = new TestDb();
  const producer = db.connect("nodeA");
  db.register(producer, "orders", "billing");
  db.unregister(producer, "orders", "");
  assert.deepEqual(db.lookupAddresses("orders"), []);
  assert.deepEqual(db.lookupChannels("orders"), ["billing"]);
  assert.equal(db.debugText().includes("orders"), false);
});

Deno.test("RegistrationDb.unregister() of what is unknown changes nothing", () => {
  const db = new TestDb();
  const producer = db.connect("nodeA");
  db.unregister(producer, "orders", "");
  db.unregister(producer, "orders", "billing");
  db.createTopic("orders");
  db.unregister(producer, "orders", "billing");
  assert.deepEqual(db.topicNames(), ["orders"]);
});

Deno.test("RegistrationDb.unregister() of the last producer removes an ephemeral channel and topic", () => {
  const db = new TestDb();
  const [a, b] = [db.connect("nodeA", 1), db.connect("nodeB", 2)];
  for (const producer of [a, b]) db.register(producer, "et#ephemeral", "ec#ephemeral");
  db.unregister(a, "et#ephemeral", "ec#ephemeral");
  db.unregister(a, "et#ephemeral", "");
  assert.deepEqual(db.lookupChannels("et#ephemeral"), ["ec#ephemeral"]);
  db.unregister(b, "et#ephemeral", "ec#ephemeral");
  assert.deepEqual(db.lookupChannels("et#ephemeral"), []);
  db.unregister(b, "et#ephemeral", "");
  assert.equal(db.lookupAddresses("et#ephemeral"), undefined);
  assert.equal(db.topic("et#ephemeral"), undefined);
});

Deno.test("RegistrationDb.unregister() of an ephemeral topic keeps its channel keys", () => {
  const db = new TestDb();
  const producer = db.connect("nodeA");
  db.register(producer, "et#ephemeral", "ec#ephemeral");
  db.unregister(producer, "et#ephemeral", "");
  assert.equal(db.lookupAddresses("et#ephemeral"), undefined);
  assert.deepEqual([...db.topic("et#ephemeral")?.channels.keys() ?? []], ["ec#ephemeral"]);
  db.unregister(producer, "et#ephemeral", "ec#ephemeral");
  assert.equal(db.topic("et#ephemeral"), undefined);
});

Deno.test("RegistrationDb.remove() takes the producer from every key and leaves the keys", () => {
  const db = new TestDb();
  const producer = db.connect("nodeA");
  db.register(producer, "orders", "billing");
  db.register(producer, "et#ephemeral", "ec#ephemeral");
  db.remove(producer);
  assert.deepEqual(db.topicNames(), ["orders", "et#ephemeral"]);
  assert.deepEqual(db.lookupAddresses("orders"), []);
  assert.deepEqual(db.lookupChannels("et#ephemeral"), ["ec#ephemeral"]);
  assert.equal(db.debugText(), "{}");
});

Deno.test("RegistrationDb hides a producer past the inactivity timeout until its next PING", () => {
  const db = new TestDb();
  const producer = db.connect("nodeA");
  db.register(producer, "orders", "");
  db.advance(INACTIVE_PRODUCER_TIMEOUT_MS);
  assert.deepEqual(db.lookupAddresses("orders"), ["nodeA"]);
  db.advance(1);
  assert.deepEqual(db.lookupAddresses("orders"), []);
  assert.equal(db.debugText().includes("topic:orders:"), true);
  db.register(producer, "orders", "billing");
  assert.deepEqual(db.lookupAddresses("orders"), [], "REGISTER is no sign of life");
  db.ping(producer);
  assert.deepEqual(db.lookupAddresses("orders"), ["nodeA"]);
});

Deno.test("RegistrationDb.tombstone() hides the node from one topic for the lifetime", () => {
  const db = new TestDb();
  const producer = db.connect("nodeA");
  db.register(producer, "orders", "");
  db.register(producer, "logs", "");
  db.tombstone("orders", "nodeA:4151");
  db.ping(producer);
  assert.deepEqual(db.lookupAddresses("orders"), []);
  assert.deepEqual(db.lookupAddresses("logs"), ["nodeA"]);
  db.advance(TOMBSTONE_LIFETIME_MS - 1);
  assert.deepEqual(db.lookupAddresses("orders"), []);
  db.tombstone("orders", "nodeA:4151");
  db.advance(TOMBSTONE_LIFETIME_MS - 1);
  assert.deepEqual(db.lookupAddresses("orders"), [], "tombstoned again, the lifetime starts again");
  db.advance(1);
  assert.deepEqual(db.lookupAddresses("orders"), ["nodeA"]);
});

Deno.test("RegistrationDb.tombstone() is lifted by UNREGISTER and REGISTER, and by a reconnect", () => {
  const db = new TestDb();
  const producer = db.connect("nodeA", 1);
  db.register(producer, "orders", "");
  db.tombstone("orders", "nodeA:4151");
  db.unregister(producer, "orders", "");
  db.register(producer, "orders", "");
  assert.deepEqual(db.lookupAddresses("orders"), ["nodeA"]);
  db.tombstone("orders", "nodeA:4151");
  db.remove(producer);
  db.register(db.connect("nodeA", 2), "orders", "");
  assert.deepEqual(db.lookupAddresses("orders"), ["nodeA"]);
});

Deno.test("RegistrationDb.tombstone() of an unknown topic or node changes nothing", () => {
  const db = new TestDb();
  db.register(db.connect("nodeA"), "orders", "");
  db.tombstone("nope", "nodeA:4151");
  db.tombstone("orders", "nodeA:4150");
  assert.deepEqual(db.lookupAddresses("orders"), ["nodeA"]);
  assert.equal(db.topic("nope"), undefined);
});

Deno.test("RegistrationDb.deleteTopic() removes channels and producers until the next REGISTER", () => {
  const db = new TestDb();
  const producer = db.connect("nodeA");
  db.register(producer, "orders", "billing");
  db.deleteTopic("orders");
  db.ping(producer);
  assert.equal(db.lookupAddresses("orders"), undefined);
  db.unregister(producer, "orders", "billing");
  assert.equal(db.topic("orders"), undefined);
  db.register(producer, "orders", "");
  assert.deepEqual(db.lookupAddresses("orders"), ["nodeA"]);
  assert.deepEqual(db.lookupChannels("orders"), []);
});

Deno.test("RegistrationDb.deleteChannel() removes the channel alone and says whether it was there", () => {
  const db = new TestDb();
  db.register(db.connect("nodeA"), "orders", "billing");
  assert.equal(db.deleteChannel("orders", "billing"), true);
  assert.equal(db.deleteChannel("orders", "billing"), false);
  assert.equal(db.deleteChannel("nope", "billing"), false);
  assert.deepEqual(db.lookupAddresses("orders"), ["nodeA"]);
  assert.deepEqual(db.lookupChannels("orders"), []);
});

Deno.test("RegistrationDb.identify() lists two live connections of one node twice", () => {
  const db = new TestDb();
  for (const port of [1, 2]) db.register(db.connect("nodeA", port), "orders", "");
  assert.deepEqual(db.lookupAddresses("orders"), ["nodeA", "nodeA"]);
});

function restoreNode(db: TestDb, silentForMs = 0): void {
  const producer = db.restore("127.0.0.1:1", nodeInfo("nodeA"), db.nowMs - silentForMs);
  db.register(producer, "orders", "");
  db.register(producer, "orders", "billing");
  db.register(producer, "logs", "");
  db.register(producer, "et#ephemeral", "ec#ephemeral");
}

Deno.test("RegistrationDb.identify() replaces the restored entry of the node without a gap", () => {
  const db = new TestDb();
  restoreNode(db);
  const producer = db.connect("nodeA", 2);
  assert.deepEqual(db.lookupAddresses("orders"), ["nodeA"]);
  assert.equal(db.producers.size, 1);
  assert.equal(db.restoredCount, 0);
  assert.match(db.answers.lookup("orders") ?? "", /"remote_address":"127\.0\.0\.1:2"/);
  db.register(producer, "orders", "billing");
  assert.deepEqual(db.lookupAddresses("orders"), ["nodeA"]);
});

Deno.test("RegistrationDb.ping() drops what a returned node has not registered again", () => {
  const db = new TestDb();
  restoreNode(db);
  const producer = db.connect("nodeA", 2);
  db.register(producer, "orders", "shipping");
  db.ping(producer);
  assert.deepEqual(db.lookupAddresses("orders"), ["nodeA"]);
  assert.deepEqual(db.lookupAddresses("logs"), []);
  assert.equal(db.lookupAddresses("et#ephemeral"), undefined);
  assert.equal(db.debugText().includes("channel:orders:billing"), false);
  db.register(producer, "logs", "");
  db.ping(producer);
  assert.deepEqual(db.lookupAddresses("logs"), ["nodeA"]);
});

Deno.test("RegistrationDb.register() by a returned node lifts a restored tombstone", () => {
  const db = new TestDb();
  restoreNode(db);
  db.tombstone("orders", "nodeA:4151");
  const producer = db.connect("nodeA", 2);
  assert.deepEqual(db.lookupAddresses("orders"), []);
  db.register(producer, "orders", "billing");
  assert.deepEqual(db.lookupAddresses("orders"), ["nodeA"]);
});

Deno.test("RegistrationDb.remove() of a returned node removes its restored registrations", () => {
  const db = new TestDb();
  restoreNode(db);
  db.remove(db.connect("nodeA", 2));
  assert.deepEqual(db.lookupAddresses("orders"), []);
  assert.equal(db.producers.size, 0);
});

Deno.test("RegistrationDb.identify() on other ports is another node and leaves the restored one", () => {
  const db = new TestDb();
  restoreNode(db);
  db.identify("127.0.0.1:2", nodeInfo("nodeA", { tcpPort: 5150 }));
  assert.equal(db.producers.size, 2);
  assert.equal(db.restoredCount, 1);
});

Deno.test("RegistrationDb.expireRestored() drops a restored producer after the timeout since its PING", () => {
  const db = new TestDb();
  restoreNode(db, INACTIVE_PRODUCER_TIMEOUT_MS - 1000);
  db.advance(1000);
  db.expireRestored();
  assert.deepEqual(db.lookupAddresses("orders"), ["nodeA"]);
  db.advance(1);
  assert.deepEqual(db.lookupAddresses("orders"), []);
  db.expireRestored();
  assert.equal(db.producers.size, 0);
  assert.deepEqual(db.topicNames(), ["orders", "logs"]);
});

Deno.test("RegistrationDb.restore() makes one producer of two entries of one node", () => {
  const db = new TestDb();
  const first = db.restore("127.0.0.1:1", nodeInfo("nodeA"), db.nowMs - 5000);
  const second = db.restore("127.0.0.1:2", nodeInfo("nodeA"), db.nowMs - 1000);
  assert.equal(first, second);
  assert.equal(first.lastUpdateMs, db.nowMs - 1000);
});

Deno.test("RegistrationDb.onChange is called for registrations and not for a PING", () => {
  const db = new TestDb();
  const producer = db.connect("nodeA");
  db.register(producer, "orders", "billing");
  let calls = 0;
  db.onChange = () => calls++;
  db.ping(producer);
  db.register(producer, "orders", "billing");
  assert.equal(calls, 0);
  const changes: (() => void)[] = [
    () => db.register(producer, "orders", "shipping"),
    () => db.unregister(producer, "orders", "shipping"),
    () => db.createChannel("orders", "c"),
    () => db.deleteChannel("orders", "c"),
    () => db.tombstone("orders", "nodeA:4151"),
    () => db.deleteTopic("orders"),
    () => db.createTopic("orders"),
    () => db.remove(producer),
  ];
  for (const change of changes) {
    const before = calls;
    change();
    assert.ok(calls > before, change.toString());
  }
});

Deno.test("RegistrationDb equals a simple model after random operations", () => {
  let seed = 20_260_801;
  const random = (count: number) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed % count;
  };
  const db = new TestDb();
  const producers = [0, 1, 2].map((i) => db.connect(`node${i}`, i));
  const topics = ["t0", "t1", "t2#ephemeral"];
  const channels = ["c0", "c1#ephemeral"];
  const model = new Map<string, Set<string>>();
  const add = (key: string, node?: string) => {
    if (!model.has(key)) model.set(key, new Set());
    if (node !== undefined) model.get(key)?.add(node);
  };
  const leave = (key: string, node: string) => {
    model.get(key)?.delete(node);
    if (model.get(key)?.size === 0 && key.endsWith("#ephemeral")) model.delete(key);
  };
  for (let step = 0; step < 5000; step++) {
    const producer = producers[random(3)], topic = topics[random(3)], channel = channels[random(2)];
    const node = producer.info.broadcastAddress, key = `${topic}:${channel}`;
    switch (random(7)) {
      case 0:
        db.register(producer, topic, "");
        add(topic, node);
        break;
      case 1:
      case 2:
        db.register(producer, topic, channel);
        add(topic, node);
        add(key, node);
        break;
      case 3:
        db.unregister(producer, topic, channel);
        leave(key, node);
        break;
      case 4:
        db.unregister(producer, topic, "");
        for (const name of channels) model.get(`${topic}:${name}`)?.delete(node);
        leave(topic, node);
        break;
      case 5:
        if (random(8) > 0) break;
        db.deleteTopic(topic);
        for (const name of channels) model.delete(`${topic}:${name}`);
        model.delete(topic);
        break;
      case 6:
        assert.equal(db.deleteChannel(topic, channel), model.delete(key));
    }
    for (const name of topics) {
      const expected = model.get(name);
      assert.deepEqual(db.lookupAddresses(name)?.sort(), expected && [...expected].sort(), `step ${step}`);
      const entry = db.topic(name);
      const keys = [...model.keys()].filter((k) => k.startsWith(`${name}:`)).map((k) =>
        k.slice(name.length + 1)
      );
      assert.deepEqual([...entry?.channels.keys() ?? []].sort(), keys.sort(), `step ${step}`);
    }
  }
});
