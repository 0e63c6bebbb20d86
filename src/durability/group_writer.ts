/**
 * Puts messages into the log: the group of a turn, what has to leave memory, what is taken over or left at a stop.
 *
 * Tested in test/durability/persistence_model_test.ts and test/durability/persistence_faults_test.ts.
 */
import type { Durability } from "../broker/store.ts";
import type { Topic } from "../broker/topic.ts";
import type { Clock } from "../clock/clock.ts";
import type { Logger } from "../log/logger.ts";
import type { DelayEntry } from "../storage/block.ts";
import type { CommitLog } from "../storage/commit_log.ts";
import type { Segment } from "../storage/segment.ts";
import type { PositionWriter } from "./position_writer.ts";

/** Blocks per megabyte from which on an evicted segment is written again as one. */
const SCATTERED_EXTENTS = 64;
/** Trials of a full disk are this many times their own length apart, so that they take little of the time. */
const PROBE_PAUSE = 20;
/** Trials shorter than this are not limited. */
const CHEAP_PROBE_MS = 0.2;

export class GroupWriter {
  readonly #log: CommitLog;
  readonly #positions: PositionWriter;
  readonly #durability: Durability;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #nextProbeMs = 0;

  constructor(
    log: CommitLog,
    positions: PositionWriter,
    durability: Durability,
    clock: Clock,
    logger: Logger,
  ) {
    this.#log = log;
    this.#positions = positions;
    this.#durability = durability;
    this.#clock = clock;
    this.#logger = logger;
  }

  /**
   * Writes what is staged, and the records of `topics` that are not in the log yet.
   *
   * @returns whether there was anything to write
   * @throws when the disk refuses; what was staged stays so
   */
  write(topics: readonly Topic[]): boolean {
    const { reserveFailure } = this.#log;
    if (topics.length > 0 && reserveFailure !== null && !this.isWritable()) throw reserveFailure;
    const { staged } = this.#positions;
    this.#positions.noteClock();
    this.#positions.stageMany();
    this.#log.appendState(staged);
    if (this.#durability !== "memory") {
      for (const topic of topics) if (!topic.exiting) this.#appendNew(topic);
    }
    const hasWritten = this.#log.commit();
    staged.clear();
    return hasWritten;
  }

  /** After a write that failed: whether the disk would take as much now. */
  isWritable(): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#nextProbeMs) return false;
    try {
      this.#log.probe();
      return true;
    } catch (cause) {
      this.#logger.debug(`LOG: still not writable - ${(cause as Error).message}`);
      return false;
    } finally {
      const tookMs = this.#clock.monotonicMs() - nowMs;
      this.#nextProbeMs = tookMs < CHEAP_PROBE_MS ? 0 : nowMs + tookMs * PROBE_PAUSE;
    }
  }

  /** Stages the records at the end of the topic that are not in the log. */
  #appendNew(topic: Topic): void {
    let segment = topic.log.last;
    if (segment === null) return;
    while (segment.prev !== null && segment.prev.loggedCount < segment.prev.count) segment = segment.prev;
    this.appendFrom(topic, segment);
  }

  /** Stages all records from segment `first` on that are not in the log. */
  appendFrom(topic: Topic, first: Segment | null): void {
    for (let segment = first; segment !== null; segment = segment.next) {
      if (segment.loggedCount < segment.count) this.#appendSegment(topic, segment);
    }
  }

  #appendSegment(topic: Topic, segment: Segment): void {
    const delays: DelayEntry[] = [], nowMs = this.#clock.monotonicMs();
    for (const { seq, delayMs, publishedMs } of topic.deferredFrom(segment.firstSeq + segment.loggedCount)) {
      const index = seq - segment.firstSeq;
      if (index >= segment.count) break;
      // The delay starts now, a little after the timestamp, which is that of the begin of the turn.
      const sinceMs = this.#durability === "memory" ? 0 : Math.max(0, nowMs - publishedMs);
      delays.push({ index, delayMs: delayMs + sinceMs });
    }
    this.#log.appendMessages(segment, topic.number, segment.loggedCount, segment.count, delays);
  }

  /** Puts records that are only in memory into the log, and gathers scattered ones. @throws when the disk refuses */
  makeEvictable(topic: Topic, segment: Segment): void {
    const isScattered = segment.extents.length >= SCATTERED_EXTENTS && segment.missing.length === 0;
    if (segment.loggedCount === segment.count && !isScattered) return;
    if (isScattered) this.#log.rewriteMessages(segment, topic.number);
    else this.#appendSegment(topic, segment);
    this.#log.commit();
    this.#log.rollIfFull();
  }
}
