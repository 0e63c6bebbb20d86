/** Groups: when they are written, synced, answered, and what a failure takes with it. */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { Broker } from "../../src/broker/broker.ts";
import type { Durability } from "../../src/broker/store.ts";
import { BufferPool, newBuffer } from "../../src/buffers/buffer_pool.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { MemoryStore } from "../support/memory_store.ts";
import { NEVER_MS } from "../support/persistent_broker.ts";

class Fixture {
  readonly store = new MemoryStore();
  readonly clock = new FakeClock();
  readonly broker: Broker;
  readonly events: string[] = [];
  /** Decides the sync that runs. */
  #decide: { resolve: () => void; reject: (cause: Error) => void } | null = null;

  constructor(durability: Durability) {
    const options = { nodeId: 5, durability, memQueueSize: 100, queueScanInterval: NEVER_MS };
    this.broker = new Broker(options, this.clock, this.store, new BufferPool(0));
    this.store.syncResult = () => {
      this.events.push("sync");
      return new Promise((resolve, reject) => this.#decide = { resolve, reject });
    };
  }

  /** Publishes one message and asks to be told as `name`. */
  publish(topicName: string, name: string): void {
    const topic = this.broker.topic(topicName, topicName.endsWith("#ephemeral"));
    topic.publish(newBuffer(8), 0, 8);
    this.broker.committer.listen({
      groupCommitted: (group) => this.events.push(`${name} in ${group}`),
      groupFailed: (group, cause) => this.events.push(`${name} failed in ${group}: ${cause.message}`),
    });
  }

  pending(topicName: string): number {
    return this.broker.topics.get(topicName)!.pendingCount;
  }

  async synced(cause?: Error): Promise<void> {
    const decide = this.#decide!;
    this.#decide = null;
    if (cause === undefined) decide.resolve();
    else decide.reject(cause);
    await settled();
  }
}

/** Resolves after the turns that promises settled now bring about: a turn ends in an immediate. */
async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

Deno.test("Committer answers the publishers of a turn together, after one write for all topics", async () => {
  const f = new Fixture("os");
  f.publish("orders", "a");
  f.publish("events", "b");
  f.publish("orders", "c");
  assert.deepEqual(f.events, []);
  f.broker.endTurn();
  assert.deepEqual(f.events, ["a in 1", "b in 1", "c in 1"]);
  assert.deepEqual(f.store.written, [["orders", "events"]]);
  assert.equal(f.broker.committer.group, 2);
  f.broker.stop();
  await settled();
});

Deno.test("Committer at level disk gathers the next group while a sync runs, and answers in order", async () => {
  const f = new Fixture("disk");
  f.publish("orders", "a");
  f.broker.endTurn();
  f.publish("orders", "b");
  f.broker.endTurn();
  f.publish("orders", "c");
  f.broker.endTurn();
  assert.deepEqual([f.events, f.pending("orders"), f.broker.committer.isIdle], [["sync"], 0, false]);
  await f.synced();
  // The end of the first sync has a turn run, which writes and syncs all that gathered.
  assert.deepEqual([f.events, f.pending("orders")], [["sync", "a in 1", "sync"], 1]);
  await f.synced();
  assert.deepEqual(f.events, ["sync", "a in 1", "sync", "b in 2", "c in 2"]);
  assert.deepEqual([f.pending("orders"), f.broker.committer.isIdle], [3, true]);
  f.broker.stop();
});

Deno.test("A sync that fails takes the group that gathered meanwhile with it, and later groups are well", async () => {
  const f = new Fixture("disk");
  f.publish("orders", "a");
  f.broker.endTurn();
  f.publish("orders", "b");
  f.publish("live#ephemeral", "c");
  await f.synced(new Error("I/O error"));
  assert.deepEqual(f.events.slice(1), [
    "a failed in 1: I/O error",
    "b failed in 2: I/O error",
    "c failed in 2: I/O error",
  ]);
  assert.deepEqual([f.pending("orders"), f.pending("live#ephemeral")], [0, 1]);
  f.events.length = 0;
  f.publish("orders", "d");
  f.broker.endTurn();
  await f.synced();
  assert.deepEqual([f.events, f.pending("orders")], [["sync", "d in 3"], 1]);
  f.broker.stop();
});

Deno.test("A write that fails is told to the publishers of its turn only", async () => {
  const f = new Fixture("os");
  f.publish("orders", "a");
  f.broker.endTurn();
  f.store.writeError = new Error("No space left on device");
  f.publish("orders", "b");
  f.broker.endTurn();
  f.publish("orders", "c");
  f.broker.endTurn();
  assert.deepEqual(f.events, ["a in 1", "b failed in 2: No space left on device", "c in 3"]);
  assert.equal(f.pending("orders"), 2);
  f.broker.stop();
  await settled();
});

Deno.test("Committer.wait() resolves with its group and rejects when that fails", async () => {
  const f = new Fixture("os");
  f.publish("orders", "a");
  const well = f.broker.committer.wait();
  f.broker.endTurn();
  await well;
  f.store.writeError = new Error("No space left on device");
  f.publish("orders", "b");
  const ill = f.broker.committer.wait();
  f.broker.endTurn();
  await assert.rejects(ill, /No space left/);
  f.broker.stop();
});

Deno.test("Committer.commitSeconds has one value for each group with messages that became safe", async () => {
  const f = new Fixture("disk"), { committer } = f.broker;
  const counted = () => committer.commitSeconds.counts.reduce((sum, count) => sum + count, 0);
  f.publish("orders", "a");
  f.publish("events", "b");
  f.broker.endTurn();
  assert.equal(counted(), 0, "the sync runs");
  f.clock.advance(5);
  await f.synced();
  assert.equal(counted(), 1);
  assert.equal(committer.commitSeconds.sum, 0.005);
  f.broker.endTurn();
  assert.equal(counted(), 1, "nothing was published");
  f.store.writeError = new Error("disk full");
  f.publish("orders", "c");
  f.broker.endTurn();
  assert.deepEqual([counted(), committer.failedGroups], [1, 1]);
});
