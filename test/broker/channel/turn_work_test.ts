/** No turn moves more messages than it may, however many wait for their time, their consumer or their first channel. */
import assert from "node:assert/strict";
import { Broker } from "../../../src/broker/broker.ts";
import type { Channel } from "../../../src/broker/channel.ts";
import type { Topic } from "../../../src/broker/topic.ts";
import { BufferPool, newBuffer } from "../../../src/buffers/buffer_pool.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { FakeConsumer } from "../../support/fake_consumer.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { NEVER_MS } from "../../support/persistent_broker.ts";

const WORK = 100;
const COUNT = 1050;
/** Turns that so many messages take: ten whole ones and the rest. */
const TURNS = 11;
const BODY = newBuffer(8);

class Fixture {
  readonly clock = new FakeClock();
  readonly broker = new Broker(
    { nodeId: 5, durability: "os", memQueueSize: COUNT, queueScanInterval: NEVER_MS, workPerTurn: WORK },
    this.clock,
    new MemoryStore(),
    new BufferPool(0),
    () => 0.99,
  );
  readonly topic = this.broker.topic("orders", false);

  publish(count: number, delayMs = 0, topic: Topic = this.topic): void {
    this.broker.beginTurn();
    for (let i = 0; i < count; i++) topic.publish(BODY, 0, 8, delayMs);
    this.broker.endTurn();
  }

  /** Ends turns until `count()` is `to`; checks that none changed it by more than it may. Returns how many it took. */
  turnsUntil(count: () => number, to: number, most = WORK): number {
    let turns = 0, before = count();
    for (; before !== to; turns++) {
      assert.ok(turns < 100, `it stays at ${before}`);
      this.broker.endTurn();
      const change = Math.abs(count() - before);
      assert.ok(change <= most, `a turn moved ${change} messages`);
      before = count();
      this.topic.invariants();
    }
    return turns;
  }

