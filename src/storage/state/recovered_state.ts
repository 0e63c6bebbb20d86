/**
 * The state that state records add up to: topics, channels and positions as of the end of the log.
 */
import { RecoveredChannel } from "./recovered_channel.ts";
import type { StateRecord } from "./state_records.ts";

/** A record that will be deferred when it is released. */
export interface RecoveredDeferral {
  seq: number;
  delayMs: number;
  /** Steady time. */
  publishedMs: number;
}

export interface RecoveredTopic {
  number: number;
  name: string;
  endSeq: number;
  releasedSeq: number;
  deferred: RecoveredDeferral[];
  /** What was set of its policy, as JSON. */
  settings: string;
  channels: Map<number, RecoveredChannel>;
}

export class RecoveredState {
  readonly topics = new Map<number, RecoveredTopic>();
  readonly channels = new Map<number, { topic: RecoveredTopic; channel: RecoveredChannel }>();
  /** How far each queue of Go nsqd was taken over. */
  readonly imported = new Map<string, { fileNumber: number; position: number }>();
  /**
   * Set behind a damaged stretch, until the next snapshot: a position takes all before it for finished but the
   * tracked messages that were told, and some may have been told in the stretch.
   */
  ignoresPositions = false;
  /** How far steady time had come at least, see `clock/steady_time.ts`. */
  reachedMs = 0;
  /** By how much the wall clock was ahead of it. */
  aheadMs = 0;

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

  /** A deferred message was published, at Unix ms `publishedWallMs`. */
  delay(topicNumber: number, seq: number, delayMs: number, publishedWallMs: number): void {
    const topic = this.topics.get(topicNumber);
    if (topic === undefined) return;
    const publishedMs = publishedWallMs - this.aheadMs;
    this.reachedMs = Math.max(this.reachedMs, publishedMs);
    topic.deferred.push({ seq, delayMs, publishedMs });
    for (const channel of topic.channels.values()) {
      channel.track(seq, 0, publishedMs + delayMs);
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
      case "clock":
        this.reachedMs = record.steadyMs;
        this.aheadMs = record.aheadMs;
        return;
      case "topic policy": {
        const topic = this.topics.get(record.topic);
        if (topic !== undefined) topic.settings = record.settings;
        return;
      }
      default: {
        if (record.type === "position" && this.ignoresPositions) return;
        const found = this.channels.get(record.channel);
        if (found !== undefined) applyToChannel(found.channel, found.topic, record);
      }
    }
  }

  /** A record that a snapshot already covers changes nothing. */
  #addTopic(record: StateRecord & { type: "topic" }): void {
    const { topic: number, name, endSeq, releasedSeq } = record, existing = this.topics.get(number);
    if (existing !== undefined) existing.endSeq = Math.max(existing.endSeq, endSeq);
    else {this.topics.set(number, {
        number,
        name,
        endSeq,
        releasedSeq,
        deferred: [],
        settings: "",
        channels: new Map(),
      });}
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
    const channel = new RecoveredChannel(record.channel, record.name, record.startSeq);
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
  {
    type:
      | "channel emptied"
      | "position"
      | "tracked"
      | "tracked list"
      | "tracked base"
      | "tracked finished"
      | "done ahead"
      | "channel policy"
      | "dead"
      | "dead moved";
  }
>;

function applyToChannel(channel: RecoveredChannel, topic: RecoveredTopic, record: ChannelRecord): void {
  switch (record.type) {
    case "channel emptied":
      return channel.empty(record.cursorSeq);
    case "position":
      return channel.setPosition(record.cursorSeq, record.runs);
    case "tracked":
      return channel.track(record.seq, record.attempts, record.dueMs);
    case "tracked list": {
      const { seqs, attempts, dueMs, count } = record.list;
      for (let i = 0; i < count; i++) channel.track(seqs[i], attempts[i], dueMs[i]);
      return;
    }
    case "tracked base":
      return channel.setBase(record.places, topic.releasedSeq);
    case "tracked finished":
      return channel.finish(record.seq);
    case "channel policy":
      channel.settings = record.settings;
      return;
    case "dead":
      return channel.die(record.seq, record.attempts, record.reason, record.diedMs, record.consumer);
    case "dead moved":
      return channel.move(record.seq, record.topic, record.newSeq);
    case "done ahead":
      return channel.finishAhead(record.from, record.to);
  }
}
