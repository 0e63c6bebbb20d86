/**
 * What of the commit log is on the disk, and what becomes dispensable by that.
 *
 * Invariants: a snapshot counts as safe only when its file and the file's name are on the disk; a place that was
 * written again stays wanted until a sync that began after the new place was written is over.
 *
 * Tested in test/storage/commit_log_test.ts and test/storage/recovery_test.ts.
 */
import type { Clock } from "../clock/clock.ts";
import type { LogFile } from "./log_file.ts";
import type { LogFiles } from "./log_files.ts";
import type { LogStatistics } from "./log_statistics.ts";
import type { Extent } from "./segment.ts";

export class LogSync {
  /** Bytes written since the last sync began. */
  unsyncedBytes = 0;
  /** The log file with the snapshot that a start read. */
  recoveredNumber = -1;

  readonly #files: LogFiles;
  readonly #clock: Clock;
  readonly #statistics: LogStatistics;
  /** The newest log file whose snapshot is on the disk. */
  #safeNumber = -1;
  /** Places of records that were written again: wanted until the new place is on the disk. */
  #superseded: Extent[] = [];

  constructor(files: LogFiles, clock: Clock, statistics: LogStatistics) {
    this.#files = files;
    this.#clock = clock;
    this.#statistics = statistics;
  }

  /** The records at these places were written again, elsewhere. */
  supersede(extents: readonly Extent[]): void {
    this.#superseded.push(...extents);
  }

  /** True when the snapshot of `file`, which may be the one that is written, is on the disk. */
  isSafe(file: LogFile): boolean {
    return file.number <= this.#safeNumber;
  }

  /** True when a newer snapshot than that of `file` is on the disk. */
  isOutdated(file: LogFile): boolean {
    return file.number < this.#safeNumber;
  }

  /** Resolves when all that was committed is on the disk; `current` is the file that is written, if one is. */
  async sync(current: LogFile | null): Promise<void> {
    // They stay in the list while they are synced: two syncs may run, and no file may be removed meanwhile.
    const files = this.#files, older = [...files.unsynced];
    const superseded = new Set(this.#superseded);
    this.unsyncedBytes = 0;
    const startedMs = this.#clock.monotonicMs();
    for (const file of older) await file.sync();
    // Before a file was begun those of the last start are as they were, and the newest snapshot is in one of them.
    if (current === null) { for (const file of files.all) await file.sync(); }
    await current?.sync();
    await files.syncNewEntries();
    files.unsynced = files.unsynced.filter((file) => !older.includes(file));
    for (const file of older) file.closeWriter();
    this.#superseded = this.#superseded.filter((extent) => {
      if (superseded.has(extent)) extent.file.liveBytes -= extent.byteLength;
      return !superseded.has(extent);
    });
    this.#isSynced(current?.number ?? this.recoveredNumber, startedMs);
  }

  /**
   * Puts the start of the current file on the disk, and with it the snapshot that makes older files dispensable.
   * Done right after a roll there is little else in it to write.
   */
  async secure(current: LogFile): Promise<void> {
    const startedMs = this.#clock.monotonicMs();
    await current.sync();
    await this.#files.syncNewEntries();
    this.#isSynced(current.number, startedMs);
  }

  #isSynced(fileNumber: number, startedMs: number): void {
    this.#safeNumber = Math.max(this.#safeNumber, fileNumber);
    this.#statistics.syncSeconds.add((this.#clock.monotonicMs() - startedMs) / 1000);
  }
}
