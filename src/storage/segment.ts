/**
 * A run of records in one buffer: what a topic's log is made of.
 *
 * Data layout: records (see `protocol/message.ts`) lie back to back in `buffer`; `index[i]` is the byte
 * offset of record i and `index[count]` the end of the last one, so N consecutive records are one
 * slice. In a dense segment record i has sequence number `firstSeq + i`; a sparse one, which
 * compaction makes of the few records still wanted from others, lists them in `seqs`, ascending.
 *
 * Life: open (records are appended) -> sealed -> perhaps evicted (`buffer` is null, the bytes are in the
 * files named by `extents`) -> perhaps loaded again -> unclaimed, when no channel may read from it any more. Segments
 * of a topic are a doubly linked list in sequence order.
 *
 * Invariants: the buffer goes back to the pool only while `pins` is 0; a record once appended never
 * moves within its segment; `claims` counts the channels (and the topic, while a record is unreleased)
 * that may still read from it.
 *
 * Cost: append is one copy of the body and nine stores; everything else is arithmetic.
 */
import {
  ATTEMPTS_OFFSET,
  FRAME_TYPE_MESSAGE,
  FRAME_TYPE_OFFSET,
  HEX_WORDS,
  ID_OFFSET,
  idHighWord,
  RECORD_OVERHEAD,
  RECORD_SIZE_OVERHEAD,
  TIMESTAMP_OFFSET,
  writeRecordHead,
} from "../protocol/message.ts";
import type { Buffer, BufferPool } from "../buffers/buffer_pool.ts";

/**
 * Bodies up to this size are copied in words of 8 bytes: `set` needs a view, which costs more than the copy
 * and is garbage after (200 bytes: 46 ns against 57 ns and 100 bytes of heap).
 */
const WORD_COPY_BYTES = 256;
/** Index entries a segment starts with; the array doubles as records come. */
const FIRST_INDEX_ENTRIES = 16;

/** Records [from, to) of a segment. */
export interface RecordRange {
  from: number;
  to: number;
}

const NO_RANGES: readonly RecordRange[] = [];

/** A time in nanoseconds since the Unix epoch, as the two 32-bit words that a record stores. */
export interface Timestamp {
  high: number;
  low: number;
}

/** Sets `into` to `nowMs` (milliseconds since the Unix epoch, with a fraction). */
export function setTimestamp(into: Timestamp, nowMs: number): void {
  const wholeMs = Math.floor(nowMs);
  const ns = BigInt(wholeMs) * 1_000_000n + BigInt(Math.floor((nowMs - wholeMs) * 1e6));
  into.high = Number(ns >> 32n);
  into.low = Number(ns & 0xffffffffn);
}

/** The data of one block of a log file: consecutive records of a segment. */
export interface Extent {
  /** The file, which counts the bytes as live until the segment is unclaimed or moved. */
  file: SegmentSource;
  /** Byte offset of the first record in the file. */
  fileOffset: number;
  byteLength: number;
  /** Records in it. */
  count: number;
  /** CRC-32 of the bytes. */
  checksum: number;
}

/** What a segment needs of a file: a live-byte count to keep, and a way to read. */
export interface SegmentSource {
  /** The file, for messages. */
  readonly path: string;
  liveBytes: number;
  /** Fills `into` from `fileOffset`. @throws when the file cannot be read or is too short */
  read(into: Uint8Array, fileOffset: number): Promise<void>;
}

export class Segment {
  /** Sequence number of record 0. */
  firstSeq: number;
  /** Null while evicted. */
  buffer: Buffer | null;
  /** Bytes of records it may hold; the buffer may be larger. */
  readonly capacityBytes: number;
  /** Byte offsets of records 0..count; empty while evicted. */
  index: Uint32Array;
  /** Records in the segment. */
  count = 0;
  /** Bytes used by the records. */
  usedBytes = 0;
  /** Bytes of records in the segments before it in the log, as of when it was added. */
  bytesBefore = 0;
  /** True once no record will be added. */
  sealed = false;
  /** Sequence numbers of a sparse segment; null for a dense one. */
  seqs: Float64Array | null = null;
  prev: Segment | null = null;
  next: Segment | null = null;
  /** Running socket and file operations on the buffer. */
  pins = 0;
  /** Channels that may still read from it, plus one while the topic has not released all of it. */
  claims = 0;
  /** Records [0, loggedCount) are in log files. */
  loggedCount = 0;
  extents: Extent[] = [];
  /** Records whose bytes could not be read when the buffer was: empty ones are in their place, for nobody to get. */
  missing: readonly RecordRange[] = NO_RANGES;
  /** Set while a read from the log files is running. */
  loading: Promise<void> | null = null;
  /** Monotonic ms when compaction first saw that all cursors had passed; 0 before. */
  passedAtMs = 0;
  /** True when the segment left its topic; the buffer goes back as soon as nothing pins it. */
  isUnclaimed = false;
  /** Publish times of the first and the last record, Unix ns, as of when the buffer went; 0 for unknown. */
  #firstTimeNs = 0;
  #lastTimeNs = 0;

