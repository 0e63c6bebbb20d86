/**
 * The log of a topic: a linked list of segments in sequence order, who claims them, and how far it is safe and visible.
 *
 * Sequence numbers of the log, each not before the one above:
 *
 *     releasedSeq   channels may read below it
 *     committedSeq  records below it are as safe as the durability level asks
 *     endSeq        next record
 *
 * Readers follow the log (`LogFollower`): each claims the segments that it may still read. The log itself has one claim
 * on every segment with a record that is not released, or that more may be added to. A segment that nobody claims
 * leaves the log.
 *
 * Cost: appending is that of the segment; claims are counters; adding and sealing a segment tells each follower.
 */
import type { Buffer, BufferPool } from "../../buffers/buffer_pool.ts";
import { RECORD_OVERHEAD } from "../../protocol/message.ts";
import { Segment, type Timestamp } from "../../storage/segment.ts";

/** What a log needs of the broker around it. */
export interface LogHost {
  readonly pool: BufferPool;
  /** 0..1023, part of every message id. */
  readonly nodeId: number;
  /** Time of the running turn, for the records appended in it. */
  readonly time: Timestamp;
  /** Monotonic time of the running turn, ms. */
  readonly nowMs: number;
  /** Reads evicted segments from `segment` on, which will be needed next. */
  prefetch(segment: Segment): void;
  /** Nobody claims the segment any more. */
  segmentUnclaimed(segment: Segment): void;
}

/** A reader of the log. It is told of changes at the end of the log while it follows. */
export interface LogFollower {
  /** An empty segment was added. */
  segmentAdded(segment: Segment): void;
  /** The last segment gets no more records. */
  segmentSealed(segment: Segment): void;
  /** The last segment, which is empty again, goes: its group failed. */
  segmentDropped(segment: Segment): void;
  /** Whether every record of `segment` so far is finished for this reader. */
  hasFinished(segment: Segment): boolean;
  /** Whether one of the claims on `segment` is this reader's. */
  isClaiming(segment: Segment): boolean;
}

const FIRST_SEGMENT_BYTES = 2048;
const MAX_SEGMENT_BYTES = 1 << 20;
/** A segment that lasted less than this is followed by a larger one, and one that lasted longer than that by a smaller. */
const FAST_FILL_MS = 1000;
const SLOW_FILL_MS = 60_000;

export class TopicLog {
  readonly host: LogHost;
  first: Segment | null = null;
  last: Segment | null = null;
  releasedSeq: number;
  committedSeq: number;
  /** End of what the running sync covers, at level `disk`. */
  writtenSeq: number;
  endSeq: number;
  /** Committed records that are not released. */
  pendingCount = 0;

  readonly #onSealed: (segment: Segment) => void;
  readonly #followers = new Set<LogFollower>();
  /** First segment with a record that is not released, or that records may still be added to. */
  #firstUnreleased: Segment | null = null;
  #segmentBytes = FIRST_SEGMENT_BYTES;
  #segmentStartedMs = 0;

  /**
   * @param firstSeq the sequence number of the first record
   * @param onSealed called with each segment that gets no more records
   */
  constructor(host: LogHost, firstSeq: number, onSealed: (segment: Segment) => void) {
    this.host = host;
    this.releasedSeq =
      this.committedSeq =
      this.writtenSeq =
      this.endSeq =
        firstSeq;
    this.#onSealed = onSealed;
  }

  /** Has `follower` told of changes. */
  follow(follower: LogFollower): void {
    this.#followers.add(follower);
  }

  unfollow(follower: LogFollower): void {
    this.#followers.delete(follower);
  }

  // ---- appending ----------------------------------------------------------------------------

  /** Appends one record, stamped with `time`. */
  append(source: Buffer, bodyStart: number, bodyBytes: number, time: Timestamp): void {
    this.#segmentFor(bodyBytes).append(source, bodyStart, bodyBytes, time, this.host.nodeId);
    this.endSeq++;
  }

  /**
   * Appends `count` records, whose bodies lie in `source` as in MPUB: int32 size and body, each.
   *
   * @param at offset of the first size; all sizes were checked
   * @returns offset behind the last body
   */
  appendSized(source: Buffer, at: number, count: number): number {
    const { time, nodeId } = this.host;
    while (count > 0) {
      const segment = this.#segmentFor(source.view.getInt32(at)), before = segment.count;
      at = segment.appendSized(source, at, count, time, nodeId);
      const taken = segment.count - before;
      count -= taken;
      this.endSeq += taken;
      // A wrap of the low half of the sequence number ends the call early, with room left.
      if (taken === 0) this.seal();
    }
    return at;
  }

