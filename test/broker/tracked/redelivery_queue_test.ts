/** The queue of the messages that wait to be delivered again. */
import assert from "node:assert/strict";
import { RedeliveryQueue } from "../../../src/broker/tracked/redelivery_queue.ts";
import { newTrackedMessage, type TrackedMessage } from "../../../src/broker/tracked/tracked_message.ts";
import { Segment } from "../../../src/storage/segment.ts";
import { Random } from "../../support/random.ts";

const SEGMENT = new Segment(0, null);

Deno.test("RedeliveryQueue is first in first out, also past thousands and with some taken out", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed), queue = new RedeliveryQueue(), expected: TrackedMessage[] = [];
    for (let i = 0; i < 6000; i++) {
      const growing = i < 3000 ? 0.7 : 0.3;
      if (random.chance(growing)) {
        const one = newTrackedMessage(i, SEGMENT, 0, 1, "requeued", 0);
        queue.push(one);
        expected.push(one);
      } else if (expected.length > 0 && random.chance(0.05)) {
        const [one] = expected.splice(random.int(expected.length), 1);
        queue.removeAll(new Set([one]));
      } else if (expected.length > 0) {
        queue.shift();
        expected.shift();
      }
      assert.equal(queue.size, expected.length, `seed ${seed}, step ${i}`);
      assert.equal(queue.peek(), expected[0], `seed ${seed}, step ${i}`);
    }
  }
});
