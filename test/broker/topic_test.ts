/** A topic and its channels, one matter at a time; the model test has the rest. */
import assert from "node:assert/strict";
import { Broker } from "../../src/broker/broker.ts";
import type { Channel } from "../../src/broker/channel.ts";
import type { Topic } from "../../src/broker/topic.ts";
import { BufferPool, newBuffer } from "../../src/buffers/buffer_pool.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { FakeConsumer } from "../support/fake_consumer.ts";
import { MemoryStore } from "../support/memory_store.ts";
import { NEVER_MS } from "../support/persistent_broker.ts";

const LIMIT = 10;

class Fixture {
  readonly clock = new FakeClock();
  readonly store = new MemoryStore();
  readonly pool = new BufferPool(0);
  readonly broker = new Broker(
    { nodeId: 5, durability: "os", memQueueSize: LIMIT, queueScanInterval: NEVER_MS },
    this.clock,
    this.store,
    this.pool,
  );

  /** Publishes and ends the turn. */
  publish(topic: Topic, count: number, bodyBytes = 8, delayMs = 0): void {
    this.stage(topic, count, bodyBytes, delayMs);
    this.broker.endTurn();
  }

  stage(topic: Topic, count: number, bodyBytes = 8, delayMs = 0): void {
    this.broker.beginTurn();
    if (delayMs > 0) {
      for (let i = 0; i < count; i++) topic.publish(newBuffer(bodyBytes), 0, bodyBytes, delayMs);
      return;
    }
    const source = newBuffer(count * (4 + bodyBytes));
    for (let i = 0; i < count; i++) source.view.setInt32(i * (4 + bodyBytes), bodyBytes);
    topic.publishSized(source, 0, count);
  }

  failTurn(): void {
    this.store.writeError = new Error("No space left on device");
    this.broker.endTurn();
  }

  consumer(channel: Channel, rdy: number): FakeConsumer {
    const consumer = FakeConsumer.to(channel, this.broker, 1000);
    consumer.subscription.setRdy(rdy);
    return consumer;
  }

  /** Ends turns until nothing more follows; returns what `consumer` was sent. */
  deliveredTo(consumer: FakeConsumer): number[] {
    for (let i = 0; i < 20; i++) this.broker.endTurn();
    return consumer.takeDeliveries().map(({ seq }) => seq);
  }
}

/** Runs `body`, stops the timers, and lets the ends of turns that were asked for pass. */
function test(name: string, body: (fixture: Fixture) => void | Promise<void>): void {
  Deno.test(name, async () => {
    const fixture = new Fixture();
    await body(fixture);
    fixture.broker.stop();
    await new Promise((resolve) => setTimeout(resolve, 0));
  });
}

// ---- ephemeral limits -------------------------------------------------------------------------------

test("Topic.publishSized() fills an ephemeral topic without a channel up to its limit, not past it", (f) => {
  const topic = f.broker.topic("live#ephemeral", true);
  f.publish(topic, 7);
  f.publish(topic, 7);
  assert.equal(topic.pendingCount, LIMIT);
  assert.equal(topic.messageCount, 14, "dropped messages are counted");
  f.publish(topic, 1);
  assert.equal(topic.pendingCount, LIMIT);
});

test("Channel.admit() drops the newest over the limit of an ephemeral channel, and the deferred among them", (f) => {
  const topic = f.broker.topic("orders", false), channel = topic.channel("tail#ephemeral", true);
  f.stage(topic, 30, 200);
  f.stage(topic, 5, 8, 100);
  // A whole segment and more is over the limit, the deferred messages in it.
  f.stage(topic, 100, 200);
  f.broker.endTurn();
  assert.deepEqual([channel.depth, channel.deferredCount, channel.messageCount], [LIMIT, 0, 135]);
  const consumer = f.consumer(channel, 2500);
  const seqs = f.deliveredTo(consumer);
  assert.equal(seqs.length, LIMIT);
  assert.equal(seqs[LIMIT - 1] - seqs[0], LIMIT - 1, "not the oldest are kept");
});

