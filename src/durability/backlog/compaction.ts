/**
 * Keeps memory and disk proportional to the messages that are still wanted.
 *
 * Two things would hold what nobody wants: a segment that all cursors have passed, of which a few records
 * are deferred, requeued or slowly worked on; and a log file of which little is wanted. The few records of
 * passed segments are gathered into a sparse segment in a kept file, and the segments go. When garbage in files
 * outweighs what is wanted, what is wanted in the emptiest of them is moved to a kept file.
 *
 * Everything is written and synced at its new place before the old one is let go, so a crash at any point
 * finds each record at least once; recovery takes one of two copies.
 *
 * Tested in test/durability/persistence_model_test.ts.
 */
import type { Logger } from "../../log/logger.ts";
import { KIND_MESSAGES, KIND_SPARSE, SEQ_ENTRY_BYTES } from "../../storage/block.ts";
import type { BufferPool } from "../../buffers/buffer_pool.ts";
import type { CommitLog } from "../../storage/commit_log.ts";
import type { KeptPlace } from "../../storage/kept_files.ts";
import type { LogFile } from "../../storage/log_file.ts";
import { Segment } from "../../storage/segment.ts";
import type { Broker } from "../../broker/broker.ts";
import type { Channel } from "../../broker/channel.ts";
import type { Chunk } from "../../broker/topic_log/chunk.ts";
import { FIRST_SLOT, TRACKED } from "../../broker/topic_log/chunk.ts";
import type { TrackedBases } from "../tracked_bases.ts";
import type { Residency } from "./residency.ts";
import type { Topic } from "../../broker/topic.ts";

/** A passed segment is left alone for this long: most of it is finished in a moment. */
const PASSED_MS = 5000;
/** Passed segments of which at most this share is wanted are worth gathering. */
const WANTED_SHARE = 0.25;
/** Bytes of a sparse segment at which the next one is begun. */
const SPARSE_BYTES = 1 << 19;
/** Sparse segments of a topic from which on they are merged. */
const MERGE_SPARSE = 8;
/** Garbage that is always tolerated, in log files. */
const TOLERATED_FILES = 2;

type Claims = { channel: Channel; chunk: Chunk }[];

export class Compaction {
  readonly #log: CommitLog;
  readonly #residency: Residency;
  readonly #bases: TrackedBases;
  readonly #pool: BufferPool;
  readonly #logger: Logger;
  readonly #sparse = new Map<Segment, Topic>();
  #running: Promise<void> = Promise.resolve();
  /** The file that was the emptiest in the last round, and what was wanted of it then. */
  #emptiest: LogFile | undefined;
  #emptiestBytes = 0;
  #stopped = false;
  /** Records moved since the start, for metrics. */
  movedRecords = 0;

  constructor(
    log: CommitLog,
    residency: Residency,
    bases: TrackedBases,
    pool: BufferPool,
    logger: Logger,
  ) {
    this.#bases = bases;
    this.#log = log;
    this.#residency = residency;
    this.#pool = pool;
    this.#logger = logger;
  }

  /** A sparse segment was restored. */
  addSparse(topic: Topic, segment: Segment): void {
    this.#sparse.set(segment, topic);
    this.#residency.addEvicted(topic, segment);
  }

  /** One round. @throws when the disk refuses; nothing is lost then, and the next round tries again */
  run(broker: Broker): Promise<void> {
    return this.#running = this.#run(broker);
  }

