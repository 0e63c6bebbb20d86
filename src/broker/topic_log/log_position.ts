/**
 * How far a channel has come in the log of its topic: the cursor, the chunks, and its claims on segments.
 *
 * The channel claims every segment from the cursor's on, and those before it in which something is unfinished
 * (`Segment.claims` counts the claims). A claim ends when the segment is sealed and all in it is finished for
 * the channel; that may be before the cursor comes there, as when all of it was deferred and finished.
 *
 * Invariant: the cursor rests only on a claimed segment, or on none when all of the log is finished.
 *
 * Tested in test/broker/broker_model_test.ts.
 */
import type { Segment } from "../../storage/segment.ts";
import { Chunk, FINISHED, TRACKED, WAITING } from "./chunk.ts";
import type { LogFollower, TopicLog } from "./topic_log.ts";

/** The entries of a chunk that is done: none. */
const DONE_ENTRIES = new Uint16Array(0);

export class LogPosition implements LogFollower {
  /** Segment of the next message never delivered yet; null when the log has none at the cursor. */
  segment: Segment | null = null;
  index = 0;
  /** Chunks with unfinished messages, and marks of done ones ahead of the cursor; ascending. */
  readonly chunks: Chunk[] = [];

  readonly #log: TopicLog;
  /** The chunk that was looked up last: most calls are for it again. */
  #hot: Chunk | null = null;
  /** Chunks that are `done` and not passed by the cursor. */
  #doneAhead = 0;

  constructor(log: TopicLog) {
    this.#log = log;
  }

  // ---- the cursor ---------------------------------------------------------------------------

  /**
   * Moves the cursor to the next waiting message.
   *
   * @returns the end index of the run of waiting messages there, or 0 when there is none
   */
  seek(): number {
    for (;;) {
      const segment = this.segment;
      if (segment === null) return 0;
      const limit = Math.min(segment.count, this.#log.releasedSeq - segment.firstSeq);
      if (this.index >= limit) {
        if (!segment.sealed || this.index < segment.count || segment.next === null) return 0;
        this.#enter(segment.next);
        continue;
      }
      const chunk = this.find(segment.firstSeq + this.index);
      if (chunk === null || chunk.marksAhead === 0) return limit;
      const entries = chunk.entries, known = Math.min(limit, entries.length);
      while (this.index < known && entries[this.index] !== WAITING) {
        this.index++;
        chunk.marksAhead--;
      }
      if (this.index >= limit) {
        this.settle(chunk);
        continue;
      }
      let end = this.index;
      while (end < known && entries[end] === WAITING) end++;
      return end < known ? end : limit;
    }
  }

  /** Finishes the run of waiting messages at the cursor, which `seek` gave, up to index `to`. */
  skip(to: number): void {
    const chunk = this.#passRun(to, FINISHED);
    chunk.finished += to - this.index;
    this.index = to;
    this.settle(chunk);
  }

  /** Has the run of waiting messages at the cursor, which `seek` gave, up to index `to` tracked. */
  setRunAside(to: number): void {
    this.#passRun(to, TRACKED);
    this.index = to;
  }

  #passRun(to: number, entry: number): Chunk {
    const chunk = this.chunkOf(this.segment!);
    chunk.reserve(to);
    chunk.entries.fill(entry, this.index, to);
    return chunk;
  }

  isAhead(segment: Segment, index: number): boolean {
    const cursor = this.segment;
    if (cursor === null) return false;
    return segment === cursor ? index >= this.index : segment.firstSeq > cursor.firstSeq;
  }

  /** Has a waiting message at or after the cursor tracked; false when it does not wait there. */
  setAside(segment: Segment, index: number): boolean {
    if (!this.isAhead(segment, index)) return false;
    const chunk = this.chunkOf(segment);
    if (chunk.done) return false;
    chunk.reserve(index + 1);
    if (chunk.entries[index] !== WAITING) return false;
    chunk.entries[index] = TRACKED;
    chunk.marksAhead++;
    return true;
  }

