/**
 * Charts: a drawing and a table from the server, which the script of the page replaces by one that moves.
 *
 * Tested in test/admin/pages/charts_test.ts.
 */
import { raw } from "hono/html";
import type { HistoryMetric, HistorySeries } from "../../console.ts";
import { formatCount, formatRate, formatSpan, formatUtc } from "../format.ts";
import { mark, markStill } from "../live.ts";
import { href, rangeOf, type View } from "../view.ts";
import { linePath } from "./sparkline.tsx";

/** How the figures of a chart read. */
export type ChartUnit = "count" | "rate" | "ms";

export interface ChartLine {
  readonly metric: HistoryMetric;
  readonly label: string;
}

/** A chart of up to four lines that share a unit. */
export interface ChartShape {
  readonly name: string;
  readonly title: string;
  readonly unit: ChartUnit;
  readonly lines: readonly ChartLine[];
}

const shapes: readonly ChartShape[] = [
  {
    name: "backlog",
    title: "Messages",
    unit: "count",
    lines: [
      { metric: "depth", label: "Waiting" },
      { metric: "inFlight", label: "In flight" },
      { metric: "deferred", label: "Deferred" },
    ],
  },
  {
    name: "throughput",
    title: "Messages a second",
    unit: "rate",
    lines: [{ metric: "inPerSecond", label: "In" }, { metric: "outPerSecond", label: "Out" }],
  },
  {
    name: "trouble",
    title: "Requeued and timed out a minute",
    unit: "rate",
    lines: [{ metric: "requeuesPerMinute", label: "Requeued" }, {
      metric: "timeoutsPerMinute",
      label: "Timed out",
    }],
  },
  {
    name: "age",
    title: "Oldest waiting message",
    unit: "ms",
    lines: [{ metric: "oldestAgeMs", label: "Age" }],
  },
  {
    name: "latency",
    title: "From publishing to FIN",
    unit: "ms",
    lines: [{ metric: "latencyMs", label: "Worst percentile" }],
  },
];

/** The charts of one key of the history; those of which nothing is known are left out. */
export function Charts(
  { view, historyKey, names }: { view: View; historyKey: string; names?: readonly string[] },
) {
  const range = rangeOf(view);
  const series = view.console.history(historyKey, view.nowMs - range.ms, view.nowMs);
  const shown = shapes.filter(({ name, lines }) =>
    (names === undefined || names.includes(name)) &&
    (lines.some(({ metric }) => series?.values[metric].some((value) => value !== null)) ||
      ["backlog", "throughput"].includes(name))
  );
  return (
    <div class="charts" data-series={href(view, "/series", { key: historyKey, range: range.name })}>
      {shown.map((shape) => (
        <Chart view={view} historyKey={historyKey} shape={shape} series={series} rangeMs={range.ms} />
      ))}
    </div>
  );
}

interface ChartProps {
  view: View;
  historyKey: string;
  shape: ChartShape;
  series: HistorySeries | undefined;
  rangeMs: number;
}

function Chart({ view, historyKey, shape, series, rangeMs }: ChartProps) {
  const id = `chart-${shape.name}`;
  return (
    <figure
      class="chart"
      id={id}
      aria-labelledby={`${id}-title`}
      aria-details={`${id}-table`}
      data-chart={JSON.stringify(shape)}
    >
      <figcaption id={`${id}-title`}>
        {shape.title}
        <span class="legend">
          {shape.lines.map(({ metric, label }, index) => (
            <span class={`line${index + 1}`}>
              {label} <b>{raw(markStill(lastAndMost(series, metric, shape.unit)))}</b>
            </span>
          ))}
        </span>
      </figcaption>
      <div class="plot">
        {raw(markStill(String(<Drawing shape={shape} series={series} view={view} rangeMs={rangeMs} />)))}
      </div>
      <data hidden data-n="p">{raw(mark(lastPoint(view, historyKey, shape)))}</data>
      <details id={`${id}-table`} class="figures">
        <summary>As a table</summary>
        {raw(markStill(String(<Figures shape={shape} series={series} />)))}
      </details>
    </figure>
  );
}

/** `now 12, at most 340`. */
function lastAndMost(series: HistorySeries | undefined, metric: HistoryMetric, unit: ChartUnit): string {
  const known = series?.values[metric].filter((value) => value !== null) ?? [];
  if (known.length === 0) return "–";
  return `${formatFigure(known[known.length - 1], unit)}, max ${formatFigure(highestOf(known), unit)}`;
}

function highestOf(values: readonly (number | null)[]): number {
  return values.reduce((highest: number, value) => Math.max(highest, value ?? 0), 0);
}

function formatFigure(value: number, unit: ChartUnit): string {
  if (unit === "ms") return formatSpan(value);
  return unit === "rate" ? formatRate(value) : formatCount(value);
}

/** The newest second, as `time,value,value`, for the script; an empty value where nothing is known. */
function lastPoint({ console, nowMs }: View, historyKey: string, { lines }: ChartShape): string {
  const series = console.history(historyKey, nowMs - 10_000, nowMs);
  const last = (series?.t.length ?? 0) - 1;
  if (series === undefined || last < 0) return "";
  return [series.t[last], ...lines.map(({ metric }) => series.values[metric][last] ?? "")].join(",");
}

const DRAWING = { width: 600, height: 120 };

function Drawing(
  { shape, series, view, rangeMs }: {
    shape: ChartShape;
    series: HistorySeries | undefined;
    view: View;
    rangeMs: number;
  },
) {
  if (series === undefined || series.t.length === 0) {
    return <p class="empty">Figures appear here from the second poll on.</p>;
  }
  const toS = view.nowMs / 1000;
  const frame = { fromS: toS - rangeMs / 1000, toS, stepS: rangeMs / 200_000, ...DRAWING };
  const highest = Math.max(...shape.lines.map(({ metric }) => highestOf(series.values[metric])));
  return (
    <svg viewBox={`0 0 ${DRAWING.width} ${DRAWING.height}`} preserveAspectRatio="none" aria-hidden="true">
      {shape.lines.map(({ metric }, index) => (
        <path class={`line${index + 1}`} d={linePath(series.t, series.values[metric], frame, highest)} />
      ))}
    </svg>
  );
}

const TABLE_ROWS = 12;

/** At most a dozen moments, evenly spread, the newest first. */
function Figures({ shape, series }: { shape: ChartShape; series: HistorySeries | undefined }) {
  const count = series?.t.length ?? 0;
  if (series === undefined || count === 0) return <p>No figures yet.</p>;
  const every = Math.max(1, Math.floor(count / TABLE_ROWS));
  const indices = Array.from({ length: Math.min(TABLE_ROWS, count) }, (_, i) => count - 1 - i * every);
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Time</th>
          {shape.lines.map(({ label }) => <th scope="col" class="number">{label}</th>)}
        </tr>
      </thead>
      <tbody>
        {indices.map((index) => (
          <tr>
            <th scope="row">{formatUtc(series.t[index] * 1000)}</th>
            {shape.lines.map(({ metric }) => {
              const value = series.values[metric][index];
              return <td class="number">{value === null ? "–" : formatFigure(value, shape.unit)}</td>;
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
