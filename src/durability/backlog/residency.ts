/**
 * Which segments are in memory: holds message buffers to their budget, and reads evicted ones back.
 *
 * When the budget is exceeded, the sealed segment that was made or loaded last and is not about to be
 * delivered goes: of a backlog that is read from its front, the end is needed last. Its bytes are in the log
 * already, so eviction writes nothing; only a segment whose records lie scattered over many small blocks is
 * first written once as a whole, or reading it back would take as many reads.
 *
 * What the disk does not give is deferred and tried again, without end; what is damaged or gone is given up. Neither
 * keeps the rest of a segment, or those behind it, from the consumers.
 */
import type { Logger } from "../../log/logger.ts";
import { RECORD_OVERHEAD } from "../../protocol/message.ts";
import { dataChecksum } from "../../storage/block.ts";
import type { BufferPool } from "../../buffers/buffer_pool.ts";
import type { Extent, Segment } from "../../storage/segment.ts";
import type { Topic } from "../../broker/topic.ts";

/** What residency needs of the store around it. */
export interface ResidencyHost {
  /** Puts records that are only in memory into the log, and gathers scattered ones. @throws when the disk refuses */
  makeEvictable(topic: Topic, segment: Segment): void;
  /** Calls `enforce`, and takes note when the disk refuses: nothing is lost, memory stays over its budget. */
  enforceBudget(): void;
  readonly faults: ReadFaults;
}

/** Is told what could not be read. */
export interface ReadFaults {
  /** `bytes` at `offset` of a log file do not match their checksum. */
  damaged(path: string, offset: number, bytes: Uint8Array): void;
  /** Records [from, to) are damaged or gone: no read will bring them. */
  lost(topic: Topic, segment: Segment, from: number, to: number, cause: Error): void;
  /** The disk does not give records [from, to) now; the next read is tried in `retryMs`. */
  unreadable(topic: Topic, segment: Segment, from: number, to: number, retryMs: number): void;
}

/** Segments ahead of a cursor that stay in memory, and are read ahead. */
const READ_AHEAD = 3;
/** Reads that fail before their records are deferred, and the pause between them. */
const READ_ATTEMPTS = 3;
const READ_RETRY_MS = 200;
/** For how long records are deferred, the first time and at most; it doubles each time. */
const FIRST_DEFER_MS = 1000;
const MAX_DEFER_MS = 30_000;
/** With so many segments that cannot be read the next one is waited for: each message that is deferred takes memory. */
const MAX_UNREADABLE_SEGMENTS = 16;
/** Extents this close are read in one go. */
const MAX_READ_GAP_BYTES = 4096;

export class Residency {
  readonly #pool: BufferPool;
  readonly #limitBytes: number;
  readonly #host: ResidencyHost;
  /** Sealed segments with a buffer, oldest first, with unclaimed ones among them. */
  #resident: { topic: Topic; segment: Segment }[] = [];
  readonly #topicOf = new WeakMap<Segment, Topic>();
  /** Segments with records that the disk did not give, and for how long those were deferred last. */
  readonly #unreadable = new Map<Segment, { deferMs: number; cause: Error }>();
  readonly #logger: Logger;
  #stopped = false;