test("Channel.admit() counts a gap that a failed group left for nothing", (f) => {
  const topic = f.broker.topic("orders", false), channel = topic.channel("tail#ephemeral", true);
  topic.setPaused(true);
  f.publish(topic, 14);
  f.stage(topic, 8);
  f.failTurn();
  topic.setPaused(false);
  assert.equal(channel.depth, LIMIT);
  const seqs = f.deliveredTo(f.consumer(channel, 2500));
  assert.equal(seqs.length, LIMIT);
});

// ---- groups that fail -------------------------------------------------------------------------------

test("Topic.rollBack() gives no sequence number out again", (f) => {
  const topic = f.broker.topic("orders", false), consumer = f.consumer(topic.channel("archive", false), 2500);
  f.publish(topic, 3);
  f.stage(topic, 5);
  const failedEnd = topic.endSeq;
  f.failTurn();
  assert.equal(topic.messageCount, 3);
  f.publish(topic, 2);
  const seqs = f.deliveredTo(consumer);
  assert.equal(seqs.length, 5);
  assert.ok(seqs[3] >= failedEnd, `${seqs[3]} was given out before, up to ${failedEnd}`);
});

test("Topic.rollBack() leaves nothing behind, with several channels and an unreleased backlog", (f) => {
  const topic = f.broker.topic("orders", false);
  const channels = ["a", "b", "c"].map((name) => topic.channel(name, false));
  topic.setPaused(true);
  f.publish(topic, 3);
  for (let i = 0; i < 3; i++) {
    f.stage(topic, 40, 200);
    f.failTurn();
  }
  f.publish(topic, 2);
  topic.setPaused(false);
  for (const channel of channels) {
    const consumer = f.consumer(channel, 2500);
    const seqs = f.deliveredTo(consumer);
    assert.equal(seqs.length, 5, channel.name);
    for (const seq of seqs) channel.finish(consumer.subscription, seq);
  }
  topic.trim();
  assert.equal(f.pool.lentBytes, 0);
});

test("A group that fails takes nothing from an ephemeral topic, whose publishers have their OK", (f) => {
  const durable = f.broker.topic("orders", false), ephemeral = f.broker.topic("live#ephemeral", true);
  f.stage(durable, 2);
  f.stage(ephemeral, 3);
  f.failTurn();
  assert.deepEqual([durable.pendingCount, ephemeral.pendingCount], [0, 3]);
});

test("Topic.empty() before a failing commit leaves what is published after it deliverable", (f) => {
  const topic = f.broker.topic("orders", false), consumer = f.consumer(topic.channel("archive", false), 2500);
  topic.setPaused(true);
  f.publish(topic, 4);
  f.stage(topic, 6);
  topic.empty();
  f.failTurn();
  assert.equal(topic.pendingCount, 0);
  f.publish(topic, 2);
  topic.setPaused(false);
  assert.equal(f.deliveredTo(consumer).length, 2);
});

test("Topic.empty() drops what no channel was given, and nothing of an undecided group", (f) => {
  const topic = f.broker.topic("orders", false);
  f.publish(topic, 4);
  f.stage(topic, 1, 8, 500);
  f.stage(topic, 2);
  topic.empty();
  f.broker.endTurn();
  assert.equal(topic.pendingCount, 3);
  const channel = topic.channel("archive", false);
  assert.deepEqual([channel.depth, channel.deferredCount], [2, 1]);
});

// ---- release ----------------------------------------------------------------------------------------

test("The first channel of a topic gets its whole backlog, a later one what comes after", (f) => {
  const topic = f.broker.topic("orders", false);
  f.publish(topic, 100, 100);
  const first = topic.channel("first", false), second = topic.channel("second", false);
  assert.deepEqual([first.depth, second.depth, topic.pendingCount], [100, 0, 0]);
  f.publish(topic, 2);
  assert.deepEqual([first.depth, second.depth], [102, 2]);
});

