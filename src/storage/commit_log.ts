/**
 * The commit log of the node: the current log file, the finished ones, and what compaction keeps.
 *
 * Everything of a group, for all topics, is staged with `appendMessages` and `appendState` and written by
 * `commit`, or forgotten by `abort`. Message data is never written twice for lying around: backlog is read
 * back from the log file it was committed to, and a file goes when nothing in it is wanted any more.
 *
 * Files are named `commit.N.log` and `kept.N.log`. A log file starts with a snapshot of the whole state, so
 * older files matter for their messages only. One finished log file is kept as `spare.log`: overwriting it is
 * cheaper than growing a fresh one.
 *
 * Invariants: a file is removed only when its live bytes are 0 and the snapshot of a newer one is on the
 * disk; extents are added to a segment only after the group that holds them was written.
 */
import { Histogram } from "../metrics/histogram.ts";
import {
  DELAY_ENTRY_BYTES,
  FLAG_SNAPSHOT_BEGIN,
  FLAG_SNAPSHOT_END,
  FLAG_SNAPSHOT_PART,
  KIND_MESSAGES,
  KIND_STATE,
} from "./block.ts";
import type { FileSystem } from "./file_system.ts";
import { type IndexEntry, LogFile } from "./log_file.ts";
import type { Extent, Segment } from "./segment.ts";
import type { StateWriter } from "./state_records.ts";

export interface CommitLogOptions {
  directory: string;
  /** A log file ends at the first group that brings it to this size, bytes. */
  maxBytesPerFile: number;
  /** Whether publishers wait for every sync: files then grow ahead of what is written. */
  syncsOften: boolean;
}

/** A record of a group that is to be deferred when it is released. */
export interface DelayEntry {
  /** Index in the segment. */
  index: number;
  delayMs: number;
}

/**
 * Writes the whole state, in as many parts as it likes, by calling `emit` with the filled writer.
 *
 * @returns what is called once all of it is in a file: until then nothing counts as told
 */
export type SnapshotSource = (emit: (part: StateWriter) => void) => () => void;

/** What the log did, for metrics. */
export interface LogStatistics {
  groups: number;
  bytes: number;
  /** Seconds. */
  readonly writeSeconds: Histogram;
  /** Seconds. */
  readonly syncSeconds: Histogram;
}

interface PendingExtent {
  segment: Segment;
  to: number;
  entry: IndexEntry;
  /** True when the block holds all of the segment, whose other extents are then not wanted. */
  replaces: boolean;
}

