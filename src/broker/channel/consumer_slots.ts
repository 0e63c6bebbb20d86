/**
 * The numbers by which the chunks of a channel name its consumers: from `FIRST_SLOT` on, as 16 bits allow.
 *
 * A number is used again once its consumer left, whose messages in flight have been taken back then.
 */
import type { Subscription } from "../consumer/subscription.ts";
import { FIRST_SLOT, MAX_SLOTS } from "../topic_log/chunk.ts";

export class ConsumerSlots {
  readonly #subscriptions: (Subscription | undefined)[] = [];
  readonly #free: number[] = [];

  /** Whether there is a number for one more consumer. */
  get hasFree(): boolean {
    return this.#free.length > 0 || this.#subscriptions.length < MAX_SLOTS;
  }

  /** A free number; `set` says whose it becomes. */
  take(): number {
    return (this.#free.pop() ?? this.#subscriptions.push(undefined) - 1) + FIRST_SLOT;
  }

  set(subscription: Subscription): void {
    this.#subscriptions[subscription.slot - FIRST_SLOT] = subscription;
  }

  /** Whose `slot` is. */
  get(slot: number): Subscription {
    return this.#subscriptions[slot - FIRST_SLOT]!;
  }

  giveBack(slot: number): void {
    this.#subscriptions[slot - FIRST_SLOT] = undefined;
    this.#free.push(slot - FIRST_SLOT);
  }
}
