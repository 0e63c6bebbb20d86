/**
 * The results of a benchmark: a table, or a JSON document.
 *
 * Tested in test/tools/bench/bench_test.ts.
 */
import pc from "picocolors";
import type { TransportName, Work } from "./bench_options.ts";

/** One row. Rates are those of the phase that is measured. */
export interface BenchResult {
  work: Work;
  over: TransportName;
  messages: number;
  /** Of a message. */
  size_bytes: number;
  seconds: number;
  messages_per_second: number;
  mebibytes_per_second: number;
  /** From the call of publish to the handler; null where nothing was consumed or a backlog was. */
  latency_ms: { p50: number; p95: number; p99: number; max: number } | null;
}

/** What the results are of, for those who compare. */
export interface BenchSubject {
  nsqd: string;
  /** What nsqd says it is. */
  nsqd_version: string;
  publishers: number;
  consumers: number;
  batch: number;
  max_in_flight: number;
  runtime: string;
}

export function formatResultsJson(subject: BenchSubject, results: readonly BenchResult[]): string {
  return JSON.stringify({ ...subject, results }, null, 2);
}

export function formatResults(
  subject: BenchSubject,
  results: readonly BenchResult[],
  isBold: boolean,
): string {
  const rows = results.map((result) => [
    result.work,
    result.over,
    thousands(result.messages),
    result.seconds.toFixed(2),
    thousands(Math.round(result.messages_per_second)),
    result.mebibytes_per_second.toFixed(1),
    ...(["p50", "p95", "p99", "max"] as const).map((part) => milliseconds(result.latency_ms?.[part])),
  ]);
  const titles = [
    "work",
    "over",
    "messages",
    "seconds",
    "msg/s",
    "MiB/s",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "max ms",
  ];
  const widths = titles.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
  const line = (cells: string[]) =>
    cells.map((cell, i) => i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join("  ").trimEnd();
  const { nsqd, nsqd_version: version, publishers, consumers, batch, max_in_flight: inFlight } = subject;
  const size = results[0]?.size_bytes ?? 0;
  return [
    `nsqd ${version} at ${nsqd}: ${size} bytes, ${publishers} publishers (batches of ${batch}), ` +
    `${consumers} consumers (${inFlight} in flight)`,
    pc.createColors(isBold).bold(line(titles)),
    ...rows.map(line),
  ].join("\n");
}

function thousands(value: number): string {
  return value.toLocaleString("en-US");
}

function milliseconds(value: number | undefined): string {
  return value === undefined ? "-" : value.toFixed(value < 10 ? 2 : 1);
}
