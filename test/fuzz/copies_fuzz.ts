/**
 * Damaged messages of which there may be copies: what a broker had before the damage it has after it, but for what
 * lies in damaged blocks only. What those are is found out here, by an own reading of the files.
 */
import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import type { Channel } from "../../src/broker/channel.ts";
import { newBuffer } from "../../src/buffers/buffer_pool.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { FakeConsumer } from "../support/fake_consumer.ts";
import { MemoryFileSystem } from "../support/memory_file_system.ts";
import { PersistentBroker } from "../support/persistent_broker.ts";
import type { Random } from "../support/random.ts";
import { unfinished, unreleased } from "../support/recovered_contents.ts";
import { drainChannel, LONG_MS, settle } from "./damaged_files.ts";
import { plainSession, type Tally, type Target } from "./target.ts";

const CHANNELS = ["archive", "billing"];
const COMPACTION_MS = 6000;

function start(fileSystem: MemoryFileSystem, clock: FakeClock): PersistentBroker {
  clock.advance(1000);
  return new PersistentBroker(fileSystem, clock, { durability: "os", maxBytesPerFile: 4096, memLimit: 4096 });
}

// ---- an own reading of the files ---------------------------------------------------------------

/** Where the data of a block of messages is, and whose they are. */
interface Block {
  path: string;
  dataAt: number;
  dataBytes: number;
  crc: number;
  seqs: number[];
}

/** All blocks of messages, by the layout in FORMAT.md. */
function blocksOf(files: MemoryFileSystem): Block[] {
  const blocks: Block[] = [];
  for (const path of files.files.keys()) {
    const number = /\/(?:commit|kept)\.(\d+)\.log$/.exec(path)?.[1];
    if (number === undefined) continue;
    const bytes = files.content(path), view = new DataView(bytes.buffer);
    for (let at = 0; at + 40 <= bytes.length && view.getUint32(at) === 0x4e535142;) {
      if (view.getUint32(at + 8) !== Number(number)) break;
      const kind = bytes[at + 12], count = view.getUint32(at + 28);
      const extraBytes = view.getUint32(at + 32), dataBytes = view.getUint32(at + 36);
      const dataAt = at + 40 + extraBytes;
      const firstSeq = view.getUint32(at + 20) * 2 ** 32 + view.getUint32(at + 24);
      if (kind === 1 || kind === 2) {
        const seqs = Array.from(
          { length: count },
          (_, i) => kind === 1 ? firstSeq + i : view.getFloat64(at + 40 + i * 8),
        );
        blocks.push({
          path,
          dataAt,
          dataBytes,
          crc: crc32(bytes.subarray(dataAt, dataAt + dataBytes)),
          seqs,
        });
      }
      at = dataAt + dataBytes;
    }
  }
  return blocks;
}

/** Sequence numbers of which a sound copy is left. */
function soundSeqs(files: MemoryFileSystem, blocks: Block[]): Set<number> {
  const sound = new Set<number>();
  for (const { path, dataAt, dataBytes, crc, seqs } of blocks) {
    if (crc32(files.content(path).subarray(dataAt, dataAt + dataBytes)) !== crc) continue;
    for (const seq of seqs) sound.add(seq);
  }
  return sound;
}

// ---- a data path ------------------------------------------------------------------------------

function work(node: PersistentBroker, random: Random, consumers: Map<Channel, FakeConsumer>): void {
  const { broker } = node, topic = broker.topic("orders", false);
  for (let group = random.int(10); group > 0; group--) {
    broker.beginTurn();
    for (let left = 1 + random.int(4); left > 0; left--) {
      topic.publish(newBuffer(90), 0, 90, random.chance(0.1) ? LONG_MS : 0);
    }
    broker.endTurn();
  }
  for (const [channel, consumer] of consumers) {
    broker.beginTurn();
    for (const { seq } of consumer.takeDeliveries()) {
      if (random.chance(0.85)) channel.finish(consumer.subscription, seq);
      else channel.requeue(consumer.subscription, seq, LONG_MS, broker.nowMs);
    }
    broker.endTurn();
  }
}

/** What is left by a broker that was killed some time after compaction moved things. */
async function makeImage(random: Random): Promise<{ files: MemoryFileSystem; clock: FakeClock }> {
  const clock = new FakeClock(), node = start(new MemoryFileSystem(), clock);
  const topic = node.broker.topic("orders", false), consumers = new Map<Channel, FakeConsumer>();
  for (const name of CHANNELS) {
    const channel = topic.channel(name, false), consumer = FakeConsumer.to(channel, node.broker, LONG_MS);
    consumer.subscription.setRdy(20);
    consumers.set(channel, consumer);
  }
  let files: MemoryFileSystem | null = null;
  for (let step = 10 + random.int(20); step > 0 && files === null; step--) {
    work(node, random, consumers);
    await settle(node);
    clock.advance(random.pick([10, COMPACTION_MS]));
    node.broker.beginTurn();
    if (!random.chance(0.5)) continue;
    const round = node.background();
    // Some die between the copy and the end of its old place.
    if (step < 5 && random.chance(0.5)) files = await killedDuring(node, random);
    await round;
  }
  files ??= random.chance(0.3) ? await node.stop() : node.fileSystem.afterKill();
  await node.bury();
  return { files, clock };
}

async function killedDuring(node: PersistentBroker, random: Random): Promise<MemoryFileSystem> {
  for (let left = random.int(12); left > 0; left--) await Promise.resolve();
  return node.fileSystem.afterKill();
}

// ---- what has to hold -------------------------------------------------------------------------

function owed(node: PersistentBroker): Map<string, Set<number>> {
  const topic = node.broker.topics.get("orders")!, pending = unreleased(topic);
  return new Map([...topic.channels.values()].map((channel) => [
    channel.name,
    new Set([...unfinished(channel).keys(), ...pending]),
  ]));
}

async function tryImage(random: Random, tally: Tally): Promise<void> {
  const { files, clock } = await makeImage(random), blocks = blocksOf(files);
  const whole = start(files.afterKill(), clock), expected = owed(whole);
  await whole.bury();
  const damaged = files.afterKill();
  for (let left = 1 + random.int(4); left > 0 && blocks.length > 0; left--) {
    const { path, dataAt, dataBytes } = random.pick(blocks);
    damaged.flip(path, dataAt + random.int(dataBytes));
    tally.damages++;
  }
  const sound = soundSeqs(damaged, blocks), node = start(damaged, clock);
  tally.starts++;
  for (const channel of node.broker.topics.get("orders")!.channels.values()) {
    const inTime = unfinished(channel), found = new Set(inTime.keys());
    clock.advance(2 * LONG_MS);
    node.broker.beginTurn();
    channel.scan(node.broker.nowMs);
    const delivered = new Set((await drainChannel(node, channel)).map(({ seq }) => seq));
    for (const seq of expected.get(channel.name)!) {
      if (!sound.has(seq)) continue;
      tally.messages++;
      assert.ok(found.has(seq), `${channel.name}: message ${seq} is missing, and lies in a sound block`);
      assert.ok(delivered.has(seq), `${channel.name}: message ${seq} is not delivered`);
    }
  }
  await node.bury();
}

async function batch(random: Random, rounds: number): Promise<Tally> {
  const tally: Tally = { damages: 0, starts: 0, messages: 0 };
  while (tally.starts < rounds) await tryImage(random, tally);
  return tally;
}

export const copies: Target = {
  name: "copies",
  summary: "messages of which a copy is damaged",
  batchRounds: 50,
  shortRounds: 40,
  open: () => plainSession(batch),
};
