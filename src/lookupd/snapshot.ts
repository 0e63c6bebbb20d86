/**
 * Keeps the registrations over a restart: a file in `--data-path` that follows the database.
 *
 * A change is on disk about `WRITE_DELAY_MS` later, many changes together. A large database is
 * written less often, so that snapshots take at most a tenth of the time, and in small pieces, so
 * that lookups go on meanwhile. The file is replaced as a whole (written beside, synced, renamed):
 * a kill at any point leaves the old or the new one. PINGs alone cause a write every
 * `refreshIntervalMs`, because the time of a producer's last PING decides how long it is kept.
 *
 * A producer that left before the last write is not in the file and does not come back.
 */
import { type Clock, systemClock } from "../clock/clock.ts";
import { tryLock } from "../storage/file_lock.ts";
import type { Logger } from "../log/logger.ts";
import { replaceInTurns } from "../storage/atomic_file.ts";
import { denoFileSystem, type FileSystem, readWhole } from "../storage/file_system.ts";
import { toleratingUnsyncable } from "../storage/unsyncable_directories.ts";
import type { RegistrationDb } from "./registration_db.ts";
import { decodeSnapshot, encodeSnapshot, SnapshotError } from "./snapshot_format.ts";

const FILE_NAME = "nsqlookupd.dat";
const LOCK_NAME = "nsqlookupd.lock";
const WRITE_DELAY_MS = 200;
/** A write waits this many times as long as the last one took. */
const REST_FACTOR = 9;
const RETRY_DELAY_MS = 5_000;
const BATCH_BYTES = 64 * 1024;
/** nsqds ping every 15 s; a fresher snapshot than that says nothing more. */
const MAX_REFRESH_INTERVAL_MS = 15_000;

/** The snapshot file of one database. */
export class Snapshot {
  readonly path: string;
  readonly #db: RegistrationDb;
  readonly #logger: Logger;
  readonly #fileSystem: FileSystem;
  readonly #clock: Clock;
  readonly #lock: Deno.FsFile;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #refreshTimer: ReturnType<typeof setInterval> | undefined;
  #writing: Promise<void> | undefined;
  #isDirty = false;
  #isStopped = false;
  #lastWriteMs = 0;

  private constructor(
    dataPath: string,
    lock: Deno.FsFile,
    db: RegistrationDb,
    logger: Logger,
    fileSystem: FileSystem,
    clock: Clock,
  ) {
    this.#fileSystem = toleratingUnsyncable(fileSystem, (text) => logger.warn(`SNAPSHOT: ${text}`));
    this.#clock = clock;
    this.path = `${dataPath}/${FILE_NAME}`;
    this.#lock = lock;
    this.#db = db;
    this.#logger = logger;
  }

  /**
   * Locks the existing directory `dataPath`, fills the empty `db` from its snapshot and follows the
   * database from then on. A missing snapshot is an empty one; a damaged one is moved aside.
   *
   * @throws {Error} when the directory is missing, not writable, or in use by another lookupd
   */
  static async open(
    dataPath: string,
    db: RegistrationDb,
    logger: Logger,
    fileSystem: FileSystem = denoFileSystem,
    clock: Clock = systemClock,
  ): Promise<Snapshot> {
    const lock = await lockDataPath(dataPath);
    const snapshot = new Snapshot(dataPath, lock, db, logger, fileSystem, clock);
    snapshot.#load();
    db.onChange = () => snapshot.#changed();
    const refreshIntervalMs = Math.min(MAX_REFRESH_INTERVAL_MS, db.limits.inactiveProducerTimeoutMs / 4);
    snapshot.#refreshTimer = setInterval(() => snapshot.#refresh(), Math.max(refreshIntervalMs, 100));
    return snapshot;
  }

  /**
   * Writes a last snapshot and follows the database no longer. Called before connections are closed:
   * producers that we send away ourselves are expected back.
   */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#db.onChange = () => {};
    clearTimeout(this.#timer);
    clearInterval(this.#refreshTimer);
    await this.#writing;
    await this.#write();
    this.#lock.close();
  }

  #load(): void {
    let bytes: Uint8Array;
    try {
      if (!this.#fileSystem.exists(this.path)) {
        this.#logger.info(`SNAPSHOT: none in ${this.path}, starting empty`);
        return;
      }
      bytes = readWhole(this.#fileSystem, this.path);
    } catch (error) {
      this.#logger.warn(`SNAPSHOT: starting empty, failed to read ${this.path} - ${messageOf(error)}`);
      return;
    }
    try {
      decodeSnapshot(bytes, this.#db);
      const { restoredCount } = this.#db;
      this.#logger.info(`SNAPSHOT: ${restoredCount} producers from ${this.path}, waiting for them to return`);
    } catch (error) {
      if (!(error instanceof SnapshotError)) throw error;
      this.#logger.warn(
        `SNAPSHOT: starting empty, ${this.path} moved to ${this.path}.bad - ${error.message}`,
      );
      this.#moveAside();
    }
  }

  #moveAside(): void {
    try {
      this.#fileSystem.rename(this.path, `${this.path}.bad`);
    } catch (error) {
      this.#logger.warn(`SNAPSHOT: failed to move ${this.path} aside - ${messageOf(error)}`);
    }
  }

  #refresh(): void {
    this.#db.expireRestored();
    if (this.#db.producers.size > 0) this.#changed();
  }

  #changed(): void {
    if (this.#isDirty || this.#isStopped) return;
    this.#isDirty = true;
    if (this.#writing === undefined) {
      this.#schedule(Math.max(WRITE_DELAY_MS, REST_FACTOR * this.#lastWriteMs));
    }
  }

  #schedule(delayMs: number): void {
    this.#timer = setTimeout(() => {
      this.#writing = this.#write();
    }, delayMs);
  }

  /** Never rejects: registrations are served from memory, and a full disk must not stop that. */
  async #write(): Promise<void> {
    this.#isDirty = false;
    const startMs = this.#clock.monotonicMs();
    let delayMs = WRITE_DELAY_MS;
    try {
      await replaceInTurns(this.#fileSystem, this.path, batches(encodeSnapshot(this.#db)));
      this.#lastWriteMs = this.#clock.monotonicMs() - startMs;
      delayMs = Math.max(WRITE_DELAY_MS, REST_FACTOR * this.#lastWriteMs);
    } catch (error) {
      this.#logger.error(`SNAPSHOT: failed to write ${this.path} - ${messageOf(error)}`);
      this.#isDirty = true;
      delayMs = RETRY_DELAY_MS;
    }
    this.#writing = undefined;
    if (this.#isDirty && !this.#isStopped) this.#schedule(delayMs);
  }
}

async function lockDataPath(dataPath: string): Promise<Deno.FsFile> {
  const lock = await Deno.open(`${dataPath}/${LOCK_NAME}`, { create: true, write: true });
  if (await tryLock(lock)) return lock;
  lock.close();
  throw new Error(`${dataPath} is in use by another instance of nsqlookupd`);
}

function* batches(lines: Iterable<Uint8Array>): Generator<Uint8Array> {
  let batch: Uint8Array[] = [];
  let byteCount = 0;
  for (const line of lines) {
    batch.push(line);
    byteCount += line.length;
    if (byteCount < BATCH_BYTES) continue;
    yield concatenate(batch, byteCount);
    batch = [];
    byteCount = 0;
  }
  yield concatenate(batch, byteCount);
}

function concatenate(parts: Uint8Array[], byteCount: number): Uint8Array {
  const whole = new Uint8Array(byteCount);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
