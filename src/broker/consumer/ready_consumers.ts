/**
 * Picks the consumers of a channel that can take a message now.
 *
 * Cost: one pass over the subscriptions; they are ordered by load only when there is less to share out than
 * would go to each anyway. The list is reused. What it takes to prefer near consumers is done only once one
 * of them has come.
 *
 * Tested in test/broker/consumer/place_test.ts.
 */
import { LAST_TIER, type Locality, type Place } from "./place.ts";
import type { Subscription } from "./subscription.ts";

/** Rounds of sharing out in one turn; more only matter when RDY counts differ much. */
const MAX_ROUNDS = 4;

export class ReadyConsumers {
  /** Rounds of sharing out in one turn. */
  maxRounds = MAX_ROUNDS;
  readonly #ready: Subscription[] = [];
  #rotation = 0;
  /** Deliveries to consumers that have left, by where they were; null while all were elsewhere. */
  #leftCounts: Record<Locality, number> | null = null;

  /**
   * The ready ones of `all`, starting elsewhere each time; least loaded first when only `available` messages,
   * fewer than two for each, are there. Where some are nearer than others, only the nearest are given.
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
    if (this.maxRounds > MAX_ROUNDS && ready.length > 1) keepNearest(ready);
    if (ready.length > 1 && available < ready.length * 2) ready.sort((a, b) => a.inFlight - b.inFlight);
    return ready;
  }

  /** A consumer has come. */
  joined(place: Place): void {
    // Each tier gets its rounds: what the nearest cannot take is left for the next.
    if (place.tier < LAST_TIER) this.maxRounds = MAX_ROUNDS * (LAST_TIER + 1);
  }

  /** A consumer has left, for good. */
  left({ place, messageCount }: Subscription): void {
    if (place.locality === "global") return;
    this.#leftCounts ??= { zone: 0, region: 0, global: 0 };
    this.#leftCounts[place.locality] += messageCount;
  }

  /** Deliveries to consumers of that locality, those that have left among them. `all` are the ones that are there. */
  delivered(locality: "zone" | "region", all: readonly Subscription[]): number {
    let count = this.#leftCounts?.[locality] ?? 0;
    for (const { place, messageCount } of all) if (place.locality === locality) count += messageCount;
    return count;
  }
}

function keepNearest(ready: Subscription[]): void {
  let nearest = LAST_TIER, kept = 0;
  for (const { place } of ready) nearest = Math.min(nearest, place.tier);
  for (const subscription of ready) if (subscription.place.tier === nearest) ready[kept++] = subscription;
  ready.length = kept;
}
