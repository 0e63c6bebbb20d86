/**
 * Tracked messages: the messages of a channel that left the plain path (waiting in the log, delivered once,
 * finished) because they were deferred, requeued, timed out or touched.
 *
 * Each is one object, so the ordinary message pays nothing for it.
 *
 * Tested in test/broker/channel/due_heap_test.ts.
 */
import type { Segment } from "../../storage/segment.ts";
import type { Subscription } from "../consumer/subscription.ts";

/** `requeued` waits to be delivered again, `deferred` waits for its time, `in flight` is with a consumer. */
export type TrackedState = "requeued" | "deferred" | "in flight";

export interface TrackedMessage {
  readonly seq: number;
  /** Where the record is: compaction may move it to another segment. */
  segment: Segment;
  index: number;
  /** Deliveries so far, modulo 65536. */
  attempts: number;
  state: TrackedState;
  /** Monotonic ms at which it is due (deferred) or times out (in flight). */
  atMs: number;
  /** Monotonic ms of the current delivery: TOUCH may extend it only so far. */
  deliveredAtMs: number;
  /** The consumer that has it, while in flight. */
  owner: Subscription | null;
  /** Position in the heap, -1 when not in it. */
  heapIndex: number;
  /** True when the log on disk does not know its attempts and time yet. */
  unsaved: boolean;
  /** True when some log record names it, so that its end must be recorded too. */
  saved: boolean;
}

/** Makes a tracked message that no consumer has and the log on disk does not know. */
export function newTrackedMessage(
  seq: number,
  segment: Segment,
  index: number,
  attempts: number,
  state: TrackedMessage["state"],
  atMs: number,
): TrackedMessage {
  return {
    seq,
    segment,
    index,
    attempts,
    state,
    atMs,
    deliveredAtMs: 0,
    owner: null,
    heapIndex: -1,
    unsaved: false,
    saved: false,
  };
}
