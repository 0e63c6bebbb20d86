/**
 * The broker's store on the commit log: writes groups, tells the log about positions, restores at start.
 *
 * Records reach the log in groups (see `committer.ts`). Positions follow lazily, at the latest every
 * `syncTimeout`: after a crash some finished messages may come again, none is missing. Creation and
 * deletion of topics and channels go out with the group they happen in, because where a channel starts decides
 * what it gets.
 */
import type { Clock } from "../clock/clock.ts";
import type { Logger } from "../log/logger.ts";
import type { BufferPool } from "../buffers/buffer_pool.ts";
import { CommitLog, type CommitLogOptions, type DelayEntry } from "../storage/commit_log.ts";
import { type FileSystem, keepDamaged } from "../storage/file_system.ts";
import { recover, type Recovery } from "../storage/recovery.ts";
import type { Segment } from "../storage/segment.ts";
import { StateWriter } from "../storage/state_records.ts";
import type { Broker } from "../broker/broker.ts";
import type { Channel } from "../broker/channel.ts";
import { Compaction } from "./compaction.ts";
import { DiskHealth } from "./disk_health.ts";
import { snapshotWritten, writeChanges, writeSnapshot, writeTopic } from "./positions.ts";
import { Residency } from "./residency.ts";
import type { Durability, Store } from "../broker/store.ts";
import type { Topic } from "../broker/topic.ts";

export interface PersistenceOptions extends Omit<CommitLogOptions, "syncsOften"> {
  durability: Durability;
  /** Bytes of message buffers before backlog leaves memory. */
  memLimit: number;
  /** Log writes after which a background sync is started at level `os`. */
  syncEvery: number;
  /** Positions and unsynced data go to the disk at least this often, ms. */
  syncTimeout: number;
}

/** At level `os` a sync is also started when this much was written, so that dirty pages stay few. */
const SYNC_BYTES = 512 << 20;
/** Blocks per megabyte from which on an evicted segment is written again as one. */
const SCATTERED_EXTENTS = 64;
/** Bytes of a snapshot part: bounds the memory one takes. */
const SNAPSHOT_PART_BYTES = 1 << 20;
/** Trials of a full disk are this many times their own length apart, so that they take little of the time. */
const PROBE_PAUSE = 20;
/** Trials shorter than this are not limited. */
const CHEAP_PROBE_MS = 0.2;
/** What a background sync is called in the log. */
const SYNC = "sync";
/** A round of the timer is quiet when less than this share of a log file was written in it. */
const QUIET_SHARE = 1 / 64;
/** In a quiet round, garbage of this share of a log file is worth a new one. */
const QUIET_GARBAGE_SHARE = 1 / 4;

export class Persistence implements Store {
  readonly residency: Residency;
  readonly recovery: Recovery;
  readonly log: CommitLog;
  readonly compaction: Compaction;
  /** Called when something that `nsqd.dat` holds changed; `now` when it must be there before the answer. */
  onMetadataChange: (now: boolean) => void = () => {};

  readonly #fileSystem: FileSystem;
  readonly #options: PersistenceOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #state = new StateWriter();
  readonly #snapshotPart = new StateWriter();
  readonly #dirtyChannels = new Set<Channel>();
  readonly #channelNumbers = new Map<Channel, number>();
  #nextChannelNumber = 1;
  #broker: Broker | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #syncing = false;
  #groupsSinceSync = 0;
  #nextProbeMs = 0;
  /** Nothing, or little, was written in the last round: a spare log file serves nobody. */
  #isIdle = false;
  #isQuiet = false;
  #bytesSeen = 0;
  #stopped = false;
  readonly #health: DiskHealth;

