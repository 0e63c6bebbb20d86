/**
 * The figures of the past: of everything, each node, topic and channel, for charts.
 *
 * Only what is active takes memory. A row is left out when nothing moved since the row before, and is filled in
 * again when it is read: what stood still is known from the row before it, since the sum of everything has a row for
 * each poll. All together take no more than a limit; then the finest and oldest go first.
 */
import { backlogOf } from "../model/backlog.ts";
import { type HistoryMark, type HistoryMetric, historyMetrics, type HistorySeries } from "../console.ts";
import type { Figures, LatencyView, Snapshot } from "../model/snapshot.ts";
import { channelKey } from "../poller/reading.ts";
import { Series, SERIES_OVERHEAD_BYTES, tiers } from "./series.ts";
import type { StoredChunk } from "./rows.ts";

/** Points of one answer at most. */
const MAX_POINTS = 3_600;
const MAX_MARKS = 2_000;
/** Rates and milliseconds are kept in tenths, counts as they are. */
const SCALES: Readonly<Record<HistoryMetric, number>> = {
  depth: 1,
  inFlight: 1,
  deferred: 1,
  inPerSecond: 10,
  outPerSecond: 10,
  requeuesPerMinute: 10,
  timeoutsPerMinute: 10,
  oldestAgeMs: 1,
  latencyMs: 10,
};
const WIDTH = historyMetrics.length;
/** Of the sum of everything. */
const ALL = "";
/** What has not moved for so long takes no more rows. */
const STILL_SECONDS = 60;
/** Polls further apart than so many steps, and seconds, leave a gap. */
const GAP_STEPS = 6;
const GAP_SECONDS = 60;
/** Of the limit: fuller than this, nothing new is begun. */
const FULL_SHARE = 0.9;
/** How often what is too old is looked for, in polls. */
const TRIM_EVERY = 60;

/** What the history looks like in a file. */
export interface StoredHistory {
  readonly series: readonly { readonly key: string; readonly tiers: readonly (readonly StoredChunk[])[] }[];
  readonly marks: readonly { readonly key: string; readonly mark: HistoryMark }[];
}

export class History {
  readonly #limitBytes: number;
  readonly #series = new Map<string, Series>();
  /** The last row of each, to see whether anything moved, and when something last did. */
  readonly #lastRows = new Map<string, { row: readonly number[]; movedSecond: number }>();
  readonly #marks: { readonly key: string; readonly mark: HistoryMark }[] = [];
  readonly #nodes = new Map<string, { isUp: boolean; startMs: number | null }>();
  #bytes = 0;
  #polls = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** About what all of it takes. */
  get byteLength(): number {
    return this.#bytes;
  }

  record(snapshot: Snapshot): void {
    const second = Math.floor(snapshot.atMs / 1000);
    this.#record(ALL, second, rowOf(snapshot.totals, null), true);
    for (const { id, isUp, figures } of snapshot.nodes) {
      if (isUp) this.#record(`n:${id}`, second, rowOf(figures, null), true);
    }
    for (const topic of snapshot.topics.values()) {
      const figures = { ...topic.figures, depth: backlogOf(topic) };
      this.#record(`t:${topic.name}`, second, rowOf(figures, topic.latency), false);
      for (const channel of topic.channels.values()) {
        const key = `c:${channelKey(topic.name, channel.name)}`;
        this.#record(key, second, rowOf(channel.figures, channel.latency), false);
      }
    }
    this.#markNodes(snapshot);
    if (this.#polls++ % TRIM_EVERY === 0 || this.#bytes > this.#limitBytes) this.#trim(second);
  }

