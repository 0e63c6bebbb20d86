/** The live view: all channels in a table that fits the window, the busiest or fullest first. */
import pc from "picocolors";
import type { ChannelRow } from "./counts.ts";

/** What the view is made for. */
export interface ViewSettings {
  columns: number;
  rows: number;
  sort: SortColumn;
  /** Whether colour is used. */
  isColoured: boolean;
  intervalText: string;
}

export const sortColumns = [
  "depth",
  "ingress",
  "egress",
  "inflt",
  "def",
  "req",
  "t-o",
  "msgs",
  "clients",
  "name",
] as const;

export type SortColumn = typeof sortColumns[number];

interface Column {
  title: SortColumn;
  value(row: ChannelRow): number;
  /** Columns with a higher number go first when the window is narrow. */
  rank: number;
}

const COLUMNS: readonly Column[] = [
  { title: "ingress", value: (row) => row.ingress, rank: 1 },
  { title: "egress", value: (row) => row.egress, rank: 1 },
  { title: "depth", value: (row) => row.depth, rank: 0 },
  { title: "inflt", value: (row) => row.inFlight, rank: 2 },
  { title: "def", value: (row) => row.deferred, rank: 3 },
  { title: "req", value: (row) => row.requeued, rank: 4 },
  { title: "t-o", value: (row) => row.timedOut, rank: 4 },
  { title: "msgs", value: (row) => row.messages, rank: 5 },
  { title: "clients", value: (row) => row.clients, rank: 2 },
];

const MIN_NAME_WIDTH = 16;

/** Returns the lines to show, at most `rows` of at most `columns` characters. */
export function renderView(
  rows: readonly ChannelRow[],
  failures: readonly string[],
  settings: ViewSettings,
): string[] {
  const { columns: windowColumns, rows: windowRows, sort } = settings;
  const colours = pc.createColors(settings.isColoured);
  const sorted = sortRows(rows, sort);
  const names = sorted.map(({ topic, channel }) => `${topic}/${channel}`);
  const { columns, nameWidth } = fit(sorted, names, windowColumns);
  const widths = columns.map((column) => widthOf(column, sorted));
  const line = (name: string, cells: string[]) =>
    `${clip(name, nameWidth).padEnd(nameWidth)}${
      cells.map((cell, i) => `  ${cell.padStart(widths[i])}`).join("")
    }`;
  const total = rows.reduce((sum, { ingress, egress }) => [sum[0] + ingress, sum[1] + egress], [0, 0]);
  const title = `nsq stat - ${rows.length} channels, ${short(total[0])}/s in, ${short(total[1])}/s out, ` +
    `every ${settings.intervalText}, by ${sort} (s: next, q: quit)`;
  const failed = failures.map((failure) => clip(failure, windowColumns));
  const room = Math.max(0, windowRows - 2 - Math.min(failed.length, 3));
  const isCut = sorted.length > room && room > 0;
  const shown = sorted.slice(0, isCut ? room - 1 : room);
  const lines = [
    colours.bold(clip(title, windowColumns)),
    colours.inverse(clip(line("topic/channel", columns.map((column) => column.title)), windowColumns)),
  ];
  for (const [i, row] of shown.entries()) {
    const text = line(names[i], columns.map((column) => short(column.value(row))));
    lines.push(colourOf(row, colours)(clip(text, windowColumns)));
  }
  if (isCut) lines.push(colours.dim(clip(`and ${sorted.length - shown.length} more`, windowColumns)));
  return [...lines, ...failed.slice(0, 3).map(colours.red)].slice(0, windowRows);
}

/** The largest first; names from a to z. */
export function sortRows(rows: readonly ChannelRow[], sort: SortColumn): ChannelRow[] {
  const column = COLUMNS.find(({ title }) => title === sort);
  if (column === undefined) return [...rows];
  return [...rows].sort((a, b) => column.value(b) - column.value(a));
}

/** A number in at most six characters: 12345, 12.3M. */
export function short(value: number): string {
  if (Math.abs(value) < 100_000) return String(value);
  for (const [unit, size] of [["k", 1e3], ["M", 1e6], ["G", 1e9], ["T", 1e12], ["P", 1e15]] as const) {
    const scaled = value / size;
    if (Math.abs(scaled) < 999.5) return `${scaled.toFixed(Math.abs(scaled) < 99.95 ? 1 : 0)}${unit}`;
  }
  return value.toExponential(1);
}

/** Red: waiting with nobody to take it. Yellow: more comes than goes. Dim: nothing moves. */
function colourOf(row: ChannelRow, colours: ReturnType<typeof pc.createColors>): (text: string) => string {
  if (row.depth > 0 && row.clients === 0) return colours.red;
  if (row.isPaused || (row.depth > 0 && row.ingress > row.egress)) return colours.yellow;
  if (row.ingress > 0 || row.egress > 0) return colours.green;
  return row.depth === 0 && row.inFlight === 0 ? colours.dim : String;
}

function widthOf(column: Column, rows: readonly ChannelRow[]): number {
  return Math.max(column.title.length, ...rows.map((row) => short(column.value(row)).length));
}

/** Leaves columns out until names have room. */
function fit(
  rows: readonly ChannelRow[],
  names: readonly string[],
  windowColumns: number,
): { columns: Column[]; nameWidth: number } {
  const wanted = Math.max(MIN_NAME_WIDTH, ...names.map((name) => name.length));
  let columns = [...COLUMNS];
  for (;;) {
    const left = windowColumns - columns.reduce((sum, column) => sum + 2 + widthOf(column, rows), 0);
    if (left >= Math.min(wanted, MIN_NAME_WIDTH) || columns.length === 1) {
      return { columns, nameWidth: Math.max(1, Math.min(wanted, left)) };
    }
    const worst = Math.max(...columns.map(({ rank }) => rank));
    columns = columns.filter(({ rank }) => rank < worst || columns.every((column) => column.rank === worst));
    if (columns.every(({ rank }) => rank === worst)) columns = columns.slice(0, 1);
  }
}

function clip(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}\u2026`.slice(0, width);
}
