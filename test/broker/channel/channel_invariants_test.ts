/** A broken invariant of a channel is found and named, whichever it is. */
import assert from "node:assert/strict";
import type { Channel } from "../../../src/broker/channel.ts";
import { FINISHED, TRACKED, WAITING } from "../../../src/broker/topic_log/chunk.ts";
import { testBroker } from "../../support/broker_fixture.ts";

const BREAKS: [string, (channel: Channel) => void, RegExp][] = [
  ["a waiting message too many", (channel) => channel.waitingCount++, /waiting: 5 by the count, 4 are there/],
  [
    "a message in flight forgotten",
    (channel) => channel.inFlightCount--,
    /in flight: 3 by the count, 4 are there/,
  ],
  [
    "a consumer's count",
    (channel) => channel.subscriptions[0].inFlight = 9,
    /in flight of consumer 3: 9 by the/,
  ],
  [
    "a deferred message too many",
    (channel) => channel.deferredCount++,
    /deferred: 2 by the count, 1 are there/,
  ],
  ["a message out of its queue", (channel) => channel.redelivery.shift(), /requeued: 0 by the count, 1 are/],
  [
    "a message out of the heap",
    (channel) => channel.due.remove(channel.due.peek()!),
    /the heap says otherwise/,
  ],
  ["a tracked message gone", (channel) => channel.tracked.clear(), /is marked as tracked, and is not/],
  ["in two states", (channel) => {
    const [chunk] = channel.position.chunks;
    chunk.entries[chunk.entries.indexOf(TRACKED)] = channel.subscriptions[0].slot;
  }, /in flight of consumer 3: 4 by the count, 5 are there/],
  [
    "in no state",
    (channel) => channel.position.chunks[0].entries[channel.position.index] = FINISHED,
    /1 are finished in segment \d+, it counts 0/,
  ],
  ["in flight with nobody", (channel) => {
    const { entries } = channel.position.chunks[0];
    entries[entries.indexOf(channel.subscriptions[0].slot)] = 77;
  }, /is in flight with nobody/],
  ["waiting again behind the cursor", (channel) => {
    const { entries } = channel.position.chunks[0];
    entries[entries.indexOf(channel.subscriptions[0].slot)] = WAITING;
  }, /in flight of consumer 3: 4 by the count, 3 are there/],
];

for (const [what, breakIt, expected] of BREAKS) {
  testBroker(`Channel.invariants() names what is broken: ${what}`, (f) => {
    const topic = f.broker.topic("orders", false), channel = topic.channel("archive", false);
    const consumer = f.consumer(channel, 6);
    f.publish(topic, 10);
    const [requeued, deferred, touched] = f.deliveredTo(consumer);
    channel.setPaused(true);
    channel.requeue(consumer.subscription, requeued, 0, f.broker.nowMs);
    channel.requeue(consumer.subscription, deferred, 500, f.broker.nowMs);
    channel.touch(consumer.subscription, touched, 500, 5000, f.broker.nowMs);
    topic.invariants();
    breakIt(channel);
    assert.throws(() => topic.invariants(), (cause: Error) => {
      assert.match(
        cause.message,
        /^TOPIC\(orders\): CHANNEL\(archive\): An invariant of the channel is broken: /,
      );
      assert.match(cause.message, expected);
      return true;
    });
  });
}
