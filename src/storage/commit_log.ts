/**
 * The commit log of the node: everything of a group, for all topics, in one write.
 *
 * A group is staged with `appendMessages` and `appendState` and written by `commit`, or forgotten by `abort`.
 * Message data is never written twice for lying around: backlog is read back from the log file it was committed
 * to, and a file goes when nothing in it is wanted any more. A log file starts with a snapshot of the whole state,
 * so older files matter for their messages only. Names and life of the files are in `log_files.ts`.
 *
 * Invariants: a file is removed only when its live bytes are 0 and the snapshot of a newer one is on the
 * disk; extents are added to a segment only after the group that holds them was written.
 */
import type { Clock } from "../clock/clock.ts";
import { type DelayEntry, encodeDelays, KIND_MESSAGES, KIND_STATE } from "./block.ts";
import { type FileSystem, isDiskFull } from "./file_system.ts";
import { KeptFiles, type KeptPlace } from "./kept_files.ts";
import { addExtent, type IndexEntry, type LogFile } from "./log_file.ts";
import { LogFiles, type LogFilesOptions } from "./log_files.ts";
import { LogStatistics } from "./log_statistics.ts";
import { LogSync } from "./log_sync.ts";
import { recover, type Recovery } from "./recovery.ts";
import type { Segment } from "./segment.ts";
import { Reserve } from "./reserve.ts";
import { appendSnapshots, type SnapshotSource } from "./snapshot.ts";
import type { StateWriter } from "./state/state_records.ts";
import type { TrackedList } from "./state/tracked_list.ts";

export type CommitLogOptions = LogFilesOptions;

interface PendingExtent {
  segment: Segment;
  to: number;
  entry: IndexEntry;
  /** True when the block holds all of the segment, whose other extents are then not wanted. */
  replaces: boolean;
}

/** A current file smaller than this is not worth replacing. */
const MIN_GARBAGE_BYTES = 1 << 20;
const EMPTY = new Uint8Array(0);

export class CommitLog {
  readonly statistics = new LogStatistics();

  readonly #fileSystem: FileSystem;
  readonly #options: CommitLogOptions;
  readonly #snapshot: SnapshotSource;
  readonly #clock: Clock;
  readonly #files: LogFiles;
  readonly #kept: KeptFiles;
  readonly #reserve: Reserve;
  readonly #sync: LogSync;
  #current: LogFile | null = null;
  #startFailure: Error | null = null;
  #pending: PendingExtent[] = [];
  /** Size of the group that could not be written last. */
  #refusedBytes = 1;

  /** Touches no file: `open` does. */
  constructor(fileSystem: FileSystem, options: CommitLogOptions, snapshot: SnapshotSource, clock: Clock) {
    this.#fileSystem = fileSystem;
    this.#options = options;
    this.#snapshot = snapshot;
    this.#clock = clock;
    this.#files = new LogFiles(fileSystem, options);
    this.#sync = new LogSync(this.#files, clock, this.statistics);
    this.#reserve = new Reserve(fileSystem, options.directory);
    this.#kept = new KeptFiles(this.#files, options.maxBytesPerFile);
  }

