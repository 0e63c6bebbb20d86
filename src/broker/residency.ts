/**
 * Which segments are in memory: holds message buffers to their budget, and reads evicted ones back.
 *
 * When the budget is exceeded, the sealed segment that was made or loaded last and is not about to be
 * delivered goes: of a backlog that is read from its front, the end is needed last. Its bytes are in the log
 * already, so eviction writes nothing; only a segment whose records lie scattered over many small blocks is
 * first written once as a whole, or reading it back would take as many reads.
 */
import { RECORD_OVERHEAD } from "../protocol/message.ts";
import { dataChecksum } from "../storage/block.ts";
import type { BufferPool } from "../buffers/buffer_pool.ts";
import type { Extent, Segment } from "../storage/segment.ts";
import type { Topic } from "./topic.ts";

/** What residency needs of persistence. */
export interface ResidencyHost {
  /** Puts records that are only in memory into the log, and gathers scattered ones. @throws when the disk refuses */
  makeEvictable(topic: Topic, segment: Segment): void;
  /** Calls `enforce`, and takes note when the disk refuses: nothing is lost, memory stays over its budget. */
  enforceBudget(): void;
  /** Records [from, to) cannot be read: they are given up. */
  lost(topic: Topic, segment: Segment, from: number, to: number, cause: Error): void;
}

/** Segments ahead of a cursor that stay in memory, and are read ahead. */
const READ_AHEAD = 3;
/** Reads of a segment that fail before its records are given up, and the pause between them. */
const READ_ATTEMPTS = 5;
const READ_RETRY_MS = 500;
/** Extents this close are read in one go. */
const MAX_READ_GAP_BYTES = 4096;

export class Residency {
  readonly #pool: BufferPool;
  readonly #limitBytes: number;
  readonly #host: ResidencyHost;
  /** Sealed segments with a buffer, oldest first, with released ones among them. */
  #resident: { topic: Topic; segment: Segment }[] = [];
  readonly #topicOf = new WeakMap<Segment, Topic>();

  constructor(pool: BufferPool, limitBytes: number, host: ResidencyHost) {
    this.#pool = pool;
    this.#limitBytes = limitBytes;
    this.#host = host;
  }

  /** Segments that were read back since the start, for metrics. */
  loads = 0;

  /** A sealed segment is in memory. */
  add(topic: Topic, segment: Segment): void {
    this.#topicOf.set(segment, topic);
    this.#resident.push({ topic, segment });
  }

  /** A segment exists on disk only. */
  addEvicted(topic: Topic, segment: Segment): void {
    this.#topicOf.set(segment, topic);
  }

  /** Evicts segments until the budget holds or nothing can go. */
  enforce(): void {
    if (this.#pool.lentBytes <= this.#limitBytes) return;
    const resident = this.#resident;
    let kept = resident.length;
    for (let i = resident.length - 1; i >= 0 && this.#pool.lentBytes > this.#limitBytes; i--) {
      const { topic, segment } = resident[i];
      if (segment.released || segment.buffer === null) {
        resident[i] = resident[--kept];
        resident.length = kept;
        continue;
      }
      if (segment.pins > 0 || isUndecided(topic, segment) || isSoonNeeded(topic, segment)) continue;
      this.#host.makeEvictable(topic, segment);
      segment.dropBuffer(this.#pool);
      resident.splice(i, 1);
      kept--;
    }
  }

  /** Forgets entries of segments that went, so that the list stays as long as what is in memory. */
  tidy(): void {
    this.#resident = this.#resident.filter(({ segment }) => !segment.released && segment.buffer !== null);
  }

  /** Reads `segment` back and those that follow ahead; resolves when `segment` is there or given up. */
  load(segment: Segment): Promise<void> {
    this.readAhead(segment.next);
    return this.#start(segment);
  }

  readAhead(segment: Segment | null): void {
    for (let i = 0; i < READ_AHEAD && segment !== null; i++, segment = segment.next) {
      if (segment.buffer === null && segment.sealed) this.#start(segment);
    }
  }

  #start(segment: Segment): Promise<void> {
    if (segment.buffer !== null) return Promise.resolve();
    return segment.loading ??= this.#load(segment).finally(() => {
      segment.loading = null;
    });
  }

  async #load(segment: Segment): Promise<void> {
    const topic = this.#topicOf.get(segment)!;
    const span = spanBytes(segment.extents);
    const buffer = this.#pool.take(Math.max(segment.usedBytes, span, 1));
    const lost: { from: number; to: number; cause: Error }[] = [];
    await readExtents(segment, buffer.bytes, span, lost);
    if (segment.released) {
      this.#pool.give(buffer);
      return;
    }
    segment.buffer = buffer;
    indexLoaded(segment, lost);
    this.loads++;
    this.add(topic, segment);
    for (const { from, to, cause } of lost) this.#host.lost(topic, segment, from, to, cause);
    this.#host.enforceBudget();
  }
}