  constructor(firstSeq: number, buffer: Buffer | null, index?: Uint32Array, capacityBytes = Infinity) {
    this.firstSeq = firstSeq;
    this.capacityBytes = Math.min(capacityBytes, buffer === null ? 0 : buffer.bytes.length);
    this.buffer = buffer;
    this.index = index ?? new Uint32Array(FIRST_INDEX_ENTRIES);
  }

  /** Sequence number after the last record of a dense segment. */
  get endSeq(): number {
    return this.firstSeq + this.count;
  }

  /** Whether a record with a body of `bodyBytes` fits. */
  hasRoom(bodyBytes: number): boolean {
    return this.usedBytes + RECORD_OVERHEAD + bodyBytes <= this.capacityBytes;
  }

  /** The sequence number of record `i`. */
  seqAt(i: number): number {
    return this.seqs === null ? this.firstSeq + i : this.seqs[i];
  }

  /** Appends one record; the caller has made sure that it fits. */
  append(source: Buffer, bodyStart: number, bodyBytes: number, time: Timestamp, nodeId: number): void {
    const to = this.buffer!, { view } = to;
    const at = this.usedBytes;
    const seq = this.firstSeq + this.count;
    const low = seq >>> 0, high = idHighWord(nodeId, seq);
    const word0 = HEX_WORDS[high >>> 16], word1 = HEX_WORDS[high & 0xffff];
    writeRecordHead(view, at, bodyBytes, time.high, time.low, word0, word1, low);
    copyBody(to, at + RECORD_OVERHEAD, source.bytes, source.view, bodyStart, bodyBytes);
    this.#advance(at + RECORD_OVERHEAD + bodyBytes);
  }

  /**
   * Appends up to `max` bodies from `source`, where each follows its int32 size (the layout of MPUB),
   * until one does not fit.
   *
   * @param at offset of the first size
   * @returns offset of the first size that was not taken; `count` tells how many were
   */
  appendSized(source: Buffer, at: number, max: number, time: Timestamp, nodeId: number): number {
    const to = this.buffer!, { view } = to;
    const from = source.bytes, fromView = source.view;
    const capacity = this.capacityBytes, timeHigh = time.high, timeLow = time.low;
    let used = this.usedBytes, count = this.count, index = this.index;
    let seq = this.firstSeq + count;
    const high = idHighWord(nodeId, seq);
    const word0 = HEX_WORDS[high >>> 16], word1 = HEX_WORDS[high & 0xffff];
    // The words above hold while the low 32 bits of the sequence number do not wrap.
    const stop = Math.min(count + max, count + 4294967296 - (seq >>> 0));
    while (count < stop) {
      const bodyBytes = fromView.getInt32(at);
      const end = used + RECORD_OVERHEAD + bodyBytes;
      if (end > capacity) break;
      // As `writeRecordHead` does; a call of it costs as much as a fifteenth of a message's way through the broker.
      const low = seq >>> 0;
      view.setUint32(used, bodyBytes + RECORD_SIZE_OVERHEAD);
      view.setUint32(used + FRAME_TYPE_OFFSET, FRAME_TYPE_MESSAGE);
      view.setUint32(used + TIMESTAMP_OFFSET, timeHigh);
      view.setUint32(used + TIMESTAMP_OFFSET + 4, timeLow);
      view.setUint16(used + ATTEMPTS_OFFSET, 1);
      view.setUint32(used + ID_OFFSET, word0);
      view.setUint32(used + ID_OFFSET + 4, word1);
      view.setUint32(used + ID_OFFSET + 8, HEX_WORDS[low >>> 16]);
      view.setUint32(used + ID_OFFSET + 12, HEX_WORDS[low & 0xffff]);
      copyBody(to, used + RECORD_OVERHEAD, from, fromView, at + 4, bodyBytes);
      at += 4 + bodyBytes;
      used = end;
      count++;
      seq++;
      if (count >= index.length) index = this.#growIndex();
      index[count] = used;
    }
    this.usedBytes = used;
    this.count = count;
    return at;
  }

