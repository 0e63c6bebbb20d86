/**
 * The broker's store on the commit log, put together from its parts.
 *
 *     group_writer      messages into the log          background_sync   log to the disk, files away
 *     position_writer   topics, channels, positions    upkeep            what is done every `--sync-timeout`
 *     snapshot_writer   the whole state                residency         memory within its budget
 *     restore           state and messages at a start  compaction        disk in proportion to what is wanted
 *
 * A constructor touches no file: `open` reads what is there and begins to write.
 *
 * Tested in test/durability/persistence_model_test.ts and test/durability/persistence_faults_test.ts.
 */
import type { Broker } from "../broker/broker.ts";
import type { Channel } from "../broker/channel.ts";
import type { Durability, Store } from "../broker/store.ts";
import type { Topic } from "../broker/topic.ts";
import type { BufferPool } from "../buffers/buffer_pool.ts";
import type { Clock } from "../clock/clock.ts";
import { SteadyTime } from "../clock/steady_time.ts";
import type { Logger } from "../log/logger.ts";
import { CommitLog } from "../storage/commit_log.ts";
import { type FileSystem, isDiskFull } from "../storage/file_system.ts";
import type { Segment } from "../storage/segment.ts";
import { ReadFaultReports } from "./backlog/read_faults.ts";
import { BackgroundSync } from "./background_sync.ts";
import { Compaction } from "./backlog/compaction.ts";
import { DiskHealth } from "./disk_health.ts";
import { GroupWriter } from "./group_writer.ts";
import { ImportedQueues } from "./take_over/imported_queues.ts";
import type { Metadata } from "./metadata.ts";
import { PathRecovery, USE_PATH } from "./path_recovery.ts";
import { PathWatch } from "./path_watch.ts";
import { PositionWriter } from "./position_writer.ts";
import { Residency } from "./backlog/residency.ts";
import { restore } from "./restore/restore.ts";
import { SnapshotWriter } from "./snapshot_writer.ts";
import type { StorageFigures } from "./storage_figures.ts";
import { ImportLog } from "./take_over/import_log.ts";
import { TrackedBases } from "./tracked_bases.ts";
import { BEGIN_LOG, Upkeep } from "./upkeep.ts";

export interface PersistenceOptions {
  directory: string;
  /** A log file ends at the first group that brings it to this size, bytes. */
  maxBytesPerFile: number;
  durability: Durability;
  /** Bytes of message buffers before backlog leaves memory. */
  memLimit: number;
  /** Log writes after which a background sync is started at level `os`. */
  syncEvery: number;
  /** Positions and unsynced data go to the disk at least this often, ms. */
  syncTimeout: number;
}

/** How often the data path is compared with what is open. */
const PATH_CHECK_MS = 1000;
/** What spilling is called in the log. */
const MOVE_OUT = "move backlog out of memory";

export class Persistence implements Store {
  /** What a take-over writes. */
  readonly imports: ImportLog;

  readonly #log: CommitLog;
  readonly #logger: Logger;
  readonly #health: DiskHealth;
  readonly #durability: Durability;
  readonly #queues = new ImportedQueues();
  readonly #positions: PositionWriter;
  readonly #groups: GroupWriter;
  readonly #sync: BackgroundSync;
  readonly #residency: Residency;
  readonly #compaction: Compaction;
  readonly #watch: PathWatch;
  readonly #paths: PathRecovery;
  readonly #bases: TrackedBases;
  readonly #steady: SteadyTime;
  readonly #upkeep: Upkeep;
  readonly #freeBytes: () => number | null;
  #broker: Broker | null = null;

