/**
 * A channel: a cursor on its topic's log plus the messages it tracks one by one, delivered to competing consumers.
 *
 * For each channel a message is in exactly one state: waiting, in flight, requeued, deferred, finished.
 * Up to its first answer a message is only an entry in a chunk (see `chunk.ts`); what is touched,
 * requeued, timed out or deferred becomes a tracked message (see `tracked_message.ts`).
 *
 * This file owns delivery, answers, timeouts and counts. It leaves the log to the topic, bytes and
 * sockets to the `Consumer`, and what is written to disk to `positions.ts`.
 *
 * Cost: delivering a run of n is O(1) calls and one fill of n entries; FIN is O(1); REQ, TOUCH and
 * timeouts are O(log n) in the tracked messages; all counts are O(1).
 */
import type { Segment } from "../storage/segment.ts";
import { type Chunk, FINISHED, FIRST_SLOT, MAX_SLOTS, TRACKED } from "./chunk.ts";
import { DueHeap, newTrackedMessage, type TrackedMessage } from "./tracked_message.ts";
import { Journal } from "./journal.ts";
import { LatencyWindow } from "./latency_window.ts";
import { LogPosition } from "./log_position.ts";
import { ReadyConsumers } from "./ready_consumers.ts";
import { RedeliveryQueue } from "./redelivery.ts";
import { type Consumer, SubscribeError, Subscription } from "./subscription.ts";
import type { Topic } from "./topic.ts";

/** What FIN, REQ and TOUCH can meet. */
export type Answer = "ok" | "not in flight" | "not owner";

/**
 * Bytes given to one consumer at a time, and delivered again by a channel in one turn, so that a firehose does not
 * delay others for long.
 */
const MAX_BYTES_PER_TURN = 1 << 20;

export class Channel {
  readonly topic: Topic;
  readonly name: string;
  readonly ephemeral: boolean;
  /** True when positions of this channel are kept on disk. */
  readonly durable: boolean;
  paused = false;
  /** True once deleted. */
  exiting = false;

  readonly subscriptions: Subscription[] = [];
  /** How far it has come in the log. */
  readonly position: LogPosition;
  readonly tracked = new Map<number, TrackedMessage>();
  readonly due = new DueHeap();
  readonly redelivery = new RedeliveryQueue();
  /** What the log on disk does not know yet. */
  readonly journal: Journal;
  readonly latency: LatencyWindow | null;

  /** Released, never delivered, not deferred. */
  waitingCount = 0;
  inFlightCount = 0;
  deferredCount = 0;
  messageCount = 0;
  /** Deliveries to consumers, redeliveries included. */
  deliveredCount = 0;
  requeueCount = 0;
  timeoutCount = 0;

  /** Set while the channel is in the turn's list. */
  inTurn = false;
  /** Set while the channel is in the list of those that have something due. */
  isTimed = false;
  #slots: (Subscription | undefined)[] = [];
  #redeliverNext = true;
  #redeliveryBytesLeft = 0;
  readonly ready = new ReadyConsumers();

  constructor(topic: Topic, name: string, ephemeral: boolean) {
    this.topic = topic;
    this.name = name;
    this.ephemeral = ephemeral;
    this.durable = !ephemeral && !topic.ephemeral;
    this.position = new LogPosition(topic);
    this.journal = new Journal(this);
    this.latency = LatencyWindow.of(topic.host);
  }

  /** Messages that wait for a consumer. */
  get depth(): number {
    return this.waitingCount + this.redelivery.size;
  }

  // ---- consumers ----------------------------------------------------------------------------

  /** @throws SubscribeError when the channel has no place for another consumer */
  subscribe(consumer: Consumer, msgTimeoutMs: number, sampleRate: number): Subscription {
    let slot = this.#slots.indexOf(undefined);
    if (slot < 0) slot = this.#slots.length;
    if (slot >= MAX_SLOTS) throw new SubscribeError(`a channel holds at most ${MAX_SLOTS} consumers`);
    const subscription = new Subscription(this, consumer, slot + FIRST_SLOT, msgTimeoutMs, sampleRate);
    this.#slots[slot] = subscription;
    this.subscriptions.push(subscription);
    return subscription;
  }

