/**
 * What time does to the messages of a channel: those in flight time out, deferred ones become due.
 *
 * Cost: O(log n) for each tracked message; messages in flight since their first delivery time out by ranges (see
 * `consumer/deadline_ranges.ts`).
 */
import type { Subscription } from "../consumer/subscription.ts";
import type { ChannelMessages } from "./channel_messages.ts";

/** Times out and makes due what is due at `nowMs` (monotonic); false when nothing is left that ever will be. */
export function scan(messages: ChannelMessages, nowMs: number): boolean {
  for (const subscription of messages.subscriptions) expireRanges(messages, subscription, nowMs);
  const { due } = messages;
  while (due.firstMs <= nowMs) {
    const message = due.peek()!;
    if (message.state === "in flight") {
      messages.timeoutCount++;
      messages.takeBack(message);
      messages.requeueTracked(message);
    } else messages.endDeferral(message);
  }
  messages.wake();
  return messages.inFlightCount > 0 || due.size > 0;
}

/** Times out what is due of the messages in flight since their first delivery, and forgets what is finished. */
function expireRanges(messages: ChannelMessages, subscription: Subscription, nowMs: number): void {
  const { deadlines, slot } = subscription;
  for (; deadlines.size > 0; deadlines.shift()) {
    const isDue = deadlines.headDeadlineMs <= nowMs, to = deadlines.headTo;
    for (let seq = deadlines.headFrom;; seq++) {
      seq = messages.position.nextInFlight(seq, to, slot);
      if (seq >= to) break;
      if (!isDue) {
        deadlines.headFrom = seq;
        return;
      }
      messages.timeoutCount++;
      messages.requeueFirstDelivery(subscription, seq);
    }
  }
}
