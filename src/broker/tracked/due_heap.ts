/**
 * The tracked messages of a channel that have a time, the earliest first: deferred ones, and those in flight.
 *
 * Those of one time come in the order in which they were published. A binary heap; each message knows its place in it, so that it can be taken out of the middle.
 * Cost: push, remove and update are O(log n), the earliest is O(1).
 */
import type { TrackedMessage } from "./tracked_message.ts";

export class DueHeap {
  #items: TrackedMessage[] = [];

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

  /** Empties the heap; its messages are forgotten too. */
  clear(): void {
    this.#items = [];
  }

  #up(at: number): void {
    const items = this.#items, item = items[at];
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(item, items[parent])) break;
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
      if (child + 1 < size && isBefore(items[child + 1], items[child])) child++;
      if (!isBefore(items[child], item)) break;
      items[at] = items[child];
      items[at].heapIndex = at;
      at = child;
    }
    items[at] = item;
    item.heapIndex = at;
  }
}

function isBefore(a: TrackedMessage, b: TrackedMessage): boolean {
  return a.atMs < b.atMs || a.atMs === b.atMs && a.seq < b.seq;
}
