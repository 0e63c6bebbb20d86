/** What a restart finds, for what once went wrong; the model test has the rest. */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import type { Topic } from "../../../src/broker/topic.ts";
import type { Durability } from "../../../src/broker/store.ts";
import { newBuffer } from "../../../src/buffers/buffer_pool.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { FakeConsumer } from "../../support/fake_consumer.ts";
import { MemoryFileSystem } from "../../support/memory_file_system.ts";
import { PersistentBroker } from "../../support/persistent_broker.ts";
import { unfinished } from "../../support/recovered_contents.ts";

const LONG_MS = 3_600_000;

function start(
  files: MemoryFileSystem,
  clock: FakeClock,
  durability: Durability = "os",
  memLimit = 1 << 20,
): PersistentBroker {
  clock.advance(1000);
  return new PersistentBroker(files, clock, { durability, maxBytesPerFile: 1 << 20, memLimit });
}

/** Publishes `count` messages, each in a turn of its own. */
function publish(node: PersistentBroker, topic: Topic, count: number, bodyBytes = 10, delayMs = 0): void {
  for (let i = 0; i < count; i++) {
    node.broker.beginTurn();
    topic.publish(newBuffer(bodyBytes), 0, bodyBytes, delayMs);
    node.broker.endTurn();
  }
}

async function settle(node: PersistentBroker): Promise<void> {
  for (let i = 0; i < 10; i++) {
    node.broker.endTurn();
    await new Promise((resolve) => setImmediate(() => resolve(null)));
  }
}

Deno.test("What an ephemeral channel of a durable topic was given does not come back after a clean stop", async () => {
  const clock = new FakeClock(), node = start(new MemoryFileSystem(), clock);
  const topic = node.broker.topic("orders", false), channel = topic.channel("tail#ephemeral", true);
  const consumer = FakeConsumer.to(channel, node.broker, LONG_MS);
  consumer.subscription.setRdy(100);
  publish(node, topic, 5);
  for (const { seq } of consumer.takeDeliveries()) channel.finish(consumer.subscription, seq);
  const next = start(await node.stop(), clock);
  assert.equal(next.broker.topics.get("orders")!.pendingCount, 0);
  await next.bury();
});

Deno.test("At level memory a clean stop writes segments that lie before ones that were evicted", async () => {
  const clock = new FakeClock(), node = start(new MemoryFileSystem(), clock, "memory", 60_000);
  const topic = node.broker.topic("orders", false), channel = topic.channel("archive", false);
  publish(node, topic, 200, 1000);
  assert.ok(topic.log.first!.loggedCount === 0, "the first segment was evicted too");
  const next = start(await node.stop(), clock, "memory");
  assert.equal(next.broker.topics.get("orders")!.channels.get("archive")!.depth, channel.depth);
  assert.equal(channel.depth, 200);
  await next.bury();
});

Deno.test("At level memory messages that were evicted while deferred keep their delay", async () => {
  const clock = new FakeClock(), node = start(new MemoryFileSystem(), clock, "memory", 1);
  const topic = node.broker.topic("orders", false);
  publish(node, topic, 30, 200, LONG_MS);
  assert.ok(topic.log.first!.buffer === null, "nothing was evicted");
  const next = start(await node.stop(), clock, "memory");
  const channel = next.broker.topics.get("orders")!.channel("archive", false);
  assert.deepEqual([channel.deferredCount, channel.depth], [30, 0]);
  await next.bury();
});

Deno.test("A paused topic is released up to where a channel was created, also when the log does not say so", async () => {
  const clock = new FakeClock(), node = start(new MemoryFileSystem(), clock);
  const topic = node.broker.topic("orders", false);
  topic.channel("first", false);
  publish(node, topic, 4);
  topic.channel("second", false);
  topic.setPaused(true);
  publish(node, topic, 3);
  node.writeMetadata();
  const files = node.fileSystem.afterKill();
  await node.bury();
  const next = start(files, clock), again = next.broker.topics.get("orders")!;
  again.setPaused(false);
  const depths = [...again.channels.values()].map(({ name, depth }) => [name, depth]);
  assert.deepEqual(depths, [["first", 7], ["second", 3]]);
  await next.bury();
});

Deno.test("A record with a delay that is in no file any more is forgotten at the start", async () => {
  const clock = new FakeClock(), node = start(new MemoryFileSystem(), clock);
  publish(node, node.broker.topic("orders", false), 1, 10, LONG_MS);
  const first = node.fileSystem.afterKill();
  await node.bury();
  // The next start tells of the delay in its snapshot; the file of the record is lost.
  const between = start(first, clock), files = first.afterKill();
  await between.bury();
  files.files.delete("/data/commit.000001.log");
  const next = start(files, clock), topic = next.broker.topics.get("orders")!;
  const channel = topic.channel("archive", false);
  publish(next, topic, 1);
  await settle(next);
  assert.deepEqual([channel.deferredCount, channel.depth], [0, 1]);
  await next.bury();
});

Deno.test("Messages in flight, requeued and deferred are as they were after a clean stop", async () => {
  const clock = new FakeClock(), node = start(new MemoryFileSystem(), clock);
  const topic = node.broker.topic("orders", false), channel = topic.channel("archive", false);
  const consumer = FakeConsumer.to(channel, node.broker, LONG_MS);
  consumer.subscription.setRdy(4);
  publish(node, topic, 6);
  const [done, inFlight, requeued, deferred] = consumer.takeDeliveries().map(({ seq }) => seq);
  consumer.subscription.setRdy(0);
  channel.finish(consumer.subscription, done);
  channel.requeue(consumer.subscription, requeued, 0, node.broker.nowMs);
  channel.requeue(consumer.subscription, deferred, 60_000, node.broker.nowMs);
  const dueMs = clock.monotonicMs() + 60_000;
  const next = start(await node.stop(), clock);
  const found = unfinished(next.broker.topics.get("orders")!.channels.get("archive")!);
  assert.equal(found.size, 5);
  assert.equal(found.has(done), false);
  for (const seq of [inFlight, requeued]) {
    assert.deepEqual([found.get(seq)!.state, found.get(seq)!.attempts], ["requeued", 1]);
  }
  const { state, attempts, atMs } = found.get(deferred)!;
  assert.deepEqual([state, attempts], ["deferred", 1]);
  assert.ok(Math.abs(atMs - dueMs) < 0.01, `due at ${atMs}, not ${dueMs}`);
  await next.bury();
});

Deno.test("Positions that are written in a turn of a failing disk are written once it has room", async () => {
  const clock = new FakeClock(), node = start(new MemoryFileSystem(), clock);
  const topic = node.broker.topic("orders", false), channel = topic.channel("archive", false);
  const consumer = FakeConsumer.to(channel, node.broker, LONG_MS);
  consumer.subscription.setRdy(10);
  publish(node, topic, 10);
  for (const { seq } of consumer.takeDeliveries().slice(0, 9)) channel.finish(consumer.subscription, seq);
  node.fileSystem.freeBytes = 0;
  assert.throws(() => node.persistence.flushPositions(), /No space left/);
  node.fileSystem.freeBytes = Infinity;
  node.persistence.flushPositions();
  const files = node.fileSystem.afterKill();
  await node.bury();
  const next = start(files, clock);
  assert.equal(next.broker.topics.get("orders")!.channels.get("archive")!.depth, 1);
  await next.bury();
});
