/** The map of tracked messages, against a plain one. */
import assert from "node:assert/strict";
import { TrackedMap } from "../../../src/broker/tracked/tracked_map.ts";
import { newTrackedMessage, type TrackedMessage } from "../../../src/broker/tracked/tracked_message.ts";
import { Segment } from "../../../src/storage/segment.ts";
import { Random } from "../../support/random.ts";

const SEGMENT = new Segment(0, null);
/** As they are in a topic made today: far above what fits 32 bits. */
const FIRST_SEQ = Date.UTC(2030, 0, 1) * 1000;

Deno.test("TrackedMap has what was added and not taken out, near and far", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed), map = new TrackedMap(), expected = new Map<number, TrackedMessage>();
    for (let i = 0; i < 3000; i++) {
      const seq = FIRST_SEQ + (random.chance(0.5) ? random.int(40) : random.int(100) * 8191);
      assert.equal(map.get(seq), expected.get(seq), `seed ${seed}`);
      assert.equal(map.has(seq), expected.has(seq), `seed ${seed}`);
      if (expected.has(seq)) {
        map.delete(seq);
        expected.delete(seq);
      } else {
        const message = newTrackedMessage(seq, SEGMENT, 0, 1, "deferred", 0);
        map.add(message);
        expected.set(seq, message);
      }
      assert.equal(map.size, expected.size, `seed ${seed}`);
    }
    const seqs = (messages: Iterable<TrackedMessage>) => [...messages].map(({ seq }) => seq).sort();
    assert.deepEqual(seqs(map.values()), seqs(expected.values()), `seed ${seed}`);
    map.clear();
    assert.deepEqual([map.size, [...map.values()]], [0, []]);
  }
});
