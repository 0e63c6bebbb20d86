/** Damage to the files of a data path, and what a broker that started on them is asked to do then. */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import type { Channel } from "../../src/broker/channel.ts";
import { type Delivery, FakeConsumer } from "../support/fake_consumer.ts";
import type { MemoryFileSystem } from "../support/memory_file_system.ts";
import type { PersistentBroker } from "../support/persistent_broker.ts";
import type { Random } from "../support/random.ts";
import { unfinished } from "../support/recovered_contents.ts";

export const LONG_MS = 3_600_000;
const MAX_TURNS = 3000;

/** Does something to one of the files. @returns what, for the message of a failure */
export function damage(random: Random, files: MemoryFileSystem): string {
  const paths = [...files.files.keys()].sort();
  if (paths.length === 0) return "nothing is left";
  const path = random.pick(paths), bytes = files.content(path);
  const at = placeIn(random, bytes.length), length = 1 + random.int(random.chance(0.5) ? 16 : 2000);
  const kind = random.int(9);
  const other = random.pick(paths);
  switch (kind) {
    case 0:
    case 1:
      if (bytes.length > 0) bytes[at] ^= 1 << random.int(8);
      break;
    case 2:
      bytes.fill(0, at, at + length);
      break;
    case 3:
      for (let i = at; i < Math.min(at + length, bytes.length); i++) bytes[i] = random.int(256);
      break;
    case 4:
      files.put(path, bytes.slice(0, at));
      return `${path} cut to ${at} of ${bytes.length} bytes`;
    case 5:
      files.put(path, joined(bytes.slice(0, at), bytes.slice(at, at + length), bytes.slice(at)));
      return `${length} bytes at ${at} of ${path} doubled`;
    case 6:
      files.put(path, joined(bytes.slice(0, at), bytes.slice(at + length)));
      return `${length} bytes at ${at} of ${path} left out`;
    case 7:
      files.put(path, files.content(other));
      return `${path} replaced by ${other}`;
    default:
      files.remove(path);
      return `${path} removed`;
  }
  files.put(path, bytes);
  return `bytes at ${at} of ${bytes.length} of ${path} changed (${kind}, ${length})`;
}

/** Anywhere, but more often at the ends, where headers, snapshots and trailers are. */
function placeIn(random: Random, length: number): number {
  if (length === 0) return 0;
  if (random.chance(0.3)) return Math.max(0, length - 1 - random.int(60));
  return random.int(random.chance(0.2) ? Math.min(length, 200) : length);
}

function joined(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export function immediate(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Runs turns until nothing is being written or read. */
export async function settle(node: PersistentBroker): Promise<void> {
  for (let i = 0; i < MAX_TURNS; i++) {
    node.broker.endTurn();
    await immediate();
    if (node.broker.committer.isIdle && !isLoading(node)) return;
  }
  throw new Error("the broker does not come to rest");
}

function isLoading(node: PersistentBroker): boolean {
  for (const topic of node.broker.topics.values()) {
    for (const channel of topic.channels.values()) {
      if (channel.inTurn || channel.redelivery.peek()?.segment.loading) return true;
    }
    for (let segment = topic.log.first; segment !== null; segment = segment.next) {
      if (segment.loading) return true;
    }
  }
  return false;
}

/** Delivers and finishes all that a channel has; each message must come once. */
export async function drainChannel(node: PersistentBroker, channel: Channel): Promise<Delivery[]> {
  const consumer = FakeConsumer.to(channel, node.broker, LONG_MS), drained = new Map<number, Delivery>();
  const name = `${channel.topic.name}/${channel.name}`;
  consumer.subscription.setRdy(7);
  for (;;) {
    await settle(node);
    const deliveries = consumer.takeDeliveries();
    if (deliveries.length === 0) break;
    node.broker.beginTurn();
    for (const delivery of deliveries) {
      const { seq, attempts } = delivery;
      assert.ok(!drained.has(seq), `${name}: message ${seq} came twice`);
      assert.ok(attempts > 0, `${name}: message ${seq} has no attempts`);
      drained.set(seq, delivery);
      assert.equal(channel.finish(consumer.subscription, seq), "ok");
    }
  }
  const isPaused = channel.paused || channel.topic.paused;
  if (!isPaused) assert.equal(channel.depth, 0, `${name} is not drained`);
  channel.unsubscribe(consumer.subscription);
  return [...drained.values()];
}

/** What the channels still have, as text that can be compared. */
export function contents(node: PersistentBroker): string[] {
  return [...node.broker.topics.values()].flatMap((topic) =>
    [...topic.channels.values()].map((channel) => {
      const states = [...unfinished(channel)].map(([seq, { state, attempts }]) =>
        `${seq} ${state} ${attempts}`
      );
      return `${topic.name}/${channel.name}: ${states.sort().join(", ")}`;
    })
  ).sort();
}
