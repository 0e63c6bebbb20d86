/**
 * What becomes of the messages of a channel that come back from their consumers: they wait again, or die when they were
 * delivered often enough. And what becomes of dead letters.
 *
 * Built on the steps of `message_states.ts`.
 *
 * Tested in test/broker/broker_model_test.ts and test/broker/dead_letters_test.ts.
 */
import type { Segment } from "../../storage/segment.ts";
import type { Subscription } from "../consumer/subscription.ts";
import { TRACKED } from "../topic_log/chunk.ts";
import type { MessageOwner, TrackedMessage } from "../tracked/tracked_message.ts";
import type { DeadLetter, DeathReason } from "./dead_letters.ts";
import { MessageStates } from "./message_states.ts";

const NS_PER_MS = 1e6;

export abstract class ChannelMessages extends MessageStates {
  /** Wall clock, Unix ms. */
  abstract wallMs(): number;
  /** A message died. */
  abstract deadLetterCame(): void;

  // ---- coming back --------------------------------------------------------------------------

  /**
   * A message comes back from its consumer: it waits again, at once or (with `atMs`, monotonic) then, or dies when it
   * was delivered often enough.
   */
  comeBack(message: TrackedMessage, atMs = 0): void {
    const last = message.owner;
    this.takeBack(message);
    if (this.isLastAttempt(message.attempts)) this.killTracked(message, "attempts", last);
    else if (atMs > 0) this.deferTracked(message, atMs);
    else this.requeueTracked(message);
  }

  /** Has message `seq`, in flight with `subscription` since its first delivery, wait again. */
  requeueFirstDelivery(subscription: Subscription, seq: number): void {
    const chunk = this.position.find(seq)!, index = seq - chunk.firstSeq;
    chunk.entries[index] = TRACKED;
    subscription.inFlight--;
    this.inFlightCount--;
    if (this.isLastAttempt(1)) this.#bury(seq, chunk.segment, index, 1, "attempts", subscription);
    else this.track(seq, chunk.segment, index, 1, "requeued", 0);
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
      this.comeBack(message);
    }
    return true;
  }

  // ---- dead letters -------------------------------------------------------------------------

  /** Whether a message that was delivered so often dies when it comes back. */
  isLastAttempt(attempts: number): boolean {
    const { maxAttempts } = this.policy;
    return maxAttempts > 0 && attempts >= maxAttempts;
  }

  /** Makes a message dead that was taken back, or off its count and queue. */
  killTracked(message: TrackedMessage, reason: DeathReason, last: MessageOwner | null): void {
    this.due.remove(message);
    this.tracked.delete(message.seq);
    // What it was is not told any more.
    message.unsaved = false;
    this.order?.ended(message.seq);
    this.#bury(message.seq, message.segment, message.index, message.attempts, reason, last);
  }

  /** Makes the run of waiting messages at the cursor, which `position.seek` gave, dead up to index `to`. */
  killRun(to: number, reason: DeathReason): void {
    const { segment, index: from } = this.position;
    this.waitingCount -= to - from;
    this.position.setRunAside(to);
    for (let i = from; i < to; i++) this.#bury(segment!.firstSeq + i, segment!, i, 0, reason, null);
    this.journal.moved();
  }

  #bury(
    seq: number,
    segment: Segment,
    index: number,
    attempts: number,
    reason: DeathReason,
    last: MessageOwner | null,
  ): void {
    const diedMs = this.wallMs(), consumer = last?.consumer.describe() ?? "";
    this.dead.add({ seq, segment, index, attempts, reason, diedMs, consumer });
    this.journal.died(seq);
    this.deadLetterCame();
  }

  /** Whether a requeued message is too old; one that was deferred ages from its due time on. */
  isExpired({ segment, index, atMs }: TrackedMessage, nowMs: number): boolean {
    const { ttlMs } = this.policy;
    if (ttlMs === 0) return false;
    return atMs > 0 ? nowMs - atMs > ttlMs : segment.timeNs(index) < this.cutoffNs;
  }

  /** What was published before this is too old, Unix ns. */
  get cutoffNs(): number {
    return (this.wallMs() - this.policy.ttlMs) * NS_PER_MS;
  }

  /** Ends a message that was taken out of the queue, for its age. */
  expireTracked(message: TrackedMessage): void {
    this.expiredCount++;
    if (this.policy.onExpire === "dead") this.killTracked(message, "expired", null);
    else this.finishTracked(message);
  }

  /** Has a dead letter wait again; does nothing when there is none of that number. */
  revive(seq: number, attempts: number): void {
    const letter = this.dead.get(seq);
    if (letter === undefined) return;
    this.dead.remove(seq);
    this.track(seq, letter.segment, letter.index, attempts, "requeued", 0).saved = true;
  }

  /** Makes a dead letter finished; does nothing when there is none of that number. */
  finishDead(seq: number): void {
    const letter = this.dead.get(seq);
    if (letter === undefined) return;
    this.dead.remove(seq);
    this.journal.endedDead(seq);
    this.finishRecord(seq, letter.segment, letter.index);
  }

  /** Restores a dead letter from before a restart, with the cursor set. */
  restoreDead(letter: DeadLetter): void {
    const { seq, segment, index } = letter;
    if (this.tracked.has(seq) || this.dead.has(seq)) return;
    if (segment.seqs !== null) this.claimSparse(segment);
    else if (this.position.restore(segment, index)) this.waitingCount--;
    this.dead.add(letter);
  }
}
