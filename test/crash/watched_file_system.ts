/**
 * Files in memory that stop the world before every change of them: each such moment is one at which the
 * process may die. Writes are cut in two, with a moment between.
 */
import type { FileHandle, OpenMode } from "../../src/storage/file_system.ts";
import { MemoryFileSystem } from "../support/memory_file_system.ts";

/** Small, as the files of the tests are. */
const PAGE_BYTES = 256;

/** Called with the name of the point, such as `write commit.log`, before it happens. */
export type AtPoint = (point: string, files: MemoryFileSystem) => void;

export class WatchedFileSystem extends MemoryFileSystem {
  atPoint: AtPoint = () => {};

  /** Takes over the files of another. */
  constructor(files: MemoryFileSystem) {
    super();
    for (const path of files.files.keys()) this.put(path, files.content(path));
  }

  #point(action: string, path: string): void {
    this.atPoint(`${action} ${kindOf(path)}`, this);
  }

  /**
   * What is found after the power was cut: all that was synced, and of what came after any pages, for a disk
   * writes them in the order it likes.
   *
   * @param isKept whether a page survives
   */
  afterReorderedPowerCut(isKept: () => boolean): MemoryFileSystem {
    const found = new MemoryFileSystem();
    for (const [path, { synced, content }] of this.files) {
      const bytes = new Uint8Array(Math.max(synced.length, isKept() ? content.length : 0));
      bytes.set(synced);
      for (let at = 0; at < Math.min(bytes.length, content.length); at += PAGE_BYTES) {
        if (isKept()) bytes.set(content.subarray(at, Math.min(at + PAGE_BYTES, bytes.length)), at);
      }
      found.put(path, bytes);
    }
    return found;
  }

  override open(path: string, mode: OpenMode): FileHandle {
    if (mode === "create") this.#point("create", path);
    const handle = super.open(path, mode);
    return {
      ...handle,
      writeSync: (bytes) => {
        this.#point("write", path);
        if (bytes.length < 2) return handle.writeSync(bytes);
        const half = bytes.length >> 1, written = handle.writeSync(bytes.subarray(0, half));
        this.#point("write on", path);
        return written + handle.writeSync(bytes.subarray(half));
      },
      truncateSync: (byteLength) => {
        this.#point("truncate", path);
        handle.truncateSync(byteLength);
      },
      syncData: () => {
        this.#point("sync", path);
        return handle.syncData();
      },
      syncDataSync: () => {
        this.#point("sync", path);
        handle.syncDataSync();
      },
    };
  }

  override rename(from: string, to: string): void {
    this.#point(`rename ${kindOf(from)} to`, to);
    super.rename(from, to);
  }

  override remove(path: string): void {
    this.#point("remove", path);
    super.remove(path);
  }
}

/** A path without its number. */
function kindOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1).replace(/\.\d{6,}\./, ".").replace(
    /\.[0-9a-f]{8}\.tmp$/,
    ".tmp",
  );
}