  /** Moves the cursor to the start of `segment`, or of the next one that is not finished already. */
  #enter(segment: Segment | null): void {
    while (segment !== null && this.#doneAhead > 0) {
      const chunk = this.chunkAt(segment);
      if (chunk === null || !chunk.done) break;
      segment = segment.next;
    }
    this.segment = segment;
    this.index = 0;
    if (this.#doneAhead > 0) this.#forgetPassed(segment === null ? Infinity : segment.firstSeq);
    if (segment?.next) this.#log.host.prefetch(segment.next);
  }

  /** Drops the marks of segments that were finished before the cursor came to them, now that it passed. */
  #forgetPassed(firstSeq: number): void {
    for (let i = this.chunks.length - 1; i >= 0; i--) {
      const chunk = this.chunks[i];
      if (!chunk.done || chunk.firstSeq >= firstSeq) continue;
      this.chunks.splice(i, 1);
      if (this.#hot === chunk) this.#hot = null;
      this.#doneAhead--;
    }
  }

  /** The channel starts at record `index` of `segment`, or at the end of the log when that is null. */
  start(segment: Segment | null, index: number): void {
    this.segment = segment;
    this.index = index;
    this.#log.follow(this);
    for (let s = segment; s !== null; s = s.next) this.#log.claim(s);
    if (segment !== null && index > 0) this.chunkOf(segment).finished = index;
  }

  segmentAdded(segment: Segment): void {
    this.#log.claim(segment);
    if (this.segment === null) this.#enter(segment);
  }

  /** The segment may be finished already. */
  segmentSealed(segment: Segment): void {
    const chunk = this.chunkAt(segment);
    if (chunk !== null) this.settle(chunk);
  }

  segmentDropped(segment: Segment): void {
    this.leave(segment);
  }

  hasFinished(segment: Segment): boolean {
    if (this.segment === null || this.segment.firstSeq > segment.firstSeq) {
      return this.chunkAt(segment) === null;
    }
    return this.chunkAt(segment)?.finished === segment.count;
  }