  /** Ends a subscription; its messages in flight wait again at once. */
  unsubscribe(subscription: Subscription): void {
    const at = this.subscriptions.indexOf(subscription);
    if (at < 0) return;
    this.#takeAllBack(subscription);
    this.subscriptions.splice(at, 1);
    this.ready.left(subscription);
    this.#slots[subscription.slot - FIRST_SLOT] = undefined;
    if (this.ephemeral && this.subscriptions.length === 0 && !this.exiting) {
      this.topic.deleteChannel(this.name);
    } else this.wake();
  }

  /** Has the end of this turn look whether something can be delivered. */
  wake(): void {
    if (!this.inTurn && this.waitingCount + this.redelivery.size > 0) this.topic.host.markChannel(this);
  }

  setPaused(paused: boolean): void {
    this.paused = paused;
    this.wake();
  }

  // ---- from the log -------------------------------------------------------------------------

  /**
   * The topic released `count` messages, the last of them before `to`.
   *
   * An ephemeral channel over `limit` waiting messages does not get the newest ones.
   */
  admit(to: number, count: number, limit: number): void {
    this.messageCount += count;
    let taken = count;
    if (this.ephemeral) {
      taken = Math.max(0, Math.min(count, limit - this.depth));
      if (taken < count) this.finishAhead(this.topic.newestFrom(count - taken, to), to);
    }
    this.waitingCount += taken;
    this.wake();
  }

  /**
   * Makes messages [from, to), which are at or after the cursor, finished: they were left out, lost, or
   * finished before a restart. The caller takes those that were counted as waiting off the count.
   *
   * @returns how many were waiting
   */
  finishAhead(from: number, to: number): number {
    this.journal.finishedAhead(from, to);
    return this.position.finishAhead(from, to);
  }

  /** Defers a message that was just admitted until `atMs` (monotonic ms). */
  deferAdmitted(segment: Segment, index: number, atMs: number, attempts = 0): void {
    // It may be one of those over the limit of an ephemeral channel.
    if (!this.position.setAside(segment, index)) return;
    this.waitingCount--;
    // The block of the message in the log says that it is deferred, so its end must be recorded.
    this.#track(segment.firstSeq + index, segment, index, attempts, "deferred", atMs).saved = true;
  }

  /**
   * Restores an unfinished message from before a restart, as requeued or (with `atMs`, monotonic) deferred.
   *
   * The cursor is set; a message before it counts as finished until now, one after it as waiting.
   */
  restore(segment: Segment, index: number, attempts: number, atMs: number): void {
    const seq = segment.seqAt(index);
    if (this.tracked.has(seq)) return;
    if (segment.seqs !== null) segment.claims++;
    else if (this.position.restore(segment, index)) this.waitingCount--;
    this.#track(seq, segment, index, attempts, atMs > 0 ? "deferred" : "requeued", atMs).saved = true;
  }

  // ---- answers ------------------------------------------------------------------------------

  /** FIN: the message is done for this channel. */
  finish(subscription: Subscription, seq: number): Answer {
    const chunk = this.position.find(seq);
    if (chunk !== null) {
      const index = seq - chunk.firstSeq, entry = chunk.entries[index];
      if (entry === subscription.slot) {
        chunk.entries[index] = FINISHED;
        chunk.finished++;
        this.inFlightCount--;
        subscription.inFlight--;
        subscription.finishCount++;
        this.latency?.finished(chunk.segment, index);
        this.journal.moved();
        if (chunk.finished === chunk.segment.count) this.position.settle(chunk);
        if (!this.inTurn) this.wake();
        return "ok";
      }
      if (entry >= FIRST_SLOT) return "not owner";
    }
    const message = this.tracked.get(seq);
    if (message === undefined || message.state !== "in flight") return "not in flight";
    if (message.owner !== subscription) return "not owner";
    subscription.inFlight--;
    subscription.trackedInFlight--;
    subscription.finishCount++;
    this.inFlightCount--;
    this.latency?.finished(message.segment, message.index);
    this.finishTracked(message);
    this.wake();
    return "ok";
  }