  /** @param key as in `history()`; marks of everything show everywhere */
  mark(key: string, mark: HistoryMark): void {
    this.#marks.push({ key, mark });
    if (this.#marks.length > MAX_MARKS) this.#marks.shift();
  }

  marks(key: string, fromMs: number, toMs: number): HistoryMark[] {
    // What was done to a topic matters to its channels.
    const topic = /^c:([^/]*)\//.exec(key)?.[1];
    const isWanted = (of: string) => of === key || of === ALL || of.startsWith("n:") || of === `t:${topic}`;
    return this.#marks.filter((each) => isWanted(each.key)).map(({ mark }) => mark)
      .filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
  }

  /** The finest step that covers the range in a bearable number of points. */
  read(key: string, fromMs: number, toMs: number, nowMs: number): HistorySeries | undefined {
    const series = this.#series.get(key), all = this.#series.get(ALL);
    if (series === undefined || all === undefined || !(toMs > fromMs)) return undefined;
    const from = Math.floor(fromMs / 1000), to = Math.floor(toMs / 1000), now = nowMs / 1000;
    const fit = tiers.findIndex(({ stepSeconds, keptSeconds }) =>
      now - from <= keptSeconds && (to - from) / stepSeconds <= MAX_POINTS
    );
    const tier = fit < 0 ? tiers.length - 1 : fit;
    const { stepSeconds } = tiers[tier];
    const first = Math.floor(from / stepSeconds), last = Math.floor(to / stepSeconds);
    return fill(series, all, tier, Math.max(first, last - 20_000), last, key.startsWith("n:"));
  }

  store(): StoredHistory {
    return {
      series: [...this.#series].map(([key, series]) => ({ key, tiers: series.store() })),
      marks: this.#marks,
    };
  }

  restore(stored: StoredHistory): void {
    for (const { key, tiers: chunks } of stored.series) {
      const series = new Series(WIDTH);
      this.#bytes += series.restore(chunks) + SERIES_OVERHEAD_BYTES;
      this.#series.set(key, series);
    }
    this.#marks.push(...stored.marks);
  }

  #record(key: string, second: number, row: readonly number[], isAlways: boolean): void {
    if (!isAlways) {
      const before = this.#lastRows.get(key);
      const isStill = before === undefined ? row.every((value) => value <= 0) : isSame(before.row, row);
      const hasMoved = !isStill || isMoving(row);
      // Rows right behind a movement make the mean of a coarse step right.
      if (!hasMoved && second - (before?.movedSecond ?? -Infinity) > STILL_SECONDS) return;
      this.#lastRows.set(key, { row, movedSecond: hasMoved ? second : before!.movedSecond });
    }
    let series = this.#series.get(key);
    if (series === undefined) {
      // What is there already is worth more than the beginning of something else.
      if (!isAlways && this.#bytes > this.#limitBytes * FULL_SHARE) return;
      this.#series.set(key, series = new Series(WIDTH));
      this.#bytes += SERIES_OVERHEAD_BYTES;
    }
    this.#bytes += series.add(second, row);
  }

  #markNodes({ nodes, atMs }: Snapshot): void {
    for (const { id, hostname, isUp, startMs } of nodes) {
      const before = this.#nodes.get(id), name = hostname === "" ? id : hostname;
      this.#nodes.set(id, { isUp, startMs });
      if (before === undefined) continue;
      if (before.isUp !== isUp) {
        const kind = isUp ? "node up" : "node down";
        this.mark(`n:${id}`, { atMs, kind, text: `${name} ${isUp ? "answers again" : "does not answer"}` });
      } else if (before.startMs !== startMs && before.startMs !== null && startMs !== null) {
        this.mark(`n:${id}`, { atMs: startMs, kind: "restart", text: `${name} was started` });
      }
    }
  }

  /** Drops what is too old; and while all is too much, shortens the time for which the finest are kept. */
  #trim(second: number): void {
    for (const [tier, { keptSeconds }] of tiers.entries()) this.#dropBefore(tier, second - keptSeconds);
    for (const [tier, { keptSeconds }] of tiers.entries()) {
      for (let tenths = 9; tenths >= 0 && this.#bytes > this.#limitBytes; tenths--) {
        this.#dropBefore(tier, second - keptSeconds * tenths / 10, isExpendable);
      }
    }
    // So much is active at once that not even the last rows of all have room.
    for (const key of this.#series.keys()) {
      if (this.#bytes <= this.#limitBytes) break;
      if (isExpendable(key)) this.#forget(key);
    }
    for (const [key, series] of this.#series) {
      if (!series.isEmpty || second - series.lastSecond < tiers[0].keptSeconds) continue;
      this.#forget(key);
    }
  }

  #forget(key: string): void {
    const series = this.#series.get(key)!;
    for (const tier of tiers.keys()) this.#bytes -= series.dropBefore(tier, Infinity);
    this.#bytes -= SERIES_OVERHEAD_BYTES;
    this.#series.delete(key);
    this.#lastRows.delete(key);
  }

  #dropBefore(tier: number, second: number, isMeant: (key: string) => boolean = () => true): void {
    for (const [key, series] of this.#series) {
      if (isMeant(key)) this.#bytes -= series.dropBefore(tier, second);
    }
  }
}

/** There are few nodes and one sum of everything, which the others are read by. */
function isExpendable(key: string): boolean {
  return key !== ALL && !key.startsWith("n:");
}

function rowOf(figures: Figures, latency: LatencyView | null): number[] {
  const latencyMs = latency?.percentiles.length ? Math.max(...latency.percentiles.map(({ ms }) => ms)) : null;
  return historyMetrics.map((metric) => {
    const value = metric === "latencyMs" ? latencyMs : figures[metric];
    return value === null ? -1 : Math.round(value * SCALES[metric]);
  });
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.every((value, at) => value === b[at]);
}

const MOVING = historyMetrics.flatMap((metric, at) => /Per(Second|Minute)$/.test(metric) ? [at] : []);

function isMoving(row: readonly number[]): boolean {
  return MOVING.some((at) => row[at] > 0);
}

/** A point for each poll, and one of nulls where there was none for long: where `series` has no row but `all` has one, it stood still. */
function fill(
  series: Series,
  all: Series,
  tier: number,
  first: number,
  last: number,
  hasEveryRow: boolean,
): HistorySeries {
  const { stepSeconds, keptSeconds } = tiers[tier];
  const rows = new Map<number, readonly number[]>();
  let before: readonly number[] | undefined;
  for (const { step, values } of series.rows(tier, first - keptSeconds / stepSeconds, last)) {
    if (step < first) before = values;
    else rows.set(step, values);
  }
  const polled = new Set<number>();
  for (const { step } of all.rows(tier, first, last)) polled.add(step);
  const t: number[] = [];
  const values = Object.fromEntries(
    historyMetrics.map((metric) => [metric, [] as (number | null)[]]),
  ) as Record<
    HistoryMetric,
    (number | null)[]
  >;
  const point = (step: number, valueAt: (at: number) => number) => {
    t.push(step * stepSeconds);
    for (const [at, metric] of historyMetrics.entries()) {
      const value = valueAt(at);
      values[metric].push(value < 0 ? null : value / SCALES[metric]);
    }
  };
  const steps = [...new Set([...polled, ...rows.keys()])].sort((a, b) => a - b);
  let previous: number | undefined;
  for (const step of steps) {
    const gap = previous === undefined ? 0 : step - previous;
    if (gap > GAP_STEPS && gap * stepSeconds > GAP_SECONDS) point(previous! + 1, () => -1);
    previous = step;
    const row = rows.get(step);
    const stood = row === undefined && !hasEveryRow ? before : undefined;
    if (row !== undefined) before = row;
    point(step, (at) => row?.[at] ?? (stood === undefined ? -1 : MOVING.includes(at) ? 0 : stood[at]));
  }
  return { t, values };
}
