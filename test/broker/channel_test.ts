/** A channel and its consumers, one matter at a time; the model test has the rest. */
import assert from "node:assert/strict";
import { MAX_SLOTS } from "../../src/broker/topic_log/chunk.ts";
import { LIMIT, testBroker } from "../support/broker_fixture.ts";
import { FakeConsumer } from "../support/fake_consumer.ts";

testBroker(
  "Channel.admit() drops the newest over the limit of an ephemeral channel, and the deferred among them",
  (f) => {
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
  },
);

testBroker("Channel.admit() counts a gap that a failed group left for nothing", (f) => {
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

testBroker("Channel.subscribe() takes as many consumers as there are slots, and again when one left", (f) => {
  const channel = f.broker.topic("orders", false).channel("archive", false);
  const consumers: FakeConsumer[] = [];
  for (let i = 0; i < MAX_SLOTS; i++) consumers.push(FakeConsumer.to(channel, f.broker));
  assert.equal(
    new Set(channel.subscriptions.map(({ slot }) => slot)).size,
    MAX_SLOTS,
    "a slot has two consumers",
  );
  assert.equal(channel.hasRoom, false);
  assert.throws(
    () => FakeConsumer.to(channel, f.broker),
    new RangeError("Cannot subscribe to orders/archive: 65533 consumers are the most"),
  );
  assert.equal(channel.subscriptions.length, MAX_SLOTS);
  const { slot } = consumers[5].subscription;
  consumers[5].disconnect();
  assert.equal(FakeConsumer.to(channel, f.broker).subscription.slot, slot);
});

testBroker(
  "Channel.unsubscribe() leaves a message of the consumer before out of the hands of the next in its slot",
  (f) => {
    const topic = f.broker.topic("orders", false), channel = topic.channel("archive", false);
    const first = f.consumer(channel, 10);
    f.publish(topic, 1);
    const [seq] = f.deliveredTo(first);
    first.disconnect();
    const second = FakeConsumer.to(channel, f.broker);
    assert.equal(second.subscription.slot, first.subscription.slot);
    assert.equal(channel.finish(second.subscription, seq), "not in flight");
    assert.equal(channel.depth, 1);
  },
);

testBroker("Channel.pump() gives a sampling consumer the share it asked for, and finishes the rest", (f) => {
  const topic = f.broker.topic("orders", false), channel = topic.channel("archive", false);
  const consumer = FakeConsumer.to(channel, f.broker, 1000, 42);
  consumer.subscription.setRdy(1000);
  let next = 0;
  f.random = () => (next++ % 100) / 100;
  f.publish(topic, 200);
  const seqs = f.deliveredTo(consumer), first = seqs[0];
  // Every hundred random numbers are 0.00 to 0.99, of which 0.42 and less are taken: one more than asked, as Go nsqd.
  assert.deepEqual(
    seqs.map((seq) => (seq - first) % 100),
    [...Array(2)].flatMap(() => [...Array(43).keys()]),
  );
  assert.deepEqual([channel.depth, channel.inFlightCount], [0, 86]);
});

testBroker("Channel and Topic tell the store themselves what must be on the disk", (f) => {
  const topic = f.broker.topic("orders", false), channel = topic.channel("archive", false);
  const ephemeral = topic.channel("tail#ephemeral", true);
  f.store.calls = [];
  channel.setPaused(true);
  channel.empty();
  topic.setPaused(true);
  topic.empty();
  ephemeral.empty();
  topic.deleteChannel("archive");
  topic.deleteChannel("tail#ephemeral");
  topic.delete();
  assert.deepEqual(f.store.calls, [
    "pause",
    "channel archive emptied",
    "pause",
    "topic orders emptied",
    "channel archive deleted",
    "topic orders deleted",
  ]);
  assert.equal(f.broker.topics.size, 0);
});
