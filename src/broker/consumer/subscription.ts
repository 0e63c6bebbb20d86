/**
 * A consumer's place in a channel, and what the channel needs of the consumer.
 *
 * The channel never sees a socket: it hands runs of records to a `Consumer`, which writes them. A
 * `Subscription` holds the counts that decide whether more may be sent (RDY is a ceiling on messages in
 * flight, not a credit that is used up).
 *
 * Tested in test/broker/channel_test.ts.
 */
import type { Segment } from "../../storage/segment.ts";
import { type MessageOwner, OwnedMessages } from "../tracked/tracked_message.ts";
import { DeadlineRanges } from "./deadline_ranges.ts";
import { ELSEWHERE, type Place } from "./place.ts";

/** Receives messages. Implemented by the TCP connection. */
export interface Consumer {
  /** False while an earlier write has not finished: such a consumer is not given more. */
  readonly accepting: boolean;
  /** Sends records [from, to) of a resident segment as they are stored. */
  sendRun(segment: Segment, from: number, to: number): void;
  /** Sends a copy of one record with its attempts changed. */
  sendRecord(segment: Segment, index: number, attempts: number): void;
  /** The channel was deleted: the connection ends, without a frame. */
  channelDeleted(): void;
  /** Who it is, for people: client id and address. */
  describe(): string;
}

/** What FIN, REQ and TOUCH can meet. */
export type Answer = "ok" | "not in flight" | "not owner";

/** The channel as its consumers use it. */
export interface SubscribedChannel {
  readonly name: string;
  readonly topic: { readonly name: string };
  /** FIN: the message is done for this channel. */
  finish(subscription: Subscription, seq: number): Answer;
  /** REQ: the message waits again, at once or after `delayMs`. `nowMs` is monotonic. */
  requeue(subscription: Subscription, seq: number, delayMs: number, nowMs: number): Answer;
  /** TOUCH: the timeout of `timeoutMs` starts again, but not past `maxMsgTimeoutMs` after this delivery. */
  touch(
    subscription: Subscription,
    seq: number,
    timeoutMs: number,
    maxMsgTimeoutMs: number,
    nowMs: number,
  ): Answer;
  /** Ends a subscription; its messages in flight wait again, at once or, of very many, in the turns that follow. */
  unsubscribe(subscription: Subscription): void;
  /** A consumer said where it is. */
  placed(place: Place): void;
  /** Has the end of this turn look whether something can be delivered. */
  wake(): void;
}

export class Subscription implements MessageOwner {
  readonly channel: SubscribedChannel;
  readonly consumer: Consumer;
  /** How a chunk's owner array names this consumer; unique in the channel, at least `FIRST_SLOT`. */
  readonly slot: number;
  /** Time the consumer may hold a message, ms. */
  readonly msgTimeoutMs: number;
  /** Percent of messages wanted; 0 means all. */
  readonly sampleRate: number;
  readonly deadlines = new DeadlineRanges();
  /** The most messages it wants in flight. */
  rdy = 0;
  inFlight = 0;
  readonly tracked = new OwnedMessages();
  messageCount = 0;
  finishCount = 0;
  requeueCount = 0;
  /** Where the consumer is, seen from this node. */
  place: Place = ELSEWHERE;
  /** True after CLS: nothing more is sent. */
  closing = false;

  constructor(
    channel: SubscribedChannel,
    consumer: Consumer,
    slot: number,
    msgTimeoutMs: number,
    sampleRate: number,
  ) {
    this.channel = channel;
    this.consumer = consumer;
    this.slot = slot;
    this.msgTimeoutMs = msgTimeoutMs;
    this.sampleRate = sampleRate;
  }

  /** Says where the consumer is; before anything is delivered to it. */
  setPlace(place: Place): void {
    this.place = place;
    this.channel.placed(place);
  }

  /** Sets the RDY count and lets the channel use it. */
  setRdy(count: number): void {
    this.rdy = count;
    this.channel.wake();
  }

  /** CLS: no further messages; those in flight can still be answered. */
  close(): void {
    this.closing = true;
    this.rdy = 0;
  }
}
