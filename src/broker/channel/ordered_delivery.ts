/**
 * Delivery where a policy wants order: strict, one message at a time in the whole channel, or by key, one at a time for
 * each key (see `keyed_order.ts`).
 *
 * Messages that came back go first: nothing overtakes them, or nothing of their key. Each message is tracked from its
 * delivery on.
 *
 * Cost: O(log n) for each message, in the messages with a time.
 *
 * Tested in test/broker/channel/ordered_delivery_test.ts.
 */
import type { Segment } from "../../storage/segment.ts";
import type { ReadyConsumers } from "../consumer/ready_consumers.ts";
import type { Subscription } from "../consumer/subscription.ts";
import { FIRST_SLOT, WAITING } from "../topic_log/chunk.ts";
import type { TrackedMessage } from "../tracked/tracked_message.ts";
import type { ChannelMessages } from "./channel_messages.ts";
import type { KeyedOrder, RecordPlace } from "./keyed_order.ts";

/** What delivery needs of what is around the channel. */
export interface OrderedDeliveryHost {
  /** Reads an evicted segment back, and wakes the channel. */
  load(segment: Segment): void;
}

/** Messages looked at in one turn, so that others are not kept waiting. */
const MAX_LOOKED_AT = 20_000;

export class OrderedDelivery {
  readonly #messages: ChannelMessages;
  readonly #ready: ReadyConsumers;
  readonly #host: OrderedDeliveryHost;
  /** Messages that were out when the order began, whose keys are not known yet. */
  #unknown: TrackedMessage[] | null = null;
  /** Where the search for fresh messages goes on. */
  #segment: Segment | null = null;

  constructor(messages: ChannelMessages, ready: ReadyConsumers, host: OrderedDeliveryHost) {
    this.#messages = messages;
    this.#ready = ready;
    this.#host = host;
  }

