/**
 * A topic: one append-only log of records, and the position up to which channels may read it.
 *
 * Sequence numbers of the log, each not before the one above:
 *
 *     releasedSeq   channels may read below it. Stays while the topic is paused, is being set up, or has
 *                   no channel, which is how the first channel gets the whole backlog
 *     committedSeq  records below it are as safe as the durability level asks
 *     endSeq        next record
 *
 * Publishing appends and marks the topic for the end of the turn; it never waits. The log is a linked
 * list of segments (see `storage/segment.ts`); a segment goes when no channel and no unreleased record
 * needs it.
 */
import type { Buffer, BufferPool } from "../buffers/buffer_pool.ts";
import { RECORD_OVERHEAD } from "../protocol/message.ts";
import { Segment, type Timestamp, timestampMs } from "../storage/segment.ts";
import { Channel } from "./channel.ts";
import { deferUnreadable, giveUp } from "./unreadable.ts";

/** What topics and channels need of the broker around them. */
export interface TopicHost {
  readonly pool: BufferPool;
  /** 0..1023, part of every message id. */
  readonly nodeId: number;
  /** Time of the running turn, for the records published in it. */
  readonly time: Timestamp;
  /** Monotonic time of the running turn, ms. */
  readonly nowMs: number;
  /** Messages an ephemeral topic or channel holds before new ones are dropped. */
  readonly memQueueSize: number;
  /** The topic has records to commit. */
  markTopic(topic: Topic): void;
  /** The topic had records since it was last looked at. */
  topicUsed(topic: Topic): void;
  /** The channel has something to deliver at the end of the turn. */
  markChannel(channel: Channel): void;
  /** The channel has something that becomes due. May be called again and again. */
  watchDue(channel: Channel): void;
  /** Reads an evicted segment back, and wakes the channel. */
  load(segment: Segment, channel: Channel): void;
  /** Reads evicted segments from `segment` on, which will be needed next. */
  prefetch(segment: Segment): void;
  segmentSealed(topic: Topic, segment: Segment): void;
  /** Nobody claims the segment any more. */
  segmentUnclaimed(segment: Segment): void;
  positionChanged(channel: Channel): void;
  channelCreated(channel: Channel): void;
  channelDeleted(channel: Channel): void;
  /** An ephemeral topic lost its last channel. */
  topicUnused(topic: Topic): void;
  /** The window over which channels keep their processing latency, ms; 0 for not at all. */
  readonly latencyWindowMs: number;
}

const FIRST_SEGMENT_BYTES = 2048;
const MAX_SEGMENT_BYTES = 1 << 20;
/** A segment that lasted less than this is followed by a larger one, and one that lasted longer than that by a smaller. */
const FAST_FILL_MS = 1000;
const SLOW_FILL_MS = 60_000;

/** A record whose delivery is to be deferred from the moment it is released. */
export interface DeferredRecord {
  seq: number;
  delayMs: number;
  /** Unix ms of the publish. */
  publishedMs: number;
}

export class Topic {
  readonly host: TopicHost;
  readonly name: string;
  readonly ephemeral: boolean;
  /** Names the topic in the commit log. */
  readonly number: number;
  readonly channels = new Map<string, Channel>();
  paused = false;
  exiting = false;
  /** Set while channels known to lookupd are still being created: nothing is released. */
  settingUp = false;

  first: Segment | null = null;
  last: Segment | null = null;
  releasedSeq: number;
  committedSeq: number;
  /** End of what the running sync covers, at level `disk`. */
  writtenSeq: number;
  endSeq: number;
  /** Committed records that are not released: the topic's depth. */
  pendingCount = 0;
  messageCount = 0;
  messageBytes = 0;
  /** True while the topic is in the list of those with records to commit. */
  isMarked = false;
  /** True when records came since the last look of the housekeeping. */
  recentlyUsed = false;
  /** First segment that holds an unreleased record, or that records may still be added to. */
  #firstUnreleased: Segment | null = null;
  #deferred: DeferredRecord[] = [];
  /** Unreleased records that cannot be read. */
  #lost: { from: number; to: number }[] = [];
  /** Unreleased records that could not be read the last time. */
  #unreadable: { segment: Segment; from: number; to: number }[] = [];
  #segmentBytes = FIRST_SEGMENT_BYTES;
  #segmentStartedMs = 0;

  /** @param firstSeq the sequence number of the first message */
  constructor(host: TopicHost, name: string, number: number, firstSeq: number, ephemeral: boolean) {
    this.host = host;
    this.name = name;
    this.number = number;
    this.ephemeral = ephemeral;
    this.releasedSeq =
      this.committedSeq =
      this.writtenSeq =
      this.endSeq =
        firstSeq;
  }