/** True when the segment has records of a group that may still fail. */
function isUndecided(topic: Topic, segment: Segment): boolean {
  return segment.seqs === null && segment.endSeq > topic.committedSeq;
}

/** True when a channel is at the segment or will be after the next few. */
function isSoonNeeded(topic: Topic, segment: Segment): boolean {
  for (const channel of topic.channels.values()) {
    let at = channel.position.segment;
    for (let i = 0; i <= READ_AHEAD && at !== null; i++, at = at.next) if (at === segment) return true;
    const waiting = channel.redelivery.peek();
    if (waiting?.segment === segment) return true;
  }
  return false;
}

/** Bytes from the first extent to the last when they can be read in one go, else 0. */
function spanBytes(extents: Extent[]): number {
  if (extents.length < 2) return 0;
  for (let i = 1; i < extents.length; i++) {
    const gap = extents[i].fileOffset - extents[i - 1].fileOffset - extents[i - 1].byteLength;
    if (extents[i].file !== extents[0].file || gap < 0 || gap > MAX_READ_GAP_BYTES) return 0;
  }
  const last = extents[extents.length - 1];
  return last.fileOffset + last.byteLength - extents[0].fileOffset;
}

interface Lost {
  from: number;
  to: number;
  cause: Error;
}

/** Fills `bytes` with the records of all extents, back to back; what could not be read goes to `lost`. */
async function readExtents(segment: Segment, bytes: Uint8Array, span: number, lost: Lost[]): Promise<void> {
  const { extents } = segment;
  const inOne = span > 0 && await tryRead(extents[0], bytes.subarray(0, span)) === null;
  let at = 0, record = 0;
  for (const extent of extents) {
    const { byteLength, count } = extent;
    const into = bytes.subarray(at, at + byteLength);
    let cause: Error | null = null;
    if (inOne) {
      const from = extent.fileOffset - extents[0].fileOffset;
      if (from !== at) bytes.copyWithin(at, from, from + byteLength);
    } else {
      cause = await readAgain(extent, into);
    }
    if (cause === null && dataChecksum(into) !== extent.checksum) {
      cause = new Error(
        `${byteLength} bytes at ${extent.fileOffset} of a log file do not match their checksum`,
      );
    }
    if (cause !== null) lost.push({ from: record, to: record + count, cause });
    at += byteLength;
    record += count;
  }
}

async function tryRead(extent: Extent, into: Uint8Array): Promise<Error | null> {
  try {
    await extent.file.read(into, extent.fileOffset);
    return null;
  } catch (cause) {
    return cause as Error;
  }
}

async function readAgain(extent: Extent, into: Uint8Array): Promise<Error | null> {
  for (let attempt = 1;; attempt++) {
    const cause = await tryRead(extent, into);
    if (cause === null || attempt === READ_ATTEMPTS) return cause;
    await new Promise((resolve) => setTimeout(resolve, READ_RETRY_MS));
  }
}

/**
 * Builds the index, with empty records in the place of those that were lost: nobody is sent one, but whoever
 * walks, copies or writes the segment again finds records from its start to its end.
 */
function indexLoaded(segment: Segment, lost: Lost[]): void {
  const { bytes, view } = segment.buffer!;
  let at = 0, record = 0;
  for (const { byteLength, count } of segment.extents) {
    if (lost.some(({ from }) => from === record)) {
      bytes.fill(0, at, at + byteLength);
      for (let i = 0, recordAt = at; i < count; i++, recordAt += RECORD_OVERHEAD) {
        const end = i < count - 1 ? recordAt + RECORD_OVERHEAD : at + byteLength;
        view.setUint32(recordAt, end - recordAt - 4);
      }
    }
    at += byteLength;
    record += count;
  }
  segment.rebuildIndex();
}
