/** FIN, REQ and TOUCH: who may, and what they count. */
import assert from "node:assert/strict";
import { testBroker } from "../../support/broker_fixture.ts";
import { FakeConsumer } from "../../support/fake_consumer.ts";

testBroker(
  "FIN, REQ and TOUCH are refused to others than the one who has the message, tracked or not",
  (f) => {
    const topic = f.broker.topic("orders", false), channel = topic.channel("archive", false);
    const consumer = f.consumer(channel, 10), other = FakeConsumer.to(channel, f.broker).subscription;
    const { subscription } = consumer, { nowMs } = f.broker;
    f.publish(topic, 2);
    const [plain, touched] = f.deliveredTo(consumer);
    assert.equal(channel.touch(subscription, touched, 500, 5000, nowMs), "ok");
    for (const seq of [plain, touched]) {
      assert.equal(channel.finish(other, seq), "not owner");
      assert.equal(channel.requeue(other, seq, 0, nowMs), "not owner");
      assert.equal(channel.touch(other, seq, 500, 5000, nowMs), "not owner");
      assert.equal(channel.finish(subscription, seq), "ok");
      assert.equal(channel.finish(subscription, seq), "not in flight");
      assert.equal(channel.requeue(subscription, seq, 0, nowMs), "not in flight");
      assert.equal(channel.touch(subscription, seq, 500, 5000, nowMs), "not in flight");
    }
    for (const seq of [plain - 1, touched + 1]) {
      assert.equal(
        channel.finish(subscription, seq),
        "not in flight",
      );
    }
    assert.deepEqual([subscription.inFlight, subscription.finishCount, subscription.requeueCount], [0, 2, 0]);
  },
);

testBroker("TOUCH extends a timeout again and again, but not past the most after the delivery", (f) => {
  const topic = f.broker.topic("orders", false), channel = topic.channel("archive", false);
  const consumer = f.consumer(channel, 10), { subscription } = consumer;
  f.publish(topic, 1);
  const [seq] = f.deliveredTo(consumer);
  for (const afterMs of [900, 900, 900]) {
    f.clock.advance(afterMs);
    f.broker.beginTurn();
    f.broker.endTurn();
    channel.scan(f.broker.nowMs);
    assert.equal(channel.touch(subscription, seq, 1000, 3000, f.broker.nowMs), "ok");
  }
  f.clock.advance(299);
  channel.scan(f.clock.monotonicMs());
  assert.equal(channel.timeoutCount, 0);
  f.clock.advance(1);
  channel.scan(f.clock.monotonicMs());
  assert.deepEqual([channel.timeoutCount, channel.depth], [1, 1]);
});
