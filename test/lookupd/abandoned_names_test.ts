import assert from "node:assert/strict";
import { KEPT_MS, MAX_KEPT_NAMES } from "../../src/lookupd/abandoned_names.ts";
import { INACTIVE_PRODUCER_TIMEOUT_MS, TestDb } from "./fixtures.ts";

const HOUR_MS = 3_600_000;

Deno.test("names that nobody has registered any more are answered for a day, and forgotten then", () => {
  const db = new TestDb();
  const node = db.connect("n1"), other = db.connect("n2", 45139);
  db.register(node, "gone", "c");
  db.register(node, "shared", "lost");
  db.register(other, "shared", "kept");
  db.remove(node);
  db.advance(KEPT_MS - HOUR_MS);
  assert.equal(db.forgetAbandoned(), 0);
  assert.deepEqual(db.lookupAddresses("gone"), []);
  assert.deepEqual(db.lookupChannels("gone"), ["c"]);
  assert.equal(db.abandonedCount, 3);
  db.advance(2 * HOUR_MS);
  assert.equal(db.forgetAbandoned(), 3);
  assert.equal(db.lookupAddresses("gone"), undefined);
  assert.deepEqual(db.lookupChannels("shared"), ["kept"]);
  assert.deepEqual(db.topicNames(), ["shared"]);
  assert.equal(db.abandonedCount, 0);
});

Deno.test("a name that is registered or created again is not forgotten", () => {
  const db = new TestDb();
  const node = db.connect("n1");
  db.register(node, "back", "c");
  db.createTopic("made");
  db.createChannel("made2", "c");
  db.unregister(node, "back", "");
  db.advance(KEPT_MS - HOUR_MS);
  db.register(node, "back", "c");
  db.createTopic("made");
  db.advance(2 * HOUR_MS);
  db.createChannel("made", "d");
  assert.equal(db.forgetAbandoned(), 2, "the third and its channel");
  assert.deepEqual(db.lookupChannels("back"), ["c"]);
  assert.deepEqual(db.lookupChannels("made"), ["d"]);
});

Deno.test("memory follows what is registered: of a hundred thousand names that were used once, half stay", () => {
  const db = new TestDb();
  const node = db.connect("n1"), count = 2 * MAX_KEPT_NAMES;
  db.register(node, "used", "");
  for (let i = 0; i < count; i++) {
    db.register(node, `once.${i}`, "");
    db.unregister(node, `once.${i}`, "");
  }
  db.advance(INACTIVE_PRODUCER_TIMEOUT_MS);
  assert.equal(db.forgetAbandoned(), 0, "their nsqd may come back");
  db.advance(2 * INACTIVE_PRODUCER_TIMEOUT_MS);
  assert.equal(db.forgetAbandoned(1000), 1000, "in steps");
  assert.equal(db.forgetAbandoned(), count - MAX_KEPT_NAMES - 1000);
  assert.equal([...db.topics()].length, MAX_KEPT_NAMES + 1);
  db.ping(node);
  assert.equal(db.lookupAddresses("once.0"), undefined);
  assert.deepEqual(db.lookupAddresses(`once.${count - 1}`), []);
  assert.deepEqual(db.lookupAddresses("used"), ["n1"]);
});
