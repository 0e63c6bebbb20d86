/**
 * Files in memory that can be treated as badly as real ones: the process is killed, the power cut, the disk
 * full, a sync refused, a bit flipped.
 *
 * Of every file two contents are kept: what was written, and what was synced. Directory entries are durable, unless
 * `losesNames` says so.
 */
import type { FileHandle, FileStatus, FileSystem, OpenMode } from "../../src/storage/file_system.ts";

let nextInode = 1;

class MemoryFile {
  readonly inode = nextInode++;
  bytes = new Uint8Array(0);
  size = 0;
  synced = new Uint8Array(0);

  get content(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.size);
  }

  write(at: number, bytes: Uint8Array): void {
    const end = at + bytes.length;
    if (end > this.bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.bytes.length * 2));
      grown.set(this.bytes.subarray(0, this.size));
      this.bytes = grown;
    }
    // A gap reads as zeros.
    if (at > this.size) this.bytes.fill(0, this.size, at);
    this.bytes.set(bytes, at);
    this.size = Math.max(this.size, end);
  }

  truncate(size: number): void {
    if (size > this.size) this.write(this.size, new Uint8Array(size - this.size));
    this.size = size;
  }

  sync(): void {
    this.synced = this.content;
  }
}

export class MemoryFileSystem implements FileSystem {
  readonly files = new Map<string, MemoryFile>();
  /** Bytes that can still be written before the disk is full. */
  freeBytes = Infinity;
  /** What writes, syncs and reads throw. */
  writeError: Error | null = null;
  syncError: Error | null = null;
  readError: Error | null = null;
  /** What reads of bytes [from, to) of a file throw. */
  readErrorAt: (path: string, from: number, to: number) => Error | null = () => null;
  /** What syncs of directories throw. */
  directorySyncError: Error | null = null;
  /** True when a power cut takes names that were not synced; else all names are durable at once. */
  losesNames = false;
  #syncedNames = new Map<string, MemoryFile>();
  /** The process dies in its next write, of which this many bytes arrive; null when it does not. */
  tearAfterBytes: number | null = null;
  /** Awaited before asynchronous operations begin. */
  pause: () => Promise<void> = () => Promise.resolve();
  #isDead = false;

  // ---- what happens to it ---------------------------------------------------------------------

  /** What another process finds after this one was killed: all that was written. */
  afterKill(): MemoryFileSystem {
    return this.#copy((file) => file.content);
  }