  /** Reads what is on disk. @throws when a file cannot be read */
  constructor(
    fileSystem: FileSystem,
    pool: BufferPool,
    options: PersistenceOptions,
    clock: Clock,
    logger: Logger,
  ) {
    this.#fileSystem = fileSystem;
    this.#options = options;
    this.#clock = clock;
    this.#logger = logger;
    this.#health = new DiskHealth(logger);
    this.recovery = recover(fileSystem, options.directory);
    for (const warning of this.recovery.warnings) logger.warn(`LOG: ${warning}`);
    const { files, nextLogNumber, nextKeptNumber } = this.recovery;
    this.log = new CommitLog(
      fileSystem,
      { ...options, syncsOften: options.durability === "disk" },
      files,
      nextLogNumber,
      nextKeptNumber,
      (emit) => this.#snapshot(emit),
    );
    this.residency = new Residency(pool, options.memLimit, this, logger);
    this.compaction = new Compaction(this.log, this.residency, pool, logger);
  }

  /** Starts the log with what was restored into `broker`. @throws when the disk refuses */
  start(broker: Broker): void {
    this.#broker = broker;
    this.log.start();
    this.#schedule();
  }

  /** What goes wrong outside of groups: something cannot be written, or backlog not be read. */
  get failure(): Error | null {
    return this.#health.failure ?? this.residency.failure;
  }

  numberOf(channel: Channel): number {
    return this.#channelNumbers.get(channel)!;
  }

  /** Gives a channel its number in the log; a restored one keeps its own, or a torn snapshot would mix them up. */
  register(channel: Channel, number = this.#nextChannelNumber): number {
    this.#nextChannelNumber = Math.max(this.#nextChannelNumber, number + 1);
    this.#channelNumbers.set(channel, number);
    return number;
  }

  // ---- groups -------------------------------------------------------------------------------

  write(topics: readonly Topic[]): boolean {
    const log = this.log;
    log.appendState(this.#state);
    if (this.#options.durability !== "memory") {
      for (const topic of topics) if (!topic.exiting) this.#appendTopic(topic);
    }
    const wrote = log.commit();
    this.#state.clear();
    if (wrote) this.#afterGroup();
    return wrote;
  }

  isWritable(): boolean {
    const nowMs = performance.now();
    if (nowMs < this.#nextProbeMs) return false;
    try {
      this.log.probe();
      return true;
    } catch (cause) {
      this.#logger.debug(`LOG: still not writable - ${(cause as Error).message}`);
      return false;
    } finally {
      const tookMs = performance.now() - nowMs;
      this.#nextProbeMs = tookMs < CHEAP_PROBE_MS ? 0 : nowMs + tookMs * PROBE_PAUSE;
    }
  }

  #appendTopic(topic: Topic): void {
    let segment = topic.last;
    if (segment === null) return;
    while (segment.prev !== null && segment.prev.loggedCount < segment.prev.count) segment = segment.prev;
    this.#appendFrom(topic, segment);
  }

  #appendFrom(topic: Topic, first: Segment | null): void {
    for (let segment = first; segment !== null; segment = segment.next) {
      if (segment.loggedCount < segment.count) this.#appendSegment(topic, segment);
    }
  }