  /** REQ: the message waits again, at once or after `delayMs`. */
  requeue(subscription: Subscription, seq: number, delayMs: number, nowMs: number): Answer {
    const message = this.#trackOwned(subscription, seq, nowMs);
    if (typeof message === "string") return message;
    subscription.requeueCount++;
    this.requeueCount++;
    this.takeBack(message);
    if (delayMs > 0) {
      message.state = "deferred";
      message.atMs = nowMs + delayMs;
      this.deferredCount++;
      this.due.push(message);
      this.topic.host.watchDue(this);
    } else {
      this.#toRedelivery(message);
    }
    this.journal.changed(message);
    this.wake();
    return "ok";
  }

  /** TOUCH: the timeout starts again, but not past `maxMsgTimeoutMs` after this delivery. */
  touch(
    subscription: Subscription,
    seq: number,
    timeoutMs: number,
    maxMsgTimeoutMs: number,
    nowMs: number,
  ): Answer {
    const message = this.#trackOwned(subscription, seq, nowMs);
    if (typeof message === "string") return message;
    message.atMs = Math.min(nowMs + timeoutMs, message.deliveredAtMs + maxMsgTimeoutMs);
    this.due.update(message);
    return "ok";
  }

  /** Times out and makes due what is due at `nowMs`; false when nothing is left that ever will be. */
  scan(nowMs: number): boolean {
    for (const subscription of this.subscriptions) this.#expireRanges(subscription, nowMs);
    const due = this.due;
    while (due.firstMs <= nowMs) {
      const message = due.peek()!;
      if (message.state === "in flight") {
        this.timeoutCount++;
        this.takeBack(message);
      } else {
        due.remove(message);
        this.deferredCount--;
      }
      this.#toRedelivery(message);
      this.journal.changed(message);
    }
    this.wake();
    return this.inFlightCount > 0 || due.size > 0;
  }

  // ---- delivery -----------------------------------------------------------------------------

