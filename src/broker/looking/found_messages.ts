/**
 * Finds messages of a channel or topic by state, without touching them: some at a time, all of one segment, so that
 * whoever looks can have that read and go on from a sequence number later, whatever happened meanwhile.
 *
 * Cost: waiting ones are found from the place in the log; of tracked ones all are passed over for each batch.
 *
 * Tested in test/broker/looking/message_lister_test.ts.
 */
import type { Segment } from "../../storage/segment.ts";
import type { Channel } from "../channel.ts";
import type { DeathReason } from "../channel/dead_letters.ts";
import type { TrackedMessage } from "../tracked/tracked_message.ts";
import type { Topic } from "../topic.ts";
import { FIRST_SLOT, WAITING } from "../topic_log/chunk.ts";

export const CHANNEL_STATES = ["waiting", "in_flight", "requeued", "deferred", "dead"] as const;
export type ChannelState = typeof CHANNEL_STATES[number];
export const TOPIC_STATES = ["held", "all"] as const;
export type TopicState = typeof TOPIC_STATES[number];

/** A message and what is known of it; what does not apply is undefined. */
export interface FoundMessage {
  readonly seq: number;
  readonly segment: Segment;
  readonly index: number;
  readonly attempts: number;
  readonly state: ChannelState | "held" | "logged";
  /** Monotonic ms. */
  readonly dueMs?: number;
  /** Monotonic ms; of one in flight since its first delivery it is a bound. */
  readonly timeoutAtMs?: number;
  readonly consumer?: string;
  readonly reason?: DeathReason;
  /** Unix ms. */
  readonly diedMs?: number;
}

/** Some messages of one segment or, of tracked ones, of several. */
export interface Batch {
  readonly found: FoundMessage[];
  /** Where to go on; null at the end. */
  readonly nextSeq: number | null;
}

/** Which way to go. */
export type Direction = "oldest" | "newest";

/** Messages of a channel in `state` from `fromSeq` on, at most `max`. */
export function findInChannel(
  channel: Channel,
  state: ChannelState,
  fromSeq: number,
  direction: Direction,
  max: number,
): Batch {
  if (state === "waiting") return findWaiting(channel, fromSeq, direction, max);
  if (state === "dead") return findDead(channel, fromSeq, direction, max);
  return pick(trackedOf(channel, state), fromSeq, direction, max);
}

/** Records of a topic's log: those that no channel was given, or all. */
export function findInTopic(
  topic: Topic,
  state: TopicState,
  fromSeq: number,
  direction: Direction,
  max: number,
): Batch {
  const { log } = topic, lowest = state === "held" ? log.releasedSeq : -Infinity;
  return walk(log, lowest, log.committedSeq, fromSeq, direction, max, (segment, index) => ({
    seq: segment.firstSeq + index,
    segment,
    index,
    attempts: 0,
    state: state === "held" ? "held" : "logged",
  }));
}

function findWaiting(channel: Channel, fromSeq: number, direction: Direction, max: number): Batch {
  const { position, log } = channel, cursor = position.segment;
  if (cursor === null) return { found: [], nextSeq: null };
  let known = cursor, chunk = position.chunkAt(cursor);
  return walk(
    log,
    cursor.firstSeq + position.index,
    log.releasedSeq,
    fromSeq,
    direction,
    max,
    (segment, index) => {
      if (segment !== known) {
        known = segment;
        chunk = position.chunkAt(segment);
      }
      if (chunk !== null && (chunk.done || (chunk.entries[index] ?? WAITING) !== WAITING)) return null;
      return { seq: segment.firstSeq + index, segment, index, attempts: 0, state: "waiting" };
    },
  );
}

