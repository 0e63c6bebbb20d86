/**
 * What becomes of a channel's messages whose records cannot be read: those that are damaged are given up, those
 * that the disk refuses for the moment are put off. Neither holds up the messages behind them.
 */
import type { Segment } from "../storage/segment.ts";
import type { Channel } from "./channel.ts";
import type { Exception } from "./exception.ts";

/** Records [from, to) of `segment` are damaged: whatever state their messages are in, they are finished. */
export function giveUp(channel: Channel, segment: Segment, from: number, to: number): void {
  if (segment.seqs === null) {
    for (let i = from; i < to; i++) channel.setAsideInFlight(segment.firstSeq + i);
  }
  const exceptions = exceptionsOf(channel, segment, from, to);
  takeFromQueues(channel, exceptions);
  for (const exception of exceptions) {
    if (exception.state === "in flight") channel.release(exception);
    channel.endException(exception);
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
export function putOff(channel: Channel, segment: Segment, from: number, to: number, atMs: number): void {
  const exceptions = exceptionsOf(channel, segment, from, to).filter(({ state }) => state === "requeued");
  takeFromQueues(channel, exceptions);
  for (const exception of exceptions) {
    exception.state = "deferred";
    exception.atMs = atMs;
    channel.deferredCount++;
    channel.due.push(exception);
    channel.journal.changed(exception);
  }
  if (exceptions.length > 0) channel.topic.host.watchDue(channel);
  if (segment.seqs !== null) return;
  for (let i = from; i < to; i++) channel.deferAdmitted(segment, i, atMs);
}

function exceptionsOf(channel: Channel, segment: Segment, from: number, to: number): Exception[] {
  const found: Exception[] = [];
  for (let i = from; i < to; i++) {
    const exception = channel.exceptions.get(segment.seqAt(i));
    if (exception?.segment === segment) found.push(exception);
  }
  return found;
}

/** Takes requeued and deferred ones off their counts and queues; deferred ones leave the heap when they end. */
function takeFromQueues(channel: Channel, exceptions: Exception[]): void {
  const requeued = new Set<Exception>();
  for (const exception of exceptions) {
    if (exception.state === "deferred") channel.deferredCount--;
    if (exception.state === "requeued") requeued.add(exception);
  }
  if (requeued.size > 0) channel.redelivery.removeAll(requeued);
}
