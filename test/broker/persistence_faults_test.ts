/** What the disk can do to the broker, one fault at a time. */
import assert from "node:assert/strict";
import type { Topic } from "../../src/broker/topic.ts";
import type { Durability } from "../../src/broker/store.ts";
import { newBuffer } from "../../src/buffers/buffer_pool.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { FakeConsumer } from "../support/fake_consumer.ts";
import { MemoryFileSystem } from "../support/memory_file_system.ts";
import { PersistentBroker } from "../support/persistent_broker.ts";
import { unfinished } from "../support/recovered_contents.ts";

const LONG_MS = 3_600_000;

function start(
  fileSystem: MemoryFileSystem,
  clock: FakeClock,
  durability: Durability = "os",
  maxBytesPerFile = 1 << 20,
  memLimit = 1 << 20,
): PersistentBroker {
  return new PersistentBroker(fileSystem, clock, { durability, maxBytesPerFile, memLimit });
}

function publish(topic: Topic, body: string, delayMs = 0): void {
  const source = newBuffer(body.length + 8);
  new TextEncoder().encodeInto(body, source.bytes);
  topic.publish(source, 0, body.length, delayMs);
}

/** Publishes `count` messages, as one group each. */
function publishAll(node: PersistentBroker, topic: Topic, count: number, bodyBytes = 10): void {
  for (let i = 0; i < count; i++) {
    node.broker.beginTurn();
    publish(topic, `${i}`.padEnd(bodyBytes, "x"));
    node.broker.endTurn();
  }
}

Deno.test("Persistence keeps requeued messages when a new log file cannot be begun", async () => {
  const files = new MemoryFileSystem(), clock = new FakeClock();
  const node = start(files, clock, "os", 3000);
  const topic = node.broker.topic("orders", false), channel = topic.channel("archive", false);
  const consumer = FakeConsumer.to(channel, node.broker, LONG_MS);
  consumer.subscription.setRdy(100);
  publishAll(node, topic, 20);
  const [first, ...others] = consumer.takeDeliveries().map(({ seq }) => seq);
  channel.requeue(consumer.subscription, first, LONG_MS, node.broker.nowMs);
  // Room for the message that fills the file, and none for the snapshot that begins the next one.
  files.freeBytes = 1700;
  publishAll(node, topic, 1, 1500);
  assert.match(node.logLines.join(""), /failed to roll the log/);
  files.freeBytes = Infinity;
  for (const seq of others) channel.finish(consumer.subscription, seq);
  node.persistence.flushPositions();
  const found = files.afterKill();
  await node.bury();

  const next = start(found, clock);
  const restored = unfinished(next.broker.topics.get("orders")!.channels.get("archive")!);
  assert.ok(restored.has(first), "the requeued message is lost");
  assert.equal(restored.get(first)!.state, "deferred");
  await next.bury();
});