  constructor(pool: BufferPool, limitBytes: number, host: ResidencyHost, logger: Logger) {
    this.#pool = pool;
    this.#limitBytes = limitBytes;
    this.#host = host;
    this.#logger = logger;
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
      if (segment.isUnclaimed || segment.buffer === null) {
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
    this.#resident = this.#resident.filter(({ segment }) => !segment.isUnclaimed && segment.buffer !== null);
    for (const segment of this.#unreadable.keys()) if (segment.isUnclaimed) this.#unreadable.delete(segment);
  }

  /** Why some wanted records cannot be read, null when all can as far as is known. */
  get failure(): Error | null {
    for (const [segment, { cause }] of this.#unreadable) if (!segment.isUnclaimed) return cause;
    return null;
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
    if (segment.buffer !== null && segment.missing.length === 0) return Promise.resolve();
    return segment.loading ??= this.#load(segment).finally(() => {
      segment.loading = null;
    });
  }

  /** Reads all of a segment, or what is missing of one that is in memory. */
  async #load(segment: Segment): Promise<void> {
    const topic = this.#topicOf.get(segment)!, { buffer } = segment;
    if (buffer !== null) {
      const { missing } = segment;
      const places = placesOf(segment).filter(({ from }) => missing.some((range) => range.from === from));
      // Pinned, for what is read goes to the places of single records in the buffer.
      segment.pins++;
      try {
        const failed = await readPlaces(places, buffer.bytes, 1);
        if (!segment.isUnclaimed) this.#loaded(topic, segment, failed);
      } finally {
        segment.unpin(this.#pool);
      }
      return;
    }
    const taken = this.#pool.take(Math.max(segment.usedBytes, spanBytes(segment.extents), 1));
    const failed = await this.#waitForRoom(segment, taken.bytes, await readWhole(segment, taken.bytes));
    if (segment.isUnclaimed) {
      this.#pool.give(taken);
      return;
    }
    segment.buffer = taken;
    this.loads++;
    this.add(topic, segment);
    this.#loaded(topic, segment, failed);
    this.#host.enforceBudget();
  }

  /** Tries on while too much cannot be read already. @returns what could not be read at last */
  async #waitForRoom(segment: Segment, bytes: Uint8Array, failed: FailedPlace[]): Promise<FailedPlace[]> {
    const isWaiting = () =>
      !segment.isUnclaimed && !this.#stopped && failed.some(({ isDamaged }) => !isDamaged) &&
      this.#unreadable.size >= MAX_UNREADABLE_SEGMENTS && !this.#unreadable.has(segment);
    while (isWaiting()) {
      await pause(FIRST_DEFER_MS);
      failed = await readPlaces(failed, bytes, 1);
    }
    return failed;
  }

  /** Takes note of what came and what did not, and tells the topic. */
  #loaded(topic: Topic, segment: Segment, failed: FailedPlace[]): void {
    indexLoaded(segment, failed);
    for (const { extent, from, to, cause, isDamaged, found } of failed) {
      if (found !== null) this.#host.faults.damaged(extent.file.path, extent.fileOffset, found);
      if (isDamaged) this.#host.faults.lost(topic, segment, from, to, cause);
    }
    const missing = failed.filter(({ isDamaged }) => !isDamaged);
    segment.missing = missing.map(({ from, to }) => ({ from, to }));
    const before = this.#unreadable.get(segment);
    if (missing.length === 0) {
      if (before === undefined) return;
      this.#unreadable.delete(segment);
      this.#logger.info(`TOPIC(${topic.name}): messages from ${segment.firstSeq} on can be read again`);
      return;
    }
    const { cause } = missing[0];
    if (before === undefined) {
      const count = missing.reduce((sum, { from, to }) => sum + to - from, 0);
      this.#logger.error(
        `TOPIC(${topic.name}): ${count} messages from ${
          segment.seqAt(missing[0].from)
        } on cannot be read and are put off - ${cause.message}`,
      );
    }
    const deferMs = before === undefined ? FIRST_DEFER_MS : Math.min(before.deferMs * 2, MAX_DEFER_MS);
    this.#unreadable.set(segment, { deferMs, cause });
    for (const { from, to } of missing) this.#host.faults.unreadable(topic, segment, from, to, deferMs);
  }

  /** No read is waited for any longer. */
  stop(): void {
    this.#stopped = true;
  }
}

/** True when the segment has records of a group that may still fail. */
function isUndecided(topic: Topic, segment: Segment): boolean {
  return segment.seqs === null && segment.endSeq > topic.log.committedSeq;
}

