/**
 * Damaged data paths: a broker starts on them or says why not, delivers nothing that was never published and
 * nothing twice, comes to rest, and goes on as a broker whose next start finds all that it left.
 */
import assert from "node:assert/strict";
import type { Channel } from "../../src/broker/channel.ts";
import { newBuffer } from "../../src/buffers/buffer_pool.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { FakeConsumer } from "../support/fake_consumer.ts";
import { MemoryFileSystem } from "../support/memory_file_system.ts";
import { DIRECTORY, PersistentBroker } from "../support/persistent_broker.ts";
import { Random } from "../support/random.ts";
import { latin1 } from "./bytes.ts";
import { contents, damage, drainChannel, immediate, LONG_MS, settle } from "./damaged_files.ts";
import { plainSession, type Tally, type Target } from "./target.ts";

const TOPICS = ["orders", "events"];
const CHANNELS = ["archive", "billing"];
const METADATA = `${DIRECTORY}/nsqd.dat`;
/** Data paths made before damage is done to copies of them. */
const DAMAGES_PER_IMAGE = 12;

function start(fileSystem: MemoryFileSystem, clock: FakeClock): PersistentBroker {
  return new PersistentBroker(fileSystem, clock, {
    durability: "os",
    maxBytesPerFile: 4096,
    memLimit: 16_384,
  });
}

// ---- a data path ------------------------------------------------------------------------------

interface Image {
  files: MemoryFileSystem;
  clock: FakeClock;
  /** The bodies that were published, by topic. */
  published: Map<string, Set<string>>;
}

/** What a broker left behind after some use of all that the log can hold. */
async function makeImage(random: Random): Promise<Image> {
  const clock = new FakeClock(), node = start(new MemoryFileSystem(), clock);
  const published = new Map(TOPICS.map((name) => [name, new Set<string>()]));
  const consumers: { channel: Channel; consumer: FakeConsumer }[] = [];
  for (const name of TOPICS) {
    for (const channelName of CHANNELS.slice(0, 1 + random.int(2))) {
      const channel = node.broker.topic(name, false).channel(channelName, false);
      consumers.push({ channel, consumer: FakeConsumer.to(channel, node.broker, LONG_MS) });
    }
  }
  for (let step = 10 + random.int(40); step > 0; step--) {
    publishSome(node, random, published);
    for (const { channel, consumer } of consumers) await useSome(node, random, channel, consumer);
    clock.advance(random.int(200));
    if (random.chance(0.2)) await node.background();
  }
  for (const { channel, consumer } of consumers) channel.unsubscribe(consumer.subscription);
  const files = random.chance(0.5) ? await node.stop() : node.fileSystem.afterKill();
  await node.bury();
  return { files, clock, published };
}

function publishSome(node: PersistentBroker, random: Random, published: Map<string, Set<string>>): void {
  const { broker } = node, name = random.pick(TOPICS), bodies = published.get(name)!;
  broker.beginTurn();
  for (let left = random.int(12); left > 0; left--) {
    const body = `${name} ${bodies.size} ${"x".repeat(random.int(random.chance(0.1) ? 900 : 60))}`;
    bodies.add(body);
    const source = newBuffer(body.length);
    source.bytes.set(latin1(body));
    const delayMs = random.chance(0.1) ? random.pick([100, LONG_MS]) : 0;
    broker.topic(name, false).publish(source, 0, body.length, delayMs);
  }
  broker.endTurn();
}

async function useSome(
  node: PersistentBroker,
  random: Random,
  channel: Channel,
  consumer: FakeConsumer,
): Promise<void> {
  consumer.subscription.setRdy(random.int(20));
  node.broker.endTurn();
  await immediate();
  node.broker.beginTurn();
  for (const { seq } of consumer.takeDeliveries()) {
    const what = random.int(10);
    if (what < 7) channel.finish(consumer.subscription, seq);
    else if (what < 9) {
      channel.requeue(consumer.subscription, seq, random.pick([0, 50, LONG_MS]), node.broker.nowMs);
    }
  }
  node.broker.endTurn();
}

// ---- what has to hold -------------------------------------------------------------------------

/** `nsqd.dat` has no checksum: a damaged one may name anything. */
function hasOtherMetadata(files: MemoryFileSystem, image: Image): boolean {
  return files.files.has(METADATA) &&
    String(files.content(METADATA)) !== String(image.files.files.get(METADATA)?.content);
}

/** Starts a broker; null when it says that `nsqd.dat` cannot be read. */
function startOrRefuse(files: MemoryFileSystem, image: Image): PersistentBroker | null {
  try {
    return start(files, image.clock);
  } catch (error) {
    const isTold = (error as Error).message.startsWith(`failed to parse metadata in ${METADATA} - `);
    if (isTold && hasOtherMetadata(files, image)) return null;
    throw error;
  }
}

/** Delivers and finishes all that there is. @returns how many messages */
async function drain(
  node: PersistentBroker,
  published: Map<string, Set<string>>,
  hasOddNames: boolean,
): Promise<number> {
  let count = 0;
  for (const topic of node.broker.topics.values()) {
    const bodies = published.get(topic.name) ?? new Set<string>();
    assert.ok(hasOddNames || published.has(topic.name), `topic ${topic.name} never existed`);
    for (const channel of topic.channels.values()) {
      assert.ok(hasOddNames || CHANNELS.includes(channel.name), `channel ${channel.name} never existed`);
      for (const { seq, body } of await drainChannel(node, channel)) {
        assert.ok(bodies.has(body), `${topic.name}: message ${seq} was never published: ${body}`);
        count++;
      }
    }
  }
  return count;
}

async function tryImage(random: Random, image: Image, tally: Tally): Promise<void> {
  const files = image.files.afterKill(), done: string[] = [];
  for (let left = 1 + random.int(3); left > 0; left--) done.push(damage(random, files));
  tally.damages += done.length;
  const hasOddNames = hasOtherMetadata(files, image);
  try {
    const node = startOrRefuse(files, image);
    tally.starts++;
    if (node === null) {
      tally.refused++;
      return;
    }
    if (random.chance(0.8)) tally.messages += await drain(node, image.published, hasOddNames);
    publishSome(node, random, image.published);
    await settle(node);
    if (random.chance(0.3)) await node.background();
    const before = contents(node), left = await node.stop();
    const next = start(left, image.clock);
    assert.deepEqual(contents(next), before, "what a clean stop left");
    tally.messages += await drain(next, image.published, hasOddNames);
    await next.stop();
  } catch (cause) {
    throw new Error(`after ${done.join("; ")}: ${(cause as Error).message}`, { cause });
  }
}

async function batch(random: Random, rounds: number): Promise<Tally> {
  const tally: Tally = { damages: 0, starts: 0, refused: 0, messages: 0 };
  while (tally.starts < rounds) {
    const image = await makeImage(new Random(random.int(2 ** 32)));
    for (let i = 0; i < DAMAGES_PER_IMAGE && tally.starts < rounds; i++) await tryImage(random, image, tally);
  }
  return tally;
}

export const recovery: Target = {
  name: "recovery",
  summary: "a broker that starts on damaged files",
  batchRounds: 50,
  shortRounds: 50,
  open: () => plainSession(batch),
};
