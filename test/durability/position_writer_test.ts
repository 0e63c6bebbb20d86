/** Many changes of tracked messages go out in groups of a bounded size, and are there after a crash. */
import assert from "node:assert/strict";
import { FULL_JOURNAL } from "../../src/broker/channel/journal.ts";
import { newBuffer } from "../../src/buffers/buffer_pool.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { FakeConsumer } from "../support/fake_consumer.ts";
import { MemoryFileSystem } from "../support/memory_file_system.ts";
import { PersistentBroker } from "../support/persistent_broker.ts";

const OPTIONS = { durability: "os", maxBytesPerFile: 64 << 20, memLimit: 64 << 20 } as const;
const COUNT = 5 * FULL_JOURNAL;
const HOUR_MS = 3_600_000;
const BODY_BYTES = 8;

Deno.test("The journal of a channel never has much more to tell than one group takes, and all of it is told", async () => {
  const node = new PersistentBroker(new MemoryFileSystem(), new FakeClock(), OPTIONS), { broker } = node;
  const topic = broker.topic("orders", false), channel = topic.channel("archive", false);
  const size = 4 + BODY_BYTES, bodies = newBuffer(COUNT * size);
  for (let i = 0; i < COUNT; i++) bodies.view.setInt32(i * size, BODY_BYTES);
  broker.beginTurn();
  topic.publishSized(bodies, 0, COUNT);
  broker.endTurn();
  const consumer = FakeConsumer.to(channel, broker, HOUR_MS);
  consumer.subscription.setRdy(COUNT);
  for (let i = 0; i < 20; i++) broker.endTurn();
  const seqs = consumer.takeDeliveries().map(({ seq }) => seq);
  assert.equal(seqs.length, COUNT);
  consumer.subscription.setRdy(0);
  // One message in two is deferred, all in one turn; then the other half, a few each turn.
  for (let i = 0; i < COUNT; i += 2) channel.requeue(consumer.subscription, seqs[i], HOUR_MS, broker.nowMs);
  const sizes: number[] = [];
  for (let i = 1; i < COUNT; i += 2) {
    channel.requeue(consumer.subscription, seqs[i], HOUR_MS, broker.nowMs);
    if (i % 2000 !== 1) continue;
    broker.endTurn();
    sizes.push(channel.journal.size);
  }
  assert.ok(Math.max(...sizes) <= 2 * FULL_JOURNAL, `${Math.max(...sizes)} to tell`);
  for (let i = 0; i < 20; i++) broker.endTurn();
  assert.ok(channel.journal.size < FULL_JOURNAL, `${channel.journal.size} to tell`);
  await node.background();
  assert.equal(channel.journal.size, 0);
  const files = node.fileSystem.afterKill();
  await node.bury();
  const next = new PersistentBroker(files, new FakeClock(), OPTIONS);
  const again = next.broker.topics.get("orders")!.channels.get("archive")!;
  assert.deepEqual([again.deferredCount, again.depth, again.inFlightCount], [COUNT, 0, 0]);
  next.broker.topics.get("orders")!.invariants();
  await next.bury();
});
