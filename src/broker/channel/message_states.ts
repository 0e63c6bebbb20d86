/**
 * The messages of one channel: in which state each of them is, and every step from one state to another.
 *
 * A message is in exactly one state: waiting, in flight, requeued, deferred, dead, finished. Up to its first answer it is
 * only an entry in a chunk (see `topic_log/chunk.ts`); what is touched, requeued, timed out or deferred is tracked,
 * as an object of its own (see `tracked_message.ts`).
 *
 * Delivery, answers and timeouts are built on the steps here and change states by nothing else; each step keeps the
 * counts, the queues and the journal in agreement (see `invariants`).
 *
 * Cost: steps of single messages are O(log n) in the tracked messages that have a time; counts are O(1).
 *
 * Tested in test/broker/broker_model_test.ts.
 */
import type { Segment } from "../../storage/segment.ts";
import { type ChannelPolicy, noChannelPolicy } from "../../policies/policy.ts";
import type { Subscription } from "../consumer/subscription.ts";
import type { LatencyWindow } from "../latency/latency_window.ts";
import { type Chunk, FINISHED, FIRST_SLOT, TRACKED } from "../topic_log/chunk.ts";
import { LogPosition } from "../topic_log/log_position.ts";
import type { TopicLog } from "../topic_log/topic_log.ts";
import { ConsumerSlots } from "./consumer_slots.ts";
import { DeadLetters } from "./dead_letters.ts";
import { DueHeap } from "../tracked/due_heap.ts";
import { Journal } from "./journal.ts";
import type { KeyedOrder, RecordPlace } from "./keyed_order.ts";
import { RedeliveryQueue } from "../tracked/redelivery_queue.ts";
import { TrackedMap } from "../tracked/tracked_map.ts";
import { newTrackedMessage, type TrackedMessage } from "../tracked/tracked_message.ts";

/**
 * How many more messages the running turn may move for work that can wait: what time makes due, what a consumer leaves
 * behind, deferred messages that are released. What is left then goes on in the next turn, so that nobody waits for
 * a million of them.
 */
export interface TurnWork {
  left: number;
}

export abstract class MessageStates {
  readonly log: TopicLog;
  readonly work: TurnWork;
  /** True when positions of this channel are kept on disk. */
  readonly durable: boolean;
  /** How far it has come in the log. */
  readonly position: LogPosition;
  readonly tracked = new TrackedMap();
  /** The tracked ones that are deferred or in flight. */
  readonly due = new DueHeap();
  /** The requeued ones. */
  readonly redelivery = new RedeliveryQueue();
  /** Those that are not delivered any more; they count in no depth. */
  readonly dead = new DeadLetters();
  /** What is in force; flat, and replaced as a whole. */
  policy: ChannelPolicy = noChannelPolicy;
  /** What the log on disk does not know yet. */
  readonly journal: Journal;
  readonly latency: LatencyWindow | null;
  readonly subscriptions: Subscription[] = [];
  /** Consumers that left, of which not all messages are taken back yet. */
  readonly leaving: Subscription[] = [];
  readonly slots = new ConsumerSlots();

  /** Released, never delivered, not deferred. */
  waitingCount = 0;
  inFlightCount = 0;
  deferredCount = 0;
  /** Deliveries to consumers, redeliveries included. */
  deliveredCount = 0;
  requeueCount = 0;
  timeoutCount = 0;
  /** Messages that the policy took off for their age, and for the bounds. */
  expiredCount = 0;
  overflowCount = 0;
  /** Deferred messages that were delivered before: they hold up others where there is an order. */
  deferredAgainCount = 0;
  /** A segment that delivery waits for besides those at the cursor and of the next requeued one: it is to stay. */
  awaited: Segment | null = null;
  /** Set where the policy orders by key. */
  order: KeyedOrder | null = null;

  /** Set while the channel is in the turn's list: `wake` would change nothing. */
  inTurn = false;
  /** The time (monotonic ms) up to which not all that is due was moved yet; null when it was. */
  unfinishedScanMs: number | null = null;
  /** Tracked messages whose record is in a sparse segment. */
  #sparseCount = 0;

  constructor(log: TopicLog, work: TurnWork, durable: boolean, latency: LatencyWindow | null) {
    this.log = log;
    this.work = work;
    this.durable = durable;
    this.latency = latency;
    this.position = new LogPosition(log);
    this.journal = new Journal(durable, () => this.positionChanged(), () => this.journalFull());
  }

  /** Has the end of this turn look whether something can be delivered. */
  abstract wake(): void;
  /** Something becomes due. May be called again and again. */
  abstract watchDue(): void;
  /** The log on disk is behind. */
  abstract positionChanged(): void;
  /** It is behind by many messages. */
  abstract journalFull(): void;

  /** Messages that wait for a consumer. */
  get depth(): number {
    return this.waitingCount + this.redelivery.size;
  }