  /** Appends `byteLength` bytes that already are a record with its final id, as recovery and compaction do. */
  appendRecord(source: Uint8Array, start: number, byteLength: number): void {
    const at = this.usedBytes;
    this.buffer!.bytes.set(source.subarray(start, start + byteLength), at);
    this.#advance(at + byteLength);
  }

  /** Forgets the records from `count` on, which is where a group began: those of one that could not be made safe. */
  truncate(count: number): void {
    this.usedBytes = this.index[count];
    this.count = count;
    while (this.loggedCount > count) {
      const extent = this.extents.pop()!;
      extent.file.liveBytes -= extent.byteLength;
      this.loggedCount -= extent.count;
    }
  }

  /** Index of the record with sequence number `seq`, or -1. */
  indexOf(seq: number): number {
    if (this.seqs === null) {
      const i = seq - this.firstSeq;
      return i >= 0 && i < this.count ? i : -1;
    }
    let low = 0, high = this.count - 1;
    while (low <= high) {
      const middle = (low + high) >> 1, at = this.seqs[middle];
      if (at === seq) return middle;
      if (at < seq) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /**
   * When record `i` was published, Unix ns (a double: exact to 256 ns); 0 when that is not known.
   *
   * Without its buffer the segment takes its records to have come at an even rate.
   */
  timeNs(i: number): number {
    if (this.buffer === null) {
      const span = this.#lastTimeNs - this.#firstTimeNs;
      return this.#firstTimeNs + (this.count > 1 ? span * i / (this.count - 1) : 0);
    }
    const { view } = this.buffer, at = this.index[i] + TIMESTAMP_OFFSET;
    return view.getUint32(at) * 4294967296 + view.getUint32(at + 4);
  }

  /** True when record `i` can be had once it is read, and cannot now. */
  lacks(i: number): boolean {
    if (this.buffer === null) return true;
    for (const { from, to } of this.missing) if (i >= from && i < to) return true;
    return false;
  }

  /** The end of the longest run of records from `from`, at most to `to`, in `byteCount` bytes; at least one record. */
  fit(from: number, to: number, byteCount: number): number {
    const { index } = this, limit = index[from] + byteCount;
    let low = from + 1, high = to;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (index[middle] <= limit) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Builds the index from the sizes in the buffer, after the bytes were read from a file. */
  rebuildIndex(): void {
    const { view } = this.buffer!;
    const index = new Uint32Array(this.count + 1);
    let at = 0;
    for (let i = 0; i < this.count && at + 4 <= this.usedBytes; i++) {
      index[i] = at;
      at += 4 + view.getUint32(at);
    }
    index[this.count] = at;
    if (at !== this.usedBytes) {
      throw new Error(
        `Segment ${this.firstSeq} is damaged: its records take ${at} bytes, not ${this.usedBytes}`,
      );
    }
    this.index = index;
  }

  /** A socket or file operation on the buffer is over. */
  unpin(pool: BufferPool): void {
    if (--this.pins === 0 && this.isUnclaimed) this.dropBuffer(pool);
  }

  /** Gives the buffer back to `pool` once it is sealed, in files or not wanted, and unpinned. */
  dropBuffer(pool: BufferPool): void {
    if (this.buffer === null || this.pins !== 0) return;
    if (!this.isUnclaimed && this.count > 0) this.#keepTimes();
    pool.give(this.buffer);
    this.buffer = null;
    this.index = EMPTY_INDEX;
    this.missing = NO_RANGES;
  }

  #keepTimes(): void {
    const first = this.timeNs(0), last = this.timeNs(this.count - 1);
    // A record that was lost has none.
    this.#firstTimeNs = first || last;
    this.#lastTimeNs = last || first;
  }

  #advance(usedBytes: number): void {
    this.usedBytes = usedBytes;
    const count = ++this.count;
    if (count >= this.index.length) this.#growIndex();
    this.index[count] = usedBytes;
  }

  #growIndex(): Uint32Array {
    const grown = new Uint32Array(this.index.length * 2);
    grown.set(this.index);
    return this.index = grown;
  }
}

const EMPTY_INDEX = new Uint32Array(1);

function copyBody(
  to: Buffer,
  at: number,
  from: Uint8Array,
  fromView: DataView,
  start: number,
  byteLength: number,
): void {
  if (byteLength > WORD_COPY_BYTES) {
    to.bytes.set(from.subarray(start, start + byteLength), at);
    return;
  }
  const { bytes, view } = to, words = byteLength & ~7;
  let i = 0;
  for (; i < words; i += 8) view.setBigInt64(at + i, fromView.getBigInt64(start + i, true), true);
  for (; i < byteLength; i++) bytes[at + i] = from[start + i];
}
