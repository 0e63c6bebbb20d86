/**
 * Delivery: shares what waits in a channel out among its ready consumers, once at the end of a turn.
 *
 * Messages never delivered go out as runs of records, straight from the log; requeued ones one by one, as copies with
 * their attempts raised. Where both wait, a consumer gets half of each.
 *
 * Cost: delivering a run of n is O(1) calls and one fill of n entries; a redelivery is O(log n) in the messages with
 * a time.
 */
import type { Segment } from "../../storage/segment.ts";
import type { ReadyConsumers } from "../consumer/ready_consumers.ts";
import type { Subscription } from "../consumer/subscription.ts";
import { FINISHED } from "../topic_log/chunk.ts";
import type { ChannelMessages } from "./channel_messages.ts";

/** What delivery needs of what is around the channel. */
export interface DeliveryHost {
  /** Reads an evicted segment back, and wakes the channel. */
  load(segment: Segment): void;
  /** A number in [0, 1), for sampling. */
  random(): number;
}

/**
 * Bytes given to one consumer at a time, and delivered again by a channel in one turn, so that a firehose does not
 * delay others for long.
 */
const MAX_BYTES_PER_TURN = 1 << 20;
/** Messages delivered again by a channel in one turn: small ones cost more than their bytes. */
const MAX_REDELIVERIES_PER_TURN = 10_000;

export class Delivery {
  readonly #messages: ChannelMessages;
  readonly #ready: ReadyConsumers;
  readonly #host: DeliveryHost;
  #isRedeliveryNext = true;
  #redeliveryBytesLeft = 0;
  #redeliveriesLeft = 0;
  /** True when more could be given out, but not in this turn. */
  #isCutShort = false;

  constructor(messages: ChannelMessages, ready: ReadyConsumers, host: DeliveryHost) {
    this.#messages = messages;
    this.#ready = ready;
    this.#host = host;
  }

  /** Shares what waits out. @param nowMs monotonic time, for the deadlines */
  pump(nowMs: number): void {
    const messages = this.#messages, ready = this.#ready;
    this.#redeliveryBytesLeft = MAX_BYTES_PER_TURN;
    this.#redeliveriesLeft = MAX_REDELIVERIES_PER_TURN;
    this.#isCutShort = false;
    for (let round = 0; round < ready.maxRounds; round++) {
      const available = messages.depth;
      if (available === 0) break;
      const consumers = ready.pick(messages.subscriptions, available);
      if (consumers.length === 0) break;
      const share = Math.ceil(available / consumers.length);
      let delivered = 0;
      for (const subscription of consumers) {
        const quota = Math.min(share, subscription.rdy - subscription.inFlight);
        delivered += this.#deliver(subscription, quota, nowMs);
        if (messages.depth === 0) break;
      }
      if (delivered === 0) break;
    }
    if (messages.inFlightCount > 0) messages.watchDue();
    // The rest is for the next turn, which nobody else may ask for.
    if (this.#isCutShort) messages.wake();
  }

  #deliver(subscription: Subscription, quota: number, nowMs: number): number {
    const messages = this.#messages;
    let left = quota;
    if (messages.redelivery.size > 0) {
      // Half and half, so that neither requeued nor fresh messages starve the other.
      let share = left;
      if (messages.waitingCount > 0) {
        share = left === 1 ? (this.#isRedeliveryNext ? 1 : 0) : left >> 1;
        this.#isRedeliveryNext = !this.#isRedeliveryNext;
      }
      left -= this.#redeliver(subscription, share, nowMs);
    }
    if (left > 0 && messages.waitingCount > 0) left -= this.#deliverFresh(subscription, left, nowMs);
    if (left > 0 && left < quota && messages.redelivery.size > 0) {
      left -= this.#redeliver(subscription, left, nowMs);
    }
    return quota - left;
  }

  /** Delivers messages that never were; returns how many. */
  #deliverFresh(subscription: Subscription, quota: number, nowMs: number): number {
    const messages = this.#messages, { position, journal } = messages;
    let left = quota, bytesLeft = MAX_BYTES_PER_TURN;
    while (left > 0 && bytesLeft > 0) {
      const end = position.seek(), segment = position.segment;
      if (end === 0 || segment === null) break;
      if (segment.buffer === null) {
        this.#host.load(segment);
        break;
      }
      const from = position.index;
      let to = Math.min(end, from + left);
      if (subscription.sampleRate > 0) to = from + 1;
      const index = segment.index;
      if (index[to] - index[from] > bytesLeft) to = segment.fit(from, to, bytesLeft);
      const count = to - from;
      const chunk = position.chunkOf(segment);
      chunk.reserve(to);
      position.index = to;
      messages.waitingCount -= count;
      if (subscription.sampleRate > 0 && !this.#isSampled(subscription)) {
        chunk.entries[from] = FINISHED;
        chunk.finished++;
        journal.moved();
        position.settle(chunk);
        if (messages.waitingCount === 0) break;
        if (--messages.work.left > 0) continue;
        this.#isCutShort = true;
        break;
      }
      if (count === 1) chunk.entries[from] = subscription.slot;
      else chunk.entries.fill(subscription.slot, from, to);
      subscription.deadlines.push(
        segment.firstSeq + from,
        segment.firstSeq + to,
        nowMs + subscription.msgTimeoutMs,
      );
      subscription.inFlight += count;
      subscription.messageCount += count;
      messages.deliveredCount += count;
      messages.inFlightCount += count;
      left -= count;
      bytesLeft -= index[to] - index[from];
      journal.moved();
      subscription.consumer.sendRun(segment, from, to);
    }
    return quota - left;
  }

  #isSampled(subscription: Subscription): boolean {
    return Math.floor(this.#host.random() * 100) <= subscription.sampleRate;
  }

  /** Delivers requeued messages; returns how many. */
  #redeliver(subscription: Subscription, quota: number, nowMs: number): number {
    const messages = this.#messages, { redelivery } = messages;
    let count = 0;
    for (; count < quota; count++) {
      if (this.#redeliveryBytesLeft <= 0 || this.#redeliveriesLeft <= 0) {
        this.#isCutShort = true;
        break;
      }
      const message = redelivery.peek();
      if (message === undefined) break;
      const { segment, index } = message;
      if (segment.lacks(index)) {
        this.#host.load(segment);
        break;
      }
      redelivery.shift();
      this.#redeliveriesLeft--;
      if (messages.isExpired(message, nowMs)) {
        messages.expireTracked(message);
        count--;
        continue;
      }
      this.#redeliveryBytesLeft -= segment.index[index + 1] - segment.index[index];
      messages.redeliver(subscription, message, nowMs);
    }
    return count;
  }
}