  /** Shares out what order allows. @param nowMs monotonic time, for the deadlines */
  pump(nowMs: number): void {
    const { order } = this.#messages;
    this.#messages.awaited = null;
    if (order === null) this.#pumpStrict(nowMs);
    else this.#pumpKeys(order, nowMs);
    if (this.#messages.inFlightCount > 0) this.#messages.watchDue();
  }

  /** The order begins anew: what is out, or will come back, is looked at first. */
  reset(): void {
    this.#unknown = null;
    this.#segment = null;
  }

  // ---- strict -------------------------------------------------------------------------------

  #pumpStrict(nowMs: number): void {
    const messages = this.#messages, { redelivery, position } = messages;
    if (messages.inFlightCount > 0 || messages.deferredAgainCount > 0) return;
    const [subscription] = this.#ready.pick(messages.subscriptions, 1);
    if (subscription === undefined) return;
    const message = redelivery.peek();
    if (message !== undefined) {
      if (!this.#isHere(message)) return;
      redelivery.shift();
      if (!messages.isExpired(message, nowMs)) messages.redeliver(subscription, message, nowMs);
      else {
        messages.expireTracked(message);
        messages.wake();
      }
      return;
    }
    const end = position.seek(), { segment, index } = position;
    if (end === 0 || segment === null) return;
    if (!this.#isHere({ segment, index })) return;
    this.#send(subscription, { seq: segment.firstSeq + index, segment, index }, nowMs);
  }

  #send(subscription: Subscription, place: RecordPlace, nowMs: number): boolean {
    if (!this.#messages.deliverTracked(subscription, place, nowMs)) return false;
    subscription.consumer.sendRun(place.segment, place.index, place.index + 1);
    return true;
  }

  // ---- by key -------------------------------------------------------------------------------

  #pumpKeys(order: KeyedOrder, nowMs: number): void {
    const messages = this.#messages;
    if (!this.#learnKeys(order)) return;
    let looksLeft = MAX_LOOKED_AT;
    const next = (subscription: Subscription): boolean => {
      if (this.#redeliverFree(order, subscription, nowMs)) return true;
      for (let ready = order.takeReady(); ready !== null; ready = order.takeReady()) {
        const { key, place } = ready;
        if (!this.#isHere(place)) {
          order.unpark(key, place);
          return false;
        }
        if (this.#send(subscription, place, nowMs)) {
          order.hold(key, place.seq);
          return true;
        }
        order.skipped(key);
      }
      while (looksLeft-- > 0 && order.parkedCount < messages.policy.maxKeyLookahead) {
        const place = this.#nextFresh(order);
        if (place === null) return false;
        const key = order.keyOf(place);
        if (key !== null && (order.hasParked(key) || !order.isFree(key, place.seq))) order.park(key, place);
        else if (this.#send(subscription, place, nowMs)) {
          order.hold(key, place.seq);
          return true;
        }
      }
      return false;
    };
    for (let round = 0; round < this.#ready.maxRounds; round++) {
      const available = messages.depth;
      if (available === 0) return;
      const consumers = this.#ready.pick(messages.subscriptions, available);
      if (consumers.length === 0) return;
      const share = Math.ceil(available / consumers.length);
      let delivered = 0;
      for (const subscription of consumers) {
        const quota = Math.min(share, subscription.rdy - subscription.inFlight);
        for (let i = 0; i < quota; i++) {
          if (!next(subscription)) {
            if (looksLeft <= 0) messages.wake();
            return;
          }
          delivered++;
        }
      }
      if (delivered === 0) return;
    }
  }

  /** Delivers the first message that came back and whose key is not held by another. */
  #redeliverFree(order: KeyedOrder, subscription: Subscription, nowMs: number): boolean {
    const messages = this.#messages, { redelivery } = messages;
    for (const message of redelivery.items()) {
      let key = order.knownKey(message.seq);
      // Until it is read nobody knows whom it holds up.
      if (key === undefined && !this.#isHere(message)) return false;
      if (key === undefined) key = order.learn(message);
      if (!order.isFree(key, message.seq)) continue;
      if (!this.#isHere(message)) return false;
      redelivery.remove(message);
      if (messages.isExpired(message, nowMs)) {
        messages.expireTracked(message);
        return this.#redeliverFree(order, subscription, nowMs);
      }
      order.hold(key, message.seq);
      messages.redeliver(subscription, message, nowMs);
      return true;
    }
    return false;
  }

  /** Finds the keys of messages that were out when the order began; false while one of them has to be read. */
  #learnKeys(order: KeyedOrder): boolean {
    const messages = this.#messages;
    if (this.#unknown === null) {
      for (const { entries, segment } of [...messages.position.chunks]) {
        for (let index = 0; index < Math.min(entries.length, segment.count); index++) {
          if (entries[index] >= FIRST_SLOT) messages.trackIfInFlight(segment.firstSeq + index);
        }
      }
      this.#unknown = [...messages.tracked.values()].filter(({ attempts }) => attempts > 0);
      this.#unknown.sort((a, b) => b.seq - a.seq);
    }
    for (let message = this.#unknown.at(-1); message !== undefined; message = this.#unknown.at(-1)) {
      if (messages.tracked.get(message.seq) === message) {
        if (!this.#isHere(message)) return false;
        const key = order.learn(message);
        if (order.isFree(key, message.seq)) order.hold(key, message.seq);
      }
      this.#unknown.pop();
    }
    return true;
  }

  /** Whether a record is in memory; has it read when it is not. */
  #isHere({ segment, index }: { segment: Segment; index: number }): boolean {
    if (!segment.lacks(index)) return true;
    this.#messages.awaited = segment;
    this.#host.load(segment);
    return false;
  }

  /** The next waiting message that was not looked at; null at the end, or while it has to be read. */
  #nextFresh(order: KeyedOrder): RecordPlace | null {
    const { position, log } = this.#messages;
    if (position.seek() === 0 || position.segment === null) return null;
    const cursorSeq = position.segment.firstSeq + position.index;
    if (order.nextSeq < cursorSeq) {
      order.nextSeq = cursorSeq;
      this.#segment = position.segment;
    }
    for (;;) {
      let segment = this.#segment;
      if (segment === null || segment.isUnclaimed) segment = log.placeOf(order.nextSeq).segment;
      while (segment !== null && segment.sealed && order.nextSeq >= segment.endSeq) {
        segment = segment.next;
        if (segment !== null) order.nextSeq = Math.max(order.nextSeq, segment.firstSeq);
      }
      this.#segment = segment;
      if (segment === null) return null;
      const index = order.nextSeq - segment.firstSeq;
      if (index >= Math.min(segment.count, log.releasedSeq - segment.firstSeq)) return null;
      if (!this.#isHere({ segment, index })) return null;
      const seq = order.nextSeq++;
      const chunk = position.find(seq);
      if (chunk === null || !chunk.done && (chunk.entries[index] ?? WAITING) === WAITING) {
        return { seq, segment, index };
      }
    }
  }
}
