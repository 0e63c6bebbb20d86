/**
 * What time does to the messages of a channel: those in flight time out, deferred ones become due.
 *
 * Whatever is due waits again in the order of its times, and among equal ones in the order of publishing: messages in
 * flight since their first delivery, whose deadlines are ranges (see `consumer/deadline_ranges.ts`), are tracked first,
 * so that the heap puts all of them in order.
 *
 * Cost: O(log n) for each message that is due, and no more of them in a turn than its work allows.
 */
import type { Subscription } from "../consumer/subscription.ts";
import type { ChannelMessages } from "./channel_messages.ts";

/** Times out and makes due what is due at `nowMs` (monotonic); false when nothing is left that ever will be. */
export function scan(messages: ChannelMessages, nowMs: number): boolean {
  const isTracked = messages.subscriptions.every((one) => trackExpired(messages, one, nowMs));
  messages.unfinishedScanMs = isTracked && moveDue(messages, nowMs) ? null : nowMs;
  messages.wake();
  return messages.inFlightCount > 0 || messages.due.size > 0;
}

/** Has what is due wait again; false when some is left for the next turn. */
function moveDue(messages: ChannelMessages, nowMs: number): boolean {
  const { due, work } = messages;
  while (due.firstMs <= nowMs) {
    if (work.left <= 0) return false;
    work.left--;
    const message = due.peek()!;
    if (message.state === "in flight") {
      messages.timeoutCount++;
      messages.comeBack(message);
    } else messages.endDeferral(message);
  }
  return true;
}

/**
 * Tracks what is due of the messages in flight since their first delivery, and forgets what is finished; false when some
 * is left for the next turn.
 */
function trackExpired(messages: ChannelMessages, subscription: Subscription, nowMs: number): boolean {
  const { deadlines, slot } = subscription, { work } = messages;
  for (; deadlines.size > 0; deadlines.shift()) {
    const isDue = deadlines.headDeadlineMs <= nowMs, to = deadlines.headTo;
    for (let seq = deadlines.headFrom;; seq++) {
      seq = messages.position.nextInFlight(seq, to, slot);
      if (seq >= to) break;
      if (!isDue || work.left <= 0) {
        deadlines.headFrom = seq;
        return !isDue;
      }
      work.left--;
      const chunk = messages.position.find(seq)!;
      messages.trackInFlight(subscription, chunk, seq - chunk.firstSeq, nowMs);
    }
  }
  return true;
}
