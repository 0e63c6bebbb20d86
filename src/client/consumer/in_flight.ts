/**
 * The messages that one node has out with us, sorted by when they are to be looked at, with one timer for all.
 * They come in that order nearly always, so adding and removing costs the same however many there are.
 *
 * Tested in test/client/consumer/consumer_test.ts.
 */
import type { Delivery } from "./delivery.ts";

/** Messages in hand. */
export class InFlight<T> {
  readonly #onDue: (delivery: Delivery<T>, nowMs: number) => void;
  #first: Delivery<T> | null = null;
  #last: Delivery<T> | null = null;
  #size = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `onDue` gets each message whose time to be looked at has come; it removes it or moves it. */
  constructor(onDue: (delivery: Delivery<T>, nowMs: number) => void) {
    this.#onDue = onDue;
  }

  get size(): number {
    return this.#size;
  }

  /** `delivery.lookAtMs` says when it is due. */
  add(delivery: Delivery<T>): void {
    let before = this.#last;
    while (before !== null && before.lookAtMs > delivery.lookAtMs) before = before.previous;
    const after = before === null ? this.#first : before.next;
    delivery.previous = before;
    delivery.next = after;
    if (before === null) this.#first = delivery;
    else before.next = delivery;
    if (after === null) this.#last = delivery;
    else after.previous = delivery;
    this.#size++;
    if (this.#timer === undefined) this.#arm(performance.now());
  }

  remove(delivery: Delivery<T>): void {
    const { previous, next } = delivery;
    if (previous === null) this.#first = next;
    else previous.next = next;
    if (next === null) this.#last = previous;
    else next.previous = previous;
    delivery.previous = delivery.next = null;
    this.#size--;
  }

  /** Removes and returns all, and stops the timer. */
  takeAll(): Delivery<T>[] {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const all: Delivery<T>[] = [];
    for (let delivery = this.#first; delivery !== null; delivery = this.#first) {
      this.remove(delivery);
      all.push(delivery);
    }
    return all;
  }

  /** The timer stays while nothing is in hand: the next message is likely to come before it fires. */
  #arm(nowMs: number): void {
    if (this.#first === null) return;
    this.#timer = setTimeout(() => this.#look(), Math.max(1, this.#first.lookAtMs - nowMs));
  }

  #look(): void {
    this.#timer = undefined;
    const nowMs = performance.now();
    while (this.#first !== null && this.#first.lookAtMs <= nowMs) this.#onDue(this.#first, nowMs);
    this.#arm(nowMs);
  }
}
