/** What the disk can do to the broker, one fault at a time. */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import type { Topic } from "../../src/broker/topic.ts";
import type { Durability } from "../../src/broker/store.ts";
import { newBuffer } from "../../src/buffers/buffer_pool.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { FakeConsumer } from "../support/fake_consumer.ts";
import { MemoryFileSystem } from "../support/memory_file_system.ts";
import { DIRECTORY, PersistentBroker } from "../support/persistent_broker.ts";
import { until } from "../support/program_process.ts";
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
  files.remove(`${DIRECTORY}/reserve.log`);
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

// ---- damage ---------------------------------------------------------------------------------------

/** Offset of `text` in a file. */
function find(files: MemoryFileSystem, path: string, text: string): number {
  return new TextDecoder("latin1").decode(files.content(path)).indexOf(text);
}

function commitFiles(files: MemoryFileSystem): string[] {
  return [...files.files.keys()].filter((path) => /commit\.\d+\.log$/.test(path)).sort();
}

function newest(files: MemoryFileSystem): string {
  return commitFiles(files).at(-1)!;
}

/** Lets what is being read arrive and be delivered. */
async function settle(node: PersistentBroker): Promise<void> {
  for (let i = 0; i < 20; i++) {
    node.broker.endTurn();
    await new Promise((resolve) => setImmediate(() => resolve(null)));
  }
}

/** Consumes all that `topic` has for `channelName`. */
async function consume(node: PersistentBroker, topicName: string, channelName: string): Promise<string[]> {
  const channel = node.broker.topics.get(topicName)!.channels.get(channelName)!;
  const consumer = FakeConsumer.to(channel, node.broker, LONG_MS);
  consumer.subscription.setRdy(2500);
  await settle(node);
  const bodies = consumer.takeDeliveries().map(({ body }) => body);
  consumer.disconnect();
  return bodies;
}

/** A broker with a channel that was killed after `bodies`, each a group of its own, were published. */
async function killedWith(
  clock: FakeClock,
  bodies: string[],
  maxBytesPerFile = 1 << 20,
): Promise<MemoryFileSystem> {
  const node = start(new MemoryFileSystem(), clock, "os", maxBytesPerFile);
  const topic = node.broker.topic("orders", false);
  topic.channel("archive", false);
  for (const body of bodies) {
    publish(topic, body);
    node.broker.endTurn();
  }
  const files = node.fileSystem.afterKill();
  await node.bury();
  clock.advance(1000);
  return files;
}

Deno.test("Persistence skips a damaged group of the newest file, keeps a copy of it, and starts", async () => {
  const clock = new FakeClock(), files = await killedWith(clock, ["alpha", "bravo", "charlie"]);
  const path = newest(files);
  files.flip(path, find(files, path, "bravo"));
  const node = start(files, clock);
  assert.match(node.logLines.join(""), /WARNING: LOG: .*damaged and were skipped; a copy is in/);
  const copies = [...files.files.keys()].filter((name) => name.includes(".damaged."));
  assert.equal(copies.length, 1);
  assert.match(new TextDecoder().decode(files.content(copies[0])), /cravo/);
  assert.deepEqual(await consume(node, "orders", "archive"), ["alpha", "charlie"]);
  await node.bury();
});

Deno.test("Persistence starts with a damaged first block of the newest file and goes on from the file before", async () => {
  const clock = new FakeClock(), first = await killedWith(clock, ["alpha"]);
  // A second start writes a snapshot of its own, into the next file.
  const between = start(first, clock);
  publishAll(between, between.broker.topics.get("orders")!, 1);
  const files = first.afterKill(), path = newest(files);
  await between.bury();
  clock.advance(1000);
  files.flip(path, 50);
  const node = start(files, clock);
  assert.deepEqual(await consume(node, "orders", "archive"), ["alpha", "0xxxxxxxxx"]);
  await node.bury();
});

Deno.test("Persistence gives up damaged records of a finished file when they are read, and delivers the rest", async () => {
  const bodies = ["alpha", "bravo", "charlie", "delta"].map((body) => body.padEnd(200, "."));
  const clock = new FakeClock(), files = await killedWith(clock, bodies, 600);
  const path = commitFiles(files).find((name) => find(files, name, "bravo") >= 0)!;
  assert.notEqual(path, newest(files));
  files.flip(path, find(files, path, "bravo"));
  const node = start(files, clock);
  const delivered = await consume(node, "orders", "archive");
  assert.deepEqual(delivered, bodies.filter((body) => !body.startsWith("bravo")));
  assert.match(node.logLines.join(""), /ERROR: TOPIC\(orders\): 1 messages from \d+ on are lost/);
  const copies = [...files.files.keys()].filter((name) => name.startsWith(`${path}.damaged.`));
  assert.equal(copies.length, 1);
  assert.match(new TextDecoder().decode(files.content(copies[0])), /cravo/);
  assert.equal(node.broker.topics.get("orders")!.channels.get("archive")!.depth, 3, "what was put back");
  await node.bury();
});

