/** What must be true of a channel's messages between two steps, looked at from scratch. */
import type { Subscription } from "../consumer/subscription.ts";
import { type Chunk, FINISHED, FIRST_SLOT, TRACKED, WAITING } from "../topic_log/chunk.ts";
import type { ChannelMessages } from "./channel_messages.ts";

/** In flight with one consumer: since their first delivery, and tracked ones. */
interface InFlight {
  firstDeliveries: number;
  tracked: number;
}

/**
 * Every message is in exactly one state, and all counts and queues say so. Costs a walk over all unfinished messages.
 *
 * @throws Error that names what contradicts what
 */
export function checkMessages(messages: ChannelMessages): void {
  const inFlight = new Map<Subscription, InFlight>();
  for (const subscription of [...messages.subscriptions, ...messages.leaving]) {
    inFlight.set(subscription, { firstDeliveries: 0, tracked: 0 });
  }
  for (const chunk of messages.position.chunks) checkChunk(messages, chunk, inFlight);
  checkTracked(messages, inFlight);
  expectEqual("waiting", messages.waitingCount, countWaiting(messages));
  let all = 0;
  for (const [subscription, { firstDeliveries, tracked }] of inFlight) {
    const who = `of consumer ${subscription.slot}`;
    expectEqual(`in flight ${who}`, subscription.inFlight, firstDeliveries + tracked);
    expectEqual(`tracked in flight ${who}`, subscription.tracked.size, tracked);
    all += firstDeliveries + tracked;
  }
  expectEqual("in flight", messages.inFlightCount, all);
}

/** Waiting messages at and after the cursor. */
function countWaiting({ position, log }: ChannelMessages): number {
  let count = 0, from = position.index;
  for (let segment = position.segment; segment !== null; segment = segment.next) {
    const to = Math.min(segment.count, log.releasedSeq - segment.firstSeq);
    if (to <= 0) break;
    const chunk = position.chunkAt(segment);
    if (chunk === null) count += Math.max(0, to - from);
    else if (!chunk.done) {
      for (let i = from; i < to; i++) if ((chunk.entries[i] ?? WAITING) === WAITING) count++;
    }
    from = 0;
  }
  return count;
}

function checkChunk(messages: ChannelMessages, chunk: Chunk, inFlight: Map<Subscription, InFlight>): void {
  const { entries, firstSeq, segment } = chunk, { position, tracked, slots } = messages;
  if (chunk.done) return;
  let finished = 0, marksAhead = 0;
  for (let i = 0; i < Math.min(entries.length, segment.count); i++) {
    const entry = entries[i], isAhead = position.isAhead(segment, i);
    if (entry === FINISHED) finished++;
    if (entry !== WAITING && isAhead) marksAhead++;
    if (entry === TRACKED) {
      const known = tracked.get(firstSeq + i) ?? messages.dead.get(firstSeq + i);
      expect(known?.segment === segment, `message ${firstSeq + i} is marked as tracked, and is not`);
    } else if (entry >= FIRST_SLOT) {
      expect(!isAhead, `message ${firstSeq + i} is in flight, and the cursor before it`);
      const owner = inFlight.get(slots.get(entry));
      expect(owner !== undefined, `message ${firstSeq + i} is in flight with nobody`);
      owner!.firstDeliveries++;
    }
  }
  expect(
    chunk.finished >= finished,
    `${finished} are finished in segment ${firstSeq}, it counts ${chunk.finished}`,
  );
  expectEqual(`marks ahead in segment ${firstSeq}`, chunk.marksAhead, marksAhead);
}

function checkTracked(messages: ChannelMessages, inFlight: Map<Subscription, InFlight>): void {
  let requeued = 0, deferred = 0, withConsumers = 0;
  for (const seq of messages.dead.from(-Infinity)) {
    const { segment, index } = messages.dead.get(seq)!;
    expect(!messages.tracked.has(seq), `message ${seq} is dead, and something else`);
    expectEqual(`sequence number where dead letter ${seq} is`, segment.seqAt(index), seq);
  }
  for (const { seq, state, owner, heapIndex, segment, index } of messages.tracked.values()) {
    const name = `message ${seq}`;
    expectEqual(`sequence number where ${name} is`, segment.seqAt(index), seq);
    expect((owner !== null) === (state === "in flight"), `${name} is ${state}, its consumer says otherwise`);
    expect((heapIndex >= 0) === (state !== "requeued"), `${name} is ${state}, the heap says otherwise`);
    if (state === "requeued") requeued++;
    else if (state === "deferred") deferred++;
    else {
      withConsumers++;
      const of = inFlight.get(owner as Subscription);
      expect(of !== undefined, `${name} is in flight with a consumer that left`);
      of!.tracked++;
    }
  }
  expectEqual("requeued", messages.redelivery.size, requeued);
  expectEqual("deferred", messages.deferredCount, deferred);
  expectEqual("with a time", messages.due.size, deferred + withConsumers);
}

function expectEqual(name: string, counted: number, found: number): void {
  expect(counted === found, `${name}: ${counted} by the count, ${found} are there`);
}

function expect(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(`An invariant of the channel is broken: ${what}`);
}
