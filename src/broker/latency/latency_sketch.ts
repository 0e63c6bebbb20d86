/**
 * A distribution of latencies in little memory, which can be merged with others and asked for quantiles.
 *
 * It counts in buckets of the float64 number line: a bucket is an exponent and the first 6 bits after it, so each
 * power of two is 64 buckets of the same width, and the middle of a bucket is within 0.8% of all in it. The bucket
 * of a value is its bits shifted, without a logarithm. Counts are kept for the range of buckets seen alone, in
 * whole powers of two: 256 bytes each, 11 KiB for all from 1 µs to 101 days.
 */

/** Buckets per power of two: 6 bits of the 20 of the mantissa that the high word has. */
const BUCKETS_PER_OCTAVE = 64;
const BUCKET_SHIFT = 14;
/** Values outside are counted as these, ns. */
const MIN_NS = 2 ** 10;
const MAX_NS = 2 ** 53 - 1;

const FLOAT = new Float64Array(1);
/** Every processor that V8 runs on here has the low word first. */
const WORDS = new Uint32Array(FLOAT.buffer);

export class LatencySketch {
  /** Samples. */
  count = 0;
  #counts: Uint32Array | null = null;
  /** The bucket that `#counts[0]` is of. */
  #first = 0;
  #minNs = Infinity;
  #maxNs = 0;

  /** Adds a latency in ns, `weight` times; a clock that was set back makes it 0. */
  add(latencyNs: number, weight = 1): void {
    const ns = latencyNs > 0 ? latencyNs : 0;
    FLOAT[0] = ns < MIN_NS ? MIN_NS : ns > MAX_NS ? MAX_NS : ns;
    const bucket = WORDS[1] >>> BUCKET_SHIFT;
    const at = bucket - this.#first;
    if (this.#counts === null || at < 0 || at >= this.#counts.length) {
      const counts = this.#cover(bucket, bucket);
      counts[bucket - this.#first] += weight;
    } else this.#counts[at] += weight;
    this.count += weight;
    if (ns < this.#minNs) this.#minNs = ns;
    if (ns > this.#maxNs) this.#maxNs = ns;
  }

  /** Adds the samples of `other`. */
  merge(other: LatencySketch): void {
    const from = other.#counts;
    if (from === null) return;
    const to = this.#cover(other.#first, other.#first + from.length - 1), shift = other.#first - this.#first;
    for (let i = 0; i < from.length; i++) to[i + shift] += from[i];
    this.count += other.count;
    this.#minNs = Math.min(this.#minNs, other.#minNs);
    this.#maxNs = Math.max(this.#maxNs, other.#maxNs);
  }

  /**
   * The latency, in whole ns, that the share `quantile` (in (0, 1]) of the samples does not exceed, within 0.8%
   * of the sample of that rank; 0 without samples. The highest and the lowest sample are exact.
   */
  quantile(quantile: number): number {
    const rank = Math.max(1, Math.ceil(quantile * this.count)), counts = this.#counts;
    if (counts === null) return 0;
    if (rank >= this.count) return Math.round(this.#maxNs);
    let at = 0;
    for (let seen = counts[0]; seen < rank; seen += counts[at]) at++;
    return Math.round(Math.min(Math.max(middleOf(this.#first + at), this.#minNs), this.#maxNs));
  }

  /** Makes room for the buckets from `from` to `to`. */
  #cover(from: number, to: number): Uint32Array {
    const before = this.#counts, octave = BUCKETS_PER_OCTAVE;
    const first = Math.min(from - from % octave, before === null ? Infinity : this.#first);
    const end = Math.max(to - to % octave + octave, before === null ? 0 : this.#first + before.length);
    if (before !== null && first === this.#first && end === first + before.length) return before;
    const counts = new Uint32Array(end - first);
    if (before !== null) counts.set(before, this.#first - first);
    this.#first = first;
    return this.#counts = counts;
  }
}

function middleOf(bucket: number): number {
  WORDS[0] = 0;
  WORDS[1] = (bucket << BUCKET_SHIFT) | (1 << (BUCKET_SHIFT - 1));
  return FLOAT[0];
}
