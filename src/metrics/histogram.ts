/**
 * A histogram with fixed bounds, counted from the start of the process. Adding allocates nothing.
 *
 * Tested in test/metrics/text_format_test.ts.
 */

export class Histogram {
  /** Upper bounds, ascending; each belongs to its bucket. */
  readonly bounds: readonly number[];
  /** Of each bucket; one more for what is above all bounds. */
  readonly counts: Float64Array;
  sum = 0;
  max = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  /** Adds one value, in the unit of the bounds. */
  add(value: number): void {
    const { bounds, counts } = this;
    let i = 0;
    while (i < bounds.length && value > bounds[i]) i++;
    counts[i]++;
    this.sum += value;
    if (value > this.max) this.max = value;
  }
}