  /** Resolves when the running round is over; none begins after. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#bases.stop();
    try {
      await this.#running;
    } catch (cause) {
      this.#logger.warn(`LOG: compaction ended - ${(cause as Error).message}`);
    }
  }

  async #run(broker: Broker): Promise<void> {
    if (this.#stopped) return;
    for (const segment of this.#sparse.keys()) if (segment.isUnclaimed) this.#sparse.delete(segment);
    for (const topic of broker.topics.values()) {
      if (!topic.ephemeral && topic.channels.size > 0) await this.#gatherPassed(topic, broker);
    }
    await this.#mergeSparse();
    for (const topic of broker.topics.values()) await this.#bases.run(topic.channels.values());
    const { fileBytes, liveBytes } = this.#log.usage();
    if (fileBytes - liveBytes > Math.max(TOLERATED_FILES * this.#log.maxBytesPerFile, liveBytes)) {
      await this.#emptyFile(broker);
    }
  }

  // ---- passed segments ----------------------------------------------------------------------

  async #gatherPassed(topic: Topic, broker: Broker): Promise<void> {
    const candidates = this.#passed(topic, broker.nowMs);
    for (let i = 0; i < candidates.length && !this.#stopped;) {
      const group: Segment[] = [];
      for (let bytes = 0; i < candidates.length && bytes < SPARSE_BYTES; i++) {
        group.push(candidates[i]);
        bytes += candidates[i].usedBytes * WANTED_SHARE;
      }
      await this.#gather(topic, group, broker);
    }
  }

  /** Segments that all channels have passed for a while and want little of. */
  #passed(topic: Topic, nowMs: number): Segment[] {
    const candidates: Segment[] = [];
    for (let segment = topic.log.first; segment !== null; segment = segment.next) {
      if (!segment.sealed || segment.endSeq > topic.log.releasedSeq || !isPassed(topic, segment)) break;
      if (segment.passedAtMs === 0) segment.passedAtMs = nowMs;
      if (nowMs - segment.passedAtMs < PASSED_MS) continue;
      let wanted = 0;
      for (const { chunk } of claimsOn(topic, segment)) wanted += segment.count - chunk.finished;
      if (wanted <= segment.count * WANTED_SHARE) candidates.push(segment);
    }
    return candidates;
  }

  /** Gathers what is wanted of `segments` in one sparse segment and lets them go. */
  async #gather(topic: Topic, segments: Segment[], broker: Broker): Promise<void> {
    await this.#withPinned(segments, async () => {
      const records: { from: Segment; index: number }[] = [];
      for (const segment of segments) {
        for (const index of wantedIn(topic, segment)) records.push({ from: segment, index });
      }
      if (records.length === 0) return;
      const sparse = this.#copy(records);
      const place = await this.#keepSparse(topic, sparse);
      for (const segment of segments) {
        if (segment.isUnclaimed) continue;
        for (const { channel, chunk } of claimsOn(topic, segment)) {
          channel.relocate(chunk, (seq) => ({ segment: sparse, index: sparse.indexOf(seq) }), broker.nowMs);
        }
      }
      this.#adopt(topic, sparse, place);
      this.movedRecords += records.length;
    });
  }

  /** Does `work` with all of `segments` in memory, except those that are unclaimed before. */
  async #withPinned(segments: Segment[], work: () => Promise<void>): Promise<void> {
    let pinned = 0;
    try {
      for (const segment of segments) {
        // Pinned before it is read, or the budget could have it evicted again at once.
        segment.pins++;
        pinned++;
        // A read that was already running may end with the segment evicted, for want of this pin.
        while (segment.buffer === null && !segment.isUnclaimed) await this.#residency.load(segment);
        // A copy would be without what could not be read: it stays where it is.
        if (segment.missing.length > 0) return;
      }
      await work();
    } finally {
      for (const segment of segments.slice(0, pinned)) segment.unpin(this.#pool);
    }
  }

  /** A sparse segment with copies of `records`, which are in sequence order. */
  #copy(records: { from: Segment; index: number }[]): Segment {
    let byteCount = 0;
    for (const { from, index } of records) byteCount += from.index[index + 1] - from.index[index];
    const first = records.length === 0 ? 0 : records[0].from.seqAt(records[0].index);
    const sparse = new Segment(
      first,
      this.#pool.take(Math.max(1, byteCount)),
      new Uint32Array(records.length + 2),
    );
    sparse.seqs = Float64Array.from(records, ({ from, index }) => from.seqAt(index));
    for (const { from, index } of records) {
      sparse.appendRecord(from.buffer!.bytes, from.index[index], from.index[index + 1] - from.index[index]);
    }
    sparse.sealed = true;
    return sparse;
  }

  async #keepSparse(topic: Topic, sparse: Segment): Promise<KeptPlace> {
    const extra = new Uint8Array(sparse.count * SEQ_ENTRY_BYTES), view = new DataView(extra.buffer);
    for (let i = 0; i < sparse.count; i++) view.setFloat64(i * SEQ_ENTRY_BYTES, sparse.seqs![i]);
    try {
      return await this.#log.keep(sparse, topic.number, KIND_SPARSE, extra);
    } catch (cause) {
      sparse.dropBuffer(this.#pool);
      throw cause;
    }
  }

  #adopt(
    topic: Topic,
    sparse: Segment,
    place: KeptPlace,
  ): void {
    if (sparse.claims === 0) {
      sparse.isUnclaimed = true;
      sparse.dropBuffer(this.#pool);
      return;
    }
    this.#log.moveTo(sparse, place);
    this.#sparse.set(sparse, topic);
    this.#residency.add(topic, sparse);
  }

  // ---- sparse segments ----------------------------------------------------------------------

  async #mergeSparse(): Promise<void> {
    const byTopic = new Map<Topic, Segment[]>();
    for (const [segment, topic] of this.#sparse) {
      if (segment.claims > segment.count / 2 && segment.usedBytes >= SPARSE_BYTES) continue;
      byTopic.set(topic, [...byTopic.get(topic) ?? [], segment]);
    }
    for (const [topic, segments] of byTopic) {
      if (segments.length >= MERGE_SPARSE && !this.#stopped) await this.#merge(topic, segments);
    }
  }

  /** Writes the sparse segments that `isLost` picks to another file. @throws when the disk refuses */
  async writeAnew(isLost: (segment: Segment) => boolean): Promise<void> {
    await this.#running.catch(() => {/* the round reports it */});
    for (const [segment, topic] of [...this.#sparse]) {
      if (!segment.isUnclaimed && isLost(segment)) await this.#merge(topic, [segment]);
    }
  }

  /** Copies what is wanted of sparse `segments` to a new one. */
  async #merge(topic: Topic, segments: Segment[]): Promise<void> {
    await this.#withPinned(segments, async () => {
      const from = new Set(segments), bySeq = new Map<number, { from: Segment; index: number }>();
      for (const { seq, segment, index } of recordsIn(topic, from)) bySeq.set(seq, { from: segment, index });
      if (bySeq.size === 0) return;
      const sparse = this.#copy([...bySeq].sort((a, b) => a[0] - b[0]).map(([, record]) => record));
      const place = await this.#keepSparse(topic, sparse);
      for (const { channel, seq, segment } of [...recordsIn(topic, from)]) {
        channel.moveRecord(seq, sparse, sparse.indexOf(seq));
        sparse.claims++;
        topic.log.unclaim(segment);
      }
      this.#adopt(topic, sparse, place);
      this.movedRecords += sparse.count;
    });
  }

  // ---- files --------------------------------------------------------------------------------

  /** Moves all that is wanted in the finished file of which the smallest share is wanted. */
  async #emptyFile(broker: Broker): Promise<void> {
    let emptiest: LogFile | undefined;
    for (const file of this.#log.candidates) {
      if (file.liveBytes === 0) continue;
      if (emptiest === undefined || share(file) < share(emptiest)) emptiest = file;
    }
    // A file that is being drained empties itself; moving what consumers are about to finish would be waste.
    const settled = emptiest === this.#emptiest && emptiest?.liveBytes === this.#emptiestBytes;
    this.#emptiest = emptiest;
    this.#emptiestBytes = emptiest?.liveBytes ?? 0;
    if (emptiest === undefined || !settled) return;
    this.#bases.moveOut(emptiest);
    for (const topic of broker.topics.values()) {
      for (let segment = topic.log.first; segment !== null && !this.#stopped; segment = segment.next) {
        if (!segment.extents.some((extent) => extent.file === emptiest)) continue;
        await this.#move(topic, segment);
        if (segment.isUnclaimed) break;
      }
    }
    for (const [segment, topic] of [...this.#sparse]) {
      if (!segment.isUnclaimed && segment.extents.some((extent) => extent.file === emptiest)) {
        await this.#merge(topic, [segment]);
      }
    }
  }

  async #move(topic: Topic, segment: Segment): Promise<void> {
    if (!segment.sealed || segment.loggedCount < segment.count) return;
    await this.#withPinned([segment], async () => {
      if (segment.isUnclaimed) return;
      const place = await this.#log.keep(segment, topic.number, KIND_MESSAGES, new Uint8Array(0));
      if (!segment.isUnclaimed) this.#log.moveTo(segment, place);
      this.movedRecords += segment.count;
    });
  }
}