  /** Unreleased records that will be deferred, in sequence order. */
  get deferred(): readonly DeferredRecord[] {
    return this.#deferred;
  }

  // ---- publishing ---------------------------------------------------------------------------

  /**
   * Appends one message.
   *
   * @param delayMs how long after its release it becomes deliverable; 0 for at once
   */
  publish(source: Buffer, bodyStart: number, bodyBytes: number, delayMs = 0): void {
    this.messageCount++;
    this.messageBytes += bodyBytes;
    if (this.ephemeral && this.#room() <= 0) return;
    const segment = this.#segmentFor(bodyBytes);
    segment.append(source, bodyStart, bodyBytes, this.host.time, this.host.nodeId);
    if (delayMs > 0) {
      this.#deferred.push({ seq: this.endSeq, delayMs, publishedMs: timestampMs(this.host.time) });
    }
    this.endSeq++;
    if (!this.isMarked) this.host.markTopic(this);
  }

  /**
   * Appends `count` messages laid out as in MPUB: int32 size and body, each.
   *
   * @param at offset of the first size; all sizes were checked
   */
  publishSized(source: Buffer, at: number, count: number): void {
    const startAt = at, all = count;
    while (count > 0) {
      const room = this.ephemeral ? this.#room() : count;
      if (room <= 0) break;
      const segment = this.#segmentFor(source.view.getInt32(at));
      const before = segment.count;
      at = segment.appendSized(source, at, Math.min(count, room), this.host.time, this.host.nodeId);
      const taken = segment.count - before;
      count -= taken;
      this.endSeq += taken;
      // A wrap of the low half of the sequence number ends the call early, with room left.
      if (taken === 0) this.#seal();
    }
    this.messageCount += all;
    this.messageBytes += at - startAt - 4 * (all - count);
    if (!this.isMarked) this.host.markTopic(this);
  }

  /** How many more messages an ephemeral topic takes: without a channel to go to they stay in it. */
  #room(): number {
    if (this.channels.size > 0 && !this.paused && !this.settingUp) return Infinity;
    return this.host.memQueueSize - (this.endSeq - this.committedSeq + this.pendingCount);
  }

  #segmentFor(bodyBytes: number): Segment {
    const last = this.last;
    if (last !== null && !last.sealed) {
      if (last.hasRoom(bodyBytes)) return last;
      this.#seal();
    }
    const bytes = Math.max(this.#segmentBytes, bodyBytes + RECORD_OVERHEAD);
    return this.addSegment(new Segment(this.endSeq, this.host.pool.take(bytes), undefined, bytes));
  }

  /** Puts a segment at the end of the log; the one before is sealed. */
  addSegment(segment: Segment): Segment {
    const last = this.last;
    segment.prev = last;
    if (last === null) this.first = segment;
    else last.next = segment;
    this.last = segment;
    segment.claims = 1;
    if (this.#firstUnreleased === null) this.#firstUnreleased = segment;
    this.#segmentStartedMs = this.host.nowMs;
    for (const channel of this.channels.values()) channel.position.segmentAdded(segment);
    return segment;
  }

  #seal(): void {
    const segment = this.last!;
    const lastedMs = this.host.nowMs - this.#segmentStartedMs;
    if (lastedMs < FAST_FILL_MS) this.#segmentBytes = Math.min(MAX_SEGMENT_BYTES, this.#segmentBytes * 4);
    else if (lastedMs > SLOW_FILL_MS) {
      this.#segmentBytes = Math.max(FIRST_SEGMENT_BYTES, this.#segmentBytes >> 2);
    }
    this.#sealed(segment);
  }