  /** The chunk that holds message `seq`, or null. */
  find(seq: number): Chunk | null {
    const hot = this.#hot;
    if (hot !== null && seq >= hot.firstSeq && seq - hot.firstSeq < hot.segment.count) return hot;
    const chunks = this.chunks;
    let low = 0, high = chunks.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1, chunk = chunks[middle];
      if (seq < chunk.firstSeq) high = middle - 1;
      else if (seq - chunk.firstSeq >= chunk.segment.count) low = middle + 1;
      else return this.#hot = chunk;
    }
    return null;
  }

  chunkAt(segment: Segment): Chunk | null {
    const chunk = this.chunks[this.#indexOf(segment.firstSeq)];
    return chunk?.segment === segment ? chunk : null;
  }

  /** Index of the first chunk that does not begin before `firstSeq`. Most calls are for the last ones. */
  #indexOf(firstSeq: number): number {
    const chunks = this.chunks;
    let low = 0, high = chunks.length;
    if (high > 0 && chunks[high - 1].firstSeq < firstSeq) return high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (chunks[middle].firstSeq < firstSeq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  chunkOf(segment: Segment): Chunk {
    const hot = this.#hot;
    if (hot !== null && hot.segment === segment) return hot;
    const chunks = this.chunks, at = this.#indexOf(segment.firstSeq);
    if (chunks[at]?.segment === segment) return this.#hot = chunks[at];
    const chunk = new Chunk(segment);
    chunks.splice(at, 0, chunk);
    return this.#hot = chunk;
  }

  /**
   * Lets the chunk go when its segment is sealed and all finished.
   *
   * When the cursor is still before it, a mark stays, or the cursor would take the segment for a fresh one.
   */
  settle(chunk: Chunk): void {
    const segment = chunk.segment;
    if (chunk.done || chunk.finished !== segment.count || !segment.sealed) return;
    const cursor = this.segment;
    if (cursor !== null && cursor.firstSeq < segment.firstSeq) {
      chunk.done = true;
      chunk.entries = DONE_ENTRIES;
      this.#doneAhead++;
      this.#log.unclaim(segment);
    } else {
      this.remove(chunk);
      this.leave(segment);
    }
  }

  remove(chunk: Chunk): void {
    this.chunks.splice(this.#indexOf(chunk.firstSeq), 1);
    if (this.#hot === chunk) this.#hot = null;
  }

  /** Gives up the claim on a segment that is finished for this channel. */
  leave(segment: Segment): void {
    if (this.segment === segment) this.#enter(segment.next);
    this.#log.unclaim(segment);
  }

  /** Has an unfinished message from before a restart tracked; true when it counted as waiting. */
  restore(segment: Segment, index: number): boolean {
    if (this.setAside(segment, index)) return true;
    let chunk = this.chunkAt(segment);
    if (chunk === null) {
      // A segment before the cursor's has no claim until an unfinished message is found in it.
      chunk = this.chunkOf(segment);
      chunk.finished = segment.count;
      this.#log.claim(segment);
    }
    chunk.reserve(index + 1);
    chunk.entries[index] = TRACKED;
    chunk.finished--;
    return false;
  }

  /** The first message of [seq, to) that is in flight with the consumer of `slot` since its first delivery, else `to`. */
  nextInFlight(seq: number, to: number, slot: number): number {
    while (seq < to) {
      const chunk = this.find(seq);
      if (chunk === null) {
        const later = this.chunks.find((candidate) => candidate.firstSeq > seq);
        if (later === undefined) return to;
        seq = later.firstSeq;
        continue;
      }
      const { entries, firstSeq } = chunk, end = Math.min(to, firstSeq + chunk.segment.count);
      while (seq < end && entries[seq - firstSeq] !== slot) seq++;
      if (seq < end) return seq;
    }
    return to;
  }

  /**
   * Makes waiting messages [from, to) finished; those that the cursor passed are left out, for the log may tell
   * of a range twice, and the claims on their segments are gone.
   *
   * @returns how many there were
   */
  finishAhead(from: number, to: number): number {
    const cursor = this.segment;
    if (cursor === null) return 0;
    from = Math.max(from, cursor.firstSeq + this.index);
    let finished = 0;
    for (let segment = this.#log.last; segment !== null && segment.endSeq > from; segment = segment.prev) {
      if (segment.firstSeq >= to || segment.count === 0) continue;
      const chunk = this.chunkOf(segment);
      if (chunk.done) continue;
      const end = Math.min(to - segment.firstSeq, segment.count);
      chunk.reserve(end);
      for (let i = Math.max(0, from - segment.firstSeq); i < end; i++) {
        if (chunk.entries[i] !== WAITING) continue;
        chunk.entries[i] = FINISHED;
        chunk.finished++;
        chunk.marksAhead++;
        finished++;
      }
      this.settle(chunk);
    }
    this.seek();
    return finished;
  }

  isClaiming(segment: Segment): boolean {
    const cursor = this.segment, chunk = this.chunkAt(segment);
    if (chunk !== null) return !chunk.done || segment === cursor;
    return cursor !== null && cursor.firstSeq <= segment.firstSeq;
  }

  /** Follows the log no more, and ends all claims. */
  clear(): void {
    this.#log.unfollow(this);
    const claimed = new Set<Segment>(), done = new Set<Segment>();
    for (const chunk of this.chunks) (chunk.done ? done : claimed).add(chunk.segment);
    for (let s = this.segment; s !== null; s = s.next) if (!done.has(s)) claimed.add(s);
    this.chunks.length = this.#doneAhead = 0;
    this.#hot = null;
    this.segment = null;
    this.index = 0;
    for (const segment of claimed) this.#log.unclaim(segment);
  }
}
