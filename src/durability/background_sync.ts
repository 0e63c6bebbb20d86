/**
 * Puts the log on the disk in the background, and takes away the files that nobody wants after that.
 *
 * Tested in test/durability/persistence_faults_test.ts and test/crash/crash_points_test.ts.
 */
import type { Durability } from "../broker/store.ts";
import type { CommitLog } from "../storage/commit_log.ts";
import type { DiskHealth } from "./disk_health.ts";
import type { PositionWriter } from "./position_writer.ts";

/** At level `os` a sync is also started when this much was written, so that dirty pages stay few. */
const SYNC_BYTES = 512 << 20;
/** What a background sync is called in the log. */
const SYNC = "sync";

export interface SyncOptions {
  durability: Durability;
  /** Log writes after which a background sync is started at level `os`. */
  syncEvery: number;
}

export class BackgroundSync {
  /** Whether a finished file may be kept to be overwritten: when traffic is over it serves nobody. */
  keepsSpare = true;

  readonly #log: CommitLog;
  readonly #positions: PositionWriter;
  readonly #health: DiskHealth;
  readonly #options: SyncOptions;
  /** The sync that runs, null while none does. */
  #running: Promise<void> | null = null;
  #groupsSinceSync = 0;

  constructor(log: CommitLog, positions: PositionWriter, health: DiskHealth, options: SyncOptions) {
    this.#log = log;
    this.#positions = positions;
    this.#health = health;
    this.#options = options;
  }

  /** A group was written. What is done here may fail without failing the group. */
  groupWritten(): void {
    this.#groupsSinceSync++;
    this.#health.guard("roll the log", () => this.#log.rollIfFull());
    if (this.#options.durability === "disk") return;
    // What is finished by the next roll is overwritten before it was ever synced.
    if (this.#log.isInsecure) this.#inBackground(() => this.#log.secure());
    if (this.#groupsSinceSync >= this.#options.syncEvery || this.#log.unsyncedBytes >= SYNC_BYTES) {
      this.begin();
    }
  }

  /** Resolves when all that was written before the call is on the disk. */
  async sync(): Promise<void> {
    this.#groupsSinceSync = 0;
    try {
      await this.#log.sync();
    } catch (cause) {
      // What the kernel may have dropped cannot be synced by trying again.
      this.#health.guard("start a new log file", () => this.#log.abandonCurrent());
      throw cause;
    }
    // A file that is free already is the cheapest next one, so it should be there when the log rolls.
    if (this.#log.fileCount > 1) this.reclaim(true);
  }

  /** Starts a sync unless one runs. */
  begin(): void {
    this.#groupsSinceSync = 0;
    this.#inBackground(() => this.#log.sync());
  }

  /** Starts a sync when something waits for one. */
  beginIfDue(): void {
    if (this.#log.unsyncedBytes > 0 || this.#log.isInsecure || this.#health.isFailing(SYNC)) this.begin();
  }

  /** Resolves when no sync runs. */
  async rest(): Promise<void> {
    await this.#running;
  }

  /** Runs one sync at a time, and removes the files that it makes dispensable. */
  #inBackground(sync: () => Promise<void>): void {
    this.#running ??= sync().then(() => {
      this.#health.worked(SYNC);
      this.reclaim(this.keepsSpare);
    }).catch((cause: Error) => this.#health.failed(SYNC, cause)).finally(() => {
      this.#running = null;
    });
  }

  /**
   * Removes the files in which nothing is wanted. Positions go first, for they tell so: a start that finds messages
   * unfinished and their file gone can only take them for lost.
   */
  reclaim(keepSpare: boolean): void {
    if (this.#log.hasReclaimable) this.#health.guard("write positions", () => this.#positions.flush());
    this.#health.guard("remove finished log files", () => this.#log.reclaim(keepSpare));
  }
}