/** A current file smaller than this is not worth replacing. */
const MIN_GARBAGE_BYTES = 1 << 20;
/** Snapshots at the start of a file: one damaged byte must not cost the whole state. */
const SNAPSHOT_COPIES = 2;
/** How far a file grows ahead; of small files this share at most. */
const GROW_BYTES = 16 << 20;
const GROW_SHARE = 1 / 4;
export const SPARE_NAME = "spare.log";
const EMPTY = new Uint8Array(0);
/** Seconds. */
const WRITE_BOUNDS = [2e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.5];
const SYNC_BOUNDS = [1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** The name of log file `number` of a kind. */
export function logFileName(kind: "log" | "kept", number: number): string {
  return `${kind === "log" ? "commit" : "kept"}.${String(number).padStart(6, "0")}.log`;
}

export class CommitLog {
  /** Files with messages that may be wanted, oldest first, the current one last; kept files among them. */
  readonly files: LogFile[];
  readonly statistics: LogStatistics = {
    groups: 0,
    bytes: 0,
    writeSeconds: new Histogram(WRITE_BOUNDS),
    syncSeconds: new Histogram(SYNC_BOUNDS),
  };

  readonly #fileSystem: FileSystem;
  readonly #options: CommitLogOptions;
  readonly #snapshot: SnapshotSource;
  #current: LogFile | null = null;
  #kept: LogFile | null = null;
  #nextLogNumber: number;
  #nextKeptNumber: number;
  /** The newest log file whose snapshot is on the disk. */
  #safeNumber = -1;
  /** Finished files that were not synced since. */
  #unsynced: LogFile[] = [];
  #pending: PendingExtent[] = [];
  /** The removals that run, one after the other. */
  #removals: Promise<void> = Promise.resolve();
  /** The last file that could not be removed, for the log. */
  removalFailure: Error | null = null;
  /** Places of records that were written again: wanted until the new place is on the disk. */
  #superseded: Extent[] = [];
  #unsyncedBytes = 0;
  /** True when a file was created since the directory was synced: power loss could take it with all in it. */
  #isDirectoryUnsynced = false;
  /** Size of the group that could not be written last. */
  #refusedBytes = 1;

  constructor(
    fileSystem: FileSystem,
    options: CommitLogOptions,
    files: LogFile[],
    nextLogNumber: number,
    nextKeptNumber: number,
    snapshot: SnapshotSource,
  ) {
    this.#fileSystem = fileSystem;
    this.#options = options;
    this.files = files;
    this.#nextLogNumber = nextLogNumber;
    this.#nextKeptNumber = nextKeptNumber;
    this.#snapshot = snapshot;
  }

  /** Starts a new log file with a snapshot. Called once before anything is appended. @throws when the disk refuses */
  start(): void {
    this.#roll();
    for (const file of this.files) if (file !== this.#current && !file.finished) this.#finish(file);
  }

  get maxBytesPerFile(): number {
    return this.#options.maxBytesPerFile;
  }

  /** Bytes written since the last sync began. */
  get unsyncedBytes(): number {
    return this.#unsyncedBytes;
  }

  // ---- groups -------------------------------------------------------------------------------

  /** Stages records [from, to) of a resident segment. */
  appendMessages(
    segment: Segment,
    topicNumber: number,
    from: number,
    to: number,
    delays: DelayEntry[],
  ): void {
    const { index } = segment;
    const data = segment.buffer!.bytes.subarray(index[from], index[to]);
    const extra = delays.length === 0 ? EMPTY : encodeDelays(delays, from);
    const firstSeq = segment.firstSeq + from;
    const entry = this.#append(KIND_MESSAGES, topicNumber, firstSeq, to - from, extra, data);
    this.#pending.push({ segment, to, entry, replaces: false });
  }

  /** Stages all records of a resident segment again, in one block that replaces those it is scattered over. */
  rewriteMessages(segment: Segment, topicNumber: number): void {
    this.appendMessages(segment, topicNumber, 0, segment.count, []);
    this.#pending[this.#pending.length - 1].replaces = true;
  }

  appendState(part: StateWriter): void {
    if (part.count > 0) this.#append(KIND_STATE, 0, 0, part.count, EMPTY, part.bytes);
  }

  /** A large block is written at once, so staging may fail as `commit` may: with the whole group. */
  #append(
    kind: number,
    topicNumber: number,
    firstSeq: number,
    count: number,
    extra: Uint8Array,
    data: Uint8Array,
  ): IndexEntry {
    try {
      return this.#current!.append(kind, 0, topicNumber, firstSeq, count, extra, data);
    } catch (cause) {
      this.abort();
      throw cause;
    }
  }

  /**
   * Writes the group.
   *
   * @returns false when nothing was staged
   * @throws when the disk refuses; the group is then gone as if never staged
   */
  commit(): boolean {
    const file = this.#current!, before = file.size, startedMs = performance.now();
    if (file.end === before) return false;
    try {
      file.flush();
    } catch (cause) {
      this.abort();
      throw cause;
    }
    for (const { segment, to, entry, replaces } of this.#pending) {
      if (replaces) {
        this.#superseded.push(...segment.extents);
        segment.extents = [];
      }
      addExtent(segment, file, entry);
      segment.loggedCount = to;
    }
    this.#pending.length = 0;
    const statistics = this.statistics;
    statistics.groups++;
    statistics.bytes += file.size - before;
    this.#unsyncedBytes += file.size - before;
    statistics.writeSeconds.add((performance.now() - startedMs) / 1000);
    return true;
  }

  /** Ends the current file when it is large enough; called between groups. @throws when the disk refuses */
  rollIfFull(): void {
    if (this.#current!.size >= this.#options.maxBytesPerFile) this.#roll();
  }

  /** Forgets what was staged, because it could not be written. */
  abort(): void {
    this.#pending.length = 0;
    this.#refusedBytes = this.#current!.attemptedBytes;
    this.#current!.rewind();
  }

  /** Finds out whether the disk takes what it refused last; leaves nothing behind. @throws when it does not */
  probe(): void {
    const file = this.#current!;
    try {
      file.fill(this.#refusedBytes);
    } finally {
      file.rewind();
    }
  }

  /**
   * Starts a new file when the current one has this size and little of it is wanted, so that it can be removed.
   *
   * @throws when the disk refuses
   */
  rollIfGarbage(minBytes: number): boolean {
    const { diskBytes, liveBytes } = this.#current!;
    if (diskBytes < Math.max(minBytes, MIN_GARBAGE_BYTES) || liveBytes * 2 > diskBytes) return false;
    this.#roll();
    return true;
  }

  /** Resolves when all that was committed is on the disk. */
  async sync(): Promise<void> {
    // They stay in the list while they are synced: two syncs may run, and no file may be removed meanwhile.
    const current = this.#current!, older = [...this.#unsynced], superseded = new Set(this.#superseded);
    this.#unsyncedBytes = 0;
    const startedMs = performance.now();
    for (const file of older) await file.sync();
    await current.sync();
    await this.#syncNewEntries();
    this.#unsynced = this.#unsynced.filter((file) => !older.includes(file));
    for (const file of older) file.closeWriter();
    this.#superseded = this.#superseded.filter((extent) => {
      if (superseded.has(extent)) extent.file.liveBytes -= extent.byteLength;
      return !superseded.has(extent);
    });
    if (current.kind === "log") this.#safeNumber = Math.max(this.#safeNumber, current.number);
    this.statistics.syncSeconds.add((performance.now() - startedMs) / 1000);
  }

  /** True after a roll, until the snapshot in the new file is on the disk. */
  get isInsecure(): boolean {
    return this.#current!.number > this.#safeNumber;
  }

  /**
   * Puts the start of the current file on the disk, and with it the snapshot that makes older files dispensable.
   * Done right after a roll there is little else in it to write.
   */
  async secure(): Promise<void> {
    const current = this.#current!, startedMs = performance.now();
    await current.sync();
    await this.#syncNewEntries();
    this.#safeNumber = Math.max(this.#safeNumber, current.number);
    this.statistics.syncSeconds.add((performance.now() - startedMs) / 1000);
  }

  async #syncNewEntries(): Promise<void> {
    if (!this.#isDirectoryUnsynced) return;
    // Files may be created while it runs.
    this.#isDirectoryUnsynced = false;
    try {
      await this.syncDirectory();
    } catch (cause) {
      this.#isDirectoryUnsynced = true;
      throw cause;
    }
  }

  // ---- files --------------------------------------------------------------------------------

  /** Goes on in a new file, after a sync failed and the old one cannot be trusted. */
  abandonCurrent(): void {
    this.#roll();
  }

  #roll(): void {
    const file = this.#create();
    let written: () => void = () => {};
    try {
      for (let copy = 0; copy < SNAPSHOT_COPIES; copy++) written = this.#writeSnapshot(file);
      file.flush();
    } catch (cause) {
      file.close();
      this.#fileSystem.remove(file.path);
      throw cause;
    }
    const old = this.#current;
    this.#nextLogNumber++;
    this.#current = file;
    this.files.push(file);
    written();
    if (old !== null) this.#finish(old);
  }

  /** Appends the whole state to `file`; what is returned is to be called once that is written. */
  #writeSnapshot(file: LogFile): () => void {
    let flags = FLAG_SNAPSHOT_PART | FLAG_SNAPSHOT_BEGIN;
    const written = this.#snapshot((part) => {
      file.append(KIND_STATE, flags, 0, 0, part.count, EMPTY, part.bytes);
      flags = FLAG_SNAPSHOT_PART;
    });
    file.append(KIND_STATE, flags | FLAG_SNAPSHOT_END, 0, 0, 0, EMPTY, EMPTY);
    return written;
  }

  #create(): LogFile {
    this.#isDirectoryUnsynced = true;
    const number = this.#nextLogNumber;
    const path = this.#path(logFileName("log", number)), spare = this.#path(SPARE_NAME);
    const isRecycled = this.#fileSystem.exists(spare);
    if (isRecycled) this.#fileSystem.rename(spare, path);
    const writer = this.#fileSystem.open(path, isRecycled ? "write" : "create");
    const { syncsOften, maxBytesPerFile } = this.#options;
    const growBytes = syncsOften ? Math.min(GROW_BYTES, Math.ceil(maxBytesPerFile * GROW_SHARE)) : 0;
    return new LogFile(this.#fileSystem, path, "log", number, writer, 0, growBytes);
  }

  /** Without an index the file is only slower to recover, so a full disk must not make this fail. */
  #finish(file: LogFile): void {
    try {
      file.finish();
    } catch {
      file.rewind();
      file.finished = true;
      file.index = null;
    }
    this.#unsynced.push(file);
  }

  #path(name: string): string {
    return `${this.#options.directory}/${name}`;
  }

  /** Makes entries of new and removed files durable. */
  syncDirectory(): Promise<void> {
    return this.#fileSystem.syncDirectory(this.#options.directory);
  }

  #isReclaimable(file: LogFile): boolean {
    if (file.liveBytes > 0 || file === this.#current || file === this.#kept || !file.finished) return false;
    return file.kind === "kept" || file.number < this.#safeNumber;
  }

  /** True when `reclaim` would remove something. */
  get hasReclaimable(): boolean {
    return this.files.some((file) => this.#isReclaimable(file));
  }

  /** Removes the files in which nothing is wanted; `keepSpare` allows one of them to be kept for reuse. */
  reclaim(keepSpare: boolean): void {
    const { files } = this;
    for (let i = files.length - 1; i >= 0; i--) {
      const file = files[i];
      if (file === this.#kept && file.liveBytes === 0 && !keepSpare) this.#finishKept(file);
      if (!this.#isReclaimable(file)) continue;
      // Not synced perhaps, but nothing in it is wanted: its bytes need never reach the disk.
      this.#unsynced = this.#unsynced.filter((unsynced) => unsynced !== file);
      files.splice(i, 1);
      file.close();
      const spare = this.#path(SPARE_NAME);
      if (keepSpare && file.kind === "log" && !this.#fileSystem.exists(spare)) {
        this.#fileSystem.rename(file.path, spare);
      } else this.#removals = this.#removals.then(() => this.#remove(file.path));
    }
  }

  async #remove(path: string): Promise<void> {
    try {
      await this.#fileSystem.removeInBackground(path);
    } catch (cause) {
      // The next start finds nothing wanted in it and removes it.
      this.removalFailure = cause as Error;
    }
  }

  /** Removes the spare file, when traffic is over. */
  dropSpare(): void {
    const spare = this.#path(SPARE_NAME);
    if (this.#fileSystem.exists(spare)) this.#fileSystem.remove(spare);
  }

  // ---- kept records -------------------------------------------------------------------------

  /**
   * Writes all records of a resident segment to a kept file and syncs it.
   *
   * @returns the place; the caller gives it to the segment with `moveTo`
   */
  async keep(
    segment: Segment,
    topicNumber: number,
    kind: number,
    extra: Uint8Array,
  ): Promise<{ file: LogFile; entry: IndexEntry }> {
    const file = this.#kept ??= this.#createKept();
    const data = segment.buffer!.bytes.subarray(0, segment.usedBytes);
    let entry: IndexEntry;
    try {
      entry = file.append(kind, 0, topicNumber, segment.firstSeq, segment.count, extra, data);
      file.flush();
    } catch (cause) {
      file.rewind();
      throw cause;
    }
    // Counted at once, or the file could be removed before the segment points to it.
    file.liveBytes += entry.dataBytes;
    try {
      await file.sync();
    } finally {
      file.liveBytes -= entry.dataBytes;
    }
    if (file === this.#kept && file.size >= this.#options.maxBytesPerFile) this.#finishKept(file);
    return { file, entry };
  }

  #finishKept(file: LogFile): void {
    this.#kept = null;
    this.#finish(file);
  }

  #createKept(): LogFile {
    this.#isDirectoryUnsynced = true;
    const number = this.#nextKeptNumber++;
    const path = this.#path(logFileName("kept", number));
    const file = new LogFile(this.#fileSystem, path, "kept", number, this.#fileSystem.open(path, "create"));
    this.files.push(file);
    return file;
  }

  /** The segment's records are at `entry` of `file` from now on, and nowhere else. */
  moveTo(segment: Segment, file: LogFile, entry: IndexEntry): void {
    this.forget(segment);
    addExtent(segment, file, entry);
    segment.loggedCount = segment.count;
  }

  /** The segment is not wanted any more. */
  forget(segment: Segment): void {
    for (const extent of segment.extents) extent.file.liveBytes -= extent.byteLength;
    segment.extents = [];
  }

  /** Bytes of message data in files, and how many of them may be wanted. */
  usage(): { dataBytes: number; liveBytes: number } {
    let dataBytes = 0, liveBytes = 0;
    for (const file of this.files) {
      dataBytes += file.dataBytes;
      liveBytes += file.liveBytes;
    }
    return { dataBytes, liveBytes };
  }

  /** Finished files, of which compaction may pick. */
  get candidates(): LogFile[] {
    return this.files.filter((file) => file.finished && file !== this.#current && file !== this.#kept);
  }

  /** Ends the files with their index, syncs and closes them. */
  async close(): Promise<void> {
    await this.#removals;
    for (const file of this.files) {
      if (file !== this.#current && !file.finished) this.#finish(file);
      file.syncNow();
      file.close();
    }
  }
}

function addExtent(segment: Segment, file: LogFile, entry: IndexEntry): void {
  segment.extents.push({
    file,
    fileOffset: entry.dataAt,
    byteLength: entry.dataBytes,
    count: entry.count,
    checksum: entry.dataCrc,
  });
  file.liveBytes += entry.dataBytes;
}

function encodeDelays(delays: DelayEntry[], from: number): Uint8Array {
  const bytes = new Uint8Array(delays.length * DELAY_ENTRY_BYTES), view = new DataView(bytes.buffer);
  delays.forEach((delay, i) => {
    view.setUint32(i * DELAY_ENTRY_BYTES, delay.index - from);
    view.setFloat64(i * DELAY_ENTRY_BYTES + 4, delay.delayMs);
  });
  return bytes;
}
