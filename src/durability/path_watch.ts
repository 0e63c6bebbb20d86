/**
 * Sees when the data path goes away while it is used: the directory removed, renamed or made anew, a log file unlinked,
 * replaced or cut. Writes to files that have no name any more succeed, and nobody would find what they hold.
 *
 * Tested in test/durability/lost_data_path_test.ts.
 */
import type { CommitLog } from "../storage/commit_log.ts";
import type { FileSystem } from "../storage/file_system.ts";
import type { LogFile } from "../storage/log_file.ts";

/** What was found, when all is not as it was. */
export interface PathLoss {
  cause: Error;
  /** False while there is no directory to write to. */
  hasDirectory: boolean;
  /** Log files in which something is wanted, and whose paths do not lead to them. */
  files: Set<LogFile>;
}

export class PathWatch {
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  readonly #log: CommitLog;
  #identity: string | null = null;

  constructor(fileSystem: FileSystem, directory: string, log: CommitLog) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
    this.#log = log;
  }

  /** The directory that is there now is the one. */
  begin(): void {
    this.#identity = this.#fileSystem.status(this.#directory)?.identity ?? null;
  }

  /** Compares paths and files; null when all is as it was. */
  look(): PathLoss | null {
    const status = this.#fileSystem.status(this.#directory), files = new Set<LogFile>();
    let cause: Error | null = null;
    if (status === null) cause = new Error(`data path ${this.#directory} is gone`);
    else if (status.identity !== this.#identity) {
      cause = new Error(`data path ${this.#directory} is another directory now`);
    }
    for (const file of this.#log.wantedFiles) {
      const loss = file.loss();
      if (loss === null) continue;
      cause ??= loss;
      files.add(file);
    }
    return cause === null ? null : { cause, hasDirectory: status !== null, files };
  }
}