  /** Shares what waits out among the ready consumers. Called once at the end of a turn. */
  pump(nowMs: number): void {
    if (this.paused || this.exiting) return;
    this.#redeliveryBytesLeft = MAX_BYTES_PER_TURN;
    for (let round = 0; round < this.ready.maxRounds; round++) {
      const available = this.waitingCount + this.redelivery.size;
      if (available === 0) break;
      const ready = this.ready.pick(this.subscriptions, available);
      if (ready.length === 0) break;
      const share = Math.ceil(available / ready.length);
      let delivered = 0;
      for (const subscription of ready) {
        const quota = Math.min(share, subscription.rdy - subscription.inFlight);
        delivered += this.#deliver(subscription, quota, nowMs);
        if (this.waitingCount + this.redelivery.size === 0) break;
      }
      if (delivered === 0) break;
    }
    if (this.inFlightCount > 0) this.topic.host.watchDue(this);
    // The rest is for the next turn, which nobody else may ask for.
    if (this.#redeliveryBytesLeft <= 0) this.wake();
  }

  #deliver(subscription: Subscription, quota: number, nowMs: number): number {
    let left = quota;
    if (this.redelivery.size > 0) {
      // Half and half, so that neither requeued nor fresh messages starve the other.
      let share = left;
      if (this.waitingCount > 0) {
        share = left === 1 ? (this.#redeliverNext ? 1 : 0) : left >> 1;
        this.#redeliverNext = !this.#redeliverNext;
      }
      left -= this.#redeliver(subscription, share, nowMs);
    }
    if (left > 0 && this.waitingCount > 0) left -= this.#deliverFresh(subscription, left, nowMs);
    if (left > 0 && left < quota && this.redelivery.size > 0) {
      left -= this.#redeliver(subscription, left, nowMs);
    }
    return quota - left;
  }

  #deliverFresh(subscription: Subscription, quota: number, nowMs: number): number {
    const { position } = this;
    let left = quota, bytesLeft = MAX_BYTES_PER_TURN;
    while (left > 0 && bytesLeft > 0) {
      const end = position.seek(), segment = position.segment;
      if (end === 0 || segment === null) break;
      if (segment.buffer === null) {
        this.topic.host.load(segment, this);
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
      this.waitingCount -= count;
      if (subscription.sampleRate > 0 && Math.floor(Math.random() * 100) > subscription.sampleRate) {
        chunk.entries[from] = FINISHED;
        chunk.finished++;
        this.journal.moved();
        this.position.settle(chunk);
        if (this.waitingCount === 0) break;
        continue;
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
      this.deliveredCount += count;
      this.inFlightCount += count;
      left -= count;
      bytesLeft -= index[to] - index[from];
      this.journal.moved();
      subscription.consumer.sendRun(segment, from, to);
    }
    return quota - left;
  }

  #redeliver(subscription: Subscription, quota: number, nowMs: number): number {
    let count = 0;
    for (; count < quota && this.#redeliveryBytesLeft > 0; count++) {
      const message = this.redelivery.peek();
      if (message === undefined) break;
      const { segment, index } = message;
      if (segment.lacks(index)) {
        this.topic.host.load(segment, this);
        break;
      }
      this.redelivery.shift();
      this.#redeliveryBytesLeft -= segment.index[index + 1] - segment.index[index];
      message.attempts = (message.attempts + 1) & 0xffff;
      message.state = "in flight";
      message.owner = subscription;
      message.deliveredAtMs = nowMs;
      message.atMs = nowMs + subscription.msgTimeoutMs;
      this.due.push(message);
      this.journal.changed(message);
      subscription.inFlight++;
      subscription.trackedInFlight++;
      subscription.messageCount++;
      this.deliveredCount++;
      this.inFlightCount++;
      subscription.consumer.sendRecord(segment, message.index, message.attempts);
    }
    return count;
  }

  // ---- life cycle ---------------------------------------------------------------------------

  /** Drops every message: waiting, in flight, requeued and deferred. */
  empty(): void {
    for (const subscription of this.subscriptions) {
      subscription.inFlight = 0;
      subscription.trackedInFlight = 0;
      subscription.deadlines.clear();
    }
    this.#forgetAll();
    const { segment, index } = this.topic.releasedAt();
    this.position.start(segment, index);
    this.journal.moved();
  }

  /** Ends the channel: its consumers are disconnected and its claims on the log let go. */
  delete(): void {
    this.exiting = true;
    for (const subscription of this.subscriptions.slice()) {
      subscription.inFlight = 0;
      subscription.consumer.channelDeleted();
    }
    this.subscriptions.length = 0;
    this.#forgetAll();
  }

  /** Moves the tracked messages of `chunk` to where compaction put their records, and lets the chunk's segment go. */
  relocate(chunk: Chunk, place: (seq: number) => { segment: Segment; index: number }, nowMs: number): void {
    const { entries, firstSeq, segment } = chunk;
    for (let i = 0; i < segment.count; i++) {
      const entry = entries[i];
      if (entry >= FIRST_SLOT) {
        const owner = this.#slots[entry - FIRST_SLOT]!;
        this.#trackInFlight(owner, chunk, i, nowMs);
      }
      if (entries[i] !== TRACKED) continue;
      const message = this.tracked.get(firstSeq + i)!;
      const to = place(message.seq);
      message.segment = to.segment;
      message.index = to.index;
      to.segment.claims++;
    }
    this.position.remove(chunk);
    this.position.leave(segment);
  }

  #forgetAll(): void {
    for (const message of this.tracked.values()) {
      if (message.segment.seqs !== null) this.topic.unclaim(message.segment);
    }
    this.tracked.clear();
    this.due.clear();
    this.redelivery.clear();
    this.journal.clear();
    this.inFlightCount = this.deferredCount = this.waitingCount = 0;
    this.position.clear();
  }

  // ---- tracked messages ---------------------------------------------------------------------

