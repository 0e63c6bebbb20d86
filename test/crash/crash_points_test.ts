/**
 * Dies at every point at which a file changes, and checks what the next start finds there.
 *
 * The promise at each point: what was answered OK and not finished is there, in every channel; nothing is there
 * that was never published; what was finished before positions were last written is not.
 */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import type { Channel } from "../../src/broker/channel.ts";
import type { Durability } from "../../src/broker/store.ts";
import type { Topic } from "../../src/broker/topic.ts";
import { newBuffer } from "../../src/buffers/buffer_pool.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { FakeConsumer } from "../support/fake_consumer.ts";
import { MemoryFileSystem } from "../support/memory_file_system.ts";
import { PersistentBroker } from "../support/persistent_broker.ts";
import { Random } from "../support/random.ts";
import { unfinished, unreleased } from "../support/recovered_contents.ts";
import { WatchedFileSystem } from "./watched_file_system.ts";

const TOPICS = ["orders", "mail"];
const CHANNELS = ["archive", "billing"];
const MSG_TIMEOUT_MS = 60_000;
const LONG_DELAY_MS = 3_600_000;
const BODY_BYTES = 90;
const STEPS = 90;
const MAX_TURNS = 1000;
/** Of the points, how many are also read to the end. */
const READ_SHARE = 0.03;
/** Of the points, at how many the start that follows dies as well. */
const NESTED_SHARE = 0.01;
/** A passed segment is compacted after 5 s. */
const COMPACTION_MS = 6000;

/** What one channel is owed. */
interface Ledger {
  topic: string;
  channel: string;
  owed: Set<number>;
  /** Finished, and not known to be written down. */
  finished: Set<number>;
  gone: Set<number>;
}

class Rounds {
  readonly random: Random;
  readonly clock = new FakeClock();
  readonly durability: Durability;
  readonly points = new Map<string, number>();
  node: PersistentBroker;
  #files: WatchedFileSystem;
  readonly #ledgers: Ledger[] = [];
  readonly #published = new Map<string, Set<number>>();
  #consumers: FakeConsumer[] = [];
  #failure: Error | null = null;
  #toBury: PersistentBroker[] = [];
  #toRead: { node: PersistentBroker; point: string; owed: Map<Ledger, number[]> }[] = [];

  constructor(seed: number, durability: Durability) {
    this.random = new Random(seed);
    this.durability = durability;
    this.#files = new WatchedFileSystem(new MemoryFileSystem());
    this.node = this.#start(this.#files);
    for (const topic of TOPICS) {
      this.#published.set(topic, new Set());
      for (const channel of CHANNELS) {
        this.node.broker.topic(topic, false).channel(channel, false);
        this.#ledgers.push({ topic, channel, owed: new Set(), finished: new Set(), gone: new Set() });
      }
    }
    this.node.broker.endTurn();
  }

  async run(): Promise<void> {
    this.#subscribe();
    await this.#rest();
    this.#files.atPoint = (point, files) => this.#die(point, files);
    for (let i = 0; i < STEPS; i++) {
      const dice = this.random.next();
      if (dice < 0.75) await this.#work();
      else if (dice < 0.95) await this.#background();
      else await this.#restart();
      await this.#bury();
      if (this.#failure !== null) throw this.#failure;
    }
    this.#files.atPoint = () => {};
    await this.node.bury();
  }

  // ---- use ----------------------------------------------------------------------------------

  #start(files: MemoryFileSystem): PersistentBroker {
    const { clock, durability } = this;
    return new PersistentBroker(files, clock, { durability, maxBytesPerFile: 4096, memLimit: 8192 });
  }