function share(file: LogFile): number {
  return file.liveBytes / Math.max(1, file.size);
}

function isPassed(topic: Topic, segment: Segment): boolean {
  for (const { position } of topic.channels.values()) {
    if (position.segment !== null && position.segment.firstSeq <= segment.firstSeq) return false;
  }
  return true;
}

function claimsOn(topic: Topic, segment: Segment): Claims {
  const claims: Claims = [];
  for (const channel of topic.channels.values()) {
    for (const chunk of channel.position.chunks) {
      if (chunk.segment === segment && !chunk.done) claims.push({ channel, chunk });
    }
  }
  return claims;
}

/** Indexes of the records of a passed segment that some channel wants, ascending. */
function wantedIn(topic: Topic, segment: Segment): number[] {
  const claims = claimsOn(topic, segment), wanted: number[] = [];
  for (let i = 0; i < segment.count; i++) {
    for (const { chunk } of claims) {
      const entry = chunk.entries[i];
      if (entry !== TRACKED && entry < FIRST_SLOT) continue;
      wanted.push(i);
      break;
    }
  }
  return wanted;
}

/** The tracked and dead messages of all channels whose records are in `segments`. */
function* recordsIn(topic: Topic, segments: Set<Segment>) {
  for (const channel of topic.channels.values()) {
    for (const { seq, segment, index } of channel.tracked.values()) {
      if (segments.has(segment)) yield { channel, seq, segment, index };
    }
    for (const { seq, segment, index } of channel.dead.values()) {
      if (segments.has(segment)) yield { channel, seq, segment, index };
    }
  }
}
