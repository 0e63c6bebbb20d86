/**
 * Tracked messages: the messages of a channel that left the plain path (waiting in the log, delivered once,
 * finished) because they were deferred, requeued, timed out or touched; and the list of those of one consumer.
 *
 * Each is one object, so the ordinary message pays nothing for it.
 *
 * Tested in test/broker/tracked/due_heap_test.ts and test/broker/tracked/tracked_message_test.ts.
 */
import type { Segment } from "../../storage/segment.ts";

/** `requeued` waits to be delivered again, `deferred` waits for its time, `in flight` is with a consumer. */
export type TrackedState = "requeued" | "deferred" | "in flight";

/** The consumer of a message, as its messages know it. */
export interface MessageOwner {
  /** All it has in flight, tracked or not. */
  inFlight: number;
  /** The tracked ones. */
  readonly tracked: OwnedMessages;
  /** Who it is, for people. */
  readonly consumer: { describe(): string };
}

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
  owner: MessageOwner | null;
  /** Its neighbours in the owner's list. */
  prev: TrackedMessage | null;
  next: TrackedMessage | null;
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
  state: TrackedState,
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
    prev: null,
    next: null,
    heapIndex: -1,
    unsaved: false,
    saved: false,
  };
}

/** The tracked messages that one consumer has in flight, in the order of their delivery. All steps are O(1). */
export class OwnedMessages {
  #first: TrackedMessage | null = null;
  #last: TrackedMessage | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get first(): TrackedMessage | null {
    return this.#first;
  }

  push(message: TrackedMessage): void {
    message.prev = this.#last;
    message.next = null;
    if (this.#last === null) this.#first = message;
    else this.#last.next = message;
    this.#last = message;
    this.#size++;
  }

  /** Takes `message`, which is in this list, out of it. */
  remove(message: TrackedMessage): void {
    if (message.prev === null) this.#first = message.next;
    else message.prev.next = message.next;
    if (message.next === null) this.#last = message.prev;
    else message.next.prev = message.prev;
    message.prev = message.next = null;
    this.#size--;
  }

  /** Empties the list; its messages are forgotten too. */
  clear(): void {
    this.#first = this.#last = null;
    this.#size = 0;
  }
}
