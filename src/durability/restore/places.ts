/**
 * Where the messages of a topic are after a start: segments made of the blocks that recovery found.
 *
 * Tested in test/durability/restore/restore_test.ts.
 */
import type { Topic } from "../../broker/topic.ts";
import type { RecoveredBlock } from "../../storage/recovery.ts";
import { Segment } from "../../storage/segment.ts";
import { chooseDense, chooseSparse, type SoundCheck } from "./copies.ts";

/** A restored segment ends at this size, or when it lies in so many places. */
const SEGMENT_BYTES = 1 << 20;
const SEGMENT_EXTENTS = 64;

/** Where the records of a topic are, for looking up single ones. */
export interface Places {
  dense: Segment[];
  sparse: Segment[];
  /** Of the records of sparse segments. */
  bySeq: Map<number, { segment: Segment; index: number }>;
}

/** Makes segments of the blocks and links them in order; of several copies of a message one is taken. */
export function placeBlocks(topic: Topic, blocks: RecoveredBlock[], isSound: SoundCheck): Places {
  const places: Places = { dense: [], sparse: [], bySeq: new Map() };
  for (const block of chooseSparse(blocks.filter(({ seqs }) => seqs !== null), isSound)) {
    const segment = newSegment(block);
    segment.seqs = block.seqs;
    places.sparse.push(segment);
    block.seqs!.forEach((seq, index) => places.bySeq.set(seq, { segment, index }));
  }
  let segment: Segment | null = null;
  for (const block of chooseDense(blocks.filter(({ seqs }) => seqs === null), isSound)) {
    const { entry, file } = block;
    const isJoined: boolean = segment !== null && entry.firstSeq === segment.endSeq &&
      segment.extents.length < SEGMENT_EXTENTS && segment.usedBytes + entry.dataBytes <= SEGMENT_BYTES;
    if (isJoined) {
      addExtent(segment!, block);
      file.liveBytes += entry.dataBytes;
      continue;
    }
    segment = newSegment(block);
    topic.log.addSegment(segment);
    places.dense.push(segment);
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

/** The dense segment that holds message `seq`, or null. */
export function findDense(segments: Segment[], seq: number): Segment | null {
  let low = 0, high = segments.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1, segment = segments[middle];
    if (seq < segment.firstSeq) high = middle - 1;
    else if (seq >= segment.endSeq) low = middle + 1;
    else return segment;
  }
  return null;
}
