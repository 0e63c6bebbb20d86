/**
 * What is done every `--sync-timeout`: positions and unsynced data go to the disk, and what nobody wants goes away.
 *
 * Tested in test/durability/persistence_faults_test.ts and test/crash/crash_points_test.ts.
 */
import type { Broker } from "../broker/broker.ts";
import type { CommitLog } from "../storage/commit_log.ts";
import type { BackgroundSync } from "./background_sync.ts";
import type { Compaction } from "./backlog/compaction.ts";
import type { DiskHealth } from "./disk_health.ts";
import type { PositionWriter } from "./position_writer.ts";
import type { Residency } from "./backlog/residency.ts";

/** A round is quiet when less than this share of a log file was written in it. */
const QUIET_SHARE = 1 / 64;
/** In a quiet round, garbage of this share of a log file is worth a new one. */
const QUIET_GARBAGE_SHARE = 1 / 4;

/** What beginning the first file is called in the log. */
export const BEGIN_LOG = "begin the log";

/** What the rounds look after. */
export interface UpkeepParts {
  log: CommitLog;
  positions: PositionWriter;
  residency: Residency;
  compaction: Compaction;
  sync: BackgroundSync;
  health: DiskHealth;
}

export class Upkeep {
  readonly #parts: UpkeepParts;
  readonly #intervalMs: number;
  #broker: Broker | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #bytesSeen = 0;
  #isStopped = false;

  /** @param intervalMs from the end of a round to the begin of the next */
  constructor(parts: UpkeepParts, intervalMs: number) {
    this.#parts = parts;
    this.#intervalMs = intervalMs;
  }

  start(broker: Broker): void {
    this.#broker = broker;
    this.#schedule();
  }

  /** No round begins after this. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => this.round().finally(() => this.#schedule()), this.#intervalMs);
  }

  /** One round; never rejects: what the disk refuses shows in its health, and the next round tries again. */
  async round(): Promise<void> {
    const { log, positions, residency, compaction, sync, health } = this.#parts;
    if (!log.isStarted) health.guard(BEGIN_LOG, () => log.start());
    else if (health.isFailing(BEGIN_LOG)) health.worked(BEGIN_LOG);
    health.guard("write positions", () => positions.flush());
    residency.tidy();
    const { bytes } = log.statistics, roundBytes = bytes - this.#bytesSeen;
    this.#bytesSeen = bytes;
    const isQuiet = roundBytes < log.maxBytesPerFile * QUIET_SHARE;
    sync.keepsSpare = !isQuiet;
    this.#makeRoom(isQuiet, roundBytes === 0);
    // While no file can be begun, those that are older than the snapshot on the disk go all the same.
    if (log.isStarted) sync.beginIfDue();
    else sync.begin();
    sync.reclaim(!isQuiet);
    if (log.isStarted) health.guard("keep a reserve", () => log.keepReserve());
    try {
      await compaction.run(this.#broker!);
      health.worked("compact");
    } catch (cause) {
      health.failed("compact", cause as Error);
    }
  }

  /**
   * When traffic is over, or the disk full, a current file of finished messages is replaced so that it can go; by
   * a fresh one, for a spare file would keep its size.
   */
  #makeRoom(isQuiet: boolean, isIdle: boolean): void {
    const { log, sync, health } = this.#parts, broker = this.#broker!;
    const isRefused = broker.committer.failure !== null;
    if (!isQuiet && !isRefused) return;
    if (!log.isStarted) return;
    health.guard("make room", () => {
      log.dropSpare();
      const garbageBytes = isIdle || isRefused ? 0 : log.maxBytesPerFile * QUIET_GARBAGE_SHARE;
      if (log.rollIfGarbage(garbageBytes)) sync.begin();
    });
    // A turn tries whether the disk takes again what it refused.
    broker.beginTurn();
  }
}
