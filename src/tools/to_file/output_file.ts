/**
 * One open file. Bytes are appended to memory first and written in order; what the disk refuses stays in memory and
 * is tried again, so that a full disk never cuts a message.
 *
 * Tested in test/tools/to_file/topic_files_test.ts.
 */

export class OutputFile {
  readonly path: string;
  readonly #handle: Deno.FsFile;
  /** Bytes in the file, before compression those of this process. */
  sizeBytes: number;
  /** `performance.now()` of the opening. */
  readonly openedAtMs = performance.now();
  /** Appended, not written yet. */
  #unwritten: Uint8Array[] = [];
  #isClosed = false;

  constructor(path: string, handle: Deno.FsFile, sizeBytes: number) {
    this.path = path;
    this.#handle = handle;
    this.sizeBytes = sizeBytes;
  }

  /** Keeps `bytes` until they are written: they belong to this file from now on. */
  append(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#unwritten.push(bytes);
  }

  /** Writes what was appended. @throws when the disk refuses; a later call goes on where this one stopped */
  write(): void {
    while (this.#unwritten.length > 0) {
      const bytes = this.#unwritten[0];
      const written = this.#handle.writeSync(bytes);
      if (written < bytes.length) this.#unwritten[0] = bytes.subarray(written);
      else this.#unwritten.shift();
    }
  }

  /** Writes, and resolves when all of it is on the disk. */
  async sync(): Promise<void> {
    this.write();
    await this.#handle.syncData();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#handle.close();
  }
}
