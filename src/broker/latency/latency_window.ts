/**
 * How long messages of a channel took from publish to FIN, over a sliding window.
 *
 * Two slices of half a window each take turns: samples go to the current one, figures are of both, and when the
 * half is over the older one is dropped. So figures cover between half a window and a whole one, and a channel
 * without samples in it holds no memory.
 *
 * Every FIN is a sample, except when there are many in one turn: then each 8th stands for 8. Its time lies in the
 * record, which has long left the processor's caches (50 ns), and so many samples more say nothing new.
 * Nothing is allocated unless a sample is outside of the range seen in its slice.
 */
import type { Segment, Timestamp } from "../../storage/segment.ts";
import { LatencySketch } from "./latency_sketch.ts";

/** The time of the turn, as the broker keeps it. */
export interface TurnTime {
  /** Wall clock. */
  readonly time: Timestamp;
  /** Monotonic ms. */
  readonly nowMs: number;
  /** 0 when latencies are not kept. */
  readonly latencyWindowMs: number;
}

/** Messages of one turn that are samples of their own. */
const MAX_SINGLES = 64;
/** Of those beyond, one in so many is a sample. */
const STRIDE = 8;

export class LatencyWindow {
  readonly #turn: TurnTime;
  readonly #sliceMs: number;
  #current: LatencySketch | null = null;
  #previous: LatencySketch | null = null;
  #rotateAtMs = 0;
  /** The turn of the last call. */
  #turnMs = -1;
  /** Messages of this turn that are still samples of their own. */
  #singles = 0;
  /** Messages since the last one that stood for several. */
  #skipped = 0;

  constructor(turn: TurnTime) {
    this.#turn = turn;
    this.#sliceMs = turn.latencyWindowMs / 2;
  }

  /** A window, or null when latencies are not kept. */
  static of(turn: TurnTime): LatencyWindow | null {
    return turn.latencyWindowMs > 0 ? new LatencyWindow(turn) : null;
  }

  /** Record `index` of `segment` is finished in this turn. */
  finished(segment: Segment, index: number): void {
    const { nowMs } = this.#turn;
    if (nowMs !== this.#turnMs) {
      this.#turnMs = nowMs;
      this.#singles = MAX_SINGLES;
      if (nowMs >= this.#rotateAtMs) this.#rotate(nowMs);
    }
    if (this.#singles > 0) {
      this.#singles--;
      this.#sample(segment, index, 1);
    } else if (++this.#skipped === STRIDE) {
      this.#skipped = 0;
      this.#sample(segment, index, STRIDE);
    }
  }

  #sample(segment: Segment, index: number, weight: number): void {
    const publishedNs = segment.timeNs(index), { high, low } = this.#turn.time;
    if (publishedNs === 0) return;
    this.#current ??= new LatencySketch();
    this.#current.add(high * 4294967296 + low - publishedNs, weight);
  }

  /** Adds the samples of the window that ends at `nowMs` (monotonic) to `into`. */
  addTo(into: LatencySketch, nowMs: number): void {
    if (nowMs >= this.#rotateAtMs) this.#rotate(nowMs);
    if (this.#previous !== null) into.merge(this.#previous);
    if (this.#current !== null) into.merge(this.#current);
  }

  #rotate(nowMs: number): void {
    const isNextSlice = nowMs < this.#rotateAtMs + this.#sliceMs;
    this.#previous = isNextSlice ? this.#current : null;
    this.#current = null;
    // Slices of all channels end together, so that the channels of a topic cover the same time.
    this.#rotateAtMs = nowMs - nowMs % this.#sliceMs + this.#sliceMs;
  }
}
