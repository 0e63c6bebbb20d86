/**
 * What a policy takes off the front of a channel: waiting messages that are too old, or more than may wait.
 *
 * The log is in the order of publishing, so both are a move of the cursor, run by run, without a look at a body. What
 * is in flight, deferred or requeued counts against a bound and is never dropped for it.
 *
 * Cost: O(1) for a run that is dropped, O(1) for each message that becomes a dead letter.
 *
 * Tested in test/broker/channel/expiry_and_bounds_test.ts.
 */
import { RECORD_OVERHEAD } from "../../protocol/message.ts";
import type { Segment } from "../../storage/segment.ts";
import type { ChannelMessages } from "./channel_messages.ts";

/** Messages that are taken off in one go, so that a turn stays short. */
const MAX_PER_TURN = 100_000;
const MAX_DEATHS_PER_TURN = 10_000;

/** What this needs of what is around the channel. */
export interface FrontHost {
  /** Reads an evicted segment back, and wakes the channel. */
  load(segment: Segment): void;
}

/**
 * Takes off what was published before `cutoffNs`, Unix ns. Returns false when there may be more of it, for the next
 * turn.
 */
export function expireWaiting(messages: ChannelMessages, cutoffNs: number, host: FrontHost): boolean {
  const { position, policy } = messages;
  let left = policy.onExpire === "dead" ? MAX_DEATHS_PER_TURN : MAX_PER_TURN;
  while (left > 0) {
    const end = position.seek(), segment = position.segment;
    if (end === 0 || segment === null) return true;
    const expired = expiredEnd(segment, position.index, end, cutoffNs);
    if (expired === null) {
      host.load(segment);
      return true;
    }
    const to = Math.min(expired, position.index + left), count = to - position.index;
    if (count === 0) return true;
    left -= count;
    messages.expiredCount += count;
    if (policy.onExpire === "dead") messages.killRun(to, "expired");
    else messages.dropRun(to);
  }
  return false;
}

/** The end of the expired ones in [from, end); null when the segment has to be read to know. */
function expiredEnd(segment: Segment, from: number, end: number, cutoffNs: number): number | null {
  if (segment.buffer === null) {
    const lastNs = segment.timeNs(segment.count - 1);
    if (lastNs === 0) return null;
    if (lastNs < cutoffNs) return end;
    return segment.timeNs(0) >= cutoffNs ? from : null;
  }
  let low = from, high = end;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (segment.timeNs(middle) < cutoffNs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Bytes of bodies that wait, and of deferred ones among them. */
export function waitingBytes({ position, log, waitingCount }: ChannelMessages): number {
  const { segment, index } = position, { last } = log;
  if (segment === null || last === null || waitingCount === 0) return 0;
  const offset = segment.buffer === null
    ? segment.usedBytes * index / Math.max(1, segment.count)
    : segment.index[index];
  const ahead = last.bytesBefore + last.usedBytes - segment.bytesBefore - offset;
  return Math.max(0, ahead - RECORD_OVERHEAD * waitingCount);
}

/** Takes the oldest waiting messages off until the channel is within its bounds. */
export function keepBounds(messages: ChannelMessages): void {
  const { policy: { maxDepth, maxBytes } } = messages;
  if (maxDepth > 0) {
    const excess = messages.unfinishedCount - maxDepth;
    if (excess > 0) takeOldest(messages, Math.min(excess, messages.waitingCount));
  }
  if (maxBytes === 0) return;
  let excessBytes = waitingBytes(messages) - maxBytes;
  while (excessBytes > 0 && messages.waitingCount > 0) {
    // About as many as the excess is of the whole, so that few rounds are enough.
    const share = excessBytes / (excessBytes + maxBytes);
    takeOldest(messages, Math.max(1, Math.floor(messages.waitingCount * share)));
    excessBytes = waitingBytes(messages) - maxBytes;
  }
}

function takeOldest(messages: ChannelMessages, count: number): void {
  const { position, policy } = messages;
  messages.overflowCount += count;
  while (count > 0) {
    const end = position.seek();
    if (end === 0) return;
    const to = Math.min(end, position.index + count);
    count -= to - position.index;
    if (policy.overflow === "dead") messages.killRun(to, "overflow");
    else messages.dropRun(to);
  }
}
