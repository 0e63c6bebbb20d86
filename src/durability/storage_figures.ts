/** What is measured of the store, for metrics. Tested in test/nsqd/stats/metrics_test.ts. */
import type { LogStatistics } from "../storage/log_statistics.ts";

export interface StorageFigures {
  /** Bytes of all log files, and how many of them are wanted: messages, tracked bases, the newest snapshot. */
  fileBytes: number;
  liveBytes: number;
  fileCount: number;
  /** What can still be written where they are, bytes; null where the system does not say. */
  freeBytes: number | null;
  /** Bytes written to the log since the last sync began. */
  unsyncedBytes: number;
  log: Readonly<LogStatistics>;
  /** Segments read back since the start. */
  loads: number;
  /** Records that compaction moved since the start. */
  movedRecords: number;
}
