/** A topic and its log, one matter at a time; the model test has the rest. */
import assert from "node:assert/strict";
import { LIMIT, testBroker } from "../support/broker_fixture.ts";
import { FakeConsumer } from "../support/fake_consumer.ts";
import { Random } from "../support/random.ts";

// ---- ephemeral limits -------------------------------------------------------------------------------

testBroker(
  "Topic.publishSized() fills an ephemeral topic without a channel up to its limit, not past it",
  (f) => {
    const topic = f.broker.topic("live#ephemeral", true);
    f.publish(topic, 7);
    f.publish(topic, 7);
    assert.equal(topic.pendingCount, LIMIT);
    assert.equal(topic.messageCount, 14, "dropped messages are counted");
    f.publish(topic, 1);
    assert.equal(topic.pendingCount, LIMIT);
  },
);

// ---- groups that fail -------------------------------------------------------------------------------

testBroker("Topic.rollBack() gives no sequence number out again", (f) => {
  const topic = f.broker.topic("orders", false), consumer = f.consumer(topic.channel("archive", false), 2500);
  f.publish(topic, 3);
  f.stage(topic, 5);
  const failedEnd = topic.log.endSeq;
  f.failTurn();
  assert.equal(topic.messageCount, 3);
  f.publish(topic, 2);
  const seqs = f.deliveredTo(consumer);
  assert.equal(seqs.length, 5);
  assert.ok(seqs[3] >= failedEnd, `${seqs[3]} was given out before, up to ${failedEnd}`);
});

testBroker("Topic.rollBack() leaves nothing behind, with several channels and an unreleased backlog", (f) => {
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
  topic.log.trim();
  assert.equal(f.pool.lentBytes, 0);
});

testBroker(
  "A group that fails takes nothing from an ephemeral topic, whose publishers have their OK",
  (f) => {
    const durable = f.broker.topic("orders", false), ephemeral = f.broker.topic("live#ephemeral", true);
    f.stage(durable, 2);
    f.stage(ephemeral, 3);
    f.failTurn();
    assert.deepEqual([durable.pendingCount, ephemeral.pendingCount], [0, 3]);
  },
);

testBroker("Topic.empty() before a failing commit leaves what is published after it deliverable", (f) => {
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

testBroker("Topic.empty() drops what no channel was given, and nothing of an undecided group", (f) => {
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

testBroker("The first channel of a topic gets its whole backlog, a later one what comes after", (f) => {
  const topic = f.broker.topic("orders", false);
  f.publish(topic, 100, 100);
  const first = topic.channel("first", false), second = topic.channel("second", false);
  assert.deepEqual([first.depth, second.depth, topic.pendingCount], [100, 0, 0]);
  f.publish(topic, 2);
  assert.deepEqual([first.depth, second.depth], [102, 2]);
});

testBroker("Ids do not repeat when a topic is deleted and created again in the same millisecond", (f) => {
  const topic = f.broker.topic("orders", false);
  f.publish(topic, 5000);
  const { endSeq } = topic.log;
  f.broker.deleteTopic("orders");
  assert.ok(f.broker.topic("orders", false).log.endSeq > endSeq);
});

// ---- sharing out ------------------------------------------------------------------------------------

testBroker("Channel.pump() shares messages out evenly among the ready consumers", (f) => {
  const topic = f.broker.topic("orders", false), channel = topic.channel("archive", false);
  const consumers = [1, 2, 3, 4].map(() => f.consumer(channel, 2500));
  f.publish(topic, 400);
  assert.deepEqual(consumers.map((consumer) => consumer.subscription.inFlight), [100, 100, 100, 100]);
});

testBroker("Channel.pump() gives single messages to the least loaded consumer", (f) => {
  const topic = f.broker.topic("orders", false), channel = topic.channel("archive", false);
  const consumers = [1, 2, 3].map(() => f.consumer(channel, 2500));
  for (let i = 0; i < 30; i++) {
    f.publish(topic, 1);
    f.broker.endTurn();
  }
  assert.deepEqual(consumers.map((consumer) => consumer.subscription.inFlight), [10, 10, 10]);
});

testBroker("Requeued and fresh messages do not starve each other, also with RDY 1", (f) => {
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

testBroker("A sampled consumer is sent its share, and the rest is finished for the channel", (f) => {
  const topic = f.broker.topic("orders", false), channel = topic.channel("archive", false);
  const consumer = FakeConsumer.to(channel, f.broker, 1000, 30);
  consumer.subscription.setRdy(2500);
  const random = new Random(1);
  f.random = () => random.int(1000) / 1000;
  f.publish(topic, 5000, 20);
  const seqs = f.deliveredTo(consumer);
  assert.ok(seqs.length > 1200 && seqs.length < 1900, `${seqs.length} of 5000 were sent`);
  assert.deepEqual([channel.depth, channel.inFlightCount], [0, seqs.length]);
  for (const seq of seqs) assert.equal(channel.finish(consumer.subscription, seq), "ok");
  topic.log.trim();
  assert.equal(f.pool.lentBytes, 0);
});

testBroker(
  "Topic.trim() is to be tried again until all of the last segment is finished, then lets it go",
  (f) => {
    const topic = f.broker.topic("orders", false), channel = topic.channel("archive", false);
    assert.equal(topic.log.trim(), true, "there is nothing");
    topic.setPaused(true);
    f.publish(topic, 2);
    assert.equal(topic.log.trim(), false, "nothing is released");
    topic.setPaused(false);
    const consumer = f.consumer(channel, 2500), [first, second] = f.deliveredTo(consumer);
    channel.finish(consumer.subscription, second);
    assert.equal(topic.log.trim(), false, "one is in flight");
    channel.finish(consumer.subscription, first);
    assert.equal(topic.log.trim(), true);
    assert.deepEqual([topic.log.first, f.pool.lentBytes], [null, 0]);
  },
);