/** Goes over records [lowest, end) of the log from `fromSeq`, and stops at the end of the first segment with any. */
function walk(
  log: Topic["log"],
  lowest: number,
  end: number,
  fromSeq: number,
  direction: Direction,
  max: number,
  look: (segment: Segment, index: number) => FoundMessage | null,
): Batch {
  const found: FoundMessage[] = [], isUp = direction === "oldest";
  let segment = isUp
    ? log.placeOf(Math.max(lowest, fromSeq)).segment
    : lastBefore(log, Math.min(fromSeq, end - 1));
  for (; segment !== null; segment = isUp ? segment.next : segment.prev) {
    const from = Math.max(0, (isUp ? Math.max(lowest, fromSeq) : lowest) - segment.firstSeq);
    const to = Math.min(segment.count, (isUp ? end : Math.min(end, fromSeq + 1)) - segment.firstSeq);
    for (let n = 0; n < to - from; n++) {
      const index = isUp ? from + n : to - 1 - n;
      if (found.length === max) return { found, nextSeq: segment.firstSeq + index };
      const message = look(segment, index);
      if (message !== null) found.push(message);
    }
    const next = isUp ? segment.next : segment.prev;
    if (next === null || (isUp ? next.firstSeq >= end : next.endSeq <= lowest)) {
      return { found, nextSeq: null };
    }
    if (found.length > 0) return { found, nextSeq: isUp ? next.firstSeq : next.endSeq - 1 };
  }
  return { found, nextSeq: null };
}

/** The last segment that begins at or before `seq`. */
function lastBefore(log: Topic["log"], seq: number): Segment | null {
  let segment = log.last;
  while (segment !== null && segment.firstSeq > seq) segment = segment.prev;
  return segment;
}

function findDead({ dead }: Channel, fromSeq: number, direction: Direction, max: number): Batch {
  const found: FoundMessage[] = [];
  for (const seq of direction === "oldest" ? dead.from(fromSeq) : dead.downFrom(fromSeq)) {
    if (found.length === max) return { found, nextSeq: seq };
    const letter = dead.get(seq);
    if (letter !== undefined) found.push({ ...letter, state: "dead" });
  }
  return { found, nextSeq: null };
}

function* trackedOf(channel: Channel, state: "in_flight" | "requeued" | "deferred"): Generator<FoundMessage> {
  const wanted = state === "in_flight" ? "in flight" : state;
  for (const message of channel.tracked.values()) {
    if (message.state === wanted) yield describe(message, state);
  }
  if (state !== "in_flight" || channel.inFlightCount === 0) return;
  for (const { entries, segment, firstSeq } of channel.position.chunks) {
    for (let index = 0; index < Math.min(entries.length, segment.count); index++) {
      if (entries[index] < FIRST_SLOT) continue;
      const owner = channel.slots.get(entries[index]), seq = firstSeq + index;
      const consumer = owner.consumer.describe(), timeoutAtMs = owner.deadlines.deadlineOf(seq);
      yield { seq, segment, index, attempts: 1, state, timeoutAtMs, consumer };
    }
  }
}

function describe(message: TrackedMessage, state: "in_flight" | "requeued" | "deferred"): FoundMessage {
  const { seq, segment, index, attempts, atMs, owner } = message;
  const base = { seq, segment, index, attempts, state };
  if (state === "deferred") return { ...base, dueMs: atMs };
  return owner === null ? base : { ...base, timeoutAtMs: atMs, consumer: owner.consumer.describe() };
}

/** The `max` nearest of `all` from `fromSeq` on, in order. */
function pick(all: Iterable<FoundMessage>, fromSeq: number, direction: Direction, max: number): Batch {
  const sign = direction === "oldest" ? 1 : -1,
    order = (a: FoundMessage, b: FoundMessage) => sign * (a.seq - b.seq);
  let best: FoundMessage[] = [];
  for (const message of all) {
    if (sign * (message.seq - fromSeq) < 0) continue;
    best.push(message);
    // One more than wanted tells where to go on; the rest is cut off now and then.
    if (best.length >= 4 * (max + 1)) best = best.sort(order).slice(0, max + 1);
  }
  best.sort(order);
  return { found: best.slice(0, max), nextSeq: best.length > max ? best[max].seq : null };
}