  async stop(): Promise<void> {
    this.broker.stop();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

function take(f: Fixture, channel: Channel, msgTimeoutMs: number): FakeConsumer {
  const consumer = FakeConsumer.to(channel, f.broker, msgTimeoutMs);
  consumer.subscription.setRdy(COUNT);
  for (let i = 0; i < 20; i++) f.broker.endTurn();
  assert.equal(consumer.subscription.inFlight, COUNT);
  return consumer;
}

Deno.test("Messages that are due together become so in as many turns as they take", async () => {
  const f = new Fixture(), channel = f.topic.channel("archive", false);
  f.topic.setPaused(true);
  f.publish(COUNT, 500);
  f.topic.setPaused(false);
  f.turnsUntil(() => channel.deferredCount, COUNT);
  f.clock.advance(600);
  f.broker.endTurn();
  channel.scan(f.clock.monotonicMs());
  assert.equal(channel.depth, WORK, "the turn of the scan has its share");
  assert.equal(f.turnsUntil(() => channel.depth, COUNT), TURNS);
  assert.equal(channel.deferredCount, 0);
  await f.stop();
});

Deno.test("Messages that time out together wait again in publish order, in as many turns as they take", async () => {
  const f = new Fixture(), channel = f.topic.channel("archive", false);
  f.publish(COUNT);
  const consumer = take(f, channel, 1000), seqs = consumer.takeDeliveries().map(({ seq }) => seq);
  consumer.subscription.setRdy(0);
  f.clock.advance(1100);
  f.broker.endTurn();
  channel.scan(f.clock.monotonicMs());
  f.turnsUntil(() => channel.depth, COUNT);
  assert.equal(channel.timeoutCount, COUNT);
  consumer.subscription.setRdy(COUNT);
  f.broker.endTurn();
  assert.deepEqual(consumer.takeDeliveries().map(({ seq }) => seq), seqs);
  await f.stop();
});

for (const isTouched of [false, true]) {
  const what = isTouched ? "touched" : "in flight since their first delivery";
  Deno.test(`A consumer that leaves gives its messages back in as many turns as they take, ${what}`, async () => {
    const f = new Fixture(), channel = f.topic.channel("archive", false);
    f.publish(COUNT);
    const consumer = take(f, channel, 60_000), { subscription } = consumer;
    if (isTouched) {
      for (const { seq } of consumer.takeDeliveries()) {
        channel.touch(subscription, seq, 60_000, 900_000, f.broker.nowMs);
      }
    }
    consumer.disconnect();
    assert.deepEqual([channel.subscriptions.length, channel.depth, channel.inFlightCount], [
      0,
      WORK,
      COUNT - WORK,
    ]);
    f.topic.invariants();
    // Its slot is not given to another one before the last message is back.
    const next = FakeConsumer.to(channel, f.broker);
    assert.notEqual(next.subscription.slot, subscription.slot);
    assert.equal(f.turnsUntil(() => channel.depth, COUNT), TURNS);
    assert.equal(channel.inFlightCount, 0);
    assert.equal(FakeConsumer.to(channel, f.broker).subscription.slot, subscription.slot);
    await f.stop();
  });
}

Deno.test("A channel can be emptied, and deleted, while a consumer that left has messages in flight", async () => {
  for (const end of ["empty", "delete"]) {
    const f = new Fixture(), channel = f.topic.channel("archive", false);
    f.publish(COUNT);
    const consumer = take(f, channel, 60_000);
    consumer.disconnect();
    if (end === "empty") channel.empty();
    else f.topic.deleteChannel("archive");
    f.topic.invariants();
    assert.deepEqual([channel.depth, channel.inFlightCount], [0, 0]);
    for (let i = 0; i < TURNS; i++) f.broker.endTurn();
    assert.deepEqual([channel.depth, channel.inFlightCount], [0, 0]);
    if (end === "empty") {
      assert.equal(FakeConsumer.to(channel, f.broker).subscription.slot, consumer.subscription.slot);
      f.publish(3);
      assert.equal(channel.depth, 3);
    }
    await f.stop();
  }
});

Deno.test("The first channel of a topic gets many deferred messages in as many turns as they take, in order", async () => {
  const f = new Fixture();
  f.publish(5);
  f.publish(COUNT, 500);
  f.publish(5);
  assert.equal(f.topic.pendingCount, COUNT + 10);
  const channel = f.topic.channel("archive", false);
  f.topic.invariants();
  const turns = f.turnsUntil(() => channel.deferredCount, COUNT);
  assert.ok(turns >= TURNS - 1, `${turns} turns`);
  assert.deepEqual([f.topic.pendingCount, channel.depth, channel.messageCount], [0, 10, COUNT + 10]);
  const consumer = FakeConsumer.to(channel, f.broker, 60_000);
  consumer.subscription.setRdy(2 * COUNT);
  f.clock.advance(600);
  channel.scan(f.clock.monotonicMs());
  for (let i = 0; i < 2 * TURNS; i++) f.broker.endTurn();
  const seqs = consumer.takeDeliveries().map(({ seq }) => seq), first = Math.min(...seqs);
  assert.deepEqual(seqs.filter((seq) => seq >= first + 5 && seq < first + 5 + COUNT).length, COUNT);
  const deferred = seqs.filter((seq) => seq >= first + 5 && seq < first + 5 + COUNT);
  assert.deepEqual(deferred, [...deferred].sort((a, b) => a - b));
  await f.stop();
});

Deno.test("Two channels and an emptying share the work of releasing deferred messages", async () => {
  const f = new Fixture(), channels = ["a", "b"].map((name) => f.topic.channel(name, false));
  f.topic.setPaused(true);
  f.publish(COUNT, 500);
  f.topic.setPaused(false);
  f.turnsUntil(() => channels[0].deferredCount + channels[1].deferredCount, 600);
  f.topic.empty();
  f.topic.invariants();
  for (let i = 0; i < TURNS; i++) f.broker.endTurn();
  assert.deepEqual(channels.map(({ deferredCount }) => deferredCount), [300, 300], "the rest was dropped");
  assert.equal(f.topic.pendingCount, 0);
  await f.stop();
});

Deno.test("A consumer that wants next to nothing of a million does not have a turn look at all of them", async () => {
  const f = new Fixture(), channel = f.topic.channel("archive", false);
  f.publish(COUNT);
  f.broker.endTurn();
  const consumer = FakeConsumer.to(channel, f.broker, 1000, 1);
  consumer.subscription.setRdy(10);
  assert.equal(f.turnsUntil(() => channel.depth, 0), TURNS);
  assert.equal(consumer.takeDeliveries().length, 0);
  await f.stop();
});
