/**
 * The files of the commit log in the data path: their names, how one begins and ends, and when one goes.
 *
 * Files are named `commit.N.log` and `kept.N.log`. One finished log file is kept as `spare.log`: overwriting it
 * is cheaper than growing a fresh one. What is in the files is for `commit_log.ts` and `kept_files.ts`.
 *
 * Invariant: `all` is ordered by age, and has every file in which a message may be wanted.
 *
 * Tested in test/storage/commit_log_test.ts.
 */
import type { FileSystem } from "./file_system.ts";
import { LogFile, type LogFileKind } from "./log_file.ts";

/** How far a file grows ahead, where publishers wait for every sync; of small files this share at most. */
const GROW_BYTES = 16 << 20;
const GROW_SHARE = 1 / 4;
const SPARE_NAME = "spare.log";
/** The newest files stay open for reading, so that they outlast their names; of the others those that are read. */
const MAX_OPEN_FILES = 64;

/** The name of log file `number` of a kind. */
export function logFileName(kind: LogFileKind, number: number): string {
  return `${kind === "log" ? "commit" : "kept"}.${String(number).padStart(6, "0")}.log`;
}

export interface LogFilesOptions {
  directory: string;
  /** A log file ends at the first group that brings it to this size, bytes. */
  maxBytesPerFile: number;
  /** Whether publishers wait for every sync: files then grow ahead of what is written. */
  syncsOften: boolean;
}

export class LogFiles {
  /** Files with messages that may be wanted, oldest first; kept files among them. */
  readonly all: LogFile[] = [];
  /** Finished files that were not synced since. */
  unsynced: LogFile[] = [];

  readonly #fileSystem: FileSystem;
  readonly #options: LogFilesOptions;
  readonly #nextNumbers: Record<LogFileKind, number> = { log: 1, kept: 1 };
  /** The removals that run, one after the other. */
  #removals: Promise<void> = Promise.resolve();
  /** True when a file was created since the directory was synced: power loss could take it with all in it. */
  #isDirectoryUnsynced = false;

  constructor(fileSystem: FileSystem, options: LogFilesOptions) {
    this.#fileSystem = fileSystem;
    this.#options = options;
  }

  /** Takes over the files that a start found. */
  adopt(files: readonly LogFile[], nextNumbers: Readonly<Record<LogFileKind, number>>): void {
    this.all.push(...files);
    Object.assign(this.#nextNumbers, nextNumbers);
  }

  // ---- beginning and ending -----------------------------------------------------------------

  /** Makes the next log file; it is one of the log from `add` on. @throws when the disk refuses */
  createLog(): LogFile {
    this.#isDirectoryUnsynced = true;
    const number = this.#nextNumbers.log;
    const path = this.#path(logFileName("log", number)), spare = this.#path(SPARE_NAME);
    const isRecycled = this.#fileSystem.exists(spare);
    if (isRecycled) this.#fileSystem.rename(spare, path);
    const writer = this.#fileSystem.open(path, isRecycled ? "write" : "create");
    const { syncsOften, maxBytesPerFile } = this.#options;
    const growBytes = syncsOften ? Math.min(GROW_BYTES, Math.ceil(maxBytesPerFile * GROW_SHARE)) : 0;
    return new LogFile(this.#fileSystem, path, "log", number, writer, 0, growBytes);
  }

  /** Makes the next kept file. @throws when the disk refuses */
  createKept(): LogFile {
    this.#isDirectoryUnsynced = true;
    const number = this.#nextNumbers.kept, path = this.#path(logFileName("kept", number));
    const file = new LogFile(this.#fileSystem, path, "kept", number, this.#fileSystem.open(path, "create"));
    this.add(file);
    return file;
  }

  add(file: LogFile): void {
    this.#nextNumbers[file.kind] = Math.max(this.#nextNumbers[file.kind], file.number + 1);
    this.all.push(file);
    this.all.at(-1 - MAX_OPEN_FILES)?.closeReader();
  }

  /** Forgets files that nobody finds any more. */
  drop(files: ReadonlySet<LogFile>): void {
    this.unsynced = this.unsynced.filter((file) => !files.has(file));
    for (const file of files) {
      const at = this.all.indexOf(file);
      if (at >= 0) this.all.splice(at, 1);
      file.close();
    }
  }

  /** Removes a file that was made and could not be begun. */
  discard(file: LogFile): void {
    file.close();
    this.#fileSystem.remove(file.path);
  }

  /** Ends a file. Without an index it is only slower to recover, so a full disk must not make this fail. */
  finish(file: LogFile): void {
    try {
      file.finish();
    } catch {
      file.rewind();
      file.finished = true;
      file.index = null;
    }
    this.unsynced.push(file);
  }

  /** Takes `file`, in which nothing is wanted, away; `mayKeep` allows it to be kept for reuse. */
  retire(file: LogFile, mayKeep: boolean): void {
    // Not synced perhaps, but nothing in it is wanted: its bytes need never reach the disk.
    this.unsynced = this.unsynced.filter((unsynced) => unsynced !== file);
    this.all.splice(this.all.indexOf(file), 1);
    file.close();
    const spare = this.#path(SPARE_NAME);
    if (mayKeep && file.kind === "log" && !this.#fileSystem.exists(spare)) {
      this.#fileSystem.rename(file.path, spare);
    } else this.#removals = this.#removals.then(() => this.#remove(file.path));
  }

  async #remove(path: string): Promise<void> {
    try {
      await this.#fileSystem.removeInBackground(path);
    } catch {
      // The next start finds nothing wanted in it and removes it.
    }
  }

  /** Removes the spare file, when traffic is over. */
  dropSpare(): void {
    const spare = this.#path(SPARE_NAME);
    if (this.#fileSystem.exists(spare)) this.#fileSystem.remove(spare);
  }

  #path(name: string): string {
    return `${this.#options.directory}/${name}`;
  }

  // ---- on the disk --------------------------------------------------------------------------

  /** Makes the entries of new files durable; costs nothing when there are none. */
  async syncNewEntries(): Promise<void> {
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

  /** Makes the entries of new and removed files durable. */
  syncDirectory(): Promise<void> {
    return this.#fileSystem.syncDirectory(this.#options.directory);
  }

  /** Bytes of all files, and how many of them may be wanted. */
  usage(): { fileBytes: number; liveBytes: number } {
    let fileBytes = 0, liveBytes = 0;
    for (const file of this.all) {
      fileBytes += file.size;
      liveBytes += file.liveBytes;
    }
    return { fileBytes, liveBytes };
  }

  /** Ends the files with their index, syncs and closes them. @param current ends without one: it is read through */
  async close(current: LogFile | null): Promise<void> {
    await this.#removals;
    for (const file of this.all) {
      if (file !== current && !file.finished) this.finish(file);
      file.syncNow();
      file.close();
    }
  }
}
