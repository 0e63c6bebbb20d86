/**
 * Small lines of the last ten minutes, drawn on the server.
 *
 * Tested in test/admin/pages/charts_test.ts.
 */
import { raw } from "hono/html";
import type { Console, HistoryMetric } from "../../console.ts";
import { mark } from "../live.ts";

const WIDTH = 72;
const HEIGHT = 18;
const SPAN_MS = 600_000;
/** A line keeps its form for this long, so that it is not sent each second. */
const STEP_MS = 15_000;

/** Of one metric of `historyKey`, from zero to its highest; nothing where there is no history. */
export function Sparkline(
  { console, nowMs, historyKey, metric }: {
    console: Console;
    nowMs: number;
    historyKey: string;
    metric: HistoryMetric;
  },
) {
  const toMs = Math.floor(nowMs / STEP_MS) * STEP_MS;
  const series = console.history(historyKey, toMs - SPAN_MS, toMs);
  const path = series === undefined ? "" : linePath(
    series.t,
    series.values[metric],
    { fromS: (toMs - SPAN_MS) / 1000, toS: toMs / 1000, stepS: STEP_MS / 1000, width: WIDTH, height: HEIGHT },
  );
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <path data-n="d" d={raw(mark(path))} />
    </svg>
  );
}

export interface Frame {
  fromS: number;
  toS: number;
  /** Points within one step become their highest: a peak is what people look for. */
  stepS: number;
  width: number;
  height: number;
}

/** An SVG path of `values` over `times` (Unix seconds), from 0 at the bottom to the highest at the top; gaps stay gaps. */
export function linePath(
  times: readonly number[],
  values: readonly (number | null)[],
  { fromS, toS, stepS, width, height }: Frame,
  highest: number = 0,
): string {
  const steps = Math.ceil((toS - fromS) / stepS);
  const peaks = new Array<number | null>(steps).fill(null);
  let top = highest;
  for (let i = 0; i < times.length; i++) {
    const value = values[i];
    const step = Math.floor((times[i] - fromS) / stepS);
    if (value === null || step < 0 || step >= steps) continue;
    peaks[step] = Math.max(peaks[step] ?? 0, value);
    if (value > top) top = value;
  }
  let path = "";
  let isDrawing = false;
  for (let step = 0; step < steps; step++) {
    const value = peaks[step];
    if (value !== null) {
      const x = (step + 0.5) / steps * width;
      const y = 1 + (height - 2) * (1 - (top === 0 ? 0 : value / top));
      path += `${isDrawing ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    }
    isDrawing = value !== null;
  }
  return path;
}
