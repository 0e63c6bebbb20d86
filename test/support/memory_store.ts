/** A store without files: a group is safe at once, unless the test says that it fails. */
import type { Store } from "../../src/broker/store.ts";
import type { Topic } from "../../src/broker/topic.ts";
import type { Segment } from "../../src/storage/segment.ts";

export class MemoryStore implements Store {
  /** The next `write` throws this. */
  writeError: Error | null = null;
  /** What `sync` waits for; a test at level `disk` decides it. */
  syncResult: () => Promise<void> = () => Promise.resolve();
  written: string[][] = [];
  unclaimed: Segment[] = [];
  calls: string[] = [];

  write(topics: readonly Topic[]): boolean {
    if (this.writeError !== null) {
      const error = this.writeError;
      this.writeError = null;
      throw error;
    }
    this.written.push(topics.map((topic) => topic.name));
    return true;
  }

  isWritable(): boolean {
    return this.writeError === null;
  }

  sync(): Promise<void> {
    return this.syncResult();
  }

  load(): Promise<void> {
    throw new Error("Cannot load a segment: nothing is evicted here");
  }

  segmentUnclaimed(segment: Segment): void {
    this.unclaimed.push(segment);
  }

  enforceBudget(): void {}
  readAhead(): void {}
  segmentSealed(): void {}
  positionChanged(): void {}
  journalFull(): void {}
  deadLetterMoved(): void {}
  topicPolicyChanged(): void {}
  channelPolicyChanged(): void {}
  topicCreated(topic: Topic): void {
    this.calls.push(`topic ${topic.name}`);
  }
  topicDeleted(topic: Topic): void {
    this.calls.push(`topic ${topic.name} deleted`);
  }
  topicEmptied(topic: Topic): void {
    this.calls.push(`topic ${topic.name} emptied`);
  }
  channelCreated(channel: { name: string }): void {
    this.calls.push(`channel ${channel.name}`);
  }
  channelDeleted(channel: { name: string }): void {
    this.calls.push(`channel ${channel.name} deleted`);
  }
  channelEmptied(channel: { name: string }): void {
    this.calls.push(`channel ${channel.name} emptied`);
  }
  pauseChanged(): void {
    this.calls.push("pause");
  }
}
