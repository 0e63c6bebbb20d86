/**
 * Builds topics and channels from what recovery read.
 *
 * All messages come back as evicted segments; they are read when a consumer wants them, so the broker serves
 * before its backlog is in memory.
 */
import type { Logger } from "../log/logger.ts";
import { isEphemeral } from "../protocol/names.ts";
import type { RecoveredBlock } from "../storage/recovery.ts";
import type { RecoveredChannel, RecoveredTopic } from "../storage/recovered_state.ts";
import { Segment } from "../storage/segment.ts";
import type { Broker } from "../broker/broker.ts";
import type { Channel } from "../broker/channel.ts";
import type { Metadata } from "./metadata.ts";
import type { Persistence } from "./persistence.ts";
import type { Topic } from "../broker/topic.ts";

/** A restored segment ends at this size, or when it lies in so many places. */
const SEGMENT_BYTES = 1 << 20;
const SEGMENT_EXTENTS = 64;

/** Where the records of a topic are, for looking up single ones. */
interface Places {
  dense: Segment[];
  sparse: Segment[];
  /** Of the records of sparse segments. */
  bySeq: Map<number, { segment: Segment; index: number }>;
}

/** Restores topics, channels, positions and paused flags. Nothing may have been published yet. */
export function restore(
  broker: Broker,
  persistence: Persistence,
  metadata: Metadata,
  logger: Logger,
  nowMs: number,
): void {
  // Both clocks are read now: restoring takes its time, and what is deferred must not come earlier for it.
  const toMonotonicMs = nowMs - broker.wallMs();
  const { state, blocks } = persistence.recovery;
  for (const recovered of state.topics.values()) {
    const paused = metadata.topic(recovered.name)?.paused ?? false;
    restoreTopic(
      broker,
      persistence,
      recovered,
      blocks.get(recovered.number) ?? [],
      paused,
      logger,
      toMonotonicMs,
    );
  }
  restoreMetadata(broker, metadata);
  persistence.recovery.blocks.clear();
}

/** Creates what only `nsqd.dat` knows, as that of the original does, and sets the paused flags. */
function restoreMetadata(broker: Broker, metadata: Metadata): void {
  for (const { name, paused, channels } of metadata.topics) {
    const topic = broker.topic(name, isEphemeral(name));
    topic.paused = paused;
    for (const entry of channels) topic.channel(entry.name, isEphemeral(entry.name)).paused = entry.paused;
    topic.release();
  }
}

function restoreTopic(
  broker: Broker,
  persistence: Persistence,
  recovered: RecoveredTopic,
  blocks: RecoveredBlock[],
  paused: boolean,
  logger: Logger,
  toMonotonicMs: number,
): void {
  const topic = broker.addTopic(
    recovered.name,
    recovered.number,
    recovered.releasedSeq,
    isEphemeral(recovered.name),
  );
  topic.paused = paused;
  const places = placeBlocks(topic, persistence, blocks);
  const lastSeq = topic.last === null ? recovered.endSeq : Math.max(recovered.endSeq, topic.last.endSeq);
  // A tail that was in memory only may be lost; today in microseconds is past any id that was given out.
  topic.endSeq = topic.committedSeq = topic.writtenSeq = Math.max(
    lastSeq,
    Math.floor(broker.wallMs() * 1000),
  );
  broker.raiseFirstSeq(topic.endSeq);
  const released = recovered.channels.size > 0 && !paused ? topic.endSeq : releasedSeqOf(recovered);
  topic.restoreReleased(released);
  for (const deferred of recovered.deferred) {
    // One of a group that failed, or of a file that is missing, has a delay and no record.
    if (deferred.seq >= released && findDense(places.dense, deferred.seq) !== null) {
      topic.restoreDeferred(deferred);
    }
  }
  let missing = 0;
  for (const channel of recovered.channels.values()) {
    missing += restoreChannel(topic, persistence, channel, places, toMonotonicMs);
  }
  if (missing > 0) {
    logger.warn(`TOPIC(${topic.name}): ${missing} unfinished messages are not in the log any more`);
  }
  topic.unclaimUnneeded();
  for (const sparse of places.sparse) {
    if (sparse.claims === 0) broker.segmentUnclaimed(sparse);
    else persistence.compaction.addSparse(topic, sparse);
  }
}

