/** What a hole in the log, or an answer at an unlucky moment, must not cost. */
import assert from "node:assert/strict";
import { newBuffer } from "../../src/buffers/buffer_pool.ts";
import type { Topic } from "../../src/broker/topic.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { FakeConsumer } from "../support/fake_consumer.ts";
import { MemoryFileSystem } from "../support/memory_file_system.ts";
import { PersistentBroker } from "../support/persistent_broker.ts";
import { unfinished } from "../support/recovered_contents.ts";

const LONG_MS = 3_600_000;
const NEWEST = "/data/commit.000001.log";

function start(fileSystem: MemoryFileSystem, clock: FakeClock): PersistentBroker {
  return new PersistentBroker(fileSystem, clock, {
    durability: "os",
    maxBytesPerFile: 1 << 20,
    memLimit: 1 << 20,
  });
}

function publish(node: PersistentBroker, topic: Topic, count: number, delayMs = 0): void {
  node.broker.beginTurn();
  for (let i = 0; i < count; i++) topic.publish(newBuffer(8), 0, 8, delayMs);
  node.broker.endTurn();
}

Deno.test("Recovery loses no requeued message when the block that tells of it is damaged", async () => {
  const clock = new FakeClock(), node = start(new MemoryFileSystem(), clock);
  const topic = node.broker.topic("orders", false), channel = topic.channel("archive", false);
  publish(node, topic, 20);
  const consumer = FakeConsumer.to(channel, node.broker, LONG_MS);
  consumer.subscription.setRdy(20);
  node.broker.endTurn();
  const [requeued, ...others] = consumer.takeDeliveries().map(({ seq }) => seq);
  channel.requeue(consumer.subscription, requeued, LONG_MS, node.broker.nowMs);
  const from = node.fileSystem.content(NEWEST).length;
  node.persistence.flushPositions();
  const to = node.fileSystem.content(NEWEST).length;
  for (const seq of others) channel.finish(consumer.subscription, seq);
  node.persistence.flushPositions();
  assert.ok(node.fileSystem.content(NEWEST).length > to && to > from, "two blocks of positions");
  const files = node.fileSystem.afterKill();
  await node.bury();
  files.flip(NEWEST, from + 50);
  const recovered = start(files, clock);
  const archive = recovered.broker.topics.get("orders")!.channels.get("archive")!;
  assert.ok(unfinished(archive).has(requeued), "the requeued message is there");
  await recovered.bury();
});

Deno.test("Channel.empty() leaves the delay of what is not released, also after a crash", async () => {
  const clock = new FakeClock(), node = start(new MemoryFileSystem(), clock), { broker } = node;
  const topic = broker.topic("orders", false), channel = topic.channel("archive", false);
  topic.setPaused(true);
  publish(node, topic, 1, LONG_MS);
  channel.empty();
  broker.endTurn();
  // Metadata was not written: after the crash the topic is not paused.
  const files = node.fileSystem.afterKill();
  await node.bury();
  const recovered = start(files, clock),
    archive = recovered.broker.topics.get("orders")!.channels.get("archive")!;
  assert.deepEqual([archive.deferredCount, archive.depth], [1, 0], "it is deferred still");
  await recovered.bury();
});
