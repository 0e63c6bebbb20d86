/**
 * The messages of a channel that wait to be delivered again, first in first out: requeued with no
 * delay, timed out, or due after a deferral.
 *
 * Cost: push and shift amortised O(1).
 */
import type { TrackedMessage } from "./tracked_message.ts";

/** Consumed entries at the front that are worth closing up. */
const COMPACT_AT = 1024;

export class RedeliveryQueue {
  #items: TrackedMessage[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: TrackedMessage): void {
    this.#items.push(item);
  }

  peek(): TrackedMessage | undefined {
    return this.#items[this.#head];
  }

  shift(): void {
    this.#head++;
    if (this.#head === this.#items.length) {
      this.#items.length = this.#head = 0;
    } else if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }

  /** All of them, the first one first. */
  *items(): Generator<TrackedMessage> {
    for (let at = this.#head; at < this.#items.length; at++) yield this.#items[at];
  }

  /** Takes one out, which is there: O(n) but for the first. */
  remove(item: TrackedMessage): void {
    if (this.peek() === item) this.shift();
    else this.#items.splice(this.#items.indexOf(item, this.#head), 1);
  }

  /** Takes some out of the middle: O(n), for messages that cannot be read. */
  removeAll(items: ReadonlySet<TrackedMessage>): void {
    this.#items = this.#items.slice(this.#head).filter((item) => !items.has(item));
    this.#head = 0;
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
  }
}
