/** The heap of tracked messages by time. */
import assert from "node:assert/strict";
import { DueHeap } from "../../../src/broker/tracked/due_heap.ts";
import { newTrackedMessage, type TrackedMessage } from "../../../src/broker/tracked/tracked_message.ts";
import { Segment } from "../../../src/storage/segment.ts";
import { Random } from "../../support/random.ts";

const SEGMENT = new Segment(0, null);

function tracked(seq: number, atMs: number): TrackedMessage {
  return newTrackedMessage(seq, SEGMENT, 0, 1, "deferred", atMs);
}

Deno.test("DueHeap gives the earliest first through random pushes, removals and updates", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = new Random(seed), heap = new DueHeap(), inside = new Set<TrackedMessage>();
    for (let i = 0; i < 400; i++) {
      const known = [...inside];
      switch (random.int(5)) {
        case 0:
          if (known.length > 0) {
            const one = random.pick(known);
            heap.remove(one);
            inside.delete(one);
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
          inside.add(one);
        }
      }
      assert.equal(heap.size, inside.size);
      assert.equal(heap.firstMs, Math.min(Infinity, ...[...inside].map(({ atMs }) => atMs)), `seed ${seed}`);
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
  const heap = new DueHeap(), first = tracked(1, 5), outside = tracked(2, 1);
  heap.push(first);
  heap.remove(outside);
  assert.deepEqual([heap.size, heap.firstMs], [1, 5]);
  heap.clear();
  assert.deepEqual([heap.size, heap.firstMs, heap.peek()], [0, Infinity, undefined]);
});
