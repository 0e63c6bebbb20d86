/**
 * The files of one topic, one after the other: when the next one begins, compression, and what is synced.
 *
 * Every method may throw because the disk refuses. Nothing is lost then: calling it again goes on where it stopped.
 * Only one call runs at a time.
 */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { Buffer } from "node:buffer";
import type { Clock } from "../../clock/clock.ts";
import type { Logger } from "../../log/logger.ts";
import { shortDuration } from "../../options/duration.ts";
import type { FileFolder } from "./file_folder.ts";
import type { FileName } from "./file_name.ts";
import type { OutputFile } from "./output_file.ts";
import type { RecordBatch } from "./record_batch.ts";

const compress = promisify<Uint8Array, { level: number }, Uint8Array>(gzip);

/** What is compressed at a time at most, so that much data between two syncs needs little memory. */
const MAX_MEMBER_BYTES = 1 << 20;

export interface RotationSettings {
  isGzip: boolean;
  /** 1 to 9. */
  gzipLevel: number;
  /** Bytes before compression; 0 is no limit. */
  rotateSize: number;
  /** 0 is no limit. */
  rotateIntervalMs: number;
  skipEmptyFiles: boolean;
}

export class TopicFiles {
  readonly #name: FileName;
  readonly #folder: FileFolder;
  readonly #settings: RotationSettings;
  readonly #logger: Logger;
  readonly #clock: Clock;
  #file: OutputFile | null = null;
  /** Synced and closed but not moved yet. */
  #unmoved: { path: string; name: string; revision: number } | null = null;
  /** Of the file that is open, or was last. */
  #currentName = "";
  #revision = 0;
  /** Not compressed yet. */
  #raw: Uint8Array[] = [];
  #rawBytes = 0;

  constructor(
    name: FileName,
    folder: FileFolder,
    settings: RotationSettings,
    logger: Logger,
    clock: Clock,
  ) {
    this.#name = name;
    this.#folder = folder;
    this.#settings = settings;
    this.#logger = logger;
    this.#clock = clock;
  }

  /** Takes all records of `batch` and hands what is not compressed to the operating system. */
  async put(batch: RecordBatch): Promise<void> {
    const { isGzip, rotateSize } = this.#settings;
    while (!batch.isEmpty) {
      const file = this.#needsRotation() ? await this.#rotate() : this.#file!;
      const bytes = batch.take(rotateSize > 0 ? rotateSize - file.sizeBytes : Infinity);
      file.sizeBytes += bytes.length;
      // The batch is used again: what is not written at once needs bytes of its own.
      if (isGzip) this.#keepRaw(bytes);
      else file.append(bytes);
      if (isGzip && this.#rawBytes >= MAX_MEMBER_BYTES) await this.#endMember(file);
      file.write();
    }
    this.#file?.write();
  }

  /** Resolves when all that was put is on the disk. */
  async sync(): Promise<void> {
    if (this.#file === null) return;
    await this.#endMember(this.#file);
    await this.#file.sync();
  }

  /** For the clock: begins the next file when it is time, or only ends the last one when empty files are unwanted. */
  async tick(): Promise<void> {
    if (!this.#needsRotation()) return;
    if (this.#settings.skipEmptyFiles) await this.close();
    else await this.#rotate();
  }

  /** Ends the file that is open: syncs, closes and moves it. The next message opens another. */
  async close(): Promise<void> {
    if (this.#file !== null) {
      await this.sync();
      this.#file.close();
      this.#unmoved = { path: this.#file.path, name: this.#currentName, revision: this.#revision };
      this.#file = null;
    }
    if (this.#unmoved === null) return;
    await this.#folder.finish(this.#unmoved.path, this.#unmoved.name, this.#unmoved.revision);
    this.#unmoved = null;
  }

  /** Lets go of the file without waiting for anything. */
  abandon(): void {
    this.#file?.close();
  }

  #needsRotation(): boolean {
    const file = this.#file;
    if (file === null) return true;
    const name = this.#name.at(new Date(this.#clock.nowMs()));
    if (name !== this.#currentName) {
      this.#logger.info(`new filename ${name}, rotating...`);
      return true;
    }
    const { rotateIntervalMs, rotateSize } = this.#settings;
    const openMs = performance.now() - file.openedAtMs;
    if (rotateIntervalMs > 0 && openMs > rotateIntervalMs) {
      this.#logger.info(`${shortDuration(Math.round(openMs))} since last open, rotating...`);
      return true;
    }
    if (rotateSize > 0 && file.sizeBytes > rotateSize) {
      this.#logger.info(`${file.path} currently ${file.sizeBytes} bytes (> ${rotateSize}), rotating...`);
      return true;
    }
    return false;
  }

  async #rotate(): Promise<OutputFile> {
    await this.close();
    const name = this.#name.at(new Date(this.#clock.nowMs()));
    const first = name === this.#currentName ? this.#revision + 1 : 0;
    const { file, revision } = await this.#folder.open(name, first);
    this.#file = file;
    this.#currentName = name;
    this.#revision = revision;
    return file;
  }

  #keepRaw(bytes: Uint8Array): void {
    // Not slice(): that of a Buffer is a view.
    this.#raw.push(Buffer.from(bytes));
    this.#rawBytes += bytes.length;
  }

  async #endMember(file: OutputFile): Promise<void> {
    if (this.#rawBytes === 0) return;
    file.append(await compress(Buffer.concat(this.#raw), { level: this.#settings.gzipLevel }));
    this.#raw = [];
    this.#rawBytes = 0;
  }
}
