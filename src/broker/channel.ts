/**
 * A channel: a cursor on its topic's log plus the messages it tracks one by one, delivered to competing consumers.
 *
 * This file owns the channel's life: consumers that come and go, what the log hands on, pausing, emptying and
 * deleting, each of which tells the host, so that nobody can forget the log record. It leaves states to
 * `channel/channel_messages.ts`, sharing out to `channel/delivery.ts`, FIN, REQ and TOUCH to `channel/answers.ts`, time
 * to `channel/timeouts.ts`, bytes and sockets to the `Consumer`, and what is written to disk to the host.
 */
import type { Segment } from "../storage/segment.ts";
import * as answers from "./channel/answers.ts";
import { checkMessages } from "./channel/channel_invariants.ts";
import { ChannelMessages } from "./channel/channel_messages.ts";
import type { TurnWork } from "./channel/message_states.ts";
import { Delivery } from "./channel/delivery.ts";
import { expireWaiting, keepBounds, waitingBytes } from "./channel/expiry_and_bounds.ts";
import { KeyedOrder } from "./channel/keyed_order.ts";
import { OrderedDelivery } from "./channel/ordered_delivery.ts";
import { scan } from "./channel/timeouts.ts";
import type { Place } from "./consumer/place.ts";
import { ReadyConsumers } from "./consumer/ready_consumers.ts";
import { type Answer, type Consumer, type SubscribedChannel, Subscription } from "./consumer/subscription.ts";
import { LatencyWindow, type TurnTime } from "./latency/latency_window.ts";
import { MAX_SLOTS } from "./topic_log/chunk.ts";
import type { KeyFinder } from "../policies/message_key.ts";
import { type ChannelPolicy, hasPolicy } from "../policies/policy.ts";
import { noSettings } from "../policies/policy_book.ts";
import type { Settings } from "../policies/settings.ts";
import type { LogHost, TopicLog } from "./topic_log/topic_log.ts";

/** What channels need of the broker around them. */
export interface ChannelHost extends LogHost, TurnTime {
  /** Messages an ephemeral channel keeps; of others, what is over it counts as their backend depth. */
  readonly memQueueSize: number;
  readonly work: TurnWork;
  /** A number in [0, 1). */
  random(): number;
  /** The channel has something to deliver at the end of the turn. */
  markChannel(channel: Channel): void;
  /** The channel has something that becomes due. May be called again and again. */
  watchDue(channel: Channel): void;
  /** Reads an evicted segment back, and wakes the channel. */
  load(segment: Segment, channel: Channel): void;
  positionChanged(channel: Channel): void;
  journalFull(channel: Channel): void;
  /** Wall clock, Unix ms. */
  wallMs(): number;
  /** The channel has reached most of a bound of its policy. */
  boundNeared(channel: Channel): void;
  /** The channel has a dead letter that is to be published elsewhere. */
  deadLetterCame(channel: Channel): void;
  channelEmptied(channel: Channel): void;
  /** A topic or channel was paused or unpaused. */
  pauseChanged(): void;
}

/** What a channel knows of its topic. */
export interface ChannelTopic {
  readonly host: ChannelHost;
  readonly name: string;
  /** Names the topic in the commit log. */
  readonly number: number;
  readonly ephemeral: boolean;
  readonly paused: boolean;
  /** True once deleted. */
  readonly exiting: boolean;
  readonly log: TopicLog;
  /** Deletes a channel with all its messages; false when there is none of that name. */
  deleteChannel(name: string): boolean;
}

/** The share of a bound at which it is told of. */
const NEAR_BOUND = 0.8;

export class Channel extends ChannelMessages implements SubscribedChannel {
  readonly topic: ChannelTopic;
  readonly name: string;
  readonly ephemeral: boolean;
  paused = false;
  /** True once deleted. */
  exiting = false;
  /** Messages released to it. */
  messageCount = 0;
  readonly ready = new ReadyConsumers();
  /** What was set of its policy; its topic changes it, see `Topic.setChannelSettings`. */
  settings: Settings = noSettings;

