/**
 * Lists messages page by page, with their bodies. Looking changes nothing and holds nothing between pages.
 *
 * A page costs a bounded amount: messages, bytes of bodies, and messages that are looked at for a match. Segments that
 * are on disk are read like backlog, one at a time, and pinned only while they are copied from.
 */
import type { BufferPool } from "../../buffers/buffer_pool.ts";
import { ATTEMPTS_OFFSET, RECORD_OVERHEAD, TIMESTAMP_OFFSET } from "../../protocol/message.ts";
import type { Segment } from "../../storage/segment.ts";
import type { Batch, Direction, FoundMessage } from "./found_messages.ts";

/** What looking needs of the broker. */
export interface LookingHost {
  readonly pool: BufferPool;
  /** Reads an evicted segment back, or gives its records up. */
  loadSegment(segment: Segment): Promise<void>;
}

/** What is wanted. */
export interface ListRequest {
  /** Messages from `fromSeq` on, at most `max`. */
  find(fromSeq: number, max: number): Batch;
  readonly fromSeq: number;
  readonly direction: Direction;
  /** Messages, 1 to 1,000. */
  readonly limit: number;
  /** Bytes of each body. */
  readonly maxBodyBytes: number;
  /** What the whole body has to match; null for everything. */
  readonly match: ((body: Uint8Array) => boolean) | null;
}

/** A message with its body. */
export interface ListedMessage extends FoundMessage {
  /** Unix ns. */
  readonly timestampNs: bigint;
  /** Bytes of the whole body. */
  readonly size: number;
  /** At most as many bytes as were asked for. */
  readonly body: Uint8Array;
}

export interface Page {
  readonly messages: ListedMessage[];
  /** Where to go on; null at the end. */
  readonly nextSeq: number | null;
  /** Messages that were looked at. */
  readonly scanned: number;
}

/** Bytes of bodies in a page. */
const MAX_PAGE_BYTES = 4 << 20;
/** Messages looked at for one page. */
const MAX_SCANNED = 20_000;
/** Bytes looked at for one page. */
const MAX_SCANNED_BYTES = 64 << 20;
/** Messages that are found at a time. */
const BATCH = 1000;

/** Lists one page. */
export async function listMessages(host: LookingHost, request: ListRequest): Promise<Page> {
  const { find, limit, maxBodyBytes, match } = request, messages: ListedMessage[] = [];
  let nextSeq: number | null = request.fromSeq, scanned = 0, scannedBytes = 0, pageBytes = 0;
  while (nextSeq !== null) {
    const batch: Batch = find(nextSeq, match === null ? limit - messages.length : BATCH);
    for (const message of batch.found) {
      if (
        messages.length === limit || pageBytes >= MAX_PAGE_BYTES || scanned === MAX_SCANNED ||
        scannedBytes >= MAX_SCANNED_BYTES
      ) return { messages, nextSeq: message.seq, scanned };
      const listed = await read(host, message, maxBodyBytes, match);
      scanned++;
      if (listed === null) continue;
      scannedBytes += listed.size;
      if (!listed.isMatch) continue;
      pageBytes += listed.message.body.length;
      messages.push(listed.message);
    }
    nextSeq = batch.nextSeq;
    if (messages.length === limit) break;
  }
  return { messages, nextSeq, scanned };
}

/** Reads one message in full; null when its record cannot be had. */
export async function readMessage(host: LookingHost, message: FoundMessage): Promise<ListedMessage | null> {
  return (await read(host, message, Infinity, null))?.message ?? null;
}

async function read(
  host: LookingHost,
  found: FoundMessage,
  maxBodyBytes: number,
  match: ListRequest["match"],
): Promise<{ message: ListedMessage; size: number; isMatch: boolean } | null> {
  const { segment, index } = found;
  if (segment.lacks(index)) {
    // Pinned before it is read, or the budget could have it evicted again at once.
    segment.pins++;
    try {
      await host.loadSegment(segment);
      return segment.lacks(index) ? null : copy(found, maxBodyBytes, match);
    } finally {
      segment.unpin(host.pool);
    }
  }
  return copy(found, maxBodyBytes, match);
}

function copy(
  found: FoundMessage,
  maxBodyBytes: number,
  match: ListRequest["match"],
): { message: ListedMessage; size: number; isMatch: boolean } {
  const { segment, index } = found, { bytes, view } = segment.buffer!;
  const at = segment.index[index], end = segment.index[index + 1], size = end - at - RECORD_OVERHEAD;
  const whole = bytes.subarray(at + RECORD_OVERHEAD, end);
  const isMatch = match === null || match(whole);
  const body = isMatch ? whole.slice(0, Math.min(size, maxBodyBytes)) : whole.subarray(0, 0);
  const timestampNs = view.getBigInt64(at + TIMESTAMP_OFFSET);
  const attempts = Math.max(
    found.attempts,
    found.state === "in_flight" ? view.getUint16(at + ATTEMPTS_OFFSET) : 0,
  );
  return { message: { ...found, attempts, timestampNs, size, body }, size, isMatch };
}

/**
 * The first sequence number whose record was published at or after `timeNs`, of the segments from `first` on.
 *
 * Cost: a walk over the segments; of those whose time is not known some are read, as many as halving wants.
 */
export async function seqAtTime(host: LookingHost, first: Segment | null, timeNs: number): Promise<number> {
  const segments: Segment[] = [];
  for (let segment = first; segment !== null; segment = segment.next) {
    if (segment.count > 0) segments.push(segment);
  }
  if (segments.length === 0) return 0;
  let low = 0, high = segments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (await firstTimeNs(host, segments[middle]) >= timeNs) high = middle;
    else low = middle + 1;
  }
  if (low === 0) return segments[0].firstSeq;
  const segment = segments[low - 1];
  await firstTimeNs(host, segment);
  for (let index = 0; index < segment.count; index++) {
    if (segment.timeNs(index) >= timeNs) return segment.firstSeq + index;
  }
  return segment.endSeq;
}

async function firstTimeNs(host: LookingHost, segment: Segment): Promise<number> {
  if (segment.timeNs(0) === 0) await host.loadSegment(segment);
  return segment.timeNs(0);
}
