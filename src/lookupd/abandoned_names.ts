/**
 * Topics and channels that nobody has registered any more, in the order in which they were left.
 *
 * Go nsqlookupd keeps them for ever. Here they are kept as long as anybody may still ask for them as something that
 * was there lately, and then forgotten, or every name that was ever used would stay in memory and in the snapshot.
 */

/** So long a name without producers is kept. */
export const KEPT_MS = 24 * 3600 * 1000;
/** Of more names than this, the oldest are forgotten sooner. */
export const MAX_KEPT_NAMES = 50_000;
/** But not before their nsqd had time to come back: as long as it counts as there, twice. */
const RETURN_FACTOR = 2;

/** What a name stands for: a key that is an object of its own, so that names of topics and channels do not meet. */
export interface AbandonedName {
  readonly topic: string;
  /** "" for the topic itself. */
  readonly channel: string;
  readonly sinceMs: number;
}

export class AbandonedNames {
  readonly #names = new Map<object, AbandonedName>();

  get count(): number {
    return this.#names.size;
  }

  /** `key` has no producer from now on. */
  add(key: object, topic: string, channel: string, sinceMs: number): void {
    this.#names.delete(key);
    this.#names.set(key, { topic, channel, sinceMs });
  }

  /** `key` has a producer, or is gone. */
  delete(key: object): void {
    this.#names.delete(key);
  }

  /**
   * Yields what is to be forgotten, the oldest first; the caller deletes each.
   *
   * @param inactiveMs how long a producer counts as there without a sign of life
   */
  *due(nowMs: number, inactiveMs: number): Generator<AbandonedName> {
    for (const name of this.#names.values()) {
      const ageMs = nowMs - name.sinceMs;
      const isOld = ageMs > KEPT_MS;
      const isOneTooMany = this.#names.size > MAX_KEPT_NAMES && ageMs > RETURN_FACTOR * inactiveMs;
      if (!isOld && !isOneTooMany) return;
      yield name;
    }
  }
}