/** True when a channel is at the segment or will be after the next few. */
function isSoonNeeded(topic: Topic, segment: Segment): boolean {
  for (const channel of topic.channels.values()) {
    let at = channel.position.segment;
    for (let i = 0; i <= READ_AHEAD && at !== null; i++, at = at.next) if (at === segment) return true;
    const waiting = channel.redelivery.peek();
    if (waiting?.segment === segment || channel.awaited === segment) return true;
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

/** The records of one extent, and where they go in the buffer. */
interface Place {
  extent: Extent;
  at: number;
  /** The records: [from, to) of the segment. */
  from: number;
  to: number;
}

interface FailedPlace extends Place {
  cause: Error;
  /** True when no further read can help. */
  isDamaged: boolean;
  /** What was read and does not match its checksum. */
  found: Uint8Array | null;
}

function placesOf({ extents }: Segment): Place[] {
  let at = 0, from = 0;
  return extents.map((extent) => {
    const place = { extent, at, from, to: from + extent.count };
    at += extent.byteLength;
    from = place.to;
    return place;
  });
}

/** Fills `bytes` with the records of all extents, back to back, in one read when they lie close together. */
async function readWhole(segment: Segment, bytes: Uint8Array): Promise<FailedPlace[]> {
  const { extents } = segment, span = spanBytes(extents), places = placesOf(segment);
  if (span === 0 || await tryRead(extents[0], bytes.subarray(0, span)) !== null) {
    return readPlaces(places, bytes, READ_ATTEMPTS);
  }
  const failed: FailedPlace[] = [];
  for (const place of places) {
    const { extent, at } = place, from = extent.fileOffset - extents[0].fileOffset;
    if (from !== at) bytes.copyWithin(at, from, from + extent.byteLength);
    const into = bytes.subarray(at, at + extent.byteLength), cause = damageOf(extent, into);
    if (cause !== null) failed.push({ ...place, cause, isDamaged: true, found: into.slice() });
  }
  return failed;
}

/** Reads each of `places`; once one has failed for good the others are not tried so often. */
async function readPlaces(places: Place[], bytes: Uint8Array, attempts: number): Promise<FailedPlace[]> {
  const failed: FailedPlace[] = [];
  for (const place of places) {
    const { extent, at, from, to } = place, into = bytes.subarray(at, at + extent.byteLength);
    const refusal = await readAgain(extent, into, failed.length === 0 ? attempts : 1);
    const cause = refusal ?? damageOf(extent, into);
    if (cause === null) continue;
    const isDamaged = refusal === null || isGone(refusal), found = refusal === null ? into.slice() : null;
    failed.push({ extent, at, from, to, cause, isDamaged, found });
  }
  return failed;
}

function damageOf({ file, byteLength, fileOffset, checksum }: Extent, bytes: Uint8Array): Error | null {
  if (dataChecksum(bytes) === checksum) return null;
  return new Error(`${byteLength} bytes at ${fileOffset} of ${file.path} do not match their checksum`);
}

/** Somebody removed the file or its end: it will not come back. */
function isGone(cause: Error): boolean {
  return cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.UnexpectedEof;
}

async function tryRead(extent: Extent, into: Uint8Array): Promise<Error | null> {
  try {
    await extent.file.read(into, extent.fileOffset);
    return null;
  } catch (cause) {
    return cause as Error;
  }
}

async function readAgain(extent: Extent, into: Uint8Array, attempts: number): Promise<Error | null> {
  for (let attempt = 1;; attempt++) {
    const cause = await tryRead(extent, into);
    if (cause === null || attempt >= attempts) return cause;
    await pause(READ_RETRY_MS);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Builds the index, with empty records in the place of those that did not come: nobody is sent one, but whoever
 * walks, copies or writes the segment again finds records from its start to its end.
 */
function indexLoaded(segment: Segment, failed: FailedPlace[]): void {
  const { bytes, view } = segment.buffer!;
  for (const { extent, at, from, to } of failed) {
    const end = at + extent.byteLength;
    bytes.fill(0, at, end);
    for (let i = from, recordAt = at; i < to; i++, recordAt += RECORD_OVERHEAD) {
      const recordEnd = i < to - 1 ? recordAt + RECORD_OVERHEAD : end;
      view.setUint32(recordAt, recordEnd - recordAt - 4);
    }
  }
  segment.rebuildIndex();
}