  #subscribe(): void {
    this.#consumers = this.#ledgers.map(({ topic, channel }) => {
      const consumer = FakeConsumer.to(
        channelOf(this.node, topic, channel),
        this.node.broker,
        MSG_TIMEOUT_MS,
      );
      consumer.subscription.setRdy(20);
      return consumer;
    });
  }

  async #work(): Promise<void> {
    const { random } = this, { broker } = this.node;
    broker.beginTurn();
    for (const name of TOPICS) {
      const topic = broker.topic(name, false), committed: number[] = [];
      for (let count = random.int(10); count > 0; count--) committed.push(this.#publish(topic));
      broker.committer.listen({
        groupCommitted: () => this.#owe(name, committed),
        groupFailed: (_, cause) => {
          throw cause;
        },
      });
    }
    await this.#rest();
    broker.beginTurn();
    this.#ledgers.forEach((ledger, i) => this.#answer(ledger, this.#consumers[i]));
    await this.#rest();
  }

  #publish(topic: Topic): number {
    const seq = topic.log.endSeq, source = newBuffer(BODY_BYTES);
    new TextEncoder().encodeInto(bodyOf(seq), source.bytes);
    topic.publish(source, 0, BODY_BYTES, this.random.chance(0.05) ? LONG_DELAY_MS : 0);
    this.#published.get(topic.name)!.add(seq);
    return seq;
  }

  #owe(topic: string, seqs: number[]): void {
    for (const ledger of this.#ledgers) {
      if (ledger.topic === topic) { for (const seq of seqs) ledger.owed.add(seq); }
    }
  }

  #answer(ledger: Ledger, consumer: FakeConsumer): void {
    const { random, node } = this, { subscription } = consumer, { channel } = subscription;
    for (const { seq } of consumer.takeDeliveries()) {
      const dice = random.next();
      if (dice < 0.1) {
        channel.requeue(subscription, seq, dice < 0.05 ? LONG_DELAY_MS : 0, node.broker.nowMs);
      } else if (dice < 0.95) {
        // From here on it may be gone or not.
        ledger.owed.delete(seq);
        ledger.finished.add(seq);
        assert.equal(channel.finish(subscription, seq), "ok");
      }
    }
  }

  async #background(): Promise<void> {
    this.clock.advance(COMPACTION_MS);
    this.node.broker.beginTurn();
    this.node.persistence.flushPositions();
    this.#writtenDown();
    await Promise.all([this.node.background(), this.#rest()]);
  }

  /** At level `disk` a power cut can undo it until the next sync, so only kills are checked for it. */
  #writtenDown(): void {
    for (const ledger of this.#ledgers) {
      for (const seq of ledger.finished) ledger.gone.add(seq);
      ledger.finished.clear();
    }
  }

  async #restart(): Promise<void> {
    if (this.random.chance(0.5)) {
      for (const consumer of this.#consumers) consumer.disconnect();
      await this.#rest();
      await this.node.stop();
      this.#writtenDown();
    } else {
      const files = new WatchedFileSystem(this.#files.afterKill());
      this.#files.atPoint = () => {};
      this.#toBury.push(this.node);
      this.#files = files;
      this.#files.atPoint = (point, files) => this.#die(point, files);
    }
    this.clock.advance(1);
    this.node = this.#start(this.#files);
    this.#check(this.node, "a restart", true);
    this.#reopen();
    this.#subscribe();
    await this.#rest();
  }

  /** What was finished and came back after a kill is owed again. */
  #reopen(): void {
    for (const ledger of this.#ledgers) {
      const found = unfinished(channelOf(this.node, ledger.topic, ledger.channel));
      for (const seq of ledger.finished) if (found.has(seq)) ledger.owed.add(seq);
      ledger.finished.clear();
    }
  }

  async #rest(): Promise<void> {
    for (let i = 0; i < MAX_TURNS; i++) {
      this.node.broker.endTurn();
      await new Promise<void>((resolve) => setImmediate(() => resolve()));
      if (this.node.broker.committer.isIdle && i > 2) return;
    }
    throw new Error("the broker does not come to rest");
  }

  // ---- deaths -------------------------------------------------------------------------------

  #die(point: string, files: MemoryFileSystem): void {
    if (this.#failure !== null) return;
    this.points.set(point, (this.points.get(point) ?? 0) + 1);
    try {
      this.#dieAt(point, files);
    } catch (cause) {
      // The broker would take it for an error of the disk.
      this.#failure = cause as Error;
    }
  }

  #dieAt(point: string, files: MemoryFileSystem): void {
    this.#recover(files.afterKill(), `killed before ${point}`, true);
    if (this.durability !== "disk") return;
    const { random } = this;
    const kept = random.pick([0, 0.3, 0.8]);
    const cut = (files as WatchedFileSystem).afterReorderedPowerCut(() => random.chance(kept));
    this.#recover(cut, `power cut before ${point}`, false);
  }

  #recover(files: MemoryFileSystem, point: string, isKill: boolean): void {
    if (this.random.chance(NESTED_SHARE)) {
      const watched = new WatchedFileSystem(files);
      watched.atPoint = (inner, files) => {
        const node = this.#start(files.afterKill());
        this.#toBury.push(node);
        this.#check(node, `${point}, and at the start before ${inner}`, isKill);
      };
      files = watched;
    }
    const node = this.#start(files);
    if (files instanceof WatchedFileSystem) files.atPoint = () => {};
    this.#check(node, point, isKill);
    if (this.random.chance(READ_SHARE)) {
      const owed = new Map(this.#ledgers.map((ledger) => [ledger, [...ledger.owed]]));
      this.#toRead.push({ node, point, owed });
    } else this.#toBury.push(node);
  }

  #check(node: PersistentBroker, point: string, isKill: boolean): void {
    for (const { topic, channel, owed, gone } of this.#ledgers) {
      const where = `${point}: ${topic}:${channel}`;
      const found = unfinished(channelOf(node, topic, channel)),
        pending = unreleased(node.broker.topics.get(topic)!);
      const has = new Set([...found.keys(), ...pending]), published = this.#published.get(topic)!;
      for (const seq of owed) assert.ok(has.has(seq), `${where} has lost ${seq}`);
      for (const seq of has) {
        assert.ok(published.has(seq), `${where} has ${seq}, which was never published`);
        if (isKill) assert.ok(!gone.has(seq), `${where} has ${seq}, which was finished and written down`);
      }
    }
    // Holes in what was not synced look like damage.
    const troubles = node.logLines.filter((line) => /WARNING|ERROR/.test(line));
    if (isKill) assert.deepEqual(troubles, [], point);
  }

  async #bury(): Promise<void> {
    for (const { node, point, owed } of this.#toRead.splice(0)) {
      await this.#read(node, point, owed);
      await node.bury();
    }
    for (const node of this.#toBury.splice(0)) await node.bury();
  }

  /** Consumes all that a restarted broker has: it must not only be listed but be readable. */
  async #read(node: PersistentBroker, point: string, owed: Map<Ledger, number[]>): Promise<void> {
    for (const [{ topic, channel: name }, seqs] of owed) {
      const channel = channelOf(node, topic, name),
        read = new Set<number>(channel.due.size > 0 ? deferred(channel) : []);
      const consumer = FakeConsumer.to(channel, node.broker, MSG_TIMEOUT_MS);
      consumer.subscription.setRdy(1000);
      for (let i = 0; i < MAX_TURNS && channel.depth > 0; i++) {
        node.broker.endTurn();
        await new Promise<void>((resolve) => setImmediate(() => resolve()));
      }
      for (const { seq, body } of consumer.takeDeliveries()) {
        assert.equal(body, bodyOf(seq), `${point}: the body of message ${seq}`);
        read.add(seq);
      }
      for (const seq of seqs) assert.ok(read.has(seq), `${point}: ${topic}:${name} does not deliver ${seq}`);
    }
  }
}

