/** Looks into a broker: which messages each of its channels still has. */
import type { Channel } from "../../src/broker/channel.ts";
import { TRACKED, WAITING } from "../../src/broker/topic_log/chunk.ts";
import type { Topic } from "../../src/broker/topic.ts";
import type { MessageState } from "./broker_model.ts";

/** The unfinished messages of a channel without consumers. */
export function unfinished(channel: Channel): Map<number, MessageState> {
  const found = new Map<number, MessageState>();
  for (const { seq, state, attempts, atMs } of channel.tracked.values()) {
    found.set(seq, { state, attempts, owner: null, atMs, deliveredAtMs: 0 });
  }
  const { position, topic } = channel;
  let from = position.index;
  for (let segment = position.segment; segment !== null; segment = segment.next) {
    const chunk = position.chunkAt(segment);
    for (let i = from; i < segment.count && segment.firstSeq + i < topic.log.releasedSeq; i++) {
      if (chunk?.done) break;
      const entry = chunk?.entries[i] ?? WAITING;
      if (entry === WAITING) {
        found.set(segment.firstSeq + i, {
          state: "waiting",
          attempts: 0,
          owner: null,
          atMs: 0,
          deliveredAtMs: 0,
        });
      } else if (entry === TRACKED && !channel.tracked.has(segment.firstSeq + i)) {
        throw new Error(`message ${segment.firstSeq + i} is marked as a tracked message and there is none`);
      }
    }
    from = 0;
  }
  return found;
}

/** The messages that no channel was given. */
export function unreleased(topic: Topic): number[] {
  const found: number[] = [];
  for (let segment = topic.log.first; segment !== null; segment = segment.next) {
    for (let i = 0; i < segment.count; i++) {
      if (segment.firstSeq + i >= topic.log.releasedSeq) found.push(segment.firstSeq + i);
    }
  }
  return found;
}