  #segmentFor(bodyBytes: number): Segment {
    const last = this.last;
    if (last !== null && !last.sealed) {
      if (last.hasRoom(bodyBytes)) return last;
      this.seal();
    }
    const bytes = Math.max(this.#segmentBytes, bodyBytes + RECORD_OVERHEAD);
    return this.addSegment(new Segment(this.endSeq, this.host.pool.take(bytes), undefined, bytes));
  }

  /** Puts a segment at the end of the log; the one before is sealed. */
  addSegment(segment: Segment): Segment {
    const last = this.last;
    segment.prev = last;
    if (last === null) this.first = segment;
    else {
      last.next = segment;
      segment.bytesBefore = last.bytesBefore + last.usedBytes;
    }
    this.last = segment;
    this.claim(segment);
    if (this.#firstUnreleased === null) this.#firstUnreleased = segment;
    this.#segmentStartedMs = this.host.nowMs;
    for (const follower of this.#followers) follower.segmentAdded(segment);
    return segment;
  }

  /** Ends the last segment, which is open; the next one is sized by how long it lasted. */
  seal(): void {
    const lastedMs = this.host.nowMs - this.#segmentStartedMs;
    if (lastedMs < FAST_FILL_MS) this.#segmentBytes = Math.min(MAX_SEGMENT_BYTES, this.#segmentBytes * 4);
    else if (lastedMs > SLOW_FILL_MS) {
      this.#segmentBytes = Math.max(FIRST_SEGMENT_BYTES, this.#segmentBytes >> 2);
    }
    this.#seal(this.last!);
  }

  #seal(segment: Segment): void {
    const isNew = !segment.sealed;
    segment.sealed = true;
    for (const follower of this.#followers) follower.segmentSealed(segment);
    this.unclaimReleased();
    if (isNew) this.#onSealed(segment);
  }

  /**
   * Seals the last segment when all in it is finished, so that a quiet topic keeps no buffer, and no log file
   * for it. False while something in it is not.
   */
  trim(): boolean {
    const last = this.last;
    if (last === null || last.sealed || last.count === 0) return true;
    if (this.releasedSeq < this.endSeq) return false;
    for (const follower of this.#followers) if (!follower.hasFinished(last)) return false;
    this.seal();
    return true;
  }

  // ---- commit and release -------------------------------------------------------------------

  /** Records below `seq` are safe: they may be released. */
  commitTo(seq: number): void {
    // Those of a deleted topic are released already, to nobody.
    this.pendingCount += Math.max(0, seq - Math.max(this.committedSeq, this.releasedSeq));
    this.committedSeq = seq;
  }

  /**
   * Lets followers read what is committed below `seq`. The caller tells them, then calls `unclaimReleased`.
   *
   * @returns how many records are released now
   */
  releaseTo(seq: number): number {
    const from = this.releasedSeq, to = Math.max(from, Math.min(seq, this.committedSeq));
    const count = to >= this.committedSeq ? this.pendingCount : this.countBetween(from, to);
    this.releasedSeq = to;
    this.pendingCount -= count;
    return count;
  }

  /** Forgets the records that could not be made safe; says how many, and the bytes of their bodies. */
  rollBack(): { messageCount: number; bodyBytes: number } {
    let messageCount = 0, bodyBytes = 0;
    for (let segment = this.last; segment !== null;) {
      const { prev } = segment, keep = Math.max(0, this.committedSeq - segment.firstSeq);
      if (keep >= segment.count) break;
      const dropped = segment.count - keep;
      messageCount += dropped;
      bodyBytes += segment.usedBytes - segment.index[keep] - dropped * RECORD_OVERHEAD;
      segment.truncate(keep);
      if (keep === 0) this.#drop(segment);
      else this.#seal(segment);
      segment = prev;
    }
    // Their sequence numbers are not given out again: the records may be on the disk all the same.
    this.committedSeq = this.writtenSeq = this.endSeq;
    this.unclaimReleased();
    return { messageCount, bodyBytes };
  }

  /** Takes the last segment, which is empty now, out of the log: nobody has read from it. */
  #drop(segment: Segment): void {
    for (const follower of this.#followers) follower.segmentDropped(segment);
    if (this.#firstUnreleased === segment) this.#firstUnreleased = null;
    this.unclaim(segment);
  }

  /** Nothing is added any more, and what is there is for nobody. */
  end(): void {
    this.releasedSeq = this.endSeq;
    this.pendingCount = 0;
    if (this.last !== null && !this.last.sealed) this.seal();
    this.unclaimReleased();
  }

  // ---- restoring ----------------------------------------------------------------------------

  /** Sets where the next record goes and how far the log is released, with all segments in place and no follower. */
  restore(endSeq: number, releasedSeq: number): void {
    this.endSeq = this.committedSeq = this.writtenSeq = endSeq;
    this.releasedSeq = releasedSeq;
    this.pendingCount = this.countBetween(releasedSeq, endSeq);
  }

  // ---- claims -------------------------------------------------------------------------------

  /** One more may read from `segment`. */
  claim(segment: Segment): void {
    segment.claims++;
  }

  /** One claim on the segment is gone. A sparse one was never in the list. */
  unclaim(segment: Segment): void {
    if (--segment.claims > 0) return;
    if (segment.seqs === null) this.#unlink(segment);
    this.host.segmentUnclaimed(segment);
  }

  /** Ends the log's own claims on segments of which all is released. */
  unclaimReleased(): void {
    let segment = this.#firstUnreleased;
    while (segment !== null && segment.sealed && segment.endSeq <= this.releasedSeq) {
      const next: Segment | null = segment.next;
      this.#firstUnreleased = next;
      this.unclaim(segment);
      segment = next;
    }
  }

  #unlink(segment: Segment): void {
    if (segment.prev === null) this.first = segment.next;
    else segment.prev.next = segment.next;
    if (segment.next === null) this.last = segment.prev;
    else segment.next.prev = segment.prev;
  }

  // ---- places -------------------------------------------------------------------------------

  /** Where the released position is: a segment and an index in it, or the end of the log. */
  releasedAt(): { segment: Segment | null; index: number } {
    return placeFrom(this.#firstUnreleased, this.releasedSeq);
  }

  /** Where record `seq`, or the next one that is there, is: a segment and an index in it, or the end of the log. */
  placeOf(seq: number): { segment: Segment | null; index: number } {
    return placeFrom(this.first, seq);
  }

  /** The segment of record `seq`, which is in the log; looked for from the end. */
  segmentOf(seq: number): Segment {
    let segment = this.last!;
    while (segment.firstSeq > seq) segment = segment.prev!;
    return segment;
  }

  /** Bytes of bodies of the records from `seq` on; of a segment that is not in memory, by its share. */
  bytesFrom(seq: number): number {
    const { segment, index } = placeFrom(this.#firstUnreleased, seq), { last } = this;
    if (segment === null || last === null) return 0;
    const offset = segment.buffer === null
      ? segment.usedBytes * index / Math.max(1, segment.count)
      : segment.index[index];
    const bytes = last.bytesBefore + last.usedBytes - segment.bytesBefore - offset;
    return Math.max(0, bytes - RECORD_OVERHEAD * this.countBetween(seq, this.endSeq));
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

  /** Records in [from, to). */
  countBetween(from: number, to: number): number {
    let count = 0;
    for (let segment = this.last; segment !== null && segment.endSeq > from; segment = segment.prev) {
      count += Math.max(0, Math.min(segment.endSeq, to) - Math.max(segment.firstSeq, from));
    }
    return count;
  }

  // ---- invariants ---------------------------------------------------------------------------

  /** @throws Error when the positions, the list or the claims contradict each other */
  invariants(): void {
    const { releasedSeq, committedSeq, endSeq } = this;
    expect(committedSeq <= endSeq, `committed to ${committedSeq}, beyond the end at ${endSeq}`);
    expect(releasedSeq <= committedSeq, `released to ${releasedSeq}, committed only to ${committedSeq}`);
    const pendingCount = this.countBetween(releasedSeq, committedSeq);
    expect(this.pendingCount === pendingCount, `${this.pendingCount} pending, ${pendingCount} are there`);
    let prev: Segment | null = null, isUnreleased = false;
    for (let segment = this.first; segment !== null; segment = segment.next) {
      const name = `segment ${segment.firstSeq}`;
      expect(segment.prev === prev, `${name} is linked wrongly`);
      expect(
        prev === null || prev.sealed && prev.endSeq <= segment.firstSeq,
        `${name} begins in an open one`,
      );
      expect(segment.endSeq <= endSeq, `${name} goes on to ${segment.endSeq}, the log only to ${endSeq}`);
      expect(!segment.isUnclaimed, `${name} is in the log and given up`);
      isUnreleased ||= segment.endSeq > releasedSeq || !segment.sealed;
      let claims = isUnreleased ? 1 : 0;
      for (const follower of this.#followers) if (follower.isClaiming(segment)) claims++;
      expect(claims > 0, `${name} is in the log and nobody claims it`);
      expect(segment.claims === claims, `${name} counts ${segment.claims} claims, there are ${claims}`);
      prev = segment;
    }
    expect(this.last === prev, "the list of segments does not end with the last one");
  }
}

function placeFrom(from: Segment | null, seq: number): { segment: Segment | null; index: number } {
  let segment = from;
  while (segment !== null && segment.sealed && segment.endSeq <= seq) segment = segment.next;
  return { segment, index: segment === null ? 0 : Math.max(0, seq - segment.firstSeq) };
}

function expect(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(`An invariant of the topic log is broken: ${what}`);
}