  /** Reads what is on disk. Called once, before `start`. @throws when a file cannot be read */
  open(): Recovery {
    const recovery = recover(this.#fileSystem, this.#options.directory);
    this.#files.adopt(recovery.files, { log: recovery.nextLogNumber, kept: recovery.nextKeptNumber });
    this.#sync.recoveredNumber = recovery.snapshotNumber;
    return recovery;
  }

  /**
   * Starts a new log file with a snapshot. Until that works nothing can be appended; what is there can be read.
   *
   * @throws when the disk refuses, which may be tried again
   */
  start(): void {
    try {
      this.#roll();
    } catch (cause) {
      this.#startFailure = cause as Error;
      throw cause;
    }
    this.#startFailure = null;
    for (const file of this.#files.all) {
      if (file !== this.#current && !file.finished) this.#files.finish(file);
    }
  }

  get isStarted(): boolean {
    return this.#current !== null;
  }

  /** The file that is written. @throws when there is none yet */
  get #writable(): LogFile {
    if (this.#current === null) throw this.#startFailure ?? new Error("the log is not open");
    return this.#current;
  }

  /** Why nothing may be published although it could be written, null when it may. */
  get reserveFailure(): Error | null {
    return this.#reserve.failure;
  }

  /** Holds room for a snapshot on a full disk. @throws when there is none */
  keepReserve(): void {
    this.#reserve.keep(this.#current?.snapshotBytes ?? 0);
  }

  get maxBytesPerFile(): number {
    return this.#options.maxBytesPerFile;
  }

  /** Bytes written since the last sync began. */
  get unsyncedBytes(): number {
    return this.#sync.unsyncedBytes;
  }

  get fileCount(): number {
    return this.#files.all.length;
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
      return this.#writable.append(kind, 0, topicNumber, firstSeq, count, extra, data);
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
    const file = this.#current, before = file?.size ?? 0, startedMs = this.#clock.monotonicMs();
    if (file === null || file.end === before) return false;
    try {
      file.flush();
    } catch (cause) {
      this.abort();
      throw cause;
    }
    for (const { segment, to, entry, replaces } of this.#pending) {
      if (replaces) {
        this.#sync.supersede(segment.extents);
        segment.extents = [];
      }
      addExtent(segment, file, entry);
      segment.loggedCount = to;
    }
    this.#pending.length = 0;
    const statistics = this.statistics;
    statistics.groups++;
    statistics.bytes += file.size - before;
    this.#sync.unsyncedBytes += file.size - before;
    statistics.writeSeconds.add((this.#clock.monotonicMs() - startedMs) / 1000);
    return true;
  }

  /**
   * Ends the current file when what follows its snapshot is large enough, and no less than the snapshot: so at most
   * half of what is written is snapshots. Called between groups. @throws when the disk refuses
   */
  rollIfFull(): void {
    const { size, snapshotBytes } = this.#writable;
    if (size - snapshotBytes >= Math.max(this.#options.maxBytesPerFile, snapshotBytes)) this.#roll();
  }

  /** Forgets what was staged, because it could not be written. */
  abort(): void {
    this.#pending.length = 0;
    if (this.#current === null) return;
    this.#refusedBytes = this.#current.attemptedBytes;
    this.#current.rewind();
  }

  /** Finds out whether the disk takes what it refused last; leaves nothing behind. @throws when it does not */
  probe(): void {
    if (this.#current === null) this.start();
    this.keepReserve();
    const file = this.#writable;
    try {
      file.fill(this.#refusedBytes);
    } finally {
      file.rewind();
    }
  }

  // ---- files --------------------------------------------------------------------------------

  /**
   * Starts a new file when the current one has this size and little of it is wanted, so that it can be removed.
   *
   * @throws when the disk refuses
   */
  rollIfGarbage(minBytes: number): boolean {
    const { diskBytes, liveBytes, snapshotBytes } = this.#writable,
      followingBytes = diskBytes - snapshotBytes;
    if (followingBytes < Math.max(minBytes, MIN_GARBAGE_BYTES, snapshotBytes)) return false;
    if (liveBytes * 2 > followingBytes) return false;
    this.#roll();
    return true;
  }

  /** Goes on in a new file, after a sync failed and the old one cannot be trusted. */
  abandonCurrent(): void {
    this.#roll();
  }

  /** On a full disk the reserve makes room for the snapshot, without which no file could ever go. */
  #roll(): void {
    try {
      this.#begin();
    } catch (cause) {
      if (!isDiskFull(cause) || !this.#reserve.giveUp()) throw cause;
      this.#begin();
    }
  }

  #begin(): void {
    const file = this.#files.createLog();
    let written: () => void = () => {};
    try {
      written = appendSnapshots(file, this.#snapshot);
      file.flush();
    } catch (cause) {
      this.#files.discard(file);
      throw cause;
    }
    const old = this.#current;
    file.snapshotBytes = file.size;
    this.#current = file;
    this.#files.add(file);
    written();
    if (old !== null) this.#files.finish(old);
  }

  #isReclaimable(file: LogFile): boolean {
    if (file.liveBytes > 0 || !file.finished || file === this.#current || file === this.#kept.current) {
      return false;
    }
    return file.kind === "kept" || this.#sync.isOutdated(file);
  }

  /** True when `reclaim` would remove something. */
  get hasReclaimable(): boolean {
    return this.#files.all.some((file) => this.#isReclaimable(file));
  }

  /** Removes the files in which nothing is wanted; `keepSpare` allows one of them to be kept for reuse. */
  reclaim(keepSpare: boolean): void {
    if (this.#kept.current?.liveBytes === 0 && !keepSpare) this.#kept.finishCurrent();
    // The newest first: it is the one whose pages are still in memory, and so the better spare.
    for (const file of [...this.#files.all].reverse()) {
      if (this.#isReclaimable(file)) this.#files.retire(file, keepSpare);
    }
  }

  /** Removes the spare file, when traffic is over. */
  dropSpare(): void {
    this.#files.dropSpare();
  }

  // ---- on the disk --------------------------------------------------------------------------

  /** Resolves when all that was committed is on the disk. */
  sync(): Promise<void> {
    return this.#sync.sync(this.#current);
  }

  /** True after a roll, until the snapshot in the new file is on the disk. */
  get isInsecure(): boolean {
    return this.#current !== null && !this.#sync.isSafe(this.#current);
  }

  /** Puts the snapshot in the current file on the disk. See `LogSync.secure`. */
  async secure(): Promise<void> {
    await this.#sync.secure(this.#writable);
  }

  // ---- places of segments -------------------------------------------------------------------

  /** Writes all records of a resident segment to a kept file. See `KeptFiles.keep`. */
  keep(segment: Segment, topicNumber: number, kind: number, extra: Uint8Array): Promise<KeptPlace> {
    return this.#kept.keep(segment, topicNumber, kind, extra);
  }

  /** Writes tracked messages to a kept file, which `syncKept` puts on the disk. */
  keepTracked(list: TrackedList): ReturnType<KeptFiles["keepTracked"]> {
    return this.#kept.keepTracked(list);
  }

  syncKept(): Promise<void> {
    return this.#kept.sync();
  }

  /** The segment's records are at `place` from now on, and nowhere else. */
  moveTo(segment: Segment, { file, entry }: KeptPlace): void {
    this.forget(segment);
    addExtent(segment, file, entry);
    segment.loggedCount = segment.count;
  }

  /** The segment's records are in no file any more: they are written with the next group that has them. */
  unplace(segment: Segment): void {
    this.forget(segment);
    segment.loggedCount = 0;
  }

  /** The files in which something is wanted. */
  get wantedFiles(): LogFile[] {
    return this.#files.all.filter((file) => file === this.#current || file.liveBytes > 0);
  }

  /** Forgets files that nobody finds any more. What is wanted of them is elsewhere. */
  drop(files: ReadonlySet<LogFile>): void {
    if (this.#kept.current !== null && files.has(this.#kept.current)) this.#kept.finishCurrent();
    this.#files.drop(files);
  }

  /** The segment is not wanted any more. */
  forget(segment: Segment): void {
    for (const extent of segment.extents) extent.file.liveBytes -= extent.byteLength;
    segment.extents = [];
  }

  /** Bytes of all files, and how many of them are wanted: messages, tracked bases, and the newest snapshot. */
  usage(): { fileBytes: number; liveBytes: number } {
    const { fileBytes, liveBytes } = this.#files.usage();
    return { fileBytes, liveBytes: liveBytes + (this.#current?.snapshotBytes ?? 0) };
  }

  /** Finished files, of which compaction may pick. */
  get candidates(): LogFile[] {
    const current = this.#current, kept = this.#kept.current;
    return this.#files.all.filter((file) => file.finished && file !== current && file !== kept);
  }

  /** Closes the files as they are. */
  abandon(): void {
    for (const file of this.#files.all) file.close();
  }

  /** Ends the files, puts them on the disk and closes them. @throws when the disk refuses */
  async close(): Promise<void> {
    await this.#files.close(this.#current);
    await this.#files.syncDirectory();
  }
}
