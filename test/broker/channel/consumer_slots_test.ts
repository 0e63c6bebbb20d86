/** Slots of consumers: each has one owner, and freed ones are used again. */
import assert from "node:assert/strict";
import { ConsumerSlots } from "../../../src/broker/channel/consumer_slots.ts";
import { FIRST_SLOT, MAX_SLOTS } from "../../../src/broker/topic_log/chunk.ts";

Deno.test("ConsumerSlots.take() gives each slot once, all 16 bits, and a freed one again", () => {
  const slots = new ConsumerSlots(), taken = new Set<number>();
  while (slots.hasFree) taken.add(slots.take());
  assert.equal(taken.size, MAX_SLOTS);
  assert.equal(Math.min(...[...taken].slice(0, 1)), FIRST_SLOT);
  assert.ok(taken.has(65_535) && !taken.has(65_536));
  slots.giveBack(300);
  slots.giveBack(7);
  assert.deepEqual([slots.take(), slots.take(), slots.hasFree].sort(), [7, 300, false].sort());
});
