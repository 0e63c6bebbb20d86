/**
 * What becomes of a channel's messages whose records cannot be read: those that are damaged are given up, those
 * that the disk refuses for the moment are deferred. Neither holds up the messages behind them.
 */
import type { Segment } from "../storage/segment.ts";
import type { Channel } from "./channel.ts";
import type { TrackedMessage } from "./tracked_message.ts";

/** Records [from, to) of `segment` are damaged: whatever state their messages are in, they are finished. */
export function giveUp(channel: Channel, segment: Segment, from: number, to: number): void {
  if (segment.seqs === null) {
    for (let i = from; i < to; i++) channel.setAsideInFlight(segment.firstSeq + i);
  }
  const messages = trackedOf(channel, segment, from, to);
  takeFromQueues(channel, messages);
  for (const message of messages) {
    if (message.state === "in flight") channel.takeBack(message);
    channel.finishTracked(message);
  }
  const cursor = channel.position.segment;
  if (segment.seqs !== null || cursor === null || segment.firstSeq < cursor.firstSeq) return;
  const first = segment === cursor ? Math.max(from, channel.position.index) : from;
  if (first >= to) return;
  channel.waitingCount -= channel.finishAhead(segment.firstSeq + first, segment.firstSeq + to);
}

/**
 * Records [from, to) of `segment` cannot be read now: their messages are deferred until `atMs` (monotonic), when
 * another read is tried. Those in flight stay so: their consumers have them.
 */
export function deferUnreadable(
  channel: Channel,
  segment: Segment,
  from: number,
  to: number,
  atMs: number,
): void {
  const messages = trackedOf(channel, segment, from, to).filter(({ state }) => state === "requeued");
  takeFromQueues(channel, messages);
  for (const message of messages) {
    message.state = "deferred";
    message.atMs = atMs;
    channel.deferredCount++;
    channel.due.push(message);
    channel.journal.changed(message);
  }
  if (messages.length > 0) channel.topic.host.watchDue(channel);
  if (segment.seqs !== null) return;
  for (let i = from; i < to; i++) channel.deferAdmitted(segment, i, atMs);
}

function trackedOf(channel: Channel, segment: Segment, from: number, to: number): TrackedMessage[] {
  const found: TrackedMessage[] = [];
  for (let i = from; i < to; i++) {
    const message = channel.tracked.get(segment.seqAt(i));
    if (message?.segment === segment) found.push(message);
  }
  return found;
}

/** Takes requeued and deferred ones off their counts and queues; deferred ones leave the heap when they end. */
function takeFromQueues(channel: Channel, messages: TrackedMessage[]): void {
  const requeued = new Set<TrackedMessage>();
  for (const message of messages) {
    if (message.state === "deferred") channel.deferredCount--;
    if (message.state === "requeued") requeued.add(message);
  }
  if (requeued.size > 0) channel.redelivery.removeAll(requeued);
}
