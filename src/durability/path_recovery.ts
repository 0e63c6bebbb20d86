/**
 * Writes anew what a data path lost while it was used: all that is in memory, or in files that are still open. What is
 * in neither is given up, as damaged backlog is.
 *
 * Tested in test/durability/lost_data_path_test.ts.
 */
import type { Broker } from "../broker/broker.ts";
import type { Topic } from "../broker/topic.ts";
import type { BufferPool } from "../buffers/buffer_pool.ts";
import type { Logger } from "../log/logger.ts";
import type { CommitLog } from "../storage/commit_log.ts";
import type { Segment } from "../storage/segment.ts";
import type { Compaction } from "./backlog/compaction.ts";
import type { Residency } from "./backlog/residency.ts";
import type { DiskHealth } from "./disk_health.ts";
import type { GroupWriter } from "./group_writer.ts";
import type { PathLoss, PathWatch } from "./path_watch.ts";
import type { TrackedBases } from "./tracked_bases.ts";

/** What using the data path is called in the log. */
export const USE_PATH = "use the data path";

export interface PathRecoveryParts {
  log: CommitLog;
  watch: PathWatch;
  groups: GroupWriter;
  residency: Residency;
  compaction: Compaction;
  bases: TrackedBases;
  pool: BufferPool;
  health: DiskHealth;
  logger: Logger;
  /** `nsqd.dat` is written anew. */
  writeNames: () => void;
}

export class PathRecovery {
  readonly #parts: PathRecoveryParts;
  #timer: ReturnType<typeof setInterval> | undefined;
  #running: Promise<void> | null = null;

  constructor(parts: PathRecoveryParts) {
    this.#parts = parts;
  }

  /** Looks every `intervalMs`. */
  start(broker: Broker, intervalMs: number): void {
    this.#parts.watch.begin();
    this.#timer = setInterval(() => this.check(broker), intervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Looks once, and writes anew what is lost when there is a directory. Never rejects. */
  check(broker: Broker): Promise<void> {
    return this.#running ??= this.#check(broker).finally(() => this.#running = null);
  }

  async #check(broker: Broker): Promise<void> {
    const { watch, health } = this.#parts;
    try {
      const loss = watch.look();
      if (loss !== null) {
        health.failed(USE_PATH, loss.cause);
        if (!loss.hasDirectory) return;
        await this.#writeAnew(broker, loss);
      }
      if (!health.isFailing(USE_PATH)) return;
      health.worked(USE_PATH);
      // A turn finds out that publishes can be taken again.
      broker.beginTurn();
    } catch (cause) {
      health.failed(USE_PATH, cause as Error);
    }
  }

  async #writeAnew(broker: Broker, { files }: PathLoss): Promise<void> {
    const { log, watch, groups, compaction, bases, pool, logger, writeNames } = this.#parts;
    const isLost = (segment: Segment) =>
      segment.extents.some(({ file }) => [...files].some((f) => f === file));
    const topics = [...broker.topics.values()].filter(({ ephemeral }) => !ephemeral);
    const lost: Segment[] = [];
    try {
      for (const topic of topics) {
        for (let segment = topic.log.first; segment !== null; segment = segment.next) {
          if (!isLost(segment)) continue;
          segment.pins++;
          lost.push(segment);
          await this.#load(segment);
        }
      }
      for (const segment of lost) if (!segment.isUnclaimed) log.unplace(segment);
      bases.forget(files);
      log.abandonCurrent();
      for (const topic of topics) groups.appendFrom(topic, topic.log.first);
      log.commit();
    } finally {
      for (const segment of lost) segment.unpin(pool);
    }
    await compaction.writeAnew(isLost);
    await log.sync();
    log.drop(files);
    watch.begin();
    writeNames();
    logger.warn(`LOG: ${countOf(topics)} unfinished messages of the data path were written anew`);
  }

  async #load(segment: Segment): Promise<void> {
    while (segment.buffer === null && !segment.isUnclaimed) await this.#parts.residency.load(segment);
  }
}

function countOf(topics: Topic[]): number {
  let count = 0;
  for (const topic of topics) {
    count += topic.pendingCount;
    for (const channel of topic.channels.values()) {
      if (channel.durable) count += channel.depth + channel.inFlightCount + channel.deferredCount;
    }
  }
  return count;
}
