/** The tracked messages of one consumer: a list that any of them can leave. */
import assert from "node:assert/strict";
import {
  newTrackedMessage,
  OwnedMessages,
  type TrackedMessage,
} from "../../../src/broker/tracked/tracked_message.ts";
import { Segment } from "../../../src/storage/segment.ts";
import { Random } from "../../support/random.ts";

const SEGMENT = new Segment(0, null);

function contents(list: OwnedMessages): TrackedMessage[] {
  const found: TrackedMessage[] = [];
  for (let message = list.first; message !== null; message = message.next) found.push(message);
  return found;
}

Deno.test("OwnedMessages keeps its order through random pushes and removals", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = new Random(seed), list = new OwnedMessages();
    let expected: TrackedMessage[] = [];
    for (let i = 0; i < 300; i++) {
      if (expected.length === 0 || random.chance(0.55)) {
        const message = newTrackedMessage(i, SEGMENT, 0, 1, "in flight", 0);
        list.push(message);
        expected.push(message);
      } else {
        const gone = random.pick(expected);
        list.remove(gone);
        assert.deepEqual([gone.prev, gone.next], [null, null]);
        expected = expected.filter((message) => message !== gone);
      }
      assert.equal(list.size, expected.length, `seed ${seed}`);
      assert.deepEqual(contents(list).map(({ seq }) => seq), expected.map(({ seq }) => seq), `seed ${seed}`);
    }
    list.clear();
    assert.deepEqual([list.size, list.first], [0, null]);
  }
});
