/**
 * One log file: appends blocks, keeps their index, and reads ranges back.
 *
 * Two kinds exist. A `log` file is part of the commit log: groups in the order in which they were answered,
 * from a snapshot of the state at its start. A `kept` file holds what compaction moved out of others.
 * Both end, once finished, with an index of their blocks, so that start-up need not read them.
 *
 * Blocks are staged and written together; a large one goes out straight from the segment that holds it.
 * What was staged and not flushed can be forgotten with `rewind`.
 *
 * Tested in test/storage/commit_log_test.ts.
 */
import { type Buffer, newBuffer } from "../buffers/buffer_pool.ts";
import {
  BLOCK_HEADER_BYTES,
  type BlockHeader,
  dataChecksum,
  encodeHeader,
  KIND_INDEX,
  KIND_MESSAGES,
  KIND_SPARSE,
} from "./block.ts";
import { type FileHandle, type FileSystem, writeAllSync } from "./file_system.ts";
import type { Segment, SegmentSource } from "./segment.ts";

export type LogFileKind = "log" | "kept";

/** Where a block of messages is. */
export interface IndexEntry {
  kind: number;
  topicNumber: number;
  firstSeq: number;
  count: number;
  /** Offset of the data, behind header and extra part. */
  dataAt: number;
  dataBytes: number;
  extraBytes: number;
  dataCrc: number;
}

export const INDEX_ENTRY_BYTES = 36;
/** At the end of a finished file: offset of the index block (float64), file number, magic "NSQI". */
export const TRAILER_BYTES = 16;
export const TRAILER_MAGIC = 0x4e535149;

const STAGING_BYTES = 262_144;
/** How many zeros are written at once. */
const ZEROS_BYTES = 1 << 20;
/** Data from this size on is written from where it is instead of being copied. */
const DIRECT_BYTES = 16_384;
const EMPTY = new Uint8Array(0);
/** Staging buffers of finished files, for the next: two files at most are written at a time. */
const freeStaging: Buffer[] = [];
const MAX_FREE_STAGING = 2;

export class LogFile implements SegmentSource {
  readonly path: string;
  readonly kind: LogFileKind;
  readonly number: number;
  /** Bytes of data that some channel may still want. */
  liveBytes = 0;
  /** Bytes written: the logical end, which in a recycled file lies before the physical one. */
  size: number;
  /** Bytes of the snapshot at its start, both copies; 0 in a file of an earlier start. */
  snapshotBytes = 0;
  /** Blocks of messages; null once the index is in the file. */
  index: IndexEntry[] | null = [];
  /** True when no block will be added. */
  finished = false;

  readonly #fileSystem: FileSystem;
  #writer: FileHandle | null;
  #reader: FileHandle | null = null;
  #reads: Promise<void> = Promise.resolve();
  #staging: Buffer | null;
  #staged = 0;
  /** Where the next byte of the file goes, ahead of `size` while blocks are unflushed. */
  #written: number;
  /** Bytes that the file has on the disk, written or zero. */
  #allocated: number;
  /** What a recycled file had when it was taken. */
  #recycledBytes: number;
  readonly #growBytes: number;
  readonly #identity: string | null;
  /** Bytes of the blocks appended since the last flush, those that could not be written too. */
  attemptedBytes = 0;

  /**
   * @param writer null for a file that is only read
   * @param growBytes the file is filled with zeros so far ahead of what is written: a sync that has no new size
   * or block to record takes half the time. 0 where nobody waits for syncs
   */
  constructor(
    fileSystem: FileSystem,
    path: string,
    kind: LogFileKind,
    number: number,
    writer: FileHandle | null,
    size = 0,
    growBytes = 0,
  ) {
    this.#fileSystem = fileSystem;
    this.path = path;
    this.kind = kind;
    this.number = number;
    this.#writer = writer;
    this.size = this.#written = size;
    this.#growBytes = growBytes;
    this.#allocated = this.#recycledBytes = writer === null ? size : writer.sizeSync();
    this.finished = writer === null;
    this.#staging = writer === null ? null : freeStaging.pop() ?? newBuffer(STAGING_BYTES);
    this.#identity = (writer === null ? fileSystem.status(path) : writer.statusSync())?.identity ?? null;
    // Open from the start: should the path be lost, this still reads it.
    if (writer !== null) this.#reader = fileSystem.open(path, "read");
  }