  #track(
    seq: number,
    segment: Segment,
    index: number,
    attempts: number,
    state: "requeued" | "deferred",
    atMs: number,
  ): TrackedMessage {
    const message = newTrackedMessage(seq, segment, index, attempts, state, atMs);
    this.tracked.set(seq, message);
    if (state === "deferred") {
      this.deferredCount++;
      this.due.push(message);
      this.topic.host.watchDue(this);
    } else {
      this.redelivery.push(message);
      this.wake();
    }
    this.journal.changed(message);
    return message;
  }

  /** The message, tracked and in flight with `subscription`, or why it is none. */
  #trackOwned(subscription: Subscription, seq: number, nowMs: number): TrackedMessage | Answer {
    const chunk = this.position.find(seq);
    if (chunk !== null) {
      const index = seq - chunk.firstSeq, entry = chunk.entries[index];
      if (entry === subscription.slot) return this.#trackInFlight(subscription, chunk, index, nowMs);
      if (entry >= FIRST_SLOT) return "not owner";
    }
    const message = this.tracked.get(seq);
    if (message === undefined || message.state !== "in flight") return "not in flight";
    return message.owner === subscription ? message : "not owner";
  }

  /** Has message `seq` tracked when it is in flight since its first delivery. */
  setAsideInFlight(seq: number): void {
    const chunk = this.position.find(seq);
    if (chunk === null) return;
    const index = seq - chunk.firstSeq, entry = chunk.entries[index];
    if (entry >= FIRST_SLOT) this.#trackInFlight(this.#slots[entry - FIRST_SLOT]!, chunk, index, 0);
  }

  /** Has a message tracked that is in flight since its first delivery. */
  #trackInFlight(owner: Subscription, chunk: Chunk, index: number, nowMs: number): TrackedMessage {
    const seq = chunk.firstSeq + index;
    const message = newTrackedMessage(
      seq,
      chunk.segment,
      index,
      1,
      "in flight",
      owner.deadlines.deadlineOf(seq),
    );
    message.deliveredAtMs = Math.min(nowMs, message.atMs - owner.msgTimeoutMs);
    message.owner = owner;
    chunk.entries[index] = TRACKED;
    this.tracked.set(seq, message);
    this.due.push(message);
    owner.trackedInFlight++;
    this.journal.changed(message);
    return message;
  }

  /** Takes a tracked message in flight out of its consumer's hands. */
  takeBack(message: TrackedMessage): void {
    const owner = message.owner!;
    this.due.remove(message);
    owner.inFlight--;
    owner.trackedInFlight--;
    this.inFlightCount--;
    message.owner = null;
  }

  #toRedelivery(message: TrackedMessage): void {
    message.state = "requeued";
    message.atMs = 0;
    this.redelivery.push(message);
  }

  finishTracked(message: TrackedMessage): void {
    this.due.remove(message);
    this.tracked.delete(message.seq);
    this.journal.ended(message);
    const segment = message.segment;
    if (segment.seqs !== null) {
      this.topic.unclaim(segment);
      return;
    }
    const chunk = this.position.find(message.seq)!;
    chunk.entries[message.index] = FINISHED;
    chunk.finished++;
    this.journal.moved();
    this.position.settle(chunk);
  }

  // ---- timeouts -----------------------------------------------------------------------------

  /** Times out what is due of the messages in flight since their first delivery, and forgets what is finished. */
  #expireRanges(subscription: Subscription, nowMs: number): void {
    const { deadlines, slot } = subscription;
    for (; deadlines.size > 0; deadlines.shift()) {
      const due = deadlines.headDeadlineMs <= nowMs, to = deadlines.headTo;
      for (let seq = deadlines.headFrom;; seq++) {
        seq = this.position.nextInFlight(seq, to, slot);
        if (seq >= to) break;
        if (!due) {
          deadlines.headFrom = seq;
          return;
        }
        this.timeoutCount++;
        this.#returnToQueue(subscription, seq);
      }
    }
  }

  #returnToQueue(subscription: Subscription, seq: number): void {
    const chunk = this.position.find(seq)!, index = seq - chunk.firstSeq;
    chunk.entries[index] = TRACKED;
    subscription.inFlight--;
    this.inFlightCount--;
    this.#track(seq, chunk.segment, index, 1, "requeued", 0);
  }

  /** Puts all a consumer has in flight back, as when it disconnects. */
  #takeAllBack(subscription: Subscription): void {
    const { deadlines, slot } = subscription;
    for (; deadlines.size > 0; deadlines.shift()) {
      const to = deadlines.headTo;
      for (let seq = deadlines.headFrom;; seq++) {
        seq = this.position.nextInFlight(seq, to, slot);
        if (seq >= to) break;
        this.#returnToQueue(subscription, seq);
      }
    }
    if (subscription.trackedInFlight === 0) return;
    for (const message of this.tracked.values()) {
      if (message.owner !== subscription) continue;
      this.takeBack(message);
      this.#toRedelivery(message);
      this.journal.changed(message);
    }
  }
}