  #sealed(segment: Segment): void {
    const isNew = !segment.sealed;
    segment.sealed = true;
    for (const channel of this.channels.values()) channel.position.segmentSealed(segment);
    this.#unclaimReleased();
    if (isNew) this.host.segmentSealed(this, segment);
  }

  // ---- commit and release -------------------------------------------------------------------

  /** Records below `seq` are safe: they may be released. */
  commitTo(seq: number): void {
    // Those of a deleted topic are released already, to nobody.
    this.pendingCount += Math.max(0, seq - Math.max(this.committedSeq, this.releasedSeq));
    this.committedSeq = seq;
    if (!this.recentlyUsed) {
      this.recentlyUsed = true;
      this.host.topicUsed(this);
    }
    this.release();
  }

  /** Forgets the records that could not be made safe. */
  rollBack(): void {
    for (let segment = this.last; segment !== null;) {
      const { prev } = segment, keep = Math.max(0, this.committedSeq - segment.firstSeq);
      if (keep >= segment.count) break;
      const dropped = segment.count - keep;
      this.messageCount -= dropped;
      this.messageBytes -= segment.usedBytes - segment.index[keep] - dropped * RECORD_OVERHEAD;
      segment.truncate(keep);
      if (keep === 0) this.#drop(segment);
      else this.#sealed(segment);
      segment = prev;
    }
    this.#deferred = this.#deferred.filter((d) => d.seq < this.committedSeq);
    // Their sequence numbers are not given out again: the records may be on the disk all the same.
    this.committedSeq = this.writtenSeq = this.endSeq;
    this.#unclaimReleased();
    this.release();
  }

  /** Takes the last segment, which is empty now, out of the log: no channel has read from it. */
  #drop(segment: Segment): void {
    for (const channel of this.channels.values()) channel.position.leave(segment);
    if (this.#firstUnreleased === segment) this.#firstUnreleased = null;
    this.unclaim(segment);
  }

  /** Lets the channels read what is committed, unless something holds it. */
  release(): void {
    if (this.paused || this.settingUp || this.exiting || this.channels.size === 0) return;
    const from = this.releasedSeq, to = this.committedSeq, count = this.pendingCount;
    if (to <= from) return;
    this.releasedSeq = to;
    this.pendingCount = 0;
    for (const channel of this.channels.values()) channel.admit(to, count, this.host.memQueueSize);
    if (this.#deferred.length > 0) this.#releaseDeferred();
    for (const range of this.#lost) {
      for (const channel of this.channels.values()) {
        channel.waitingCount -= channel.finishAhead(range.from, range.to);
      }
    }
    this.#lost = [];
    const unreadable = this.#unreadable;
    this.#unreadable = [];
    for (const { segment, from, to } of unreadable) {
      if (!segment.isUnclaimed && segment.lacks(from)) {
        this.deferUnreadable(segment, from, to, this.host.nowMs);
      }
    }
    this.#unclaimReleased();
  }

  /** The clock of a deferred message starts when it is released to the channels. */
  #releaseDeferred(): void {
    const deferred = this.#deferred;
    let i = 0;
    for (; i < deferred.length && deferred[i].seq < this.releasedSeq; i++) {
      const { seq, delayMs } = deferred[i];
      let segment = this.last!;
      while (segment.firstSeq > seq) segment = segment.prev!;
      for (const channel of this.channels.values()) {
        channel.deferAdmitted(segment, seq - segment.firstSeq, this.host.nowMs + delayMs);
      }
    }
    deferred.splice(0, i);
  }

  /** Records [from, to) of a segment are damaged: they are given up. */
  lose(segment: Segment, from: number, to: number): void {
    const end = this.#releasedOf(segment, from, to);
    if (from < end) { for (const channel of this.channels.values()) giveUp(channel, segment, from, end); }
    if (end < to) this.#lost.push({ from: segment.firstSeq + end, to: segment.firstSeq + to });
  }

  /** Records [from, to) of a segment cannot be read now: they are deferred until `atMs`, monotonic. */
  deferUnreadable(segment: Segment, from: number, to: number, atMs: number): void {
    const end = this.#releasedOf(segment, from, to);
    if (from < end) {
      for (const channel of this.channels.values()) {
        deferUnreadable(channel, segment, from, end, atMs);
      }
    }
    if (end < to) this.#unreadable.push({ segment, from: end, to });
  }

  #releasedOf(segment: Segment, from: number, to: number): number {
    return segment.seqs === null ? Math.max(from, Math.min(to, this.releasedSeq - segment.firstSeq)) : to;
  }

  // ---- restoring ----------------------------------------------------------------------------

  /** Sets the released position, with all segments in place and no channel yet. */
  restoreReleased(seq: number): void {
    this.releasedSeq = seq;
    this.pendingCount = this.#countBetween(seq, this.endSeq);
  }

  /** Adds a channel whose next message is `cursorSeq`; all before counts as finished. */
  restoreChannel(name: string, cursorSeq: number): Channel {
    const channel = new Channel(this, name, false);
    let segment = this.first;
    while (segment !== null && segment.endSeq <= cursorSeq) segment = segment.next;
    this.channels.set(name, channel);
    channel.position.start(segment, segment === null ? 0 : Math.max(0, cursorSeq - segment.firstSeq));
    channel.waitingCount = this.#countBetween(cursorSeq, this.releasedSeq);
    return channel;
  }

  /** First sequence number of the newest `count` records before `to`; failed groups leave gaps in the log. */
  newestFrom(count: number, to: number): number {
    for (let segment = this.last; segment !== null; segment = segment.prev) {
      const end = Math.min(segment.endSeq, to), here = end - segment.firstSeq;
      if (here >= count) return end - count;
      count -= Math.max(0, here);
    }
    return to;
  }

  #countBetween(from: number, to: number): number {
    let count = 0;
    for (let segment = this.last; segment !== null && segment.endSeq > from; segment = segment.prev) {
      count += Math.max(0, Math.min(segment.endSeq, to) - Math.max(segment.firstSeq, from));
    }
    return count;
  }

  /** Lets go of what neither a channel nor an unreleased record needs, after restoring. */
  unclaimUnneeded(): void {
    this.#unclaimReleased();
  }

  /** Restores, from before a restart, that an unreleased record will be deferred. */
  restoreDeferred(deferred: DeferredRecord): void {
    this.#deferred.push(deferred);
  }

  #unclaimReleased(): void {
    let segment = this.#firstUnreleased;
    while (segment !== null && segment.sealed && segment.endSeq <= this.releasedSeq) {
      const next: Segment | null = segment.next;
      this.#firstUnreleased = next;
      this.unclaim(segment);
      segment = next;
    }
  }

  /** Where the released position is: a segment and an index in it, or the end of the log. */
  releasedAt(): { segment: Segment | null; index: number } {
    let segment = this.#firstUnreleased;
    while (segment !== null && segment.sealed && segment.endSeq <= this.releasedSeq) segment = segment.next;
    return { segment, index: segment === null ? 0 : Math.max(0, this.releasedSeq - segment.firstSeq) };
  }

  /** One claim on the segment is gone. */
  unclaim(segment: Segment): void {
    if (--segment.claims > 0) return;
    if (segment.seqs === null) this.#unlink(segment);
    this.host.segmentUnclaimed(segment);
  }

  #unlink(segment: Segment): void {
    if (segment.prev === null) this.first = segment.next;
    else segment.prev.next = segment.next;
    if (segment.next === null) this.last = segment.prev;
    else segment.next.prev = segment.prev;
  }

  /**
   * Seals the last segment when all in it is finished, so that a quiet topic keeps no buffer, and no log file
   * for it. False while something in it is not.
   */
  trim(): boolean {
    const last = this.last;
    if (last === null || last.sealed || last.count === 0) return true;
    if (this.releasedSeq < this.endSeq) return false;
    for (const channel of this.channels.values()) if (!channel.position.hasFinished(last)) return false;
    this.#seal();
    return true;
  }

  // ---- operations ---------------------------------------------------------------------------

  /** The channel of that name, created at the released position when there is none. */
  channel(name: string, ephemeral: boolean): Channel {
    const existing = this.channels.get(name);
    if (existing !== undefined) return existing;
    const channel = this.addChannel(name, ephemeral);
    this.host.channelCreated(channel);
    this.release();
    return channel;
  }

  /** Adds a channel at the released position, telling nobody. */
  addChannel(name: string, ephemeral: boolean): Channel {
    const channel = new Channel(this, name, ephemeral);
    const { segment, index } = this.releasedAt();
    this.channels.set(name, channel);
    channel.position.start(segment, index);
    return channel;
  }

  /** Deletes a channel with all its messages; false when there is none of that name. */
  deleteChannel(name: string): boolean {
    const channel = this.channels.get(name);
    if (channel === undefined) return false;
    this.channels.delete(name);
    channel.delete();
    this.host.channelDeleted(channel);
    if (this.ephemeral && this.channels.size === 0 && !this.exiting) this.host.topicUnused(this);
    return true;
  }

  setPaused(paused: boolean): void {
    this.paused = paused;
    this.release();
  }

  /** Drops the messages that no channel has been given yet, but not those whose group is undecided. */
  empty(): void {
    const from = this.releasedSeq, to = this.committedSeq;
    this.releasedSeq = to;
    this.pendingCount = 0;
    this.#deferred = this.#deferred.filter((d) => d.seq >= to);
    this.#lost = [];
    this.#unreadable = [];
    for (const channel of this.channels.values()) channel.finishAhead(from, to);
    this.#unclaimReleased();
  }

  /** Deletes the topic with its channels and messages. */
  delete(): void {
    this.exiting = true;
    for (const name of [...this.channels.keys()]) this.deleteChannel(name);
    this.releasedSeq = this.endSeq;
    this.pendingCount = 0;
    if (this.last !== null && !this.last.sealed) this.#seal();
    this.#unclaimReleased();
  }
}