  /** Why the path does not lead to this file any more, or not to all of it; null when it does. */
  loss(): Error | null {
    const status = this.#fileSystem.status(this.path);
    if (status === null) return new Error(`${this.path} was removed`);
    if (status.identity !== this.#identity) return new Error(`${this.path} is another file now`);
    if (status.byteCount >= this.size) return null;
    return new Error(`${this.path} was cut to ${status.byteCount} of ${this.size} bytes`);
  }

  // ---- writing ------------------------------------------------------------------------------

  /** Bytes that were written, and what follows them in a recycled file. */
  get diskBytes(): number {
    return Math.max(this.#recycledBytes, this.#written);
  }

  /** End of what was appended, flushed or not. */
  get end(): number {
    return this.#written + this.#staged;
  }

  /**
   * Appends a block; it is in the file after `flush`.
   *
   * @param data written before this returns or copied, so the caller keeps it
   * @returns the entry of the block in the index
   */
  append(
    kind: number,
    flags: number,
    topicNumber: number,
    firstSeq: number,
    count: number,
    extra: Uint8Array,
    data: Uint8Array,
  ): IndexEntry {
    const header: BlockHeader = {
      kind,
      flags,
      fileNumber: this.number,
      topicNumber,
      firstSeq,
      count,
      extraBytes: extra.length,
      dataBytes: data.length,
      dataCrc: dataChecksum(data),
    };
    this.attemptedBytes += BLOCK_HEADER_BYTES + extra.length + data.length;
    this.#stageHeader(header, extra);
    const entry = {
      kind,
      topicNumber,
      firstSeq,
      count,
      dataAt: this.end,
      dataBytes: data.length,
      extraBytes: extra.length,
      dataCrc: header.dataCrc,
    };
    this.#stage(data);
    if (kind === KIND_MESSAGES || kind === KIND_SPARSE) this.index!.push(entry);
    return entry;
  }

  #stageHeader(header: BlockHeader, extra: Uint8Array): void {
    const byteCount = BLOCK_HEADER_BYTES + extra.length;
    if (this.#staged + byteCount > STAGING_BYTES) this.#writeStaged();
    if (byteCount <= STAGING_BYTES) {
      const { bytes, view } = this.#staging!;
      bytes.set(extra, this.#staged + BLOCK_HEADER_BYTES);
      encodeHeader(bytes, view, this.#staged, header);
      this.#staged += byteCount;
      return;
    }
    const large = new Uint8Array(byteCount);
    large.set(extra, BLOCK_HEADER_BYTES);
    encodeHeader(large, new DataView(large.buffer), 0, header);
    this.#writeDirect(large);
  }

  #stage(data: Uint8Array): void {
    if (data.length >= DIRECT_BYTES) {
      this.#writeStaged();
      this.#writeDirect(data);
      return;
    }
    if (this.#staged + data.length > STAGING_BYTES) this.#writeStaged();
    this.#staging!.bytes.set(data, this.#staged);
    this.#staged += data.length;
  }

  #writeStaged(): void {
    if (this.#staged === 0) return;
    const byteCount = this.#staged;
    this.#staged = 0;
    this.#writeDirect(this.#staging!.bytes.subarray(0, byteCount));
  }

  #writeDirect(bytes: Uint8Array): void {
    if (this.#growBytes > 0 && this.#written + bytes.length > this.#allocated) this.#grow(bytes.length);
    writeAllSync(this.#writer!, bytes);
    this.#written += bytes.length;
  }

  #grow(neededBytes: number): void {
    const writer = this.#writer!, zeros = new Uint8Array(ZEROS_BYTES);
    writer.seekSync(this.#allocated);
    for (let left = neededBytes + this.#growBytes; left > 0; left -= ZEROS_BYTES) {
      const byteCount = Math.min(left, ZEROS_BYTES);
      writeAllSync(writer, byteCount === ZEROS_BYTES ? zeros : zeros.subarray(0, byteCount));
      this.#allocated += byteCount;
    }
    writer.seekSync(this.#written);
  }

  /** Writes what is staged. @throws when the disk refuses; then `rewind` */
  flush(): void {
    this.#writeStaged();
    this.size = this.#written;
    this.attemptedBytes = 0;
  }

  /** Writes `byteCount` zeros behind the end, to be rewound: a trial whether the disk takes so much. */
  fill(byteCount: number): void {
    this.#writeDirect(new Uint8Array(byteCount));
  }

  /** Forgets the blocks appended since the last flush, after one of them could not be written. */
  rewind(): void {
    this.#staged = this.attemptedBytes = 0;
    this.#written = this.size;
    const index = this.index!;
    while (index.length > 0 && index[index.length - 1].dataAt >= this.size) index.pop();
    this.#writer!.seekSync(this.size);
    // Else a restart could take the torn group for a sound one.
    this.#writer!.truncateSync(this.size);
    this.#allocated = this.#recycledBytes = this.size;
  }

  /** Resolves when all that was flushed is on the disk. */
  sync(): Promise<void> {
    return this.#writer === null ? Promise.resolve() : this.#writer.syncData();
  }

  syncNow(): void {
    this.#writer?.syncDataSync();
  }

  /** Writes the index and cuts the file behind it. The file stays open until `closeWriter`. */
  finish(): void {
    if (this.finished) return;
    const entries = this.index!, indexAt = this.end;
    const data = new Uint8Array(entries.length * INDEX_ENTRY_BYTES), view = new DataView(data.buffer);
    entries.forEach((entry, i) => encodeIndexEntry(view, i * INDEX_ENTRY_BYTES, entry));
    this.append(KIND_INDEX, 0, 0, 0, entries.length, EMPTY, data);
    const trailer = new Uint8Array(TRAILER_BYTES), trailerView = new DataView(trailer.buffer);
    trailerView.setFloat64(0, indexAt);
    trailerView.setUint32(8, this.number);
    trailerView.setUint32(12, TRAILER_MAGIC);
    this.#stage(trailer);
    this.flush();
    this.#writer!.truncateSync(this.size);
    this.#recycledBytes = this.size;
    this.finished = true;
    this.index = null;
  }

  closeWriter(): void {
    this.#writer?.close();
    this.#writer = null;
    if (this.#staging !== null && freeStaging.length < MAX_FREE_STAGING) freeStaging.push(this.#staging);
    this.#staging = null;
  }

  // ---- reading ------------------------------------------------------------------------------

  read(into: Uint8Array, fileOffset: number): Promise<void> {
    const read = this.#reads.then(() => this.#read(into, fileOffset));
    this.#reads = read.catch(() => {/* the caller has the error; the next read starts anew */});
    return read;
  }

  async #read(into: Uint8Array, fileOffset: number): Promise<void> {
    this.#reader ??= this.#fileSystem.open(this.path, "read");
    this.#reader.seekSync(fileOffset);
    for (let at = 0; at < into.length;) {
      const read = await this.#reader.read(at === 0 ? into : into.subarray(at));
      if (read === null || read === 0) {
        throw new Deno.errors.UnexpectedEof(
          `Cannot read ${into.length} bytes at ${fileOffset} of ${this.path}: it ends ${at} bytes on`,
        );
      }
      at += read;
    }
  }

  /** It is opened again for the next read. */
  closeReader(): void {
    void this.#reads.then(() => {
      this.#reader?.close();
      this.#reader = null;
    });
  }

  /** Closes what is open; reads that run fail. */
  close(): void {
    this.closeWriter();
    this.#reader?.close();
    this.#reader = null;
  }
}

function encodeIndexEntry(view: DataView, at: number, entry: IndexEntry): void {
  view.setUint8(at, entry.kind);
  view.setUint32(at + 4, entry.topicNumber);
  view.setFloat64(at + 8, entry.firstSeq);
  view.setUint32(at + 16, entry.count);
  view.setUint32(at + 20, entry.dataAt);
  view.setUint32(at + 24, entry.dataBytes);
  view.setUint32(at + 28, entry.extraBytes);
  view.setUint32(at + 32, entry.dataCrc);
}

/** Decodes the data of an index block. */
export function decodeIndex(data: Uint8Array, count: number): IndexEntry[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return Array.from({ length: count }, (_, i) => {
    const at = i * INDEX_ENTRY_BYTES;
    return {
      kind: view.getUint8(at),
      topicNumber: view.getUint32(at + 4),
      firstSeq: view.getFloat64(at + 8),
      count: view.getUint32(at + 16),
      dataAt: view.getUint32(at + 20),
      dataBytes: view.getUint32(at + 24),
      extraBytes: view.getUint32(at + 28),
      dataCrc: view.getUint32(at + 32),
    };
  });
}

/** The records of `entry` in `file` are those of `segment` behind what it has. */
export function addExtent(segment: Segment, file: LogFile, entry: IndexEntry): void {
  segment.extents.push({
    file,
    fileOffset: entry.dataAt,
    byteLength: entry.dataBytes,
    count: entry.count,
    checksum: entry.dataCrc,
  });
  file.liveBytes += entry.dataBytes;
}
