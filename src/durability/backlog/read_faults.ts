/**
 * What happens when backlog cannot be read: what is damaged is given up and a copy of its bytes kept, what the disk
 * refuses for the moment is deferred.
 *
 * Tested in test/durability/persistence_faults_test.ts and test/durability/backlog/residency_test.ts.
 */
import type { Topic } from "../../broker/topic.ts";
import type { Clock } from "../../clock/clock.ts";
import type { Logger } from "../../log/logger.ts";
import { type FileSystem, keepDamaged } from "../../storage/file_system.ts";
import type { Segment } from "../../storage/segment.ts";
import type { ReadFaults } from "./residency.ts";

export class ReadFaultReports implements ReadFaults {
  readonly #fileSystem: FileSystem;
  readonly #clock: Clock;
  readonly #logger: Logger;

  constructor(fileSystem: FileSystem, clock: Clock, logger: Logger) {
    this.#fileSystem = fileSystem;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** A copy of the bytes is kept. */
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

  /** They are given up. */
  lost(topic: Topic, segment: Segment, from: number, to: number, cause: Error): void {
    const count = to - from, firstSeq = segment.seqAt(from);
    this.#logger.error(
      `TOPIC(${topic.name}): ${count} messages from ${firstSeq} on are lost - ${cause.message}`,
    );
    topic.lose(segment, from, to);
  }

  /** They are deferred until the next read. */
  unreadable(topic: Topic, segment: Segment, from: number, to: number, retryMs: number): void {
    topic.deferUnreadable(segment, from, to, this.#clock.monotonicMs() + retryMs);
  }
}
