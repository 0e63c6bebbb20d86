/**
 * What is to happen to single records of a topic once they are released to its channels: deferred messages have
 * their delay still before them, and some records were found damaged, or could not be read for the moment.
 *
 * Tested in test/broker/topic_test.ts.
 */
import type { Segment } from "../storage/segment.ts";
import type { Channel } from "./channel.ts";
import { deferUnreadable } from "./channel/unreadable.ts";
import type { TopicLog } from "./topic_log/topic_log.ts";

/** A record that is to be deferred from the moment it is released. */
export interface DeferredRecord {
  seq: number;
  delayMs: number;
  /** Monotonic ms of the publish. */
  publishedMs: number;
}

export class UnreleasedRecords {
  /** In sequence order. */
  #deferred: DeferredRecord[] = [];
  #lost: { from: number; to: number }[] = [];
  #unreadable: { segment: Segment; from: number; to: number }[] = [];

  get deferred(): readonly DeferredRecord[] {
    return this.#deferred;
  }

  /** Those from `seq` on. */
  *deferredFrom(seq: number): Generator<DeferredRecord> {
    const deferred = this.#deferred;
    let low = 0, high = deferred.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (deferred[middle].seq < seq) low = middle + 1;
      else high = middle;
    }
    for (; low < deferred.length; low++) yield deferred[low];
  }

  /** The last record, or one restored behind all others, is to be deferred. */
  defer(record: DeferredRecord): void {
    this.#deferred.push(record);
  }

  /** Records [from, to) are damaged. */
  lose(from: number, to: number): void {
    this.#lost.push({ from, to });
  }

  /** Records [from, to) of `segment` could not be read. */
  refused(segment: Segment, from: number, to: number): void {
    this.#unreadable.push({ segment, from, to });
  }

  /** The group of the records from `seq` on failed. */
  rollBack(seq: number): void {
    this.#deferred = this.#deferred.filter((record) => record.seq < seq);
  }

  /** The records before `seq` were dropped. */
  dropBefore(seq: number): void {
    this.#deferred = this.#deferred.filter((record) => record.seq >= seq);
    this.#lost = [];
    this.#unreadable = [];
  }

  /** The first deferred record behind `count` of them; Infinity when there are no more. */
  firstDeferredBehind(count: number): number {
    return this.#deferred.length > count ? this.#deferred[count].seq : Infinity;
  }

  /**
   * The records up to the released position of `log` were released to `channels`.
   *
   * @returns how many of them each channel deferred
   */
  release(log: TopicLog, channels: ReadonlyMap<string, Channel>, nowMs: number): number {
    const count = this.#deferred.length > 0 ? this.#releaseDeferred(log, channels, nowMs) : 0;
    if (this.#lost.length > 0) this.#releaseLost(log, channels);
    if (this.#unreadable.length > 0) this.#releaseUnreadable(log, channels, nowMs);
    return count;
  }
  #releaseLost(log: TopicLog, channels: ReadonlyMap<string, Channel>): void {
    for (const range of this.#lost) {
      const to = Math.min(range.to, log.releasedSeq);
      if (range.from < to) { for (const channel of channels.values()) channel.finishWaiting(range.from, to); }
      range.from = Math.max(range.from, to);
    }
    this.#lost = this.#lost.filter(({ from, to }) => from < to);
  }

  #releaseUnreadable(log: TopicLog, channels: ReadonlyMap<string, Channel>, nowMs: number): void {
    for (const range of this.#unreadable) {
      const { segment, from } = range, to = Math.min(range.to, log.releasedSeq - segment.firstSeq);
      if (from >= to) continue;
      range.from = to;
      // It may have been read since, or be wanted by nobody.
      if (segment.isUnclaimed || !segment.lacks(from)) continue;
      for (const channel of channels.values()) deferUnreadable(channel, segment, from, to, nowMs);
    }
    this.#unreadable = this.#unreadable.filter(({ from, to }) => from < to);
  }

  /** The clock of a deferred message starts when it is released to the channels. */
  #releaseDeferred(log: TopicLog, channels: ReadonlyMap<string, Channel>, nowMs: number): number {
    const deferred = this.#deferred;
    let count = 0;
    for (; count < deferred.length && deferred[count].seq < log.releasedSeq; count++) {
      const { seq, delayMs } = deferred[count], segment = log.segmentOf(seq);
      for (const channel of channels.values()) {
        channel.deferWaiting(segment, seq - segment.firstSeq, nowMs + delayMs);
      }
    }
    deferred.splice(0, count);
    return count;
  }
}
