/**
 * The log as a take-over writes it: messages at every level with what is told of them, and how far each queue came.
 *
 * Tested in test/durability/take_over/take_over_test.ts.
 */
import type { Channel } from "../../broker/channel.ts";
import type { Topic } from "../../broker/topic.ts";
import type { CommitLog } from "../../storage/commit_log.ts";
import type { StateWriter } from "../../storage/state/state_records.ts";
import type { BackgroundSync } from "../background_sync.ts";
import type { GroupWriter } from "../group_writer.ts";
import type { ImportedQueues, QueuePlace } from "./imported_queues.ts";
import type { PositionWriter } from "../position_writer.ts";

export interface ImportLogParts {
  log: CommitLog;
  queues: ImportedQueues;
  positions: PositionWriter;
  groups: GroupWriter;
  sync: BackgroundSync;
  /** Holds memory to its budget. */
  enforceBudget: () => void;
}

export class ImportLog {
  readonly #parts: ImportLogParts;

  constructor(parts: ImportLogParts) {
    this.#parts = parts;
  }

  /** How far `queue` was taken over by a start before. */
  placeOf(queue: string): QueuePlace | undefined {
    return this.#parts.queues.placeOf(queue);
  }

  /** The number of a durable channel in the log. */
  numberOf(channel: Channel): number {
    return this.#parts.positions.numberOf(channel);
  }

  /**
   * Writes the messages that a queue gave to `topic`, at every level, with what `tell` adds about them: in front of
   * them in one group, so that no channel has them without it. @throws when the disk refuses
   */
  write(topic: Topic, tell: (into: StateWriter) => void): void {
    const { positions, groups } = this.#parts;
    tell(positions.staged);
    this.#parts.log.appendState(positions.staged);
    groups.appendFrom(topic, topic.log.first);
    this.#parts.log.commit();
    positions.staged.clear();
  }

  /**
   * The messages of `queue` before `place` were written. Recorded with the next group, once they are on the
   * disk: power loss may take what was not synced, and keep what came after. @throws when the disk refuses
   */
  async note(queue: string, place: QueuePlace): Promise<void> {
    const { log, sync, queues, positions } = this.#parts;
    log.rollIfFull();
    await sync.sync();
    queues.note(queue, place, positions.staged);
    this.#parts.enforceBudget();
  }

  /** Puts all that was taken over on the disk. @throws when the disk refuses */
  async finish(): Promise<void> {
    this.#parts.positions.flush();
    await this.#parts.sync.sync();
  }

  /**
   * The files of the queues are moved away: the places must not be taken for those of other files of the same
   * names later. @throws when the disk refuses
   */
  forget(): void {
    const { queues, positions } = this.#parts;
    if (queues.size === 0) return;
    queues.forget(positions.staged);
    positions.writeStaged();
  }
}
