/** The log of a topic: its positions, and that a broken invariant is found and named. */
import assert from "node:assert/strict";
import type { TopicLog } from "../../../src/broker/topic_log/topic_log.ts";
import { testBroker } from "../../support/broker_fixture.ts";

const BREAKS: [string, (log: TopicLog) => void, RegExp][] = [
  ["released before it is committed", (log) => log.releasedSeq++, /released to \d+, committed only to/],
  ["committed before it is there", (log) => log.committedSeq += 5, /committed to \d+, beyond the end/],
  ["a pending record too many", (log) => log.pendingCount++, /1 pending, 0 are there/],
  ["a claim too many", (log) => log.claim(log.first!), /counts \d claims, there are \d/],
  ["a link cut", (log) => log.first!.next!.prev = null, /is linked wrongly/],
  ["an open segment before the last", (log) => log.first!.sealed = false, /counts 2 claims, there are 3/],
  ["given up and there", (log) => log.last!.isUnclaimed = true, /is in the log and given up/],
  ["an end that is not the last", (log) => log.last = log.first, /does not end with the last one/],
];

for (const [what, breakIt, expected] of BREAKS) {
  testBroker(`TopicLog.invariants() names what is broken: ${what}`, (f) => {
    const topic = f.broker.topic("orders", false);
    topic.channel("archive", false);
    topic.channel("audit", false);
    f.publish(topic, 50, 100);
    assert.notEqual(topic.log.first, topic.log.last, "the log has several segments");
    topic.invariants();
    breakIt(topic.log);
    assert.throws(() => topic.invariants(), (cause: Error) => {
      assert.match(cause.message, /^TOPIC\(orders\): An invariant of the topic log is broken: /);
      assert.match(cause.message, expected);
      return true;
    });
  });
}

testBroker(
  "TopicLog.newestFrom() and countBetween() count records, not the gap that a failed group left",
  (f) => {
    const topic = f.broker.topic("orders", false), { log } = topic, firstSeq = log.endSeq;
    f.publish(topic, 3);
    f.stage(topic, 5);
    f.failTurn();
    f.publish(topic, 4);
    assert.equal(log.endSeq, firstSeq + 12);
    assert.equal(log.countBetween(firstSeq, log.endSeq), 7);
    assert.equal(log.newestFrom(6, log.endSeq), firstSeq + 1);
    assert.deepEqual(
      log.placeOf(firstSeq + 5).segment?.firstSeq,
      firstSeq + 8,
      "in the gap: the next that is there",
    );
    assert.equal(log.segmentOf(firstSeq + 2), log.first);
  },
);
