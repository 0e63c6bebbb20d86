/**
 * One thing's figures over time, in three steps: of seconds, of ten seconds and of minutes, each kept for longer.
 *
 * Tested in test/admin/history/history_test.ts.
 */
import { Chunk, type Row, type StoredChunk } from "./rows.ts";

/** The steps, and for how long each is kept; seconds. */
export const tiers = [
  { stepSeconds: 1, keptSeconds: 3_600 },
  { stepSeconds: 10, keptSeconds: 12 * 3_600 },
  { stepSeconds: 60, keptSeconds: 7 * 24 * 3_600 },
] as const;

/** What a chunk costs beside its bytes, roughly. */
const CHUNK_OVERHEAD_BYTES = 200;
/** A series without its chunks. */
export const SERIES_OVERHEAD_BYTES = 600;

/** The rows of one step; a coarse row is the mean of the fine ones. */
class Tier {
  readonly chunks: Chunk[] = [];
  readonly #seconds: number;
  readonly #width: number;
  #step = -1;
  #count = 0;
  #sums: number[];

  constructor(seconds: number, width: number) {
    this.#seconds = seconds;
    this.#width = width;
    this.#sums = Array(width).fill(0);
  }

  /** Takes a row in. Returns by how many bytes that made it larger. */
  add(second: number, values: readonly number[]): number {
    const step = Math.floor(second / this.#seconds);
    let growth = 0;
    if (step !== this.#step) growth = this.flush();
    this.#step = step;
    this.#count++;
    // What is unknown once is unknown for the whole step.
    for (let at = 0; at < values.length; at++) {
      this.#sums[at] = values[at] < 0 || this.#sums[at] < 0 ? -1 : this.#sums[at] + values[at];
    }
    return growth;
  }

  /** Ends the step that is under way. */
  flush(): number {
    if (this.#count === 0) return 0;
    const values = this.#sums.map((sum) => sum < 0 ? -1 : Math.round(sum / this.#count));
    this.#sums.fill(0);
    this.#count = 0;
    let chunk = this.chunks.at(-1), growth = 0;
    if (chunk === undefined || chunk.isFull) {
      this.chunks.push(chunk = Chunk.begin(this.#step, this.#width));
      growth = chunk.byteLength + CHUNK_OVERHEAD_BYTES;
    }
    const before = chunk.byteLength;
    chunk.add(this.#step, values);
    return growth + chunk.byteLength - before;
  }

  *rows(firstStep: number, lastStep: number): Generator<Row> {
    for (const chunk of this.chunks) {
      if (chunk.lastStep < firstStep || chunk.firstStep > lastStep) continue;
      for (const row of chunk.rows(this.#width)) {
        if (row.step >= firstStep && row.step <= lastStep) yield row;
      }
    }
    if (this.#count > 0 && this.#step >= firstStep && this.#step <= lastStep) {
      yield {
        step: this.#step,
        values: this.#sums.map((sum) => sum < 0 ? -1 : Math.round(sum / this.#count)),
      };
    }
  }

  /** Returns how many bytes that gives back. */
  dropBefore(step: number): number {
    let freed = 0;
    while (this.chunks.length > 0 && this.chunks[0].lastStep < step) {
      freed += this.chunks.shift()!.byteLength + CHUNK_OVERHEAD_BYTES;
    }
    return freed;
  }
}

export class Series {
  /** When a row was last added, Unix seconds; and when one was last there. */
  lastSecond = -1;
  readonly #tiers: readonly Tier[];

  constructor(width: number) {
    this.#tiers = tiers.map(({ stepSeconds }) => new Tier(stepSeconds, width));
  }

  /** @param second Unix time. Returns by how many bytes that made it larger */
  add(second: number, values: readonly number[]): number {
    this.lastSecond = second;
    let growth = 0;
    for (const tier of this.#tiers) growth += tier.add(second, values);
    return growth;
  }

  /** @param tier index of `tiers`; steps are Unix seconds divided by its step */
  rows(tier: number, firstStep: number, lastStep: number): Generator<Row> {
    return this.#tiers[tier].rows(firstStep, lastStep);
  }

  /** Drops what is older; returns how many bytes that gives back. */
  dropBefore(tier: number, second: number): number {
    return this.#tiers[tier].dropBefore(Math.floor(second / tiers[tier].stepSeconds));
  }

  get isEmpty(): boolean {
    return this.#tiers.every(({ chunks }) => chunks.length === 0);
  }

  store(): StoredChunk[][] {
    for (const tier of this.#tiers) tier.flush();
    return this.#tiers.map(({ chunks }) => chunks.map((chunk) => chunk.store()));
  }

  /** Returns the bytes that it takes. */
  restore(stored: readonly (readonly StoredChunk[])[]): number {
    let bytes = 0;
    for (const [index, chunks] of stored.entries()) {
      for (const each of chunks) {
        const chunk = Chunk.restore(each);
        this.#tiers[index].chunks.push(chunk);
        bytes += chunk.byteLength + CHUNK_OVERHEAD_BYTES;
        this.lastSecond = Math.max(this.lastSecond, (chunk.lastStep + 1) * tiers[index].stepSeconds - 1);
      }
    }
    return bytes;
  }
}
