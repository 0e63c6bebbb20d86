/**
 * The state that state records add up to: topics, channels and positions as of the end of the log.
 */
import type { StateRecord } from "./state_records.ts";

/** A record that will be deferred when it is released. */
export interface RecoveredDeferral {
  seq: number;
  delayMs: number;
  publishedMs: number;
}

export interface RecoveredTracked {
  attempts: number;
  /** Unix ms; 0 for at once. */
  dueMs: number;
}

export interface RecoveredChannel {
  number: number;
  name: string;
  cursorSeq: number;
  /** Unfinished messages below the cursor that are not tracked. */
  runs: { from: number; count: number }[];
  tracked: Map<number, RecoveredTracked>;
  /** Finished messages at or after the cursor. */
  doneAhead: { from: number; to: number }[];
}

export interface RecoveredTopic {
  number: number;
  name: string;
  endSeq: number;
  releasedSeq: number;
  deferred: RecoveredDeferral[];
  channels: Map<number, RecoveredChannel>;
}

export class RecoveredState {
  readonly topics = new Map<number, RecoveredTopic>();
  readonly channels = new Map<number, { topic: RecoveredTopic; channel: RecoveredChannel }>();
  /** How far each queue of the original was taken over. */
  readonly imported = new Map<string, { fileNumber: number; position: number }>();
  /**
   * Set behind a damaged stretch, until the next snapshot: a position takes all before it for finished but the
   * tracked messages that were told, and some may have been told in the stretch.
   */
  ignoresPositions = false;

  clear(): void {
    this.ignoresPositions = false;
    this.topics.clear();
    this.channels.clear();
    this.imported.clear();
  }

  /** Messages of a topic up to `endSeq` are in the log. */
  messages(topicNumber: number, endSeq: number): void {
    const topic = this.topics.get(topicNumber);
    if (topic !== undefined) topic.endSeq = Math.max(topic.endSeq, endSeq);
  }

  /** A deferred message was published. */
  delay(topicNumber: number, seq: number, delayMs: number, publishedMs: number): void {
    const topic = this.topics.get(topicNumber);
    if (topic === undefined) return;
    topic.deferred.push({ seq, delayMs, publishedMs });
    for (const channel of topic.channels.values()) {
      channel.tracked.set(seq, { attempts: 0, dueMs: publishedMs + delayMs });
    }
  }

  /** Applies one record; those of unknown topics or channels, which were deleted later, change nothing. */
  apply(record: StateRecord): void {
    switch (record.type) {
      case "topic":
        this.#addTopic(record);
        return;
      case "topic deleted":
        this.#deleteTopic(record.topic);
        return;
      case "topic position":
        this.#topicPosition(record.topic, record.releasedSeq);
        return;
      case "channel":
        this.#addChannel(record);
        return;
      case "channel deleted":
        this.channels.get(record.channel)?.topic.channels.delete(record.channel);
        this.channels.delete(record.channel);
        return;
      case "deferred":
        this.topics.get(record.topic)?.deferred.push({
          seq: record.seq,
          delayMs: record.delayMs,
          publishedMs: record.publishedMs,
        });
        return;
      case "imported":
        this.#noteImported(record);
        return;
      default: {
        if (record.type === "position" && this.ignoresPositions) return;
        const channel = this.channels.get(record.channel)?.channel;
        if (channel !== undefined) applyToChannel(channel, record);
      }
    }
  }

  /** A record that a snapshot already covers changes nothing. */
  #addTopic(record: StateRecord & { type: "topic" }): void {
    const { topic: number, name, endSeq, releasedSeq } = record, existing = this.topics.get(number);
    if (existing !== undefined) existing.endSeq = Math.max(existing.endSeq, endSeq);
    else this.topics.set(number, { number, name, endSeq, releasedSeq, deferred: [], channels: new Map() });
  }

  #noteImported({ queue, fileNumber, position }: StateRecord & { type: "imported" }): void {
    if (fileNumber === 0 && position === 0) this.imported.delete(queue);
    else this.imported.set(queue, { fileNumber, position });
  }

  #deleteTopic(number: number): void {
    for (const channel of this.topics.get(number)?.channels.keys() ?? []) this.channels.delete(channel);
    this.topics.delete(number);
  }

  #topicPosition(number: number, releasedSeq: number): void {
    const topic = this.topics.get(number);
    if (topic === undefined) return;
    topic.releasedSeq = Math.max(topic.releasedSeq, releasedSeq);
    topic.deferred = topic.deferred.filter((delay) => delay.seq >= releasedSeq);
  }

  #addChannel(record: StateRecord & { type: "channel" }): void {
    const topic = this.topics.get(record.topic);
    if (topic === undefined || topic.channels.has(record.channel)) return;
    const channel: RecoveredChannel = {
      number: record.channel,
      name: record.name,
      cursorSeq: record.startSeq,
      runs: [],
      tracked: new Map(),
      doneAhead: [],
    };
    for (const delay of topic.deferred) {
      if (delay.seq < record.startSeq) continue;
      channel.tracked.set(delay.seq, { attempts: 0, dueMs: delay.publishedMs + delay.delayMs });
    }
    topic.channels.set(record.channel, channel);
    this.channels.set(record.channel, { topic, channel });
  }
}

type ChannelRecord = Extract<
  StateRecord,
  { type: "channel emptied" | "position" | "tracked" | "tracked finished" | "done ahead" }
>;

function applyToChannel(channel: RecoveredChannel, record: ChannelRecord): void {
  switch (record.type) {
    case "channel emptied":
      channel.cursorSeq = record.cursorSeq;
      channel.runs = [];
      // What was not released is kept, and with it when it is due.
      for (const seq of channel.tracked.keys()) {
        if (seq < record.cursorSeq) channel.tracked.delete(seq);
      }
      channel.doneAhead = channel.doneAhead.filter((range) => range.to > record.cursorSeq);
      return;
    case "position":
      channel.cursorSeq = record.cursorSeq;
      channel.runs = record.runs;
      channel.doneAhead = channel.doneAhead.filter((range) => range.to > record.cursorSeq);
      return;
    case "tracked":
      channel.tracked.set(record.seq, { attempts: record.attempts, dueMs: record.dueMs });
      return;
    case "tracked finished":
      channel.tracked.delete(record.seq);
      // Its position record may be older than its end and still list it, or the cursor be before it.
      channel.runs = channel.runs.flatMap((run) => without(run, record.seq));
      if (record.seq >= channel.cursorSeq) channel.doneAhead.push({ from: record.seq, to: record.seq + 1 });
      return;
    case "done ahead":
      channel.doneAhead.push({ from: record.from, to: record.to });
      for (let seq = record.from; seq < record.to && channel.tracked.size > 0; seq++) {
        channel.tracked.delete(seq);
      }
  }
}

function without(run: { from: number; count: number }, seq: number): { from: number; count: number }[] {
  const before = seq - run.from;
  if (before < 0 || before >= run.count) return [run];
  return [{ from: run.from, count: before }, { from: seq + 1, count: run.count - before - 1 }].filter((r) =>
    r.count > 0
  );
}