Deno.test("Persistence starts when a file is missing, and has the rest", async () => {
  const bodies = ["alpha", "bravo", "charlie", "delta"].map((body) => body.padEnd(200, "."));
  const clock = new FakeClock(), files = await killedWith(clock, bodies, 600);
  const path = commitFiles(files).find((name) => find(files, name, "bravo") >= 0)!;
  const gone = bodies.filter((body) => find(files, path, body) >= 0);
  files.files.delete(path);
  const node = start(files, clock);
  assert.deepEqual(await consume(node, "orders", "archive"), bodies.filter((body) => !gone.includes(body)));
  await node.bury();
});

Deno.test("Persistence starts when the newest file is empty, as after a crash at its creation", async () => {
  const clock = new FakeClock(), files = await killedWith(clock, ["alpha", "bravo"]);
  files.put(newest(files).replace(/\d+/, "000099"), new Uint8Array(0));
  const node = start(files, clock);
  assert.deepEqual(await consume(node, "orders", "archive"), ["alpha", "bravo"]);
  await node.bury();
});

Deno.test("Persistence cuts a tail of garbage off and goes on behind what is sound", async () => {
  const clock = new FakeClock(), files = await killedWith(clock, ["alpha"]), path = newest(files);
  const sound = files.content(path), torn = new Uint8Array(sound.length + 300);
  torn.set(sound);
  torn.fill(0x4e, sound.length);
  files.put(path, torn);
  const node = start(files, clock);
  publishAll(node, node.broker.topics.get("orders")!, 1);
  const again = files.afterKill();
  await node.bury();
  clock.advance(1000);
  const last = start(again, clock);
  assert.deepEqual(await consume(last, "orders", "archive"), ["alpha", "0xxxxxxxxx"]);
  await last.bury();
});

// ---- records that cannot be read --------------------------------------------------------------------

/** A channel with 16 messages in flight, 15 of them of one segment that was evicted and then damaged. */
async function damagedInFlight(clock: FakeClock, damage: "flipped" | "unreadable" = "flipped") {
  const node = start(new MemoryFileSystem(), clock, "os", 1 << 20, 1);
  const topic = node.broker.topic("orders", false), channel = topic.channel("archive", false);
  const consumer = FakeConsumer.to(channel, node.broker, 1000);
  consumer.subscription.setRdy(16);
  publishAll(node, topic, 15, 100);
  // Segments behind it, so that it is out of the way of the cursor and of what is read ahead.
  publishAll(node, topic, 3, 3000);
  const segment = topic.log.first!;
  assert.equal(segment.count, 15);
  assert.ok(segment.buffer === null, "the segment is not evicted");
  const { fileSystem } = node, path = newest(fileSystem);
  const at = find(fileSystem, path, "7xxxx"), error = new Error("Input/output error (os error 5)");
  if (damage === "flipped") fileSystem.flip(path, at);
  else fileSystem.readErrorAt = (name, from, to) => name === path && from <= at && at < to ? error : null;
  await settle(node);
  return { node, topic, channel, consumer, segment };
}

Deno.test("Channel.lose() ends messages that are in flight, which no read could deliver again", async () => {
  const clock = new FakeClock();
  const { node, channel, consumer } = await damagedInFlight(clock);
  const seqs = consumer.takeDeliveries().map(({ seq }) => seq);
  assert.equal(seqs.length, 16);
  // One that is whole: to deliver it again the segment is read, and the damage found.
  channel.requeue(consumer.subscription, seqs[0], 0, node.broker.nowMs);
  await settle(node);
  assert.match(node.logLines.join(""), /1 messages from \d+ on are lost/);
  assert.equal(channel.finish(consumer.subscription, seqs[7]), "not in flight");
  consumer.takeDeliveries();
  clock.advance(2000);
  node.broker.beginTurn();
  channel.scan(node.broker.nowMs);
  await settle(node);
  const again = consumer.takeDeliveries().map(({ seq }) => seq);
  assert.deepEqual(again.filter((seq) => seqs.includes(seq)).sort(), seqs.filter((_, i) => i !== 7).sort());
  for (const seq of again) channel.finish(consumer.subscription, seq);
  await settle(node);
  for (const { seq } of consumer.takeDeliveries()) channel.finish(consumer.subscription, seq);
  assert.deepEqual([channel.inFlightCount, consumer.subscription.inFlight, channel.depth], [0, 0, 0]);
  await node.bury();
});