  /**
   * What is found after the power was cut: all that was synced, and perhaps a part of what came after.
   *
   * @param keep how many of `unsynced` bytes behind the synced ones survive
   */
  afterPowerCut(keep: (unsynced: number) => number = () => 0): MemoryFileSystem {
    return this.#copy((file) => {
      const { synced, content } = file,
        kept = synced.length + keep(Math.max(0, content.length - synced.length));
      const found = new Uint8Array(kept);
      found.set(content.subarray(0, kept));
      found.set(synced);
      return found;
    }, this.losesNames ? this.#syncedNames : this.files);
  }

  #copy(
    contentOf: (file: MemoryFile) => Uint8Array<ArrayBuffer>,
    names = this.files,
  ): MemoryFileSystem {
    const copy = new MemoryFileSystem();
    for (const [path, file] of names) copy.put(path, contentOf(file));
    copy.losesNames = this.losesNames;
    copy.#syncedNames = new Map(copy.files);
    return copy;
  }

  /** Inverts one bit. */
  flip(path: string, offset: number): void {
    this.#file(path).bytes[offset] ^= 1;
  }

  put(path: string, bytes: Uint8Array<ArrayBuffer>): void {
    const file = new MemoryFile();
    file.write(0, bytes);
    file.sync();
    this.files.set(path, file);
  }

  content(path: string): Uint8Array<ArrayBuffer> {
    return this.#file(path).content;
  }

  // ---- FileSystem -----------------------------------------------------------------------------

  #file(path: string): MemoryFile {
    const file = this.files.get(path);
    if (file === undefined) throw new Deno.errors.NotFound(`No such file: ${path}`);
    return file;
  }

  open(path: string, mode: OpenMode): FileHandle {
    if (mode === "create" && !this.#isDead) {
      const existing = this.files.get(path);
      if (existing === undefined) this.files.set(path, new MemoryFile());
      else existing.truncate(0);
    }
    return this.#handle(this.#file(path), path);
  }

  #handle(file: MemoryFile, path: string): FileHandle {
    let at = 0, isOpen = true;
    const check = () => {
      if (!isOpen) throw new Error(`Bad resource: ${path} is closed`);
    };
    const readSync = (into: Uint8Array) => {
      check();
      const error = this.readError ?? this.readErrorAt(path, at, at + into.length);
      if (error !== null) throw error;
      const count = Math.min(into.length, file.size - at);
      if (count <= 0) return null;
      into.set(file.bytes.subarray(at, at + count));
      at += count;
      return count;
    };
    const sync = () => {
      check();
      if (this.syncError !== null) throw this.syncError;
      if (!this.#isDead) file.sync();
    };
    return {
      writeSync: (bytes) => {
        check();
        const count = this.#write(file, at, bytes);
        at += count;
        return count;
      },
      readSync,
      read: async (into) => {
        await this.pause();
        return readSync(into);
      },
      seekSync: (offset) => {
        check();
        at = offset;
      },
      truncateSync: (byteLength) => {
        check();
        if (!this.#isDead) file.truncate(byteLength);
      },
      sizeSync: () => file.size,
      statusSync: () => this.#statusOf(file),
      syncData: async () => {
        // What is written while the sync runs is not part of it.
        const content = file.content;
        await this.pause();
        check();
        if (this.syncError !== null) throw this.syncError;
        if (!this.#isDead) file.synced = content;
      },
      syncDataSync: sync,
      close: () => {
        isOpen = false;
      },
    };
  }

  #write(file: MemoryFile, at: number, bytes: Uint8Array): number {
    if (this.#isDead) throw new Error("the process is dead");
    if (this.writeError !== null) throw this.writeError;
    let count = bytes.length;
    if (this.tearAfterBytes !== null) {
      count = Math.min(count, this.tearAfterBytes);
      file.write(at, bytes.subarray(0, count));
      this.#isDead = true;
      throw new Error("the process dies in this write");
    }
    // Overwriting takes no room.
    const growth = Math.max(0, at + count - file.size);
    if (growth > this.freeBytes) {
      count = Math.max(0, count - (growth - this.freeBytes));
      if (count === 0) throw new Error("No space left on device (os error 28)");
    }
    this.freeBytes -= Math.max(0, at + count - file.size);
    file.write(at, bytes.subarray(0, count));
    return count;
  }

  list(directory: string): string[] {
    const prefix = `${directory}/`;
    const below = [...this.files.keys()].filter((path) => path.startsWith(prefix));
    return [...new Set(below.map((path) => path.slice(prefix.length).split("/")[0]))];
  }

  status(path: string): FileStatus | null {
    const file = this.files.get(path);
    if (file !== undefined) return this.#statusOf(file);
    return this.exists(path) ? { identity: `directory ${path}`, linkCount: 1, byteCount: 0 } : null;
  }

  #statusOf(file: MemoryFile): FileStatus {
    let linkCount = 0;
    for (const other of this.files.values()) if (other === file) linkCount++;
    return { identity: `${file.inode}`, linkCount, byteCount: file.size };
  }

  /** A directory exists as soon as it has a file. */
  exists(path: string): boolean {
    return this.files.has(path) || this.list(path).length > 0;
  }

  rename(from: string, to: string): void {
    const file = this.#file(from);
    if (this.#isDead) return;
    this.files.delete(from);
    this.files.set(to, file);
  }

  remove(path: string): void {
    const { size } = this.#file(path);
    if (this.#isDead) return;
    this.files.delete(path);
    this.freeBytes += size;
  }

  removeInBackground(path: string): Promise<void> {
    this.remove(path);
    return Promise.resolve();
  }

  makeDirectory(): void {}

  availableBytes(): number | null {
    return this.freeBytes === Infinity ? null : this.freeBytes;
  }

  async syncDirectory(): Promise<void> {
    const names = new Map(this.files);
    await this.pause();
    this.#syncNames(names);
  }

  syncDirectorySync(): void {
    this.#syncNames(new Map(this.files));
  }

  #syncNames(names: Map<string, MemoryFile>): void {
    if (this.directorySyncError !== null) throw this.directorySyncError;
    if (!this.#isDead) this.#syncedNames = names;
  }
}