  #appendSegment(topic: Topic, segment: Segment): void {
    const delays: DelayEntry[] = [], nowMs = this.#clock.nowMs();
    for (const { seq, delayMs, publishedMs } of topic.deferred) {
      const index = seq - segment.firstSeq;
      if (index < segment.loggedCount || index >= segment.count) continue;
      // The delay starts now, a little after the timestamp, which is that of the begin of the turn.
      const sinceMs = this.#options.durability === "memory" ? 0 : Math.max(0, nowMs - publishedMs);
      delays.push({ index, delayMs: delayMs + sinceMs });
    }
    this.log.appendMessages(segment, topic.number, segment.loggedCount, segment.count, delays);
  }

  /** What may fail without failing the group. */
  #afterGroup(): void {
    this.#groupsSinceSync++;
    this.#health.guard("roll the log", () => this.log.rollIfFull());
    if (this.#options.durability === "disk") return;
    // What is finished by the next roll is overwritten before it was ever synced.
    if (this.log.isInsecure) this.#inBackground(() => this.log.secure());
    const due = this.#groupsSinceSync >= this.#options.syncEvery || this.log.unsyncedBytes >= SYNC_BYTES;
    if (due) this.#syncInBackground();
  }

  /** Holds memory to its budget; called at the end of every turn that committed something. */
  enforceBudget(): void {
    this.#health.guard("move backlog out of memory", () => this.residency.enforce());
  }

  async sync(): Promise<void> {
    this.#groupsSinceSync = 0;
    try {
      await this.log.sync();
    } catch (cause) {
      // What the kernel may have dropped cannot be synced by trying again.
      this.#health.guard("start a new log file", () => this.log.abandonCurrent());
      throw cause;
    }
    // A file that is free already is the cheapest next one, so it should be there when the log rolls.
    if (this.log.files.length > 1) this.#reclaim(true);
  }

  /**
   * Removes the files in which nothing is wanted. Positions go first, for they tell so: a start that finds messages
   * unfinished and their file gone can only take them for lost.
   */
  #reclaim(keepSpare: boolean): void {
    if (this.log.hasReclaimable) this.#health.guard("write positions", () => this.flushPositions());
    this.#health.guard("remove finished log files", () => this.log.reclaim(keepSpare));
  }

  #syncInBackground(): void {
    this.#groupsSinceSync = 0;
    this.#inBackground(() => this.log.sync());
  }

  /** Runs one sync at a time, and removes the files that it makes dispensable. */
  #inBackground(sync: () => Promise<void>): void {
    if (this.#syncing) return;
    this.#syncing = true;
    sync().then(() => {
      this.#health.worked(SYNC);
      this.#reclaim(!this.#isQuiet);
    }).catch((cause: Error) => this.#health.failed(SYNC, cause)).finally(() => {
      this.#syncing = false;
    });
  }

  // ---- positions ----------------------------------------------------------------------------

  positionChanged(channel: Channel): void {
    this.#dirtyChannels.add(channel);
  }

  /** Writes all changed positions as a group of its own. @throws when the disk refuses */
  flushPositions(): void {
    if (this.#dirtyChannels.size === 0 && this.#state.count === 0) return;
    const channels = [...this.#dirtyChannels];
    for (const channel of channels) {
      const number = this.#channelNumbers.get(channel);
      if (number === undefined || channel.exiting) continue;
      writeChanges(channel, number, this.#state, this.#toUnixMs);
      this.#writeReleased(channel.topic);
    }
    this.#dirtyChannels.clear();
    // When this fails the records stay staged and go with the next group.
    this.log.appendState(this.#state);
    this.log.commit();
    this.#state.clear();
  }

  #writeReleased(topic: Topic): void {
    this.#state.add({ type: "topic position", topic: topic.number, releasedSeq: topic.releasedSeq });
  }

  readonly #toUnixMs = (monotonicMs: number) => monotonicMs - this.#clock.monotonicMs() + this.#clock.nowMs();

  #snapshot(emit: (part: StateWriter) => void): () => void {
    const part = this.#snapshotPart;
    part.clear();
    const flushPart = () => {
      if (part.size < SNAPSHOT_PART_BYTES) return;
      emit(part);
      part.clear();
    };
    for (const [queue, { fileNumber, position }] of this.recovery.state.imported) {
      part.add({ type: "imported", queue, fileNumber, position });
    }
    for (const topic of this.#broker!.topics.values()) {
      if (topic.ephemeral) continue;
      writeTopic(topic, part);
      for (const channel of topic.channels.values()) {
        if (!channel.durable) continue;
        writeSnapshot(channel, this.#channelNumbers.get(channel)!, part, this.#toUnixMs);
        flushPart();
      }
      flushPart();
    }
    emit(part);
    return () => {
      for (const channel of this.#channelNumbers.keys()) snapshotWritten(channel);
      // What was staged or waiting is in the snapshot.
      this.#dirtyChannels.clear();
      this.#state.clear();
    };
  }

  // ---- topics and channels ------------------------------------------------------------------

  topicCreated(topic: Topic): void {
    this.#state.add({
      type: "topic",
      topic: topic.number,
      name: topic.name,
      endSeq: topic.endSeq,
      releasedSeq: topic.releasedSeq,
    });
    this.#stateStaged(false);
  }

  topicDeleted(topic: Topic): void {
    this.#state.add({ type: "topic deleted", topic: topic.number });
    this.#stateStaged(true);
  }

  topicEmptied(topic: Topic): void {
    this.#writeReleased(topic);
    // With the positions, or a crash soon after would bring back what was emptied.
    for (const channel of topic.channels.values()) {
      const number = this.#channelNumbers.get(channel);
      if (number !== undefined) writeChanges(channel, number, this.#state, this.#toUnixMs);
      this.#dirtyChannels.delete(channel);
    }
    this.#stateStaged(false);
  }

  channelCreated(channel: Channel): void {
    const number = this.register(channel);
    const { topic, name } = channel;
    this.#state.add({
      type: "channel",
      channel: number,
      topic: topic.number,
      name,
      startSeq: topic.releasedSeq,
    });
    this.#stateStaged(false);
  }

  channelDeleted(channel: Channel): void {
    const number = this.#channelNumbers.get(channel);
    if (number === undefined) return;
    this.#channelNumbers.delete(channel);
    this.#dirtyChannels.delete(channel);
    this.#state.add({ type: "channel deleted", channel: number });
    this.#writeReleased(channel.topic);
    // With its topic all of them go at once.
    this.#stateStaged(!channel.topic.exiting);
  }

  channelEmptied(channel: Channel): void {
    const number = this.#channelNumbers.get(channel)!;
    this.#state.add({ type: "channel emptied", channel: number, cursorSeq: channel.topic.releasedSeq });
    this.#stateStaged(false);
  }

  pauseChanged(): void {
    this.onMetadataChange(true);
  }

  /** The change goes out with the group of this turn, also when nothing is published in it. */
  #stateStaged(namesGone: boolean): void {
    // A name that only nsqd.dat knows is created at the next start, so it must not outlive a deletion.
    this.onMetadataChange(namesGone);
    this.#broker?.committer.requestCommit();
    this.#broker?.beginTurn();
  }

  // ---- take-over ----------------------------------------------------------------------------

  /** How far the queue of the original was taken over before. */
  imported(queue: string): { fileNumber: number; position: number } | undefined {
    return this.recovery.state.imported.get(queue);
  }

  /**
   * Writes the messages that a queue of the original gave to `topic`, at every level, with what `tell` adds about
   * them: in front of them in one group, so that no channel has them without it. @throws when the disk refuses
   */
  writeImported(topic: Topic, tell: (into: StateWriter) => void): void {
    tell(this.#state);
    this.log.appendState(this.#state);
    this.#appendFrom(topic, topic.first);
    this.log.commit();
    this.#state.clear();
  }

  /**
   * The messages of `queue` before this place were written. Recorded with the next group, once they are on the
   * disk: power loss may take what was not synced, and keep what came after. @throws when the disk refuses
   */
  async noteImported(queue: string, fileNumber: number, position: number): Promise<void> {
    this.log.rollIfFull();
    await this.sync();
    this.recovery.state.imported.set(queue, { fileNumber, position });
    this.#state.add({ type: "imported", queue, fileNumber, position });
    this.enforceBudget();
  }

  /**
   * The files of the original are moved away: the places must not be taken for those of other files of the same
   * names later. @throws when the disk refuses
   */
  forgetImported(): void {
    const { imported } = this.recovery.state;
    if (imported.size === 0) return;
    for (const queue of imported.keys()) {
      this.#state.add({ type: "imported", queue, fileNumber: 0, position: 0 });
    }
    imported.clear();
    this.log.appendState(this.#state);
    this.log.commit();
    this.#state.clear();
  }

  // ---- segments -----------------------------------------------------------------------------

  load(segment: Segment): Promise<void> {
    return this.residency.load(segment);
  }

  readAhead(segment: Segment): void {
    this.residency.readAhead(segment);
  }

  segmentSealed(topic: Topic, segment: Segment): void {
    this.residency.add(topic, segment);
  }

  segmentUnclaimed(segment: Segment): void {
    this.log.forget(segment);
  }

  makeEvictable(topic: Topic, segment: Segment): void {
    const scattered = segment.extents.length >= SCATTERED_EXTENTS && segment.missing.length === 0;
    if (segment.loggedCount === segment.count && !scattered) return;
    if (scattered) this.log.rewriteMessages(segment, topic.number);
    else this.#appendSegment(topic, segment);
    this.log.commit();
    this.log.rollIfFull();
  }

  damaged(path: string, offset: number, bytes: Uint8Array): void {
    try {
      const copyPath = keepDamaged(this.#fileSystem, path, offset, bytes);
      this.#logger.warn(`LOG: a copy of the damaged bytes at ${offset} of ${path} is in ${copyPath}`);
    } catch (cause) {
      this.#logger.error(
        `LOG: no copy of the damaged bytes at ${offset} of ${path} - ${(cause as Error).message}`,
      );
    }
  }

  lost(topic: Topic, segment: Segment, from: number, to: number, cause: Error): void {
    this.#logger.error(
      `TOPIC(${topic.name}): ${to - from} messages from ${
        segment.seqAt(from)
      } on are lost - ${cause.message}`,
    );
    topic.lose(segment, from, to);
  }

  unreadable(topic: Topic, segment: Segment, from: number, to: number, retryMs: number): void {
    topic.deferUnreadable(segment, from, to, this.#clock.monotonicMs() + retryMs);
  }

  // ---- time and end -------------------------------------------------------------------------

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => this.#tick(), this.#options.syncTimeout);
  }

  /** Every `syncTimeout`: positions, sync, and clearing up. */
  #tick(): void {
    this.#health.guard("write positions", () => this.flushPositions());
    this.residency.tidy();
    const { bytes } = this.log.statistics, roundBytes = bytes - this.#bytesSeen;
    this.#bytesSeen = bytes;
    this.#isIdle = roundBytes === 0;
    this.#isQuiet = roundBytes < this.log.maxBytesPerFile * QUIET_SHARE;
    this.#makeRoom();
    const isSyncDue = this.log.unsyncedBytes > 0 || this.log.isInsecure || this.#health.isFailing(SYNC);
    if (isSyncDue) this.#syncInBackground();
    this.#reclaim(!this.#isQuiet);
    this.compaction.run(this.#broker!).then(
      () => this.#health.worked("compact"),
      (cause: Error) => this.#health.failed("compact", cause),
    ).finally(() => this.#schedule());
  }

  /**
   * When traffic is over, or the disk full, a current file of finished messages is replaced so that it can go; by
   * a fresh one, for a spare file would keep its size.
   */
  #makeRoom(): void {
    const isRefused = this.#broker!.committer.failure !== null;
    if (!this.#isQuiet && !isRefused) return;
    const isOver = this.#isIdle || isRefused;
    this.#health.guard("make room", () => {
      this.log.dropSpare();
      const garbageBytes = isOver ? 0 : this.log.maxBytesPerFile * QUIET_GARBAGE_SHARE;
      if (this.log.rollIfGarbage(garbageBytes)) this.#syncInBackground();
    });
    // A turn tries whether the disk takes again what it refused.
    this.#broker!.beginTurn();
  }

  /** Puts everything on the disk and closes the files. @throws when the disk refuses */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.residency.stop();
    await this.compaction.stop();
    for (const topic of this.#broker!.topics.values()) {
      if (topic.ephemeral) continue;
      // At level `memory`, segments that were evicted lie between others that were never written.
      this.#appendFrom(topic, topic.first);
      // Positions tell of it only where a durable channel moved.
      this.#writeReleased(topic);
    }
    this.log.commit();
    this.flushPositions();
    await this.log.sync();
    this.log.reclaim(false);
    this.log.dropSpare();
    await this.log.close();
    await this.log.syncDirectory();
  }
}