  /** Set while the channel is in the list of those that have something due. */
  isTimed = false;
  readonly #delivery: Delivery;
  readonly #ordered: OrderedDelivery;
  #findKey: KeyFinder | null = null;
  /** True when its policy says anything. */
  isPoliced = false;
  /** Set from when it reaches most of a bound until it is well below. */
  isNearBound = false;

  constructor(topic: ChannelTopic, name: string, ephemeral: boolean) {
    super(topic.log, topic.host.work, !ephemeral && !topic.ephemeral, LatencyWindow.of(topic.host));
    this.topic = topic;
    this.name = name;
    this.ephemeral = ephemeral;
    this.#delivery = new Delivery(this, this.ready, {
      load: (segment) => topic.host.load(segment, this),
      random: () => topic.host.random(),
    });
    this.#ordered = new OrderedDelivery(this, this.ready, {
      load: (segment) => topic.host.load(segment, this),
    });
  }

  // ---- consumers ----------------------------------------------------------------------------

  /** Whether there is room for one more consumer; `MAX_SLOTS` are the most. */
  get hasRoom(): boolean {
    return this.slots.hasFree;
  }

  /** @throws RangeError when the channel has no room for another consumer */
  subscribe(consumer: Consumer, msgTimeoutMs: number, sampleRate: number): Subscription {
    if (!this.hasRoom) {
      throw new RangeError(
        `Cannot subscribe to ${this.topic.name}/${this.name}: ${MAX_SLOTS} consumers are the most`,
      );
    }
    const subscription = new Subscription(this, consumer, this.slots.take(), msgTimeoutMs, sampleRate);
    this.slots.set(subscription);
    this.subscriptions.push(subscription);
    return subscription;
  }

  /** Ends a subscription; its messages in flight wait again, at once or, of very many, in the turns that follow. */
  unsubscribe(subscription: Subscription): void {
    const at = this.subscriptions.indexOf(subscription);
    if (at < 0) return;
    this.subscriptions.splice(at, 1);
    this.ready.left(subscription);
    this.leaving.push(subscription);
    if (this.ephemeral && this.subscriptions.length === 0 && !this.exiting) {
      this.topic.deleteChannel(this.name);
      return;
    }
    this.takeBackLeft();
    this.wake();
  }

  placed(place: Place): void {
    this.ready.joined(place);
  }

  finish(subscription: Subscription, seq: number): Answer {
    return answers.finish(this, subscription, seq);
  }

  requeue(subscription: Subscription, seq: number, delayMs: number, nowMs: number): Answer {
    return answers.requeue(this, subscription, seq, delayMs, nowMs);
  }

  touch(
    subscription: Subscription,
    seq: number,
    timeoutMs: number,
    maxMsgTimeoutMs: number,
    nowMs: number,
  ): Answer {
    return answers.touch(this, subscription, seq, timeoutMs, maxMsgTimeoutMs, nowMs);
  }

  // ---- the turn -----------------------------------------------------------------------------

  wake(): void {
    if (this.inTurn) return;
    if (this.waitingCount + this.redelivery.size > 0 || this.#isWorkLeft) this.topic.host.markChannel(this);
  }

  /** Whether the last turn could not do all there was to do. */
  get #isWorkLeft(): boolean {
    return this.leaving.length > 0 || this.unfinishedScanMs !== null;
  }

  watchDue(): void {
    if (!this.isTimed) this.topic.host.watchDue(this);
  }

  positionChanged(): void {
    this.topic.host.positionChanged(this);
  }

  journalFull(): void {
    this.topic.host.journalFull(this);
  }

  wallMs(): number {
    return this.topic.host.wallMs();
  }

  /** Puts a policy in force. @param findKey where the topic's messages have their keys; null for nowhere */
  setPolicy(policy: ChannelPolicy, findKey: KeyFinder | null): void {
    this.policy = policy;
    this.isPoliced = hasPolicy(policy);
    this.#findKey = findKey;
    this.#beginOrder();
    if (this.dead.size > 0) this.deadLetterCame();
    this.#enforceBounds();
    this.wake();
  }

  #beginOrder(): void {
    this.order = this.policy.order === "key" && this.#findKey !== null ? new KeyedOrder(this.#findKey) : null;
    this.#ordered.reset();
  }

  /** Takes off what is too old, as the policy says; the rest in the next turn when there is very much of it. */
  expire(): void {
    if (this.policy.ttlMs === 0 || this.waitingCount === 0 || this.exiting) return;
    const load = (segment: Segment) => this.topic.host.load(segment, this);
    if (!expireWaiting(this, this.cutoffNs, { load })) this.wake();
  }

  #enforceBounds(): void {
    const { maxDepth, maxBytes } = this.policy;
    if (maxDepth === 0 && maxBytes === 0) return;
    keepBounds(this);
    const share = Math.max(
      maxDepth === 0 ? 0 : this.unfinishedCount / maxDepth,
      maxBytes === 0 ? 0 : waitingBytes(this) / maxBytes,
    );
    if (share < NEAR_BOUND) this.isNearBound &&= share > NEAR_BOUND / 2;
    else if (!this.isNearBound) {
      this.isNearBound = true;
      this.topic.host.boundNeared(this);
    }
  }

  deadLetterCame(): void {
    if (this.policy.deadLetterTopic !== "") this.topic.host.deadLetterCame(this);
  }

  /** Does what a turn before left, and shares what waits out among the consumers. Called once at the end of a turn. */
  pump(nowMs: number): void {
    if (this.exiting) return;
    if (this.#isWorkLeft) {
      this.takeBackLeft();
      if (this.unfinishedScanMs !== null) this.scan(this.unfinishedScanMs);
      if (this.#isWorkLeft) this.wake();
    }
    if (this.policy.ttlMs > 0) this.expire();
    if (this.paused) return;
    if (this.policy.order === "none") this.#delivery.pump(nowMs);
    else this.#ordered.pump(nowMs);
  }

  /** Times out and makes due what is due at `nowMs`; false when nothing is left that ever will be. */
  scan(nowMs: number): boolean {
    return scan(this, nowMs);
  }

  // ---- from the log -------------------------------------------------------------------------

  /**
   * The topic released `count` messages, the last of them before `to`.
   *
   * An ephemeral channel over `limit` waiting messages does not get the newest ones.
   */
  admit(to: number, count: number, limit: number): void {
    this.messageCount += count;
    const room = this.ephemeral ? Math.max(0, limit - this.depth) : count;
    this.waitingCount += count;
    if (count > room) this.finishWaiting(this.log.newestFrom(count - room, to), to);
    this.#enforceBounds();
    this.wake();
  }

  /**
   * Restores an unfinished message from before a restart, as deferred until `atMs` (monotonic) or, with null, requeued.
   *
   * The cursor is set; a message before it counts as finished until now, one after it as waiting.
   */
  restore(segment: Segment, index: number, attempts: number, atMs: number | null): void {
    const seq = segment.seqAt(index);
    if (this.tracked.has(seq)) return;
    if (segment.seqs !== null) this.claimSparse(segment);
    else if (this.position.restore(segment, index)) this.waitingCount--;
    this.restoreTracked(seq, segment, index, attempts, atMs);
  }

  // ---- life cycle ---------------------------------------------------------------------------

  setPaused(paused: boolean): void {
    this.paused = paused;
    this.wake();
    this.topic.host.pauseChanged();
  }

  /** Drops every message: waiting, in flight, requeued and deferred. */
  empty(): void {
    for (const subscription of this.subscriptions) {
      subscription.inFlight = 0;
      subscription.tracked.clear();
      subscription.deadlines.clear();
    }
    this.forgetAll();
    const { segment, index } = this.log.releasedAt();
    this.position.start(segment, index);
    this.#beginOrder();
    this.journal.moved();
    this.topic.host.channelEmptied(this);
  }

  /** Ends the channel, for its topic: its consumers are disconnected and its claims on the log let go. */
  end(): void {
    this.exiting = true;
    for (const subscription of this.subscriptions.slice()) {
      subscription.inFlight = 0;
      subscription.consumer.channelDeleted();
    }
    this.subscriptions.length = 0;
    this.forgetAll();
  }

  /** @throws Error when a message is in two states or in none, or a count is wrong */
  invariants(): void {
    checkMessages(this);
  }
}
