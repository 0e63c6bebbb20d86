/**
 * The tracked messages of a channel by sequence number.
 *
 * Layout: a map for each stretch of sequence numbers. One map of a million stops the process for a tenth of a second
 * each time it grows, and these numbers are no small integers, which costs a map twice as much again; a stretch's is
 * small, and its keys are offsets. Cost: O(1), most lookups are in the stretch of the last one.
 */
import type { TrackedMessage } from "./tracked_message.ts";

/** Sequence numbers of a stretch. */
const STRETCH = 8192;

export class TrackedMap {
  readonly #stretches = new Map<number, Map<number, TrackedMessage>>();
  /** The stretch looked up last. */
  #hotNumber = -1;
  #hot: Map<number, TrackedMessage> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(seq: number): TrackedMessage | undefined {
    const number = Math.floor(seq / STRETCH);
    return this.#stretch(number)?.get(seq - number * STRETCH);
  }

  has(seq: number): boolean {
    return this.get(seq) !== undefined;
  }

  /** Adds `message`, whose number is not there yet. */
  add(message: TrackedMessage): void {
    const number = Math.floor(message.seq / STRETCH);
    let stretch = this.#stretch(number);
    if (stretch === undefined) {
      stretch = new Map();
      this.#stretches.set(number, stretch);
      this.#hot = stretch;
    }
    stretch.set(message.seq - number * STRETCH, message);
    this.#size++;
  }

  /** Takes out message `seq`, which is there. */
  delete(seq: number): void {
    const number = Math.floor(seq / STRETCH), stretch = this.#stretch(number)!;
    stretch.delete(seq - number * STRETCH);
    this.#size--;
    if (stretch.size > 0) return;
    this.#stretches.delete(number);
    this.#hot = undefined;
  }

  *values(): Generator<TrackedMessage> {
    for (const stretch of this.#stretches.values()) yield* stretch.values();
  }

  clear(): void {
    this.#stretches.clear();
    this.#hotNumber = -1;
    this.#hot = undefined;
    this.#size = 0;
  }

  #stretch(number: number): Map<number, TrackedMessage> | undefined {
    if (number !== this.#hotNumber) {
      this.#hotNumber = number;
      this.#hot = this.#stretches.get(number);
    }
    return this.#hot;
  }
}