test("Ids do not repeat when a topic is deleted and created again in the same millisecond", (f) => {
  const topic = f.broker.topic("orders", false);
  f.publish(topic, 5000);
  const { endSeq } = topic;
  f.broker.deleteTopic("orders");
  assert.ok(f.broker.topic("orders", false).endSeq > endSeq);
});

// ---- sharing out ------------------------------------------------------------------------------------

test("Channel.pump() shares messages out evenly among the ready consumers", (f) => {
  const topic = f.broker.topic("orders", false), channel = topic.channel("archive", false);
  const consumers = [1, 2, 3, 4].map(() => f.consumer(channel, 2500));
  f.publish(topic, 400);
  assert.deepEqual(consumers.map((consumer) => consumer.subscription.inFlight), [100, 100, 100, 100]);
});

test("Channel.pump() gives single messages to the least loaded consumer", (f) => {
  const topic = f.broker.topic("orders", false), channel = topic.channel("archive", false);
  const consumers = [1, 2, 3].map(() => f.consumer(channel, 2500));
  for (let i = 0; i < 30; i++) {
    f.publish(topic, 1);
    f.broker.endTurn();
  }
  assert.deepEqual(consumers.map((consumer) => consumer.subscription.inFlight), [10, 10, 10]);
});

test("Requeued and fresh messages do not starve each other, also with RDY 1", (f) => {
  const topic = f.broker.topic("orders", false), channel = topic.channel("archive", false);
  const consumer = f.consumer(channel, 1);
  f.publish(topic, 50);
  const first = f.deliveredTo(consumer)[0];
  let firstAgain = 0, fresh = 0, seq = first;
  for (let i = 0; i < 20; i++) {
    // The first comes back each time, all others are finished.
    if (seq === first) channel.requeue(consumer.subscription, seq, 0, f.broker.nowMs);
    else channel.finish(consumer.subscription, seq);
    seq = f.deliveredTo(consumer)[0];
    if (seq === first) firstAgain++;
    else fresh++;
  }
  assert.ok(firstAgain >= 9 && fresh >= 9, `requeued ${firstAgain}, fresh ${fresh}`);
});

test("A sampled consumer is sent its share, and the rest is finished for the channel", (f) => {
  const topic = f.broker.topic("orders", false), channel = topic.channel("archive", false);
  const consumer = FakeConsumer.to(channel, f.broker, 1000, 30);
  consumer.subscription.setRdy(2500);
  f.publish(topic, 5000, 20);
  const seqs = f.deliveredTo(consumer);
  assert.ok(seqs.length > 1200 && seqs.length < 1900, `${seqs.length} of 5000 were sent`);
  assert.deepEqual([channel.depth, channel.inFlightCount], [0, seqs.length]);
  for (const seq of seqs) assert.equal(channel.finish(consumer.subscription, seq), "ok");
  topic.trim();
  assert.equal(f.pool.lentBytes, 0);
});

test("Topic.trim() is to be tried again until all of the last segment is finished, then lets it go", (f) => {
  const topic = f.broker.topic("orders", false), channel = topic.channel("archive", false);
  assert.equal(topic.trim(), true, "there is nothing");
  topic.setPaused(true);
  f.publish(topic, 2);
  assert.equal(topic.trim(), false, "nothing is released");
  topic.setPaused(false);
  const consumer = f.consumer(channel, 2500), [first, second] = f.deliveredTo(consumer);
  channel.finish(consumer.subscription, second);
  assert.equal(topic.trim(), false, "one is in flight");
  channel.finish(consumer.subscription, first);
  assert.equal(topic.trim(), true);
  assert.deepEqual([topic.first, f.pool.lentBytes], [null, 0]);
});
