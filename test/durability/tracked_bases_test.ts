/** Snapshots of channels with many tracked messages: small, and whole after every restart. */
import assert from "node:assert/strict";
import type { Channel } from "../../src/broker/channel.ts";
import { newBuffer } from "../../src/buffers/buffer_pool.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { FakeConsumer } from "../support/fake_consumer.ts";
import { MemoryFileSystem } from "../support/memory_file_system.ts";
import { DIRECTORY, PersistentBroker } from "../support/persistent_broker.ts";
import { unfinished } from "../support/recovered_contents.ts";

const LONG_MS = 3_600_000;
const MANY = 20_000;

function start(files: MemoryFileSystem, clock: FakeClock): PersistentBroker {
  clock.advance(1000);
  return new PersistentBroker(files, clock, {
    durability: "os",
    maxBytesPerFile: 1 << 20,
    memLimit: 64 << 20,
  });
}

function channelOf(node: PersistentBroker, name: string): Channel {
  return node.broker.topics.get("orders")!.channels.get(name)!;
}

/** A node with `MANY` deferred messages in each of two channels, which have bases. */
async function deferred(clock: FakeClock): Promise<PersistentBroker> {
  const node = start(new MemoryFileSystem(), clock), { broker } = node, topic = broker.topic("orders", false);
  for (const name of ["archive", "mail"]) topic.channel(name, false);
  for (let i = 0; i < MANY; i++) {
    broker.beginTurn();
    topic.publish(newBuffer(8), 0, 8, LONG_MS + (i * 7919) % 100_003);
    if (i % 100 === 99) broker.endTurn();
  }
  broker.endTurn();
  await node.background();
  return node;
}

/** Bytes of the newest log file. */
function newestBytes(files: MemoryFileSystem): number {
  const path = [...files.files.keys()].filter((name) => name.includes("commit.")).sort().at(-1)!;
  return files.content(path).length;
}

function contents(channel: Channel): [number, string, number, number][] {
  return [...unfinished(channel)].map((
    [seq, { state, attempts, atMs }],
  ): [number, string, number, number] => [
    seq,
    state,
    attempts,
    Math.round(atMs),
  ]).sort((a, b) => a[0] - b[0]);
}

/** Names the first difference: a list of all of them would take hours to make. */
function assertSame(found: readonly unknown[], expected: readonly unknown[], name: string): void {
  assert.equal(found.length, expected.length, `${name}: messages`);
  const at = found.findIndex((one, i) => String(one) !== String(expected[i]));
  if (at >= 0) assert.deepEqual(found[at], expected[at], `${name}: message ${at}`);
}

/** Requeues, finishes and defers some of what is due at once, and leaves the rest. */
function work(node: PersistentBroker, clock: FakeClock): void {
  const { broker } = node, channel = channelOf(node, "archive");
  clock.advance(LONG_MS + 2000);
  broker.beginTurn();
  channel.scan(broker.nowMs);
  // So many are due that it takes several turns.
  while (channel.unfinishedScanMs !== null) broker.endTurn();
  const consumer = FakeConsumer.to(channel, broker, LONG_MS);
  consumer.subscription.setRdy(500);
  broker.endTurn();
  consumer.takeDeliveries().forEach(({ seq }, i) => {
    if (i % 3 === 0) channel.finish(consumer.subscription, seq);
    else channel.requeue(consumer.subscription, seq, i % 3 === 1 ? 0 : LONG_MS, broker.nowMs);
  });
  consumer.disconnect();
  broker.endTurn();
}