Deno.test("Topic.deferUnreadable() defers what cannot be read, leaves what is in flight, and Compaction leaves its place", async () => {
  const clock = new FakeClock();
  const { node, channel, consumer, segment } = await damagedInFlight(clock, "unreadable");
  const { subscription } = consumer, seqs = consumer.takeDeliveries().map(({ seq }) => seq).slice(0, 15);
  subscription.setRdy(100);
  for (const seq of seqs.slice(0, 2)) channel.requeue(subscription, seq, 0, node.broker.nowMs);
  await until("the segment is read", () => {
    node.broker.endTurn();
    return segment.missing.length === 1;
  });
  await settle(node);
  assert.deepEqual(
    consumer.takeDeliveries().map(({ seq }) => seq).filter((seq) => seqs.includes(seq)),
    seqs.slice(0, 2),
  );
  assert.equal(channel.deferredCount, 0, "one in flight was taken away");
  channel.requeue(subscription, seqs[7], 0, node.broker.nowMs);
  channel.requeue(subscription, seqs[8], 0, node.broker.nowMs);
  await until("it is deferred", () => {
    node.broker.endTurn();
    return channel.deferredCount === 1;
  });
  await settle(node);
  assert.deepEqual(
    consumer.takeDeliveries().map(({ seq }) => seq),
    [seqs[8]],
    "the one behind it waits for it",
  );
  for (const seq of seqs.filter((_, i) => i !== 7)) assert.equal(channel.finish(subscription, seq), "ok");
  subscription.setRdy(0);
  for (let round = 0; round < 2; round++) {
    clock.advance(10_000);
    node.broker.beginTurn();
    await node.background();
    await settle(node);
  }
  assert.equal(segment.isUnclaimed, false, "the only copy of a message is gone");
  node.fileSystem.readErrorAt = () => null;
  channel.scan(node.broker.nowMs);
  subscription.setRdy(100);
  const isIt = ({ seq }: { seq: number }) => seq === seqs[7];
  await until("it comes", () => {
    node.broker.endTurn();
    return consumer.deliveries.some(isIt);
  });
  const { attempts, body } = consumer.takeDeliveries().find(isIt)!;
  assert.deepEqual([attempts, body], [2, "7".padEnd(100, "x")]);
  await node.bury();
});

Deno.test("Compaction moves the sound records of a segment of which some were lost", async () => {
  const clock = new FakeClock();
  const { node, channel, consumer, segment } = await damagedInFlight(clock);
  const seqs = consumer.takeDeliveries().map(({ seq }) => seq).slice(0, 15);
  for (const seq of seqs.slice(0, 12)) channel.finish(consumer.subscription, seq);
  consumer.subscription.setRdy(0);
  for (let round = 0; round < 2; round++) {
    clock.advance(10_000);
    node.broker.beginTurn();
    await node.background();
    await settle(node);
  }
  assert.equal(segment.isUnclaimed, true, "the segment is still there");
  channel.scan(node.broker.nowMs);
  const other = FakeConsumer.to(channel, node.broker, 1000);
  other.subscription.setRdy(2500);
  await settle(node);
  const delivered = other.takeDeliveries().map(({ seq }) => seq);
  assert.deepEqual(delivered.filter((seq) => seqs.includes(seq)).sort(), seqs.slice(12));
  await node.bury();
});

Deno.test("Residency.load() leaves a segment of which records were lost fit to be written and read again", async () => {
  const bodies = Array.from({ length: 100 }, (_, i) => `message ${String(i).padStart(3, "0")}`);
  const clock = new FakeClock(), files = await killedWith(clock, bodies), path = newest(files);
  const node = start(files, clock, "os", 1 << 20, 1);
  files.flip(path, find(files, path, bodies[10]));
  const topic = node.broker.topics.get("orders")!, channel = topic.channels.get("archive")!;
  const consumer = FakeConsumer.to(channel, node.broker, LONG_MS);
  consumer.subscription.setRdy(2500);
  await settle(node);
  assert.equal(consumer.takeDeliveries().length, 99);
  // Scattered over so many small blocks, it is gathered in one when it leaves memory.
  publishAll(node, topic, 1);
  assert.ok(topic.log.first!.buffer === null, "the segment is not evicted");
  assert.equal(topic.log.first!.extents.length, 1);
  consumer.disconnect();
  const delivered = await consume(node, "orders", "archive");
  const expected = [...bodies.filter((_, i) => i !== 10), "0xxxxxxxxx"];
  assert.deepEqual(delivered.sort(), expected.sort());
  await node.bury();
});
