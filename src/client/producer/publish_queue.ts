/**
 * Publishes that are not sent yet, by topic, and how they are cut into commands: those of a topic that wait
 * together are one MPUB, up to the limits; deferred ones and large bodies go one by one.
 *
 * Tested in test/client/producer/producer_test.ts.
 */
import type { CommandWriter } from "../../protocol/command_writer.ts";
import { Fifo } from "../fifo.ts";
import type { Batch, Publish } from "./publish.ts";

/** What one MPUB may hold. */
export interface BatchLimits {
  readonly maxBatchMessages: number;
  readonly maxBatchBytes: number;
}

/** Publishes in the order in which they came, for each topic. */
export class PublishQueue {
  readonly #topics = new Map<string, Fifo<Publish>>();
  readonly #limits: BatchLimits;
  #size = 0;

  constructor(limits: BatchLimits) {
    this.#limits = limits;
  }

  /** Publishes that wait. */
  get size(): number {
    return this.#size;
  }

  push(publish: Publish): void {
    this.#of(publish.topic).push(publish);
    this.#size++;
  }

  /** Puts back what was not sent after all, in front. */
  putBack(batch: Batch): void {
    const waiting = batch.filter((publish) => !publish.isSettled);
    if (waiting.length === 0) return;
    this.#of(waiting[0].topic).unshift(waiting);
    this.#size += waiting.length;
  }

  #of(topic: string): Fifo<Publish> {
    let queue = this.#topics.get(topic);
    if (queue === undefined) this.#topics.set(topic, queue = new Fifo());
    return queue;
  }

  /** Takes what the next command carries; null when nothing waits. */
  nextBatch(): Batch | null {
    for (const [topic, queue] of this.#topics) {
      const batch = this.#cut(queue);
      // Topics take turns, and one that has nothing more is forgotten.
      this.#topics.delete(topic);
      if (queue.size > 0) this.#topics.set(topic, queue);
      if (batch.length > 0) return batch;
    }
    return null;
  }

  #cut(queue: Fifo<Publish>): Publish[] {
    const { maxBatchMessages, maxBatchBytes } = this.#limits;
    const batch: Publish[] = [];
    let bytes = 0;
    for (let next; (next = queue.peek()) !== undefined;) {
      if (!next.isSettled) {
        const isSingle = next.deferMs > 0 || next.isAlone;
        if (batch.length > 0 && (isSingle || bytes + next.body.length > maxBatchBytes)) break;
        batch.push(next);
        bytes += next.body.length;
        if (isSingle || batch.length === maxBatchMessages) {
          queue.shift();
          this.#size--;
          break;
        }
      }
      queue.shift();
      this.#size--;
    }
    return batch;
  }

  /** Calls `visit` with each that waits. */
  forEach(visit: (publish: Publish) => void): void {
    for (const queue of this.#topics.values()) {
      for (const publish of queue) if (!publish.isSettled) visit(publish);
    }
  }
}

/** Writes the command for `batch`. */
export function writeBatch(writer: CommandWriter, batch: Batch): void {
  const { topic, deferMs, body } = batch[0];
  if (deferMs > 0) return writer.dpub(topic, deferMs, body);
  if (batch.length === 1) return writer.pub(topic, body);
  let bytes = 0;
  for (const publish of batch) bytes += publish.body.length;
  writer.mpub(topic, batch.length, bytes);
  for (const publish of batch) writer.batched(publish.body);
}
