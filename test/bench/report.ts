/** Medians of repeated measurements, and the tables that show them. */
import { CLIENT_ROWS, type ClientResults } from "./client/client_rows.ts";
import { type Metrics, type Results, ROWS, SINK_ROWS } from "./end_to_end.ts";
import type { Measurement } from "./measure.ts";

/** What the columns are called and how they are written; absent ones stay empty. */
const COLUMNS: readonly { title: string; show(metrics: Metrics, sink: Metrics | undefined): string }[] = [
  { title: "messages/s", show: ({ rate }) => rate === undefined ? "" : whole(rate) },
  { title: "CPU µs", show: ({ cpuUs }) => cpuUs === undefined ? "" : cpuUs.toFixed(3) },
  {
    title: "× sink",
    show: ({ rate }, sink) =>
      rate === undefined || sink?.rate === undefined ? "" : (rate / sink.rate).toFixed(2),
  },
  {
    title: "CPU × sink",
    show: ({ cpuUs }, sink) => cpuUs === undefined || !sink?.cpuUs ? "" : (cpuUs / sink.cpuUs).toFixed(1),
  },
  { title: "else", show: showElse },
];

function showElse(metrics: Metrics): string {
  const { p50Us, p99Us, p999Us, bytesPerMessage, messages, lost, redelivered } = metrics;
  const parts: string[] = [];
  if (p50Us !== undefined) parts.push(`p50 ${whole(p50Us)} µs`);
  if (p99Us !== undefined) parts.push(`p99 ${whole(p99Us)} µs`);
  if (p999Us !== undefined) parts.push(`p999 ${whole(p999Us)} µs`);
  if (bytesPerMessage !== undefined) parts.push(`${whole(bytesPerMessage)} bytes per message`);
  if (messages !== undefined) parts.push(`${whole(messages)} messages`);
  if (lost !== undefined && lost !== 0) parts.push(`LOST ${lost}`);
  if (redelivered !== undefined && redelivered > 0) parts.push(`redelivered ${redelivered}`);
  return parts.join(", ");
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en");
}

/** The median of each number; of what was lost or redelivered, the most. */
export function medianResults(passes: readonly Results[]): Results {
  const medians: Results = {};
  for (const row of Object.keys(passes[0] ?? {})) {
    const metrics = passes.map((pass) => pass[row]), merged: Metrics = medians[row] = {};
    for (const name of Object.keys(metrics[0]) as (keyof Metrics)[]) {
      const values = metrics.map((each) => each[name]!).sort((a, b) => a - b);
      const wantsWorst = name === "lost" || name === "redelivered";
      merged[name] = wantsWorst ? values[values.length - 1] : median(values);
    }
  }
  return medians;
}

function median(sorted: readonly number[]): number {
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The median of each number. */
export function medianClientResults(passes: readonly ClientResults[]): ClientResults {
  const medians: ClientResults = {};
  for (const row of Object.keys(passes[0] ?? {})) {
    medians[row] = {};
    for (const client of Object.keys(passes[0][row])) {
      const middle = (name: "rate" | "cpuUs") =>
        median(passes.map((pass) => pass[row][client][name]).sort((a, b) => a - b));
      medians[row][client] = { rate: middle("rate"), cpuUs: middle("cpuUs") };
    }
  }
  return medians;
}

/** A table of our client beside the official one, as Markdown. */
export function formatClientResults(results: ClientResults): string {
  const rows = CLIENT_ROWS.filter((row) => results[row] !== undefined).map((row) => {
    const { "this client": ours, nsqjs: theirs } = results[row];
    const besides = theirs === undefined
      ? ["", "", ""]
      : [whole(theirs.rate), theirs.cpuUs.toFixed(2), (ours.rate / theirs.rate).toFixed(1)];
    return [row, whole(ours.rate), ours.cpuUs.toFixed(2), ...besides, ""];
  });
  return table(["", "messages/s", "CPU µs", "nsqjs messages/s", "nsqjs CPU µs", "× nsqjs", ""], rows);
}

/** A table of the rows of one server, as Markdown. */
export function formatResults(results: Results, sink: Results): string {
  const rows = ROWS.filter((row) => results[row] !== undefined);
  return table(["", ...COLUMNS.map((column) => column.title)], [
    ...rows.map((row) => [
      row,
      ...COLUMNS.map((column) => column.show(results[row], sink[SINK_ROWS[row]])),
    ]),
  ]);
}

/** A table of micro-benchmarks, as Markdown. */
export function formatMeasurements(measurements: readonly Measurement[]): string {
  return table(
    ["", "median", "fastest", "per", "rounds"],
    measurements.map(({ name, ns, fastestNs, per, rounds }) => [
      name,
      duration(ns),
      duration(fastestNs),
      per,
      String(rounds),
    ]),
  );
}

function duration(ns: number): string {
  if (ns < 100) return `${ns.toFixed(1)} ns`;
  if (ns < 1e4) return `${whole(ns)} ns`;
  return ns < 1e7 ? `${whole(ns / 1e3)} µs` : `${whole(ns / 1e6)} ms`;
}

/** Columns but the first and the last are aligned to the right, as numbers are. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) => Math.max(3, title.length, ...rows.map((row) => row[i].length)));
  const isNumber = (i: number) => i > 0 && i < head.length - 1;
  const line = (cells: readonly string[]) =>
    `| ${
      cells.map((cell, i) => isNumber(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i])).join(" | ")
    } |`;
  const rule = widths.map((width, i) => isNumber(i) ? "-".repeat(width - 1) + ":" : "-".repeat(width));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}