  /** Messages that wait, are in flight, requeued or deferred. */
  get unfinishedCount(): number {
    return this.waitingCount + this.redelivery.size + this.inFlightCount + this.deferredCount;
  }

  // ---- waiting ------------------------------------------------------------------------------

  /** Makes those of messages [from, to) finished that wait: they were left out, lost, or finished before a restart. */
  finishWaiting(from: number, to: number): void {
    this.waitingCount -= this.#finishAhead(from, to);
  }

  /** Makes the run of waiting messages at the cursor, which `position.seek` gave, finished up to index `to`. */
  dropRun(to: number): void {
    this.waitingCount -= to - this.position.index;
    this.position.skip(to);
    this.journal.moved();
  }

  /** Makes messages [from, to) finished, which were never released to the channel, nor counted. */
  finishUnreleased(from: number, to: number): void {
    this.#finishAhead(from, to);
  }

  #finishAhead(from: number, to: number): number {
    this.journal.finishedAhead(from, to);
    return this.position.finishAhead(from, to);
  }

  /** Defers a waiting message until `atMs` (monotonic); does nothing when it does not wait. */
  deferWaiting(segment: Segment, index: number, atMs: number, attempts = 0): void {
    if (!this.position.setAside(segment, index)) return;
    this.waitingCount--;
    // The block of the message in the log says that it is deferred, so its end must be recorded.
    this.track(segment.firstSeq + index, segment, index, attempts, "deferred", atMs).saved = true;
  }

  // ---- tracking -----------------------------------------------------------------------------

  /** Tracks a message that is requeued, or deferred until `atMs` (monotonic). */
  track(
    seq: number,
    segment: Segment,
    index: number,
    attempts: number,
    state: "requeued" | "deferred",
    atMs: number,
  ): TrackedMessage {
    const message = newTrackedMessage(seq, segment, index, attempts, state, atMs);
    this.#addTracked(message);
    this.journal.changed(message);
    return message;
  }

  /** Tracks a message that the log on disk tells of, as `track` does. */
  restoreTracked(seq: number, segment: Segment, index: number, attempts: number, atMs: number | null): void {
    const state = atMs === null ? "requeued" : "deferred";
    const message = newTrackedMessage(seq, segment, index, attempts, state, atMs ?? 0);
    message.saved = true;
    this.#addTracked(message);
  }

  #addTracked(message: TrackedMessage): void {
    this.tracked.add(message);
    if (message.state === "deferred") {
      this.#countDeferred(message, 1);
      this.due.push(message);
      this.watchDue();
    } else {
      this.redelivery.push(message);
      this.wake();
    }
  }

  /** Tracks a message that is in flight since its first delivery. */
  trackInFlight(owner: Subscription, chunk: Chunk, index: number, nowMs: number): TrackedMessage {
    const seq = chunk.firstSeq + index, deadlineMs = owner.deadlines.deadlineOf(seq);
    const message = newTrackedMessage(seq, chunk.segment, index, 1, "in flight", deadlineMs);
    message.deliveredAtMs = Math.min(nowMs, deadlineMs - owner.msgTimeoutMs);
    message.owner = owner;
    chunk.entries[index] = TRACKED;
    this.tracked.add(message);
    this.due.push(message);
    owner.tracked.push(message);
    this.journal.changed(message);
    return message;
  }

  /**
   * Delivers one waiting message out of turn: it is tracked from the start. False when it does not wait.
   *
   * The caller sends it.
   */
  deliverTracked(owner: Subscription, { seq, segment, index }: RecordPlace, nowMs: number): boolean {
    if (!this.position.setAside(segment, index)) return false;
    this.waitingCount--;
    const message = newTrackedMessage(seq, segment, index, 1, "in flight", nowMs + owner.msgTimeoutMs);
    message.deliveredAtMs = nowMs;
    message.owner = owner;
    this.tracked.add(message);
    this.due.push(message);
    owner.tracked.push(message);
    owner.inFlight++;
    owner.messageCount++;
    this.inFlightCount++;
    this.deliveredCount++;
    this.journal.changed(message);
    return true;
  }

  /** Delivers a message again that was taken out of the queue, and sends it. */
  redeliver(owner: Subscription, message: TrackedMessage, nowMs: number): void {
    message.attempts = (message.attempts + 1) & 0xffff;
    message.state = "in flight";
    message.owner = owner;
    message.deliveredAtMs = nowMs;
    message.atMs = nowMs + owner.msgTimeoutMs;
    this.due.push(message);
    this.journal.changed(message);
    owner.inFlight++;
    owner.tracked.push(message);
    owner.messageCount++;
    this.deliveredCount++;
    this.inFlightCount++;
    owner.consumer.sendRecord(message.segment, message.index, message.attempts);
  }

  /** Tracks message `seq` when it is in flight since its first delivery. */
  trackIfInFlight(seq: number): void {
    const chunk = this.position.find(seq);
    if (chunk === null) return;
    const index = seq - chunk.firstSeq, entry = chunk.entries[index];
    if (entry >= FIRST_SLOT) this.trackInFlight(this.slots.get(entry), chunk, index, 0);
  }

  // ---- steps of tracked messages --------------------------------------------------------------

  /** Takes a message in flight out of its consumer's hands. */
  takeBack(message: TrackedMessage): void {
    const owner = message.owner!;
    this.due.remove(message);
    owner.inFlight--;
    owner.tracked.remove(message);
    this.inFlightCount--;
    message.owner = null;
  }

  /** Has a message that was taken back, or is due, wait again. */
  requeueTracked(message: TrackedMessage): void {
    message.state = "requeued";
    message.atMs = 0;
    this.redelivery.push(message);
    this.journal.changed(message);
  }

  /** Defers a message that was taken back, or out of the queue, until `atMs` (monotonic). */
  deferTracked(message: TrackedMessage, atMs: number): void {
    message.state = "deferred";
    message.atMs = atMs;
    this.#countDeferred(message, 1);
    this.due.push(message);
    this.watchDue();
    this.journal.changed(message);
  }

  /** A deferred message is to end otherwise than by its time: it is none any more. */
  uncountDeferred(message: TrackedMessage): void {
    this.#countDeferred(message, -1);
  }

  #countDeferred(message: TrackedMessage, by: 1 | -1): void {
    this.deferredCount += by;
    if (message.attempts > 0) this.deferredAgainCount += by;
  }

  /** A deferred message is due: it waits again. */
  endDeferral(message: TrackedMessage): void {
    const { atMs } = message;
    this.due.remove(message);
    this.#countDeferred(message, -1);
    this.requeueTracked(message);
    // Its age counts from then on.
    message.atMs = atMs;
  }

  /** Makes a message finished that was taken back, or off its count and queue. */
  finishTracked(message: TrackedMessage): void {
    this.due.remove(message);
    this.tracked.delete(message.seq);
    this.journal.ended(message);
    this.order?.ended(message.seq);
    this.finishRecord(message.seq, message.segment, message.index);
  }

  /** A message that is neither waiting nor tracked nor dead any more is finished. */
  finishRecord(seq: number, segment: Segment, index: number): void {
    if (segment.seqs !== null) {
      this.#sparseCount--;
      this.log.unclaim(segment);
      return;
    }
    const chunk = this.position.find(seq)!;
    chunk.entries[index] = FINISHED;
    chunk.finished++;
    this.journal.moved();
    this.position.settle(chunk);
  }

  /** A tracked message has its record in sparse segment `segment` from now on. */
  claimSparse(segment: Segment): void {
    this.#sparseCount++;
    this.log.claim(segment);
  }

  // ---- all of them --------------------------------------------------------------------------

  /** Drops every message, and the claims on the log with them. */
  forgetAll(): void {
    if (this.#sparseCount > 0) this.#unclaimSparse();
    this.dead.clear();
    this.tracked.clear();
    this.due.clear();
    this.redelivery.clear();
    this.journal.clear();
    this.inFlightCount =
      this.deferredCount =
      this.deferredAgainCount =
      this.waitingCount =
        0;
    this.unfinishedScanMs = null;
    for (const { slot } of this.leaving.splice(0)) this.slots.giveBack(slot);
    this.position.clear();
  }

  #unclaimSparse(): void {
    for (const message of this.tracked.values()) {
      if (message.segment.seqs !== null) this.log.unclaim(message.segment);
    }
    for (const seq of this.dead.from(-Infinity)) {
      const { segment } = this.dead.get(seq)!;
      if (segment.seqs !== null) this.log.unclaim(segment);
    }
    this.#sparseCount = 0;
  }

  /** The record of a tracked or dead message is in another place now. */
  moveRecord(seq: number, segment: Segment, index: number): void {
    const message = this.tracked.get(seq);
    if (message === undefined) {
      this.dead.relocate(seq, segment, index);
      return;
    }
    message.segment = segment;
    message.index = index;
  }

  /** Moves the tracked messages of `chunk` to where compaction put their records, and lets the chunk's segment go. */
  relocate(chunk: Chunk, place: (seq: number) => { segment: Segment; index: number }, nowMs: number): void {
    const { entries, firstSeq, segment } = chunk;
    for (let i = 0; i < segment.count; i++) {
      const entry = entries[i];
      if (entry >= FIRST_SLOT) this.trackInFlight(this.slots.get(entry), chunk, i, nowMs);
      if (entries[i] !== TRACKED) continue;
      const to = place(firstSeq + i);
      this.moveRecord(firstSeq + i, to.segment, to.index);
      this.claimSparse(to.segment);
    }
    this.position.remove(chunk);
    this.position.leave(segment);
  }
}
