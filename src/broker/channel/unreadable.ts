/**
 * What becomes of a channel's messages whose records cannot be read: those that are damaged are given up, those
 * that the disk refuses for the moment are deferred. Neither holds up the messages behind them.
 *
 * Tested in test/durability/persistence_faults_test.ts.
 */
import type { Segment } from "../../storage/segment.ts";
import type { ChannelMessages } from "./channel_messages.ts";
import type { TrackedMessage } from "../tracked/tracked_message.ts";

/** Records [from, to) of `segment` are damaged: whatever state their messages are in, they are finished. */
export function giveUp(messages: ChannelMessages, segment: Segment, from: number, to: number): void {
  if (segment.seqs === null) {
    for (let i = from; i < to; i++) messages.trackIfInFlight(segment.firstSeq + i);
  }
  const tracked = trackedIn(messages, segment, from, to);
  takeFromQueues(messages, tracked);
  for (const message of tracked) {
    if (message.state === "in flight") messages.takeBack(message);
    messages.finishTracked(message);
  }
  const { position } = messages, cursor = position.segment;
  if (segment.seqs !== null || cursor === null || segment.firstSeq < cursor.firstSeq) return;
  const first = segment === cursor ? Math.max(from, position.index) : from;
  if (first < to) messages.finishWaiting(segment.firstSeq + first, segment.firstSeq + to);
}

/**
 * Records [from, to) of `segment` cannot be read now: their messages are deferred until `atMs` (monotonic), when
 * another read is tried. Those in flight stay so: their consumers have them.
 */
export function deferUnreadable(
  messages: ChannelMessages,
  segment: Segment,
  from: number,
  to: number,
  atMs: number,
): void {
  const requeued = trackedIn(messages, segment, from, to).filter(({ state }) => state === "requeued");
  takeFromQueues(messages, requeued);
  for (const message of requeued) messages.deferTracked(message, atMs);
  if (segment.seqs !== null) return;
  for (let i = from; i < to; i++) messages.deferWaiting(segment, i, atMs);
}

function trackedIn(messages: ChannelMessages, segment: Segment, from: number, to: number): TrackedMessage[] {
  const found: TrackedMessage[] = [];
  for (let i = from; i < to; i++) {
    const message = messages.tracked.get(segment.seqAt(i));
    if (message?.segment === segment) found.push(message);
  }
  return found;
}

/** Takes requeued and deferred ones off their counts and queues; deferred ones leave the heap when they end. */
function takeFromQueues(messages: ChannelMessages, tracked: TrackedMessage[]): void {
  const requeued = new Set<TrackedMessage>();
  for (const message of tracked) {
    if (message.state === "deferred") messages.uncountDeferred(message);
    if (message.state === "requeued") requeued.add(message);
  }
  if (requeued.size > 0) messages.redelivery.removeAll(requeued);
}
