/**
 * Order by key: which message may be delivered next when at most one of each key is out.
 *
 * A key is held by the message that is with a consumer, or that came back and is to be delivered again; later messages
 * of that key are parked until it is finished, others go past them. Each message's key is looked for once: those that
 * are parked wait in a queue of their key, which becomes ready when the key is free.
 *
 * Parked messages still wait in the channel, and may be dropped or expire: whoever takes one looks again.
 *
 * Cost: O(1) for each message; memory for those that are out and at most `maxLookahead` parked ones.
 *
 * Tested in test/broker/channel/ordered_delivery_test.ts.
 */
import type { KeyFinder } from "../../policies/message_key.ts";
import { RECORD_OVERHEAD } from "../../protocol/message.ts";
import type { Segment } from "../../storage/segment.ts";

/** Where a record is. */
export interface RecordPlace {
  readonly seq: number;
  readonly segment: Segment;
  readonly index: number;
}

interface ParkedQueue {
  readonly places: RecordPlace[];
  head: number;
}

export class KeyedOrder {
  readonly #findKey: KeyFinder;
  /** The message that holds each key, and the keys of those messages. */
  readonly #holders = new Map<string, number>();
  readonly #keys = new Map<number, string>();
  /** Keys of messages that came back, and are to be delivered again; their records may have left memory since. */
  readonly #known = new Map<number, string | null>();
  readonly #parked = new Map<string, ParkedQueue>();
  /** Free keys with parked messages; some may be held again by now. */
  #readyKeys: string[] = [];
  #readyHead = 0;
  parkedCount = 0;
  /** The next message that was not looked at. */
  nextSeq = -Infinity;

  constructor(findKey: KeyFinder) {
    this.#findKey = findKey;
  }

  /** The key of a record that is in memory; null for one without order. */
  keyOf({ segment, index }: RecordPlace): string | null {
    const start = segment.index[index] + RECORD_OVERHEAD;
    return this.#findKey(segment.buffer!.bytes, start, segment.index[index + 1]);
  }

  /** The key of a message that came back, once it was looked for; undefined before. */
  knownKey(seq: number): string | null | undefined {
    return this.#keys.get(seq) ?? this.#known.get(seq);
  }

  /** Looks for the key of a message that came back, whose record is in memory. */
  learn(place: RecordPlace): string | null {
    const key = this.keyOf(place);
    this.#known.set(place.seq, key);
    return key;
  }

  /** Whether message `seq` of `key` may be delivered, as far as order goes. */
  isFree(key: string | null, seq: number): boolean {
    if (key === null) return true;
    const holder = this.#holders.get(key);
    return holder === undefined || holder === seq;
  }

  /** Whether earlier messages of `key` are parked. */
  hasParked(key: string | null): boolean {
    return key !== null && this.#parked.has(key);
  }

  /** Message `seq` holds `key` from now on; nothing for one without order. */
  hold(key: string | null, seq: number): void {
    if (key === null) return;
    this.#holders.set(key, seq);
    this.#keys.set(seq, key);
  }

  /** Message `seq` is done with, for good: its key is free. */
  ended(seq: number): void {
    if (this.#known.size > 0) this.#known.delete(seq);
    const key = this.#keys.get(seq);
    if (key === undefined) return;
    this.#keys.delete(seq);
    this.#holders.delete(key);
    if (this.#parked.has(key)) this.#readyKeys.push(key);
  }

  /** A waiting message whose key is held. */
  park(key: string, place: RecordPlace): void {
    let queue = this.#parked.get(key);
    if (queue === undefined) this.#parked.set(key, queue = { places: [], head: 0 });
    queue.places.push(place);
    this.parkedCount++;
  }

  /** Takes the first parked message of a free key, with that key; null when there is none. */
  takeReady(): { key: string; place: RecordPlace } | null {
    for (;;) {
      const key = this.#readyKeys[this.#readyHead];
      if (key === undefined) {
        this.#readyKeys = [];
        this.#readyHead = 0;
        return null;
      }
      this.#readyHead++;
      const queue = this.#parked.get(key);
      if (queue === undefined || this.#holders.has(key)) continue;
      const place = queue.places[queue.head++];
      this.parkedCount--;
      if (queue.head === queue.places.length) this.#parked.delete(key);
      return { key, place };
    }
  }

  /** The message that was taken has to be read first: it is the first of its key again. */
  unpark(key: string, place: RecordPlace): void {
    const queue = this.#parked.get(key);
    if (queue === undefined) this.#parked.set(key, { places: [place], head: 0 });
    else queue.places[--queue.head] = place;
    this.parkedCount++;
    this.#readyKeys.push(key);
  }

  /** The message that was taken is not there any more, or could not be delivered: the next of its key may come. */
  skipped(key: string): void {
    if (this.#parked.has(key)) this.#readyKeys.push(key);
  }
}
