/**
 * Publishes dead letters elsewhere: to the topic that their channel's policy names, or to one that somebody asks for.
 *
 * The log is told of a move in the group that holds the copy, and takes the letter for finished only when it has that
 * copy: neither a crash nor a group that fails loses it or publishes it twice. Until the group is decided the letter
 * stays where it is.
 *
 * Cost: a batch for each group, so that a wave of deaths does not hold others up.
 *
 * Tested in test/broker/dead_letters_test.ts.
 */
import { RECORD_OVERHEAD } from "../protocol/message.ts";
import { isEphemeral } from "../protocol/names.ts";
import type { Segment } from "../storage/segment.ts";
import type { Channel } from "./channel.ts";
import type { Committer } from "./committer.ts";
import type { Store } from "./store.ts";
import type { Topic } from "./topic.ts";

/** Letters of a batch. */
const BATCH_LETTERS = 1000;
/** Bytes of bodies of a batch. */
const BATCH_BYTES = 4 << 20;
/** How long a disk that refuses is left alone, ms. */
const RETRY_MS = 1000;

/** What moving needs of the broker. */
export interface MoverHost {
  readonly committer: Committer;
  topic(name: string, ephemeral: boolean): Topic;
  beginTurn(): void;
  loadSegment(segment: Segment): Promise<void>;
}

export class DeadLetterMover {
  readonly #host: MoverHost;
  readonly #store: Store;
  /** Channels whose letters are being moved by their policy. */
  readonly #busy = new Set<Channel>();
  #isStopped = false;

  constructor(host: MoverHost, store: Store) {
    this.#host = host;
    this.#store = store;
  }

  /** The channel has dead letters that are to go where its policy says. */
  came(channel: Channel): void {
    if (this.#busy.has(channel) || this.#isStopped) return;
    this.#busy.add(channel);
    this.#drain(channel).finally(() => this.#busy.delete(channel));
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #drain(channel: Channel): Promise<void> {
    // The letters of this turn are moved together.
    await Promise.resolve();
    for (;;) {
      const { deadLetterTopic } = channel.policy;
      if (this.#isStopped || channel.exiting || deadLetterTopic === "" || channel.dead.size === 0) return;
      const seqs: number[] = [];
      for (const seq of channel.dead.from(-Infinity)) {
        if (seqs.push(seq) === BATCH_LETTERS) break;
      }
      const moved = await this.move(channel, seqs, deadLetterTopic);
      if (moved === 0) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /**
   * Publishes letters of `channel` to a topic. Resolves with how many of them are there; the others stay, because the
   * disk refuses, or were ended by somebody else.
   */
  async move(channel: Channel, seqs: readonly number[], topicName: string): Promise<number> {
    let moved = 0;
    for (let from = 0; from < seqs.length;) {
      const { taken, end } = await this.#publish(channel, seqs, from, topicName);
      from = end;
      if (taken.length === 0) continue;
      try {
        await this.#host.committer.wait();
      } catch {
        // The committer keeps the cause. The log has to know that they stay.
        for (const seq of taken) if (channel.dead.has(seq)) channel.journal.died(seq);
        return moved;
      }
      for (const seq of taken) if (!channel.exiting) channel.finishDead(seq);
      moved += taken.length;
    }
    return moved;
  }

  /** Publishes one batch in one turn. */
  async #publish(
    channel: Channel,
    seqs: readonly number[],
    from: number,
    topicName: string,
  ): Promise<{ taken: number[]; end: number }> {
    const taken: number[] = [];
    let bytes = 0, at = from;
    for (; at < seqs.length && bytes < BATCH_BYTES; at++) {
      const letter = channel.dead.get(seqs[at]);
      if (letter === undefined) continue;
      const { segment, index } = letter;
      if (segment.lacks(index)) {
        // What was published so far is a batch of its own: this waits for the disk.
        if (taken.length > 0) break;
        await this.#host.loadSegment(segment);
        if (segment.lacks(index) || !channel.dead.has(seqs[at])) continue;
      }
      this.#host.beginTurn();
      const topic = this.#host.topic(topicName, isEphemeral(topicName)), newSeq = topic.log.endSeq;
      const start = segment.index[index] + RECORD_OVERHEAD, size = segment.index[index + 1] - start;
      topic.publish(segment.buffer!, start, size);
      if (channel.durable) this.#store.deadLetterMoved(channel, seqs[at], topic, newSeq);
      taken.push(seqs[at]);
      bytes += size;
    }
    return { taken, end: at };
  }
}
