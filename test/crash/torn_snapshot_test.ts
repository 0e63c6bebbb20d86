/**
 * The process dies while it begins a log file with a snapshot too large for one block: some blocks of it are
 * whole, the rest is missing.
 */
import assert from "node:assert/strict";
import type { Broker } from "../../src/broker/broker.ts";
import { newBuffer } from "../../src/buffers/buffer_pool.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { FakeConsumer } from "../support/fake_consumer.ts";
import { MemoryFileSystem } from "../support/memory_file_system.ts";
import { PersistentBroker } from "../support/persistent_broker.ts";
import { unfinished } from "../support/recovered_contents.ts";

const LONG_MS = 3_600_000;
/** Deferred messages whose state takes more than a block of a snapshot has. */
const MANY = 80_000;
const CHANNELS = ["first", "second", "third"];

function start(fileSystem: MemoryFileSystem, clock: FakeClock): PersistentBroker {
  return new PersistentBroker(fileSystem, clock, {
    durability: "os",
    maxBytesPerFile: 64 << 20,
    memLimit: 64 << 20,
  });
}

/** Every channel with its unfinished messages, as text that can be compared. */
function contents(broker: Broker): string[] {
  return [...broker.topics.values()].flatMap((topic) =>
    [...topic.channels.values()].map((channel) => {
      const seqs = [...unfinished(channel).keys()].sort((a, b) => a - b);
      return `${topic.name}:${channel.name} ${seqs.length} ${seqs[0]} ${seqs[seqs.length - 1]}`;
    })
  );
}

/** Topics with a channel each: deferred messages, finished ones before the cursor, and waiting ones. */
async function filled(clock: FakeClock): Promise<{ files: MemoryFileSystem; expected: string[] }> {
  const node = start(new MemoryFileSystem(), clock), { broker } = node;
  const source = newBuffer(8);
  for (const name of CHANNELS) {
    broker.beginTurn();
    const topic = broker.topic(`of_${name}`, false), channel = topic.channel(name, false);
    for (let i = 0; i < MANY; i++) topic.publish(source, 0, 8, LONG_MS + (i * 7919) % 100_003);
    for (let i = 0; i < 100; i++) topic.publish(source, 0, 8);
    // So many are given to a channel in steps.
    for (let i = 0; i < 100; i++) broker.endTurn();
    const consumer = FakeConsumer.to(channel, broker, LONG_MS);
    consumer.subscription.setRdy(50);
    broker.endTurn();
    for (const { seq } of consumer.takeDeliveries()) channel.finish(consumer.subscription, seq);
    channel.unsubscribe(consumer.subscription);
    broker.endTurn();
  }
  node.persistence.flushPositions();
  const expected = contents(broker), files = node.fileSystem.afterKill();
  await node.bury();
  return { files, expected };
}

Deno.test("Recovery takes the state before a snapshot that the death of the process tore", async () => {
  const clock = new FakeClock(), { files, expected } = await filled(clock);
  const whole = start(files.afterKill(), clock);
  assert.deepEqual(contents(whole.broker), expected, "after a plain kill");
  const newest = [...whole.fileSystem.files.keys()].filter((path) => path.includes("commit.")).sort().pop()!;
  const snapshot = whole.fileSystem.content(newest);
  await whole.bury();
  assert.ok(snapshot.length > 2 << 20, "the snapshot has several blocks");
  for (let length = 0; length < snapshot.length; length += 500_000) {
    const torn = files.afterKill();
    torn.put(newest, snapshot.slice(0, length));
    const node = start(torn, clock);
    assert.deepEqual(contents(node.broker), expected, `${length} of ${snapshot.length} bytes were written`);
    await node.bury();
  }
});

Deno.test("Recovery takes the state before a snapshot of which a block in the middle is damaged", async () => {
  const clock = new FakeClock(), { files, expected } = await filled(clock);
  const node = start(files, clock);
  const newest = [...node.fileSystem.files.keys()].filter((path) => path.includes("commit.")).sort().pop()!;
  const killed = node.fileSystem.afterKill();
  await node.bury();
  killed.flip(newest, killed.content(newest).length >> 1);
  const recovered = start(killed, clock);
  assert.deepEqual(contents(recovered.broker), expected);
  await recovered.bury();
});