/** A channel that was created or emptied tells how far the topic was released, also when the topic does not. */
function releasedSeqOf(recovered: RecoveredTopic): number {
  let releasedSeq = recovered.releasedSeq;
  for (const { cursorSeq } of recovered.channels.values()) releasedSeq = Math.max(releasedSeq, cursorSeq);
  return releasedSeq;
}

/** Makes segments of the blocks and links them in order; of two copies of a message one is taken. */
function placeBlocks(topic: Topic, persistence: Persistence, blocks: RecoveredBlock[]): Places {
  const places: Places = { dense: [], sparse: [], bySeq: new Map() };
  blocks.sort((a, b) => a.entry.firstSeq - b.entry.firstSeq || b.entry.count - a.entry.count);
  let segment: Segment | null = null, endSeq = -1;
  for (const block of blocks) {
    const { entry, file, seqs } = block;
    if (seqs !== null) {
      const sparse = newSegment(block);
      sparse.seqs = seqs;
      places.sparse.push(sparse);
      seqs.forEach((seq, index) => places.bySeq.set(seq, { segment: sparse, index }));
      continue;
    }
    if (entry.firstSeq < endSeq) continue;
    const joins = segment !== null && entry.firstSeq === endSeq && segment.extents.length < SEGMENT_EXTENTS &&
      segment.usedBytes + entry.dataBytes <= SEGMENT_BYTES;
    if (joins) {
      addExtent(segment!, block);
      file.liveBytes += entry.dataBytes;
    } else {
      segment = newSegment(block);
      topic.addSegment(segment);
      persistence.residency.addEvicted(topic, segment);
      places.dense.push(segment);
    }
    endSeq = entry.firstSeq + entry.count;
  }
  return places;
}

function newSegment(block: RecoveredBlock): Segment {
  const segment = new Segment(block.entry.firstSeq, null, new Uint32Array(1));
  segment.sealed = true;
  addExtent(segment, block);
  block.file.liveBytes += block.entry.dataBytes;
  return segment;
}

function addExtent(segment: Segment, { entry, file }: RecoveredBlock): void {
  segment.extents.push({
    file,
    fileOffset: entry.dataAt,
    byteLength: entry.dataBytes,
    count: entry.count,
    checksum: entry.dataCrc,
  });
  segment.count += entry.count;
  segment.usedBytes += entry.dataBytes;
  segment.loggedCount = segment.count;
}

/** @returns how many unfinished messages were not found */
function restoreChannel(
  topic: Topic,
  persistence: Persistence,
  recovered: RecoveredChannel,
  places: Places,
  toMonotonicMs: number,
): number {
  const channel = topic.restoreChannel(recovered.name, recovered.cursorSeq);
  persistence.register(channel, recovered.number);
  let missing = 0;
  for (const [seq, { attempts, dueMs }] of recovered.tracked) {
    const atMs = dueMs > 0 ? Math.max(dueMs + toMonotonicMs, 1) : 0;
    if (seq < topic.releasedSeq && !restoreMessage(channel, places, seq, attempts, atMs)) missing++;
  }
  for (const run of recovered.runs) {
    for (let seq = run.from; seq < run.from + run.count; seq++) {
      if (!restoreMessage(channel, places, seq, 1, 0)) missing++;
    }
  }
  for (const { from, to } of recovered.doneAhead) {
    // The log may have a gap, in which a cursor rests inside of a range that it passed.
    channel.waitingCount -= channel.finishAhead(Math.max(from, recovered.cursorSeq), to);
  }
  return missing;
}

function restoreMessage(
  channel: Channel,
  places: Places,
  seq: number,
  attempts: number,
  atMs: number,
): boolean {
  const dense = findDense(places.dense, seq);
  if (dense !== null) {
    channel.restore(dense, seq - dense.firstSeq, attempts, atMs);
    return true;
  }
  const sparse = places.bySeq.get(seq);
  if (sparse === undefined) return false;
  channel.restore(sparse.segment, sparse.index, attempts, atMs);
  return true;
}

function findDense(segments: Segment[], seq: number): Segment | null {
  let low = 0, high = segments.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1, segment = segments[middle];
    if (seq < segment.firstSeq) high = middle - 1;
    else if (seq >= segment.endSeq) low = middle + 1;
    else return segment;
  }
  return null;
}
