/**
 * What a channel knows of the records of one dense segment: one 16-bit entry per record.
 *
 * An entry says in which state the message is for this channel: `WAITING`, `FINISHED`, `TRACKED`
 * (the details are in the map of tracked messages), or, from `FIRST_SLOT` on, in flight since its
 * first delivery, with the consumer of that slot.
 *
 * Invariant: `finished` counts the records that the channel needs no more; once it reaches the count
 * of a sealed segment the chunk goes, and with it the channel's claim on the segment.
 *
 * Tested in test/broker/broker_model_test.ts.
 */
import type { Segment } from "../../storage/segment.ts";

export const WAITING = 0;
export const FINISHED = 1;
export const TRACKED = 2;
export const FIRST_SLOT = 3;
/** Consumers a channel can have at once: what is left of 16 bits. */
export const MAX_SLOTS = 65_536 - FIRST_SLOT;

const FIRST_ENTRIES = 16;

export class Chunk {
  readonly segment: Segment;
  readonly firstSeq: number;
  entries: Uint16Array;
  /** Records finished, skipped, or before the channel's start. */
  finished = 0;
  /** Records at or after the cursor that are not `WAITING`; while it is 0 a run needs no look at the entries. */
  marksAhead = 0;
  /** True when all was finished before the cursor came here: a mark that it must pass the segment by. */
  done = false;

  constructor(segment: Segment) {
    this.segment = segment;
    this.firstSeq = segment.firstSeq;
    this.entries = new Uint16Array(
      Math.max(FIRST_ENTRIES, segment.sealed ? segment.count : segment.index.length),
    );
  }

  /** Makes room for the entries of records below `count`. */
  reserve(count: number): void {
    if (count <= this.entries.length) return;
    const grown = new Uint16Array(Math.max(count, this.entries.length * 2));
    grown.set(this.entries);
    this.entries = grown;
  }
}
