/**
 * Blocks: what log files are made of. Layout in FORMAT.md; this file owns encoding and checking.
 *
 * A block is a header of 40 bytes, an extra part that the header's checksum covers too, and the data,
 * with a checksum of its own, so that the data can be verified when it is read back without the header.
 */
import { crc32 } from "node:zlib";

export const BLOCK_HEADER_BYTES = 40;
/** "NSQB". */
export const BLOCK_MAGIC = 0x4e535142;

/** Consecutive records; the extra part lists those that are deferred. */
export const KIND_MESSAGES = 1;
/** Records of any sequence numbers, ascending; the extra part lists the numbers. */
export const KIND_SPARSE = 2;
/** State records (see `state_records.ts`). */
export const KIND_STATE = 3;
/** The index of a finished file. */
export const KIND_INDEX = 4;
/** Tracked messages of a base (see `tracked_base.ts`). */
export const KIND_TRACKED = 5;

/** In the flags of a state block: the first of a snapshot, the last, and any of it. */
export const FLAG_SNAPSHOT_BEGIN = 1;
export const FLAG_SNAPSHOT_END = 2;
export const FLAG_SNAPSHOT_PART = 4;

export interface BlockHeader {
  kind: number;
  flags: number;
  /** Number of the file it was written to: tells it from what a recycled file held before. */
  fileNumber: number;
  topicNumber: number;
  firstSeq: number;
  /** Records in the block. */
  count: number;
  extraBytes: number;
  dataBytes: number;
  dataCrc: number;
}

/** Bytes of one entry of the extra part of a messages block: record index, delay in ms. */
export const DELAY_ENTRY_BYTES = 12;
/** Bytes of one entry of the extra part of a sparse block: the sequence number. */
export const SEQ_ENTRY_BYTES = 8;

export function dataChecksum(data: Uint8Array, from = 0, to = data.length): number {
  return crc32(from === 0 && to === data.length ? data : data.subarray(from, to));
}

/** Writes the header at `at`; the extra part must already lie behind it. */
export function encodeHeader(bytes: Uint8Array, view: DataView, at: number, header: BlockHeader): void {
  view.setUint32(at, BLOCK_MAGIC);
  view.setUint32(at + 8, header.fileNumber);
  view.setUint8(at + 12, header.kind);
  view.setUint8(at + 13, header.flags);
  view.setUint16(at + 14, 0);
  view.setUint32(at + 16, header.topicNumber);
  view.setUint32(at + 20, Math.floor(header.firstSeq / 4294967296));
  view.setUint32(at + 24, header.firstSeq >>> 0);
  view.setUint32(at + 28, header.count);
  view.setUint32(at + 32, header.extraBytes);
  // The data checksum stands inside the header's, so a header vouches for its data.
  view.setUint32(at + 36, header.dataBytes);
  view.setUint32(at + 4, headerChecksum(bytes, at, header.extraBytes, header.dataCrc));
}

function headerChecksum(bytes: Uint8Array, at: number, extraBytes: number, dataCrc: number): number {
  return crc32(bytes.subarray(at + 8, at + BLOCK_HEADER_BYTES + extraBytes), dataCrc);
}

/**
 * Reads and checks the block at `at` of `bytes`, which holds it whole or up to the end of what there is.
 *
 * @returns null when there is no sound block of file `fileNumber` there
 */
export function decodeBlock(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  fileNumber: number,
): BlockHeader | null {
  if (at + BLOCK_HEADER_BYTES > bytes.length || view.getUint32(at) !== BLOCK_MAGIC) return null;
  if (view.getUint32(at + 8) !== fileNumber) return null;
  const extraBytes = view.getUint32(at + 32), dataBytes = view.getUint32(at + 36);
  const dataAt = at + BLOCK_HEADER_BYTES + extraBytes;
  if (dataAt + dataBytes > bytes.length) return null;
  const dataCrc = dataChecksum(bytes, dataAt, dataAt + dataBytes);
  if (headerChecksum(bytes, at, extraBytes, dataCrc) !== view.getUint32(at + 4)) return null;
  return {
    kind: view.getUint8(at + 12),
    flags: view.getUint8(at + 13),
    fileNumber,
    topicNumber: view.getUint32(at + 16),
    firstSeq: view.getUint32(at + 20) * 4294967296 + view.getUint32(at + 24),
    count: view.getUint32(at + 28),
    extraBytes,
    dataBytes,
    dataCrc,
  };
}

/** Bytes of the whole block. */
export function blockBytes(header: BlockHeader): number {
  return BLOCK_HEADER_BYTES + header.extraBytes + header.dataBytes;
}

/** A record of a group that is to be deferred when it is released. */
export interface DelayEntry {
  /** Index in the segment. */
  index: number;
  delayMs: number;
}

/** The extra part of a messages block whose first record has index `from` in its segment. */
export function encodeDelays(delays: readonly DelayEntry[], from: number): Uint8Array {
  const bytes = new Uint8Array(delays.length * DELAY_ENTRY_BYTES), view = new DataView(bytes.buffer);
  delays.forEach((delay, i) => {
    view.setUint32(i * DELAY_ENTRY_BYTES, delay.index - from);
    view.setFloat64(i * DELAY_ENTRY_BYTES + 4, delay.delayMs);
  });
  return bytes;
}
