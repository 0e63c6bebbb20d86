/**
 * How far each queue of Go nsqd was taken over: kept in the log, so that a take-over that was killed goes on there.
 *
 * Tested in test/durability/take_over/take_over_test.ts.
 */
import type { StateWriter } from "../../storage/state/state_records.ts";

/** A place in the files of a queue: what lies before it is taken over. */
export interface QueuePlace {
  fileNumber: number;
  position: number;
}

export class ImportedQueues {
  readonly #places = new Map<string, QueuePlace>();

  get size(): number {
    return this.#places.size;
  }

  /** Where the start before came to; undefined when it took nothing of this queue. */
  placeOf(queue: string): QueuePlace | undefined {
    return this.#places.get(queue);
  }

  restore(places: Iterable<readonly [queue: string, place: QueuePlace]>): void {
    for (const [queue, place] of places) this.#places.set(queue, place);
  }

  /** Adds the record that `queue` is taken over up to `place`. */
  note(queue: string, place: QueuePlace, into: StateWriter): void {
    this.#places.set(queue, place);
    into.add({ type: "imported", queue, ...place });
  }

  /** Adds the records that the files were moved away, whose names may come back with other files. */
  forget(into: StateWriter): void {
    for (const queue of this.#places.keys()) {
      into.add({ type: "imported", queue, fileNumber: 0, position: 0 });
    }
    this.#places.clear();
  }

  /** Adds all places, for a snapshot. */
  writeTo(into: StateWriter): void {
    for (const [queue, place] of this.#places) into.add({ type: "imported", queue, ...place });
  }
}