function deferred(channel: Channel): number[] {
  return [...channel.tracked.values()].filter(({ state }) => state === "deferred").map(({ seq }) => seq);
}

function channelOf(node: PersistentBroker, topic: string, channel: string): Channel {
  return node.broker.topics.get(topic)!.channels.get(channel)!;
}

function bodyOf(seq: number): string {
  return `${seq} `.repeat(10).slice(0, BODY_BYTES).padEnd(BODY_BYTES, "x");
}

/** Every one of these must have been died at, or the test does not test what it says. */
const POINTS = [
  "write commit.log",
  "write on commit.log",
  "sync commit.log",
  "create commit.log",
  "truncate commit.log",
  "remove commit.log",
  "rename commit.log to spare.log",
  "rename spare.log to commit.log",
  "create kept.log",
  "write kept.log",
  "write on kept.log",
  "sync kept.log",
];

async function dieEverywhere(durability: Durability, seeds: number[]): Promise<void> {
  const points = new Set<string>();
  for (const seed of seeds) {
    const rounds = new Rounds(seed, durability);
    try {
      await rounds.run();
    } catch (cause) {
      throw new Error(`seed ${seed}: ${(cause as Error).message}\n${rounds.node.logLines.join("")}`, {
        cause,
      });
    }
    for (const point of rounds.points.keys()) points.add(point);
  }
  assert.deepEqual(POINTS.filter((point) => !points.has(point)), [], "points that were not reached");
}

Deno.test("Recovery at level os keeps what was OK'd, whichever change of a file the process dies before", () =>
  dieEverywhere("os", [1, 2, 3]));

Deno.test("Recovery at level disk keeps what was OK'd, whichever change of a file the power goes before", () =>
  dieEverywhere("disk", [11, 12, 13]));
