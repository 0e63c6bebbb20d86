/**
 * The seam between storage and files: what it needs of them, and the real thing.
 *
 * Tests put another implementation here that fills the disk, fails a sync, or forgets what was not synced.
 * Every method throws the operating system's error; nothing is retried here, unless descriptors are used up.
 *
 * Tested in test/nsqd/data_path_test.ts.
 */
import { statfsSync } from "node:fs";
import { freeDescriptor, withSpareDescriptor } from "../descriptors/spare_descriptors.ts";

/** What tells one file or directory from another, and a whole one from one that was cut or unlinked. */
export interface FileStatus {
  /** The same for the same file only; null where the system has no such thing. */
  identity: string | null;
  /** Names that it has; 0 once it was unlinked while open. */
  linkCount: number;
  byteCount: number;
}

/** An open file with one position, shared by reads and writes. */
export interface FileHandle {
  /** Writes at the position; may take a part only. */
  writeSync(bytes: Uint8Array): number;
  /** Reads at the position; null at the end. */
  readSync(into: Uint8Array): number | null;
  read(into: Uint8Array): Promise<number | null>;
  /** Moves the position to `offset` bytes from the start. */
  seekSync(offset: number): void;
  truncateSync(byteLength: number): void;
  /** Bytes in the file. */
  sizeSync(): number;
  statusSync(): FileStatus;
  /** Resolves when the content is on the disk (fdatasync). */
  syncData(): Promise<void>;
  syncDataSync(): void;
  close(): void;
}

export type OpenMode = "read" | "write" | "create";

export interface FileSystem {
  /** `write` opens an existing file to change it, `create` makes it or empties it. */
  open(path: string, mode: OpenMode): FileHandle;
  /** Names of the entries of a directory. */
  list(directory: string): string[];
  exists(path: string): boolean;
  /** Null when there is nothing. */
  status(path: string): FileStatus | null;
  rename(from: string, to: string): void;
  remove(path: string): void;
  /** The same without waiting: freeing the blocks of a large file takes milliseconds. */
  removeInBackground(path: string): Promise<void>;
  makeDirectory(path: string): void;
  /** Makes created, renamed and removed entries durable. */
  syncDirectory(path: string): Promise<void>;
  syncDirectorySync(path: string): void;
  /** Bytes that can still be written below `directory`; null where the system does not say. */
  availableBytes(directory: string): number | null;
}

/** Files of the process are private, as those of Go nsqd are. */
const FILE_MODE = 0o600;

export const denoFileSystem: FileSystem = {
  open(path, mode) {
    const options = {
      read: true,
      write: mode !== "read",
      create: mode === "create",
      truncate: mode === "create",
      mode: mode === "create" ? FILE_MODE : undefined,
    };
    const file = withSpareDescriptor(() => Deno.openSync(path, options));
    return {
      writeSync: (bytes) => file.writeSync(bytes),
      readSync: (into) => file.readSync(into),
      read: (into) => file.read(into),
      seekSync: (offset) => void file.seekSync(offset, Deno.SeekMode.Start),
      truncateSync: (byteLength) => file.truncateSync(byteLength),
      sizeSync: () => file.statSync().size,
      statusSync: () => statusOf(file.statSync()),
      syncData() {
        freeDescriptor();
        return file.syncData();
      },
      syncDataSync: () => file.syncDataSync(),
      close: () => file.close(),
    };
  },
  list: (directory) => withSpareDescriptor(() => [...Deno.readDirSync(directory)].map(({ name }) => name)),
  exists(path) {
    try {
      Deno.lstatSync(path);
      return true;
    } catch (cause) {
      if (cause instanceof Deno.errors.NotFound) return false;
      throw cause;
    }
  },
  rename: (from, to) => Deno.renameSync(from, to),
  remove: (path) => Deno.removeSync(path),
  removeInBackground: (path) => Deno.remove(path),
  makeDirectory: (path) => Deno.mkdirSync(path, { recursive: true, mode: 0o700 }),
  status(path) {
    try {
      return statusOf(Deno.statSync(path));
    } catch (cause) {
      if (cause instanceof Deno.errors.NotFound) return null;
      throw cause;
    }
  },
  async syncDirectory(path) {
    // Windows does not open directories, and does not need it.
    if (Deno.build.os === "windows") return;
    const directory = withSpareDescriptor(() => Deno.openSync(path, { read: true }));
    try {
      await directory.sync();
    } finally {
      directory.close();
    }
  },
  syncDirectorySync(path) {
    if (Deno.build.os === "windows") return;
    const directory = withSpareDescriptor(() => Deno.openSync(path, { read: true }));
    try {
      directory.syncSync();
    } finally {
      directory.close();
    }
  },
  availableBytes(directory) {
    try {
      const { bavail, bsize } = statfsSync(directory);
      return Number(bavail) * Number(bsize);
    } catch {
      // Not all systems tell, and not all versions of the runtime ask.
      return null;
    }
  },
};

function statusOf({ dev, ino, nlink, size }: Deno.FileInfo): FileStatus {
  return { identity: ino === null ? null : `${dev}:${ino}`, linkCount: nlink ?? 1, byteCount: size };
}

/** True when there is no room on the disk, or none for this user. */
export function isDiskFull(cause: unknown): boolean {
  const { code, message } = cause as { code?: string; message?: string };
  // os errors: 28 is no space, 122 and 69 quota, 27 a file that grows over its limit, 112 no space on Windows.
  return code === "ENOSPC" || code === "EDQUOT" || /\(os error (?:28|122|69|27|112)\)/.test(message ?? "");
}

/** Writes all of `bytes` at the position of `file`. */
export function writeAllSync(file: FileHandle, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += file.writeSync(at === 0 ? bytes : bytes.subarray(at));
}

/** Fills `into` from the position of `file`; returns how many bytes there were before the end. */
export function readAllSync(file: FileHandle, into: Uint8Array): number {
  let at = 0;
  while (at < into.length) {
    const read = file.readSync(into.subarray(at));
    if (read === null || read === 0) break;
    at += read;
  }
  return at;
}

/** The content of a file. @throws {Error} with the path when it cannot be read */
export function readWhole(fileSystem: FileSystem, path: string): Uint8Array<ArrayBuffer> {
  const file = fileSystem.open(path, "read");
  try {
    const bytes = new Uint8Array(file.sizeSync());
    return bytes.subarray(0, readAllSync(file, bytes));
  } catch (cause) {
    throw new Error(`Cannot read ${path}: ${(cause as Error).message}`, { cause });
  } finally {
    file.close();
  }
}

/** Keeps a copy of damaged `bytes` at `offset` of a file beside it. @returns the path of the copy */
export function keepDamaged(fileSystem: FileSystem, path: string, offset: number, bytes: Uint8Array): string {
  const copyPath = `${path}.damaged.${offset}`, copy = fileSystem.open(copyPath, "create");
  try {
    writeAllSync(copy, bytes);
  } finally {
    copy.close();
  }
  return copyPath;
}
