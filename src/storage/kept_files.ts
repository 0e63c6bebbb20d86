/**
 * Kept files: where compaction puts the messages that are wanted of files and segments of which little is.
 *
 * A record is written and synced here before its old place is let go.
 *
 * Tested in test/durability/persistence_model_test.ts.
 */
import type { IndexEntry, LogFile } from "./log_file.ts";
import type { LogFiles } from "./log_files.ts";
import type { Segment } from "./segment.ts";
import type { BasePlace } from "./state/state_records.ts";
import { appendBase } from "./state/tracked_base.ts";
import type { TrackedList } from "./state/tracked_list.ts";

/** Where the records of a segment were written. */
export interface KeptPlace {
  file: LogFile;
  entry: IndexEntry;
}

export class KeptFiles {
  readonly #files: LogFiles;
  readonly #maxBytesPerFile: number;
  #current: LogFile | null = null;

  constructor(files: LogFiles, maxBytesPerFile: number) {
    this.#files = files;
    this.#maxBytesPerFile = maxBytesPerFile;
  }

  /** The file that is being written, null when there is none. */
  get current(): LogFile | null {
    return this.#current;
  }

  /**
   * Writes all records of a resident segment and syncs them.
   *
   * @returns the place; the caller gives it to the segment
   * @throws when the disk refuses
   */
  async keep(segment: Segment, topicNumber: number, kind: number, extra: Uint8Array): Promise<KeptPlace> {
    const file = this.#current ??= this.#files.createKept();
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
    if (file === this.#current && file.size >= this.#maxBytesPerFile) this.finishCurrent();
    return { file, entry };
  }

  /** Writes tracked messages of a base, unsynced: `sync` follows. @throws when the disk refuses */
  keepTracked(list: TrackedList): { file: LogFile; place: BasePlace } {
    if (this.#current !== null && this.#current.size >= this.#maxBytesPerFile) this.finishCurrent();
    const file = this.#current ??= this.#files.createKept();
    return { file, place: appendBase(file, list) };
  }

  /** Resolves when all that was kept is on the disk. */
  async sync(): Promise<void> {
    for (const file of this.#files.unsynced) if (file.kind === "kept") await file.sync();
    await this.#current?.sync();
    await this.#files.syncNewEntries();
  }

  /** The next record begins a file of its own. */
  finishCurrent(): void {
    const file = this.#current;
    this.#current = null;
    if (file !== null) this.#files.finish(file);
  }
}