Deno.test("A start writes a small snapshot when many messages are tracked, and has them all after the next", async () => {
  const clock = new FakeClock();
  let node = await deferred(clock);
  const expected = contents(channelOf(node, "archive"));
  assert.equal(expected.length, MANY);
  // The first writes a snapshot that names the base; the second starts from that.
  for (let i = 0; i < 3; i++) {
    const files = i === 1 ? await node.stop() : node.fileSystem.afterKill();
    if (i !== 1) await node.bury();
    node = start(files, clock);
    assertSame(contents(channelOf(node, "archive")), expected, `start ${i}`);
    assert.ok(newestBytes(files) < 5000, `${newestBytes(files)} bytes of snapshot`);
    assert.equal(node.logLines.filter((line) => /WARNING|ERROR/.test(line)).length, 0);
  }
  await node.bury();
});

Deno.test("What became of messages of a base is known after a kill, a stop, and the snapshot between", async () => {
  const clock = new FakeClock();
  let node = await deferred(clock);
  for (let round = 0; round < 6; round++) {
    work(node, clock);
    node.persistence.flushPositions();
    // One round writes a new base while it is so.
    if (round === 3) await node.background();
    const expected = contents(channelOf(node, "archive")), other = contents(channelOf(node, "mail"));
    const isKill = round % 2 === 0;
    const files = isKill ? node.fileSystem.afterKill() : await node.stop();
    if (isKill) await node.bury();
    node = start(files, clock);
    const ageMs = 1000;
    const shift = (all: typeof expected) => all.map(([seq, state, attempts]) => [seq, state, attempts]);
    assertSame(shift(contents(channelOf(node, "archive"))), shift(expected), `round ${round}, ${ageMs}`);
    assertSame(shift(contents(channelOf(node, "mail"))), shift(other), `round ${round}`);
  }
  await node.bury();
});

Deno.test("A base is written anew when half of it has changed, and the old one goes", async () => {
  const clock = new FakeClock(), node = await deferred(clock), { fileSystem } = node;
  const keptBytes = () =>
    [...fileSystem.files.keys()].filter((path) => path.includes("kept.")).reduce(
      (sum, path) => sum + fileSystem.content(path).length,
      0,
    );
  const before = keptBytes();
  for (let i = 0; i < 25; i++) work(node, clock);
  for (let i = 0; i < 4; i++) {
    await node.background();
    // Enough for the file to roll, which tells of the new base.
    const topic = node.broker.topic("filler", false);
    for (let n = 0; n < 1200; n++) {
      topic.publish(newBuffer(1000), 0, 1000);
      node.broker.endTurn();
    }
  }
  assert.ok(keptBytes() < before * 2.5, `${keptBytes()} bytes of kept files, ${before} before`);
  const expected = contents(channelOf(node, "archive")).length;
  const next = start(await node.stop(), clock);
  assert.equal(contents(channelOf(next, "archive")).length, expected);
  await next.bury();
});

Deno.test("A channel that was emptied has nothing of its base after a restart, and its files go", async () => {
  const clock = new FakeClock(), node = await deferred(clock);
  channelOf(node, "archive").empty();
  node.broker.topics.get("orders")!.deleteChannel("mail");
  node.broker.endTurn();
  const files = node.fileSystem.afterKill();
  await node.bury();
  const next = start(files, clock);
  assert.equal(contents(channelOf(next, "archive")).length, 0);
  assert.equal(next.broker.topics.get("orders")!.channels.has("mail"), false);
  const left = await next.stop();
  assert.deepEqual(left.list(DIRECTORY).filter((name) => name.startsWith("kept.")), []);
});

Deno.test("A base with a damaged byte anywhere is read from its second copy", async () => {
  const clock = new FakeClock(), node = await deferred(clock);
  const between = start(await node.stop(), clock), files = await between.stop();
  const path = [...files.files.keys()].find((name) => name.includes("kept."))!;
  const size = files.content(path).length;
  for (let at = 100; at < size; at += Math.floor(size / 7)) {
    const damaged = files.afterKill();
    damaged.flip(path, at);
    const next = start(damaged, clock);
    assert.equal(contents(channelOf(next, "archive")).length, MANY, `byte ${at} of ${size}`);
    await next.bury();
  }
});