  constructor(
    fileSystem: FileSystem,
    pool: BufferPool,
    options: PersistenceOptions,
    clock: Clock,
    logger: Logger,
  ) {
    this.#logger = logger;
    this.#durability = options.durability;
    const steady = this.#steady = new SteadyTime(clock);
    const { directory, maxBytesPerFile, durability } = options, syncsOften = durability === "disk";
    this.#freeBytes = () => fileSystem.availableBytes(directory);
    const log = this.#log = new CommitLog(
      fileSystem,
      { directory, maxBytesPerFile, syncsOften },
      (emit) => {
        snapshots.write(this.#broker!, emit);
        return () => positions.snapshotWritten();
      },
      clock,
    );
    const health = this.#health = new DiskHealth(logger);
    const bases = this.#bases = new TrackedBases(log, steady);
    const positions = this.#positions = new PositionWriter(log, bases, steady);
    bases.begin(positions);
    const snapshots = new SnapshotWriter(positions, this.#queues, bases, steady);
    const groups = this.#groups = new GroupWriter(log, positions, durability, clock, logger);
    const sync = this.#sync = new BackgroundSync(log, positions, health, options);
    const enforceBudget = () => this.enforceBudget(),
      faults = new ReadFaultReports(fileSystem, clock, logger);
    const makeEvictable = groups.makeEvictable.bind(groups);
    const residency = this.#residency = new Residency(
      pool,
      options.memLimit,
      { makeEvictable, enforceBudget, faults },
      logger,
    );
    const compaction = this.#compaction = new Compaction(log, residency, bases, pool, logger);
    this.#upkeep = new Upkeep({ log, positions, residency, compaction, sync, health }, options.syncTimeout);
    const watch = this.#watch = new PathWatch(fileSystem, directory, log);
    const writeNames = () => positions.onMetadataChange(true);
    this.#paths = new PathRecovery({
      log,
      watch,
      groups,
      residency,
      compaction,
      bases,
      pool,
      health,
      logger,
      writeNames,
    });
    this.imports = new ImportLog({ log, queues: this.#queues, positions, groups, sync, enforceBudget });
  }

  /**
   * Reads what is on disk into `broker`, which is empty, and begins to write.
   *
   * @param beforeWriting may throw to leave all as it is
   * @throws when a file cannot be read, or the disk refuses
   */
  open(broker: Broker, metadata: Metadata, beforeWriting: () => void = () => {}): void {
    this.#broker = broker;
    const recovery = this.#log.open();
    this.#queues.restore(recovery.state.imported);
    const targets = {
      residency: this.#residency,
      compaction: this.#compaction,
      positions: this.#positions,
      bases: this.#bases,
      steady: this.#steady,
    };
    restore(broker, recovery, metadata, targets, this.#logger);
    for (const warning of recovery.warnings) this.#logger.warn(`LOG: ${warning}`);
    beforeWriting();
    this.#positions.begin(broker);
    this.#start();
    this.#upkeep.start(broker);
    this.#paths.start(broker, PATH_CHECK_MS);
  }

  /** On a full disk the node serves what there is, and takes nothing until there is room. */
  #start(): void {
    try {
      this.#log.start();
      this.#log.keepReserve();
    } catch (cause) {
      if (!isDiskFull(cause)) throw cause;
      this.#health.failed(BEGIN_LOG, cause as Error);
    }
  }

  /** Called when something that `nsqd.dat` holds changed; `now` when it must be there before the answer. */
  set onMetadataChange(listener: (now: boolean) => void) {
    this.#positions.onMetadataChange = listener;
  }

  /** What goes wrong outside of groups: something cannot be written, or backlog not be read. */
  get failure(): Error | null {
    return this.#health.failure ?? this.#residency.failure;
  }

  /** What there is to measure. */
  figures(): StorageFigures {
    const { statistics, unsyncedBytes, fileCount } = this.#log;
    const { loads } = this.#residency, { movedRecords } = this.#compaction;
    const freeBytes = this.#freeBytes();
    return {
      ...this.#log.usage(),
      fileCount,
      freeBytes,
      unsyncedBytes,
      log: statistics,
      loads,
      movedRecords,
    };
  }

  // ---- groups and positions -----------------------------------------------------------------

  write(topics: readonly Topic[]): boolean {
    const lost = this.#health.failureOf(USE_PATH);
    if (lost !== null) throw lost;
    this.#refuseBeyondMemory(topics);
    const hasWritten = this.#groups.write(topics);
    if (hasWritten) this.#sync.groupWritten();
    return hasWritten;
  }

  isWritable(): boolean {
    if (this.#durability === "memory") this.enforceBudget();
    if (this.#health.isFailing(USE_PATH) || this.#health.isFailing(MOVE_OUT)) return false;
    return this.#groups.isWritable();
  }

  /** At level `memory` what is published is nowhere else: when no more can leave memory, no more may come. */
  #refuseBeyondMemory(topics: readonly Topic[]): void {
    if (this.#durability !== "memory" || topics.length === 0 || !this.#health.isFailing(MOVE_OUT)) return;
    this.enforceBudget();
    const cause = this.#health.failureOf(MOVE_OUT);
    if (cause !== null) throw cause;
  }

  sync(): Promise<void> {
    return this.#sync.sync();
  }

  positionChanged(channel: Channel): void {
    this.#positions.changed(channel);
  }

  journalFull(channel: Channel): void {
    this.#positions.journalFull(channel);
  }

  /** Writes all changed positions as a group of its own. @throws when the disk refuses */
  flushPositions(): void {
    this.#positions.flush();
  }

  /** What is done every `syncTimeout`, done now; resolves when it is on the disk. Never rejects. */
  async upkeep(): Promise<void> {
    await this.#upkeep.round();
    await this.#sync.rest();
  }

  // ---- topics and channels ------------------------------------------------------------------

  topicCreated(topic: Topic): void {
    this.#positions.topicCreated(topic);
  }

  topicDeleted(topic: Topic): void {
    this.#positions.topicDeleted(topic);
  }

  topicEmptied(topic: Topic): void {
    this.#positions.topicEmptied(topic);
  }

  channelCreated(channel: Channel): void {
    this.#positions.channelCreated(channel);
  }

  channelDeleted(channel: Channel): void {
    this.#positions.channelDeleted(channel);
  }

  channelEmptied(channel: Channel): void {
    this.#positions.channelEmptied(channel);
  }

  topicPolicyChanged(topic: Topic): void {
    this.#positions.topicPolicyChanged(topic);
  }

  channelPolicyChanged(channel: Channel): void {
    this.#positions.channelPolicyChanged(channel);
  }

  deadLetterMoved(channel: Channel, seq: number, topic: Topic, newSeq: number): void {
    this.#positions.deadLetterMoved(channel, seq, topic, newSeq);
  }

  pauseChanged(): void {
    this.#positions.onMetadataChange(true);
  }

  // ---- segments -----------------------------------------------------------------------------

  /** Holds memory to its budget; called at the end of every turn that committed something. */
  enforceBudget(): void {
    this.#health.guard(MOVE_OUT, () => this.#residency.enforce());
  }

  load(segment: Segment): Promise<void> {
    return this.#residency.load(segment);
  }

  readAhead(segment: Segment): void {
    this.#residency.readAhead(segment);
  }

  segmentSealed(topic: Topic, segment: Segment): void {
    this.#residency.add(topic, segment);
  }

  segmentUnclaimed(segment: Segment): void {
    this.#log.forget(segment);
  }

  // ---- end ----------------------------------------------------------------------------------

  /** Puts everything on the disk and closes the files. @throws when the disk refuses */
  async stop(): Promise<void> {
    this.#upkeep.stop();
    this.#paths.stop();
    await this.#paths.check(this.#broker!);
    const lost = this.#health.failureOf(USE_PATH);
    this.#residency.stop();
    await this.#compaction.stop();
    try {
      await this.#save();
    } catch (cause) {
      throw lost ?? cause;
    }
    // All of it went to files that nobody finds.
    if (lost !== null) throw lost;
  }

  async #save(): Promise<void> {
    for (const topic of this.#broker!.topics.values()) {
      if (topic.ephemeral) continue;
      // At level `memory`, segments that were evicted lie between others that were never written.
      this.#groups.appendFrom(topic, topic.log.first);
      // Positions tell of it only where a durable channel moved.
      this.#positions.stageReleased(topic);
    }
    this.#log.commit();
    this.#positions.flush();
    await this.#log.sync();
    this.#log.reclaim(false);
    this.#log.dropSpare();
    await this.#log.close();
  }

  /** Stops without writing anything: what is on the disk stays as it is for the next start. */
  async abandon(): Promise<void> {
    this.#upkeep.stop();
    this.#residency.stop();
    await this.#compaction.stop();
    this.#log.abandon();
  }
}
