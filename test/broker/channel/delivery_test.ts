/** Redelivery takes its turns: a large heap of requeued messages does not hold up everybody else. */
import assert from "node:assert/strict";
import { newBuffer } from "../../../src/buffers/buffer_pool.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { FakeConsumer } from "../../support/fake_consumer.ts";
import { MemoryFileSystem } from "../../support/memory_file_system.ts";
import { PersistentBroker } from "../../support/persistent_broker.ts";

const LONG_MS = 3_600_000;
const BODY_BYTES = 100_000;

Deno.test("Channel.pump() redelivers about a megabyte in a turn, and the rest in the turns after it", async () => {
  const options = { durability: "os", maxBytesPerFile: 64 << 20, memLimit: 64 << 20 } as const;
  const node = new PersistentBroker(new MemoryFileSystem(), new FakeClock(), options);
  const topic = node.broker.topic("orders", false), channel = topic.channel("archive", false);
  const first = FakeConsumer.to(channel, node.broker, LONG_MS);
  first.subscription.setRdy(100);
  for (let i = 0; i < 100; i++) topic.publish(newBuffer(BODY_BYTES), 0, BODY_BYTES);
  for (let turn = 0; turn < 20; turn++) node.broker.endTurn();
  const seqs = first.takeDeliveries().map(({ seq }) => seq);
  assert.equal(seqs.length, 100);
  first.disconnect();
  const consumers = [1, 2].map(() => FakeConsumer.to(channel, node.broker, LONG_MS));
  for (const { subscription } of consumers) subscription.setRdy(100);
  const turns: number[] = [], again: number[] = [];
  while (again.length < 100) {
    node.broker.endTurn();
    const taken = consumers.flatMap((consumer) => consumer.takeDeliveries());
    assert.ok(taken.length > 0, `nothing came in turn ${turns.length}, with ${channel.depth} waiting`);
    turns.push(taken.length);
    again.push(...taken.map(({ seq }) => seq));
  }
  assert.deepEqual(again.sort(), seqs.sort());
  assert.ok(Math.max(...turns) <= 11, `${Math.max(...turns)} messages of ${BODY_BYTES} bytes in one turn`);
  assert.ok(turns.length >= 9 && turns.length <= 12, `${turns.length} turns`);
  await node.bury();
});

Deno.test("Channel.pump() redelivers a message larger than what a turn may take", async () => {
  const options = { durability: "os", maxBytesPerFile: 64 << 20, memLimit: 64 << 20 } as const;
  const node = new PersistentBroker(new MemoryFileSystem(), new FakeClock(), options);
  const topic = node.broker.topic("orders", false), channel = topic.channel("archive", false);
  const consumer = FakeConsumer.to(channel, node.broker, LONG_MS);
  consumer.subscription.setRdy(10);
  for (let i = 0; i < 2; i++) topic.publish(newBuffer(3 << 20), 0, 3 << 20);
  for (let turn = 0; turn < 4; turn++) node.broker.endTurn();
  for (const { seq } of consumer.takeDeliveries()) {
    channel.requeue(consumer.subscription, seq, 0, node.broker.nowMs);
  }
  node.broker.endTurn();
  assert.equal(consumer.takeDeliveries().length, 1);
  node.broker.endTurn();
  assert.equal(consumer.takeDeliveries().length, 1);
  await node.bury();
});
