/** The heap of tracked messages by time, and the queue of those that wait. */
import assert from "node:assert/strict";
import { DueHeap, newTrackedMessage, type TrackedMessage } from "../../src/broker/tracked_message.ts";
import { RedeliveryQueue } from "../../src/broker/redelivery.ts";
import { Segment } from "../../src/storage/segment.ts";
import { Random } from "../support/random.ts";

const SEGMENT = new Segment(0, null);

function tracked(seq: number, atMs: number): TrackedMessage {
  return newTrackedMessage(seq, SEGMENT, 0, 1, "deferred", atMs);
}

Deno.test("DueHeap gives the earliest first through random pushes, removals and updates", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = new Random(seed), heap = new DueHeap(), held = new Set<TrackedMessage>();
    for (let i = 0; i < 400; i++) {
      const known = [...held];
      switch (random.int(5)) {
        case 0:
          if (known.length > 0) {
            const one = random.pick(known);
            heap.remove(one);
            held.delete(one);
            assert.equal(one.heapIndex, -1);
          }
          break;
        case 1:
          if (known.length > 0) {
            const one = random.pick(known);
            one.atMs = random.int(100);
            heap.update(one);
          }
          break;
        default: {
          const one = tracked(i, random.int(100));
          heap.push(one);
          held.add(one);
        }
      }
      assert.equal(heap.size, held.size);
      assert.equal(heap.firstMs, Math.min(Infinity, ...[...held].map(({ atMs }) => atMs)), `seed ${seed}`);
    }
    let lastMs = -1;
    for (let first = heap.peek(); first !== undefined; first = heap.peek()) {
      assert.ok(first.atMs >= lastMs, `seed ${seed}`);
      lastMs = first.atMs;
      heap.remove(first);
    }
    assert.equal(heap.firstMs, Infinity);
  }
});

Deno.test("DueHeap.remove() of what is not in it changes nothing", () => {
  const heap = new DueHeap(), inside = tracked(1, 5), outside = tracked(2, 1);
  heap.push(inside);
  heap.remove(outside);
  assert.deepEqual([heap.size, heap.firstMs], [1, 5]);
  heap.clear();
  assert.deepEqual([heap.size, heap.firstMs, inside.heapIndex], [0, Infinity, -1]);
});

Deno.test("RedeliveryQueue is first in first out, also past thousands and with some taken out", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed), queue = new RedeliveryQueue(), expected: TrackedMessage[] = [];
    for (let i = 0; i < 6000; i++) {
      const growing = i < 3000 ? 0.7 : 0.3;
      if (random.chance(growing)) {
        const one = tracked(i, 0);
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
