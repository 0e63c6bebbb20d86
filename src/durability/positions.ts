/**
 * What the log on disk is told about channels: positions, tracked messages and their ends.
 *
 * A position is the cursor and the runs of messages before it that are in flight since their first
 * delivery; all else before the cursor is finished or tracked. Tracked messages are told when they change.
 *
 * Tested in test/durability/persistence_model_test.ts.
 */
import type { SteadyTime } from "../clock/steady_time.ts";
import type { StateWriter } from "../storage/state/state_records.ts";
import { TrackedList } from "../storage/state/tracked_list.ts";
import type { Channel } from "../broker/channel.ts";
import { type DeadLetter, DEATH_REASONS } from "../broker/channel/dead_letters.ts";
import { FINISHED, FIRST_SLOT } from "../broker/topic_log/chunk.ts";
import type { TrackedMessage } from "../broker/tracked/tracked_message.ts";
import type { Topic } from "../broker/topic.ts";

/** Is told which tracked messages the log is told of. */
export interface ChangeListener {
  changed(channel: Channel, seq: number): void;
}

/** Sequence number of the next message that was never delivered. */
export function cursorSeqOf(channel: Channel): number {
  const segment = channel.position.segment;
  return segment === null ? channel.topic.log.releasedSeq : segment.firstSeq + channel.position.index;
}

/** Adds what changed since the last call, and takes note that it is told. */
export function writeChanges(
  channel: Channel,
  number: number,
  into: StateWriter,
  steady: SteadyTime,
  bases: ChangeListener,
): void {
  const { journal } = channel;
  writeMessages(channel, number, into, steady, bases);
  for (const { from, to } of journal.doneAhead) {
    into.add({ type: "done ahead", channel: number, from, to });
  }
  writePosition(channel, number, into);
  journal.clear();
}

/**
 * Adds which tracked messages changed or ended, and takes note that it is told: the oldest `limit` of each. That is true
 * also with a position that was told before; a position that passed them may be told only after them.
 */
export function writeMessages(
  channel: Channel,
  number: number,
  into: StateWriter,
  steady: SteadyTime,
  bases: ChangeListener,
  limit = Infinity,
): void {
  const { journal } = channel, list = new TrackedList();
  for (const message of journal.tracked.splice(0, limit)) {
    // One that ended meanwhile was never told, so neither is its end.
    if (!message.unsaved) continue;
    message.unsaved = false;
    message.saved = true;
    bases.changed(channel, message.seq);
    list.add(message.seq, message.attempts, trackedDueMs(message, steady));
  }
  if (list.count > 0) into.add({ type: "tracked list", channel: number, list });
  for (const seq of journal.ends.splice(0, limit)) {
    bases.changed(channel, seq);
    into.add({ type: "tracked finished", channel: number, seq });
  }
  for (const seq of journal.deaths.splice(0, limit)) {
    bases.changed(channel, seq);
    const letter = channel.dead.get(seq);
    // One that was revived or finished meanwhile is told of as that.
    if (letter !== undefined) writeDead(letter, number, into);
  }
}

/** Adds all there is to know of the channel but its tracked messages, for a snapshot. */
export function writeSnapshot(channel: Channel, number: number, into: StateWriter): void {
  into.add({
    type: "channel",
    channel: number,
    topic: channel.topic.number,
    name: channel.name,
    startSeq: cursorSeqOf(channel),
  });
  writePosition(channel, number, into);
  writeDoneAhead(channel, number, into);
}

/** Adds the dead letters of the channel and what was set of its policy, for a snapshot; behind its tracked messages. */
export function writeDeadLetters(channel: Channel, number: number, into: StateWriter): void {
  for (const seq of channel.dead.from(-Infinity)) writeDead(channel.dead.get(seq)!, number, into);
  if (channel.settings.size > 0) {
    into.add({ type: "channel policy", channel: number, settings: settingsText(channel) });
  }
}

function writeDead(letter: DeadLetter, channel: number, into: StateWriter): void {
  const { seq, attempts, diedMs, consumer } = letter, reason = DEATH_REASONS.indexOf(letter.reason);
  into.add({ type: "dead", channel, seq, attempts, reason, diedMs, consumer });
}

/** What was set of a policy, as the log has it. */
export function settingsText(
  { settings }: { readonly settings: ReadonlyMap<string, number | string> },
): string {
  return JSON.stringify(Object.fromEntries(settings));
}

/** Takes note that a snapshot with the channel is in the log. */
export function snapshotWritten(channel: Channel): void {
  const { journal } = channel;
  for (const message of journal.tracked) {
    if (!message.unsaved) continue;
    message.unsaved = false;
    message.saved = true;
  }
  journal.clear();
}

/** When a tracked message is due, steady time; 0 for at once. */
export function trackedDueMs(message: TrackedMessage, steady: SteadyTime): number {
  return message.state === "deferred" ? steady.ofMonotonic(message.atMs) : 0;
}

function writePosition(channel: Channel, number: number, into: StateWriter): void {
  const runs: { from: number; count: number }[] = [];
  if (channel.inFlightCount > 0) {
    for (const chunk of channel.position.chunks) {
      const entries = chunk.entries, end = Math.min(entries.length, chunk.segment.count);
      for (let i = 0; i < end; i++) {
        if (entries[i] < FIRST_SLOT) continue;
        const from = i;
        while (i < end && entries[i] >= FIRST_SLOT) i++;
        runs.push({ from: chunk.firstSeq + from, count: i - from });
      }
    }
  }
  into.add({ type: "position", channel: number, cursorSeq: cursorSeqOf(channel), runs });
}

/** What is finished at or after the cursor: the marks of chunks that it has not reached. */
function writeDoneAhead(channel: Channel, number: number, into: StateWriter): void {
  const cursorSeq = cursorSeqOf(channel);
  for (const chunk of channel.position.chunks) {
    const first = chunk.firstSeq, end = chunk.segment.count;
    if (chunk.done) {
      into.add({ type: "done ahead", channel: number, from: first, to: first + end });
      continue;
    }
    if (chunk.marksAhead === 0) continue;
    for (let i = Math.max(0, cursorSeq - first); i < end; i++) {
      if (chunk.entries[i] !== FINISHED) continue;
      const from = i;
      while (i < end && chunk.entries[i] === FINISHED) i++;
      into.add({ type: "done ahead", channel: number, from: first + from, to: first + i });
    }
  }
}

/** Adds a topic with its unreleased deferred records, for a snapshot. */
export function writeTopic(topic: Topic, into: StateWriter, steady: SteadyTime): void {
  into.add({
    type: "topic",
    topic: topic.number,
    name: topic.name,
    endSeq: topic.log.endSeq,
    releasedSeq: topic.log.releasedSeq,
  });
  if (topic.settings.size > 0) {
    into.add({ type: "topic policy", topic: topic.number, settings: settingsText(topic) });
  }
  for (const { seq, delayMs, publishedMs } of topic.deferred) {
    const ms = steady.ofMonotonic(publishedMs);
    into.add({ type: "deferred", topic: topic.number, seq, delayMs, publishedMs: ms });
  }
}
