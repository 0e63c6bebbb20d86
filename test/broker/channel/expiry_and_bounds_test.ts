import assert from "node:assert/strict";
import type { Channel } from "../../../src/broker/channel.ts";
import { waitingBytes } from "../../../src/broker/channel/expiry_and_bounds.ts";
import type { Topic } from "../../../src/broker/topic.ts";
import { parseSettings } from "../../../src/policies/settings.ts";
import { type BrokerFixture, testBroker } from "../../support/broker_fixture.ts";

function subject(
  f: BrokerFixture,
  policy: object,
  topicPolicy: object = {},
): { topic: Topic; channel: Channel } {
  const topic = f.broker.topic("orders", false), channel = topic.channel("mail", false);
  f.broker.setTopicPolicy(topic, parseSettings("topic", topicPolicy));
  f.broker.setChannelPolicy(topic, channel, parseSettings("channel", policy));
  return { topic, channel };
}

/** Publishes and lets `ms` pass. */
function publish(f: BrokerFixture, topic: Topic, count: number, ms: number, bodyBytes = 8): void {
  f.publish(topic, count, bodyBytes);
  // The turn after, which takes the time anew.
  f.broker.endTurn();
  f.clock.advance(ms);
}

testBroker("messages older than ttl are not delivered, and no younger one is dropped", (f) => {
  const { topic, channel } = subject(f, { ttl: "10s" });
  publish(f, topic, 5, 6000);
  publish(f, topic, 7, 5000);
  const seqs = f.deliveredTo(f.consumer(channel, 100));
  assert.equal(seqs.length, 7);
  assert.deepEqual([channel.expiredCount, channel.dead.size, channel.depth], [5, 0, 0]);
  topic.invariants();
});

testBroker("messages that are too old go without a consumer, and while the channel is paused", (f) => {
  const { topic, channel } = subject(f, { ttl: "10s" });
  channel.setPaused(true);
  publish(f, topic, 5, 11_000);
  assert.equal(channel.depth, 5);
  assert.equal(topic.upkeep(), true);
  assert.equal(channel.depth, 0);
  topic.invariants();
});

testBroker("with on_expire dead they become dead letters, over several segments", (f) => {
  const { topic, channel } = subject(f, { ttl: "10s", on_expire: "dead" });
  for (let i = 0; i < 20; i++) publish(f, topic, 30, 100, 200);
  f.clock.advance(9000);
  topic.upkeep();
  assert.equal(channel.dead.countOf("expired"), channel.expiredCount);
  assert.equal(channel.dead.size + channel.depth, 600);
  assert.ok(channel.dead.size > 200 && channel.depth > 200, `${channel.dead.size} expired`);
  topic.invariants();
});

testBroker(
  "requeued messages expire when they would be delivered, deferred ones age from their due time",
  (f) => {
    const { topic, channel } = subject(f, { ttl: "10s" });
    f.publish(topic, 1);
    f.publish(topic, 1, 8, 8000);
    const consumer = f.consumer(channel, 1), [requeued] = f.deliveredTo(consumer);
    f.clock.advance(9000);
    channel.scan(f.clock.monotonicMs());
    f.clock.advance(2000);
    assert.equal(channel.finish(consumer.subscription, requeued), "not in flight");
    const [deferred] = f.deliveredTo(consumer);
    assert.notEqual(deferred, requeued);
    assert.equal(channel.expiredCount, 1);
    topic.invariants();
  },
);

testBroker("a topic's ttl is that of its channels", (f) => {
  const { topic, channel } = subject(f, {}, { ttl: "1s" });
  publish(f, topic, 3, 1500);
  topic.upkeep();
  assert.deepEqual([channel.depth, channel.expiredCount], [0, 3]);
});

testBroker(
  "max_depth lets the oldest waiting messages go, never those in flight, requeued or deferred",
  (f) => {
    const { topic, channel } = subject(f, { max_depth: 10 });
    const consumer = f.consumer(channel, 3);
    f.publish(topic, 4);
    const inFlight = f.deliveredTo(consumer);
    assert.equal(inFlight.length, 3);
    f.publish(topic, 2, 8, 5000);
    for (let i = 0; i < 10; i++) f.publish(topic, 7, 100);
    assert.deepEqual([channel.inFlightCount, channel.deferredCount, channel.waitingCount], [3, 2, 5]);
    assert.equal(channel.overflowCount, 1 + 70 - 5);
    topic.invariants();
    // The newest are left.
    consumer.subscription.setRdy(100);
    const last = topic.log.endSeq - 1;
    assert.deepEqual(f.deliveredTo(consumer), [4, 3, 2, 1, 0].map((back) => last - back));
  },
);

testBroker("max_bytes counts bodies, and overflow dead makes dead letters of what is pushed out", (f) => {
  const { topic, channel } = subject(f, { max_bytes: 1000, overflow: "dead" });
  for (let i = 0; i < 30; i++) f.publish(topic, 1, 100);
  assert.equal(channel.waitingCount, 10);
  assert.equal(waitingBytes(channel), 1000);
  assert.equal(channel.dead.countOf("overflow"), 20);
  topic.invariants();
});

testBroker(
  "a policy that is set holds for what waits already, and one that is taken back lets all wait",
  (f) => {
    const { topic, channel } = subject(f, {});
    f.publish(topic, 50);
    f.broker.setChannelPolicy(topic, channel, parseSettings("channel", { max_depth: 20 }));
    assert.equal(channel.depth, 20);
    f.broker.setChannelPolicy(topic, channel, parseSettings("channel", { max_depth: null }));
    f.publish(topic, 50);
    assert.equal(channel.depth, 70);
  },
);

testBroker("reaching most of a bound is told once, and again after it was well below", (f) => {
  const { topic, channel } = subject(f, { max_depth: 100 });
  let told = 0;
  f.broker.observers.push({ boundNeared: () => told++ });
  f.publish(topic, 79);
  assert.equal(told, 0);
  for (let i = 0; i < 5; i++) f.publish(topic, 10);
  assert.equal(told, 1);
  channel.empty();
  f.publish(topic, 1);
  f.publish(topic, 90);
  assert.equal(told, 2);
});

testBroker("Topic.refusal() says what is full, and takes nothing of what does not fit whole", (f) => {
  const { topic, channel } = subject(f, {}, { max_depth: 10 });
  assert.equal(topic.isBounded, true);
  f.publish(topic, 8);
  assert.equal(topic.refusal(2, 16), null);
  assert.equal(
    topic.refusal(3, 24),
    "channel orders/mail is full: 8 messages, 3 more would pass max_depth 10",
  );
  f.stage(topic, 2);
  assert.match(topic.refusal(1, 8)!, /is full: 10 messages/, "what is not committed counts");
  f.broker.endTurn();
  const consumer = f.consumer(channel, 5);
  const seqs = f.deliveredTo(consumer);
  assert.notEqual(topic.refusal(1, 8), null, "what is in flight counts");
  for (const seq of seqs) channel.finish(consumer.subscription, seq);
  assert.equal(topic.refusal(5, 40), null);
});

testBroker("a topic without channels is bounded by what it holds, in bytes too", (f) => {
  const topic = f.broker.topic("held", false);
  f.broker.setTopicPolicy(topic, parseSettings("topic", { max_bytes: 1000 }));
  f.publish(topic, 9, 100);
  assert.equal(topic.refusal(1, 100), null);
  assert.equal(topic.refusal(1, 101), "topic held is full: 900 bytes, 101 more would pass max_bytes 1000");
});
