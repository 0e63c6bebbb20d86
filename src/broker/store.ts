/**
 * What the broker asks of the place where messages outlive the process.
 *
 * `persistence.ts` implements it on the commit log. Ephemeral topics and channels never reach it.
 *
 * Tested in test/durability/persistence_model_test.ts.
 */
import type { Segment } from "../storage/segment.ts";
import type { Channel } from "./channel.ts";
import type { Topic } from "./topic.ts";

/** What OK means: held in memory, written to the operating system, or synced to the disk. */
export type Durability = "memory" | "os" | "disk";

export interface Store {
  /**
   * Writes the records of `topics` that are not in the log yet, as one group.
   *
   * @returns whether there was anything to write
   * @throws when the disk refuses
   */
  write(topics: readonly Topic[]): boolean;
  /** After a failed write: whether the disk would take it now. */
  isWritable(): boolean;
  /** Resolves when all that was written before the call is on the disk. */
  sync(): Promise<void>;
  /** Lets backlog leave memory when there is more of it than the budget allows. */
  enforceBudget(): void;
  /** Reads an evicted segment back into a buffer, or gives its records up. */
  load(segment: Segment): Promise<void>;
  /** Reads evicted segments from `segment` on, which will be needed soon. */
  readAhead(segment: Segment): void;
  segmentSealed(topic: Topic, segment: Segment): void;
  segmentUnclaimed(segment: Segment): void;
  topicCreated(topic: Topic): void;
  topicDeleted(topic: Topic): void;
  /** The topic dropped what it had not released. */
  topicEmptied(topic: Topic): void;
  channelCreated(channel: Channel): void;
  channelDeleted(channel: Channel): void;
  channelEmptied(channel: Channel): void;
  positionChanged(channel: Channel): void;
  /** The channel has many messages to tell of: they are to go out with the next group. */
  journalFull(channel: Channel): void;
  /** The dead letter is in the topic's log under `newSeq`, in the group of this turn, and finished with that. */
  deadLetterMoved(channel: Channel, seq: number, topic: Topic, newSeq: number): void;
  topicPolicyChanged(topic: Topic): void;
  channelPolicyChanged(channel: Channel): void;
  /** Paused or unpaused: kept at once. */
  pauseChanged(): void;
}
