/** What the commit log did since the start, for metrics. Tested in test/storage/commit_log_test.ts. */
import { Histogram } from "../metrics/histogram.ts";

/** Seconds. */
const WRITE_BOUNDS = [2e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.5];
const SYNC_BOUNDS = [1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

export class LogStatistics {
  groups = 0;
  bytes = 0;
  /** Seconds. */
  readonly writeSeconds: Histogram = new Histogram(WRITE_BOUNDS);
  /** Seconds. */
  readonly syncSeconds: Histogram = new Histogram(SYNC_BOUNDS);
}
