/**
 * The messages of one channel: in which state each of them is, and every step from one state to another.
 *
 * A message is in exactly one state: waiting, in flight, requeued, deferred, finished. Up to its first answer it is
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
import type { Subscription } from "../consumer/subscription.ts";
import type { LatencyWindow } from "../latency/latency_window.ts";
import { type Chunk, FINISHED, FIRST_SLOT, TRACKED } from "../topic_log/chunk.ts";
import { LogPosition } from "../topic_log/log_position.ts";
import type { TopicLog } from "../topic_log/topic_log.ts";
import { ConsumerSlots } from "./consumer_slots.ts";
import { DueHeap } from "../tracked/due_heap.ts";
import { Journal } from "./journal.ts";
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

export abstract class ChannelMessages {
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

  // ---- waiting ------------------------------------------------------------------------------

  /** Makes those of messages [from, to) finished that wait: they were left out, lost, or finished before a restart. */
  finishWaiting(from: number, to: number): void {
    this.waitingCount -= this.#finishAhead(from, to);
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
      this.deferredCount++;
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
    this.deferredCount++;
    this.due.push(message);
    this.watchDue();
    this.journal.changed(message);
  }

  /** A deferred message is due: it waits again. */
  endDeferral(message: TrackedMessage): void {
    this.due.remove(message);
    this.deferredCount--;
    this.requeueTracked(message);
  }

  /** Makes a message finished that was taken back, or off its count and queue. */
  finishTracked(message: TrackedMessage): void {
    this.due.remove(message);
    this.tracked.delete(message.seq);
    this.journal.ended(message);
    const segment = message.segment;
    if (segment.seqs !== null) {
      this.#sparseCount--;
      this.log.unclaim(segment);
      return;
    }
    const chunk = this.position.find(message.seq)!;
    chunk.entries[message.index] = FINISHED;
    chunk.finished++;
    this.journal.moved();
    this.position.settle(chunk);
  }

  /** Has message `seq`, in flight with `subscription` since its first delivery, wait again. */
  requeueFirstDelivery(subscription: Subscription, seq: number): void {
    const chunk = this.position.find(seq)!, index = seq - chunk.firstSeq;
    chunk.entries[index] = TRACKED;
    subscription.inFlight--;
    this.inFlightCount--;
    this.track(seq, chunk.segment, index, 1, "requeued", 0);
  }

  /**
   * Has all that the leaving consumers have in flight wait again, as far as the work of the turn goes. Their slots are
   * free once nothing is theirs.
   */
  takeBackLeft(): void {
    while (this.leaving.length > 0 && this.#takeAllBack(this.leaving[0])) {
      this.slots.giveBack(this.leaving.shift()!.slot);
    }
  }

  /** Puts all a consumer has in flight back; false when some is left for the next turn. */
  #takeAllBack(subscription: Subscription): boolean {
    const { work } = this, { deadlines, slot, tracked } = subscription;
    for (; deadlines.size > 0; deadlines.shift()) {
      const to = deadlines.headTo;
      for (let seq = deadlines.headFrom;; seq++) {
        seq = this.position.nextInFlight(seq, to, slot);
        if (seq >= to) break;
        if (work.left <= 0) {
          deadlines.headFrom = seq;
          return false;
        }
        work.left--;
        this.requeueFirstDelivery(subscription, seq);
      }
    }
    for (let message = tracked.first; message !== null; message = tracked.first) {
      if (work.left <= 0) return false;
      work.left--;
      this.takeBack(message);
      this.requeueTracked(message);
    }
    return true;
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
    this.tracked.clear();
    this.due.clear();
    this.redelivery.clear();
    this.journal.clear();
    this.inFlightCount = this.deferredCount = this.waitingCount = 0;
    this.unfinishedScanMs = null;
    for (const { slot } of this.leaving.splice(0)) this.slots.giveBack(slot);
    this.position.clear();
  }

  #unclaimSparse(): void {
    for (const message of this.tracked.values()) {
      if (message.segment.seqs !== null) this.log.unclaim(message.segment);
    }
    this.#sparseCount = 0;
  }

  /** Moves the tracked messages of `chunk` to where compaction put their records, and lets the chunk's segment go. */
  relocate(chunk: Chunk, place: (seq: number) => { segment: Segment; index: number }, nowMs: number): void {
    const { entries, firstSeq, segment } = chunk;
    for (let i = 0; i < segment.count; i++) {
      const entry = entries[i];
      if (entry >= FIRST_SLOT) this.trackInFlight(this.slots.get(entry), chunk, i, nowMs);
      if (entries[i] !== TRACKED) continue;
      const message = this.tracked.get(firstSeq + i)!, to = place(message.seq);
      message.segment = to.segment;
      message.index = to.index;
      this.claimSparse(to.segment);
    }
    this.position.remove(chunk);
    this.position.leave(segment);
  }
}
