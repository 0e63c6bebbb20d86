/**
 * Picks the consumers of a channel that can take a message now.
 *
 * Cost: one pass over the subscriptions; they are ordered by load only when there is less to share out than
 * would go to each anyway. The list is reused.
 */
import type { Subscription } from "./subscription.ts";

export class ReadyConsumers {
  readonly #ready: Subscription[] = [];
  #rotation = 0;

  /**
   * The ready ones of `all`, starting elsewhere each time; least loaded first when only `available` messages,
   * fewer than two for each, are there.
   *
   * @returns a list that is valid until the next call
   */
  pick(all: readonly Subscription[], available: number): readonly Subscription[] {
    const ready = this.#ready, total = all.length;
    ready.length = 0;
    const start = this.#rotation++ % Math.max(1, total);
    for (let i = 0; i < total; i++) {
      let at = start + i;
      if (at >= total) at -= total;
      const subscription = all[at];
      if (subscription.rdy > subscription.inFlight && subscription.consumer.accepting) {
        ready.push(subscription);
      }
    }
    if (ready.length > 1 && available < ready.length * 2) ready.sort((a, b) => a.inFlight - b.inFlight);
    return ready;
  }
}
