/**
 * What consumers answer: FIN, REQ and TOUCH.
 *
 * Cost: FIN is O(1) for a message that is in flight since its first delivery; REQ, TOUCH and FIN of tracked messages
 * are O(log n) in the messages with a time.
 */
import type { Answer, Subscription } from "../consumer/subscription.ts";
import { FINISHED, FIRST_SLOT } from "../topic_log/chunk.ts";
import type { ChannelMessages } from "./channel_messages.ts";
import type { TrackedMessage } from "../tracked/tracked_message.ts";

/** FIN: the message is done for this channel. */
export function finish(messages: ChannelMessages, subscription: Subscription, seq: number): Answer {
  const { position } = messages, chunk = position.find(seq);
  if (chunk !== null) {
    const index = seq - chunk.firstSeq, entry = chunk.entries[index];
    if (entry === subscription.slot) {
      chunk.entries[index] = FINISHED;
      chunk.finished++;
      messages.inFlightCount--;
      subscription.inFlight--;
      subscription.finishCount++;
      messages.latency?.finished(chunk.segment, index);
      messages.journal.moved();
      if (chunk.finished === chunk.segment.count) position.settle(chunk);
      if (!messages.inTurn && messages.depth > 0) messages.wake();
      return "ok";
    }
    if (entry >= FIRST_SLOT) return "not owner";
  }
  const message = ownTracked(messages, subscription, seq);
  if (typeof message === "string") return message;
  messages.takeBack(message);
  subscription.finishCount++;
  messages.latency?.finished(message.segment, message.index);
  messages.finishTracked(message);
  messages.wake();
  return "ok";
}

/** REQ: the message waits again, at once or after `delayMs`. */
export function requeue(
  messages: ChannelMessages,
  subscription: Subscription,
  seq: number,
  delayMs: number,
  nowMs: number,
): Answer {
  const message = trackOwn(messages, subscription, seq, nowMs);
  if (typeof message === "string") return message;
  subscription.requeueCount++;
  messages.requeueCount++;
  messages.comeBack(message, delayMs > 0 ? nowMs + delayMs : 0);
  messages.wake();
  return "ok";
}

/** TOUCH: the timeout starts again, but not past `maxMsgTimeoutMs` after this delivery. */
export function touch(
  messages: ChannelMessages,
  subscription: Subscription,
  seq: number,
  timeoutMs: number,
  maxMsgTimeoutMs: number,
  nowMs: number,
): Answer {
  const message = trackOwn(messages, subscription, seq, nowMs);
  if (typeof message === "string") return message;
  message.atMs = Math.min(nowMs + timeoutMs, message.deliveredAtMs + maxMsgTimeoutMs);
  messages.due.update(message);
  return "ok";
}

/** The message in flight with `subscription`, tracked from now on, or why there is none. */
function trackOwn(
  messages: ChannelMessages,
  subscription: Subscription,
  seq: number,
  nowMs: number,
): TrackedMessage | Answer {
  const chunk = messages.position.find(seq);
  if (chunk !== null) {
    const index = seq - chunk.firstSeq, entry = chunk.entries[index];
    if (entry === subscription.slot) return messages.trackInFlight(subscription, chunk, index, nowMs);
    if (entry >= FIRST_SLOT) return "not owner";
  }
  return ownTracked(messages, subscription, seq);
}

function ownTracked(
  messages: ChannelMessages,
  subscription: Subscription,
  seq: number,
): TrackedMessage | Answer {
  const message = messages.tracked.get(seq);
  if (message === undefined || message.state !== "in flight") return "not in flight";
  return message.owner === subscription ? message : "not owner";
}
