/**
 * Room that is held for a full disk: without it a snapshot could not be written, and so no file ever go. Once it was
 * given up, what is left is for the log itself, and nothing may be published until it is there again.
 *
 * Tested in test/durability/full_disk_test.ts.
 */
import { type FileSystem, writeAllSync } from "./file_system.ts";

const NAME = "reserve.log";
/** For what has to be written before anything can go, positions above all, besides a snapshot. */
const MIN_BYTES = 1 << 18;

export class Reserve {
  readonly #fileSystem: FileSystem;
  readonly #path: string;
  #isOwed = false;

  constructor(fileSystem: FileSystem, directory: string) {
    this.#fileSystem = fileSystem;
    this.#path = `${directory}/${NAME}`;
  }

  /** Why nothing may be published, null when it may. */
  get failure(): Error | null {
    return this.#isOwed ? new Error("No space left on device: there is no room for the reserve") : null;
  }

  /** Holds room for a file with a snapshot of `snapshotBytes`. @throws when there is none */
  keep(snapshotBytes: number): void {
    const byteCount = MIN_BYTES + 2 * snapshotBytes;
    if ((this.#fileSystem.status(this.#path)?.byteCount ?? 0) < byteCount) this.#write(byteCount);
    this.#isOwed = false;
  }

  #write(byteCount: number): void {
    const file = this.#fileSystem.open(this.#path, "create");
    try {
      writeAllSync(file, new Uint8Array(byteCount));
      file.syncDataSync();
    } catch (cause) {
      this.#fileSystem.remove(this.#path);
      throw cause;
    } finally {
      file.close();
    }
  }

  /** Frees the room for what has to be written now; false when there was none. */
  giveUp(): boolean {
    if (!this.#fileSystem.exists(this.#path)) return false;
    this.#fileSystem.remove(this.#path);
    this.#isOwed = true;
    return true;
  }
}
