/** Charts by uPlot in place of the drawings of the server: cursor in all at once, drag to zoom, double click to go back. */
import { axisTime, utc } from "./times.js";

const HEIGHT = 132;
const MAX_POINTS = 4000;

/** By figure. */
const charts = new Map();
/** Seconds from the left edge to the right one. */
let spanSeconds = 600;
let marks = [];

export function startCharts() {
  if (globalThis.uPlot === undefined) return;
  addEventListener("resize", () => {
    for (const { plot, figure } of charts.values()) plot.setSize(sizeOf(figure));
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawCharts);
}

/** Colours are read again, as after a change of the theme. */
export function redrawCharts() {
  for (const { plot } of charts.values()) plot.redraw(false);
}

/** Reads the history of all charts of the page: at the start, and after a time without stream. */
export async function reloadCharts() {
  const container = document.querySelector(".charts");
  if (container === null || globalThis.uPlot === undefined) return;
  const answer = await fetch(container.dataset.series, { headers: { accept: "application/json" } }).catch(
    () => null,
  );
  if (answer === null || !answer.ok) return;
  const series = await answer.json();
  marks = series.marks;
  spanSeconds = spanOf(new URL(container.dataset.series, location.href).searchParams.get("range"));
  for (const figure of container.querySelectorAll("[data-chart]")) fill(figure, series);
}

function spanOf(range) {
  const unit = { m: 60, h: 3600, d: 86_400 }[range.at(-1)];
  return Number.parseInt(range) * unit;
}

function fill(figure, series) {
  const shape = JSON.parse(figure.dataset.chart);
  const data = [[...series.t], ...shape.lines.map(({ metric }) => [...(series.values[metric] ?? [])])];
  const known = charts.get(figure.id);
  if (known !== undefined && known.figure === figure) {
    known.data = data;
    known.plot.setData(data, !known.isZoomed);
    writeLegend(known);
    return;
  }
  const chart = { figure, shape, data, isZoomed: false, plot: null };
  const box = figure.querySelector(".plot");
  box.replaceChildren();
  chart.plot = new globalThis.uPlot(optionsOf(chart), data, box);
  charts.set(figure.id, chart);
  figure.querySelector("details").addEventListener("toggle", () => writeTable(chart));
  writeLegend(chart);
}

function sizeOf(figure) {
  return { width: figure.querySelector(".plot").clientWidth, height: HEIGHT };
}

function colour(name) {
  // A mixed pair is resolved where it is used, so it is asked of an element.
  const probe = document.createElement("i");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

function optionsOf(chart) {
  const { figure, shape } = chart;
  const axis = {
    stroke: () => colour("faint"),
    grid: { stroke: () => colour("line"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui",
  };
  return {
    ...sizeOf(figure),
    padding: [8, 6, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: "nsq" }, points: { size: 5 }, drag: { x: true, y: false } },
    scales: {
      x: {
        range: (_, min, max) =>
          chart.isZoomed ? [min, max] : [Date.now() / 1000 - spanSeconds, Date.now() / 1000],
      },
      y: { range: (_, __, max) => [0, Math.max(max ?? 0, shape.unit === "ms" ? 10 : 1) * 1.08] },
    },
    axes: [{
      ...axis,
      size: 24,
      gap: 2,
      values: (_, ticks) => ticks.map((tick) => axisTime(tick, spanSeconds)),
    }, {
      ...axis,
      size: 48,
      gap: 4,
      values: (_, ticks) => ticks.map((tick) => format(tick, shape.unit)),
    }],
    series: [
      {},
      ...shape.lines.map(({ label }, index) => ({
        label,
        stroke: () => colour(`line${index + 1}`),
        width: 1.5,
        points: { show: false },
      })),
    ],
    hooks: {
      setSelect: [({ select }) => {
        if (select.width > 0) chart.isZoomed = true;
      }],
      setCursor: [() => writeLegend(chart)],
      draw: [drawMarks],
      ready: [({ over }) =>
        over.addEventListener("dblclick", () => {
          chart.isZoomed = false;
          chart.plot.setData(chart.data, true);
        })],
    },
  };
}

/** A dotted line, and its word, for what happened: pauses, restarts. */
function drawMarks(plot) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = colour("faint");
  ctx.font = `${10 * devicePixelRatio}px system-ui`;
  ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
  for (const { atMs, kind } of marks) {
    const x = plot.valToPos(atMs / 1000, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const isAtEdge = x > bbox.left + bbox.width - 70 * devicePixelRatio;
    ctx.textAlign = isAtEdge ? "right" : "left";
    ctx.fillText(kind, x + (isAtEdge ? -3 : 3) * devicePixelRatio, bbox.top + 9 * devicePixelRatio);
  }
  ctx.restore();
}

/** The figures under the cursor, or the last ones and the highest. */
function writeLegend({ figure, shape, data, plot }) {
  const index = plot?.cursor.idx ?? null;
  const texts = shape.lines.map((_, line) => {
    const values = data[line + 1];
    if (index !== null && plot.cursor.left >= 0) return show(values[index], shape.unit);
    const last = values.findLast((value) => value !== null && value !== undefined);
    const highest = values.reduce((most, value) => Math.max(most, value ?? 0), 0);
    return last === undefined ? "–" : `${format(last, shape.unit)}, max ${format(highest, shape.unit)}`;
  });
  figure.querySelectorAll(".legend b").forEach((element, line) => {
    if (element.textContent !== texts[line]) element.textContent = texts[line];
  });
}

function show(value, unit) {
  return value === null || value === undefined ? "–" : format(value, unit);
}

const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const counts = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 4 });

function format(value, unit) {
  if (unit !== "ms") return value < 10 ? String(Math.round(value * 10) / 10) : whole(value);
  if (value < 1000) return `${Math.round(value)} ms`;
  if (value < 60_000) return `${Math.round(value / 100) / 10} s`;
  if (value < 3_600_000) return `${Math.round(value / 60_000)} min`;
  return `${Math.round(value / 360_000) / 10} h`;
}

function whole(value) {
  return value < 1_000_000 ? grouped.format(value) : counts.format(value);
}

/** A new point of the chart around `cell`: `time,value,value`. */
export function addPoint(cell, text) {
  const chart = charts.get(cell.closest("[data-chart]")?.id);
  if (chart === undefined || text === "") return;
  const [time, ...values] = text.split(",").map((part) => part === "" ? null : Number(part));
  const { data } = chart;
  if (time <= (data[0].at(-1) ?? 0)) return;
  data[0].push(time);
  values.forEach((value, line) => data[line + 1].push(value));
  const first = data[0].findIndex((at) => at >= time - spanSeconds);
  const drop = Math.max(first, data[0].length - MAX_POINTS);
  if (drop > 0) { for (const list of data) list.splice(0, drop); }
  chart.plot.setData(data, !chart.isZoomed);
  if (chart.isZoomed) chart.plot.redraw();
  writeLegend(chart);
}

/** False for what a script has drawn: a merge leaves it alone. */
export function keepCharts(element) {
  const isDrawn = element.nodeType === Node.ELEMENT_NODE && charts.has(element.closest("[data-chart]")?.id);
  return !(isDrawn && (element.matches(".plot, .legend, .figures")));
}

/** The dozen moments of the table anew, from what the chart has now. */
function writeTable({ figure, shape, data }) {
  const body = figure.querySelector("details tbody");
  if (body === null || !figure.querySelector("details").open) return;
  const count = data[0].length;
  const every = Math.max(1, Math.floor(count / 12));
  const rows = Array.from({ length: Math.min(12, count) }, (_, row) => {
    const index = count - 1 - row * every;
    const line = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = utc(data[0][index] * 1000);
    line.append(head);
    shape.lines.forEach((_, at) => {
      const cell = document.createElement("td");
      cell.className = "number";
      cell.textContent = show(data[at + 1][index], shape.unit);
      line.append(cell);
    });
    return line;
  });
  body.replaceChildren(...rows);
}
