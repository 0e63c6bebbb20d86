/**
 * Tracked messages: the messages of a channel that left the plain path (waiting in the log, delivered once,
 * finished) because they were deferred, requeued, timed out or touched; and the heap of those that
 * have a time.
 *
 * Each is one object, so the ordinary message pays nothing for it.
 */
import type { Segment } from "../storage/segment.ts";
import type { Subscription } from "./subscription.ts";

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
  /** Who holds it, while in flight. */
  owner: Subscription | null;
  /** Position in the heap, -1 when not in it. */
  heapIndex: number;
  /** True when the log on disk does not know its attempts and time yet. */
  unsaved: boolean;
  /** True when some log record names it, so that its end must be recorded too. */
  saved: boolean;
}

/** Makes a tracked message that nobody holds and the log on disk does not know. */
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

/** A binary heap of tracked messages by `atMs`, with removal from the middle. */
export class DueHeap {
  readonly #items: TrackedMessage[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** Time of the earliest; Infinity when empty. */
  get firstMs(): number {
    return this.#items.length === 0 ? Infinity : this.#items[0].atMs;
  }

  peek(): TrackedMessage | undefined {
    return this.#items[0];
  }

  push(item: TrackedMessage): void {
    item.heapIndex = this.#items.length;
    this.#items.push(item);
    this.#up(item.heapIndex);
  }

  remove(item: TrackedMessage): void {
    const at = item.heapIndex;
    if (at < 0) return;
    item.heapIndex = -1;
    const last = this.#items.pop()!;
    if (last === item) return;
    this.#items[at] = last;
    last.heapIndex = at;
    this.#up(at);
    this.#down(last.heapIndex);
  }

  /** Restores the order after `item.atMs` changed. */
  update(item: TrackedMessage): void {
    this.#up(item.heapIndex);
    this.#down(item.heapIndex);
  }

  clear(): void {
    for (const item of this.#items) item.heapIndex = -1;
    this.#items.length = 0;
  }

  #up(at: number): void {
    const items = this.#items, item = items[at];
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (items[parent].atMs <= item.atMs) break;
      items[at] = items[parent];
      items[at].heapIndex = at;
      at = parent;
    }
    items[at] = item;
    item.heapIndex = at;
  }

  #down(at: number): void {
    const items = this.#items, item = items[at], size = items.length;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= size) break;
      if (child + 1 < size && items[child + 1].atMs < items[child].atMs) child++;
      if (items[child].atMs >= item.atMs) break;
      items[at] = items[child];
      items[at].heapIndex = at;
      at = child;
    }
    items[at] = item;
    item.heapIndex = at;
  }
}
