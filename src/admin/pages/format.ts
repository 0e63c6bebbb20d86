/** How figures, sizes, spans and moments read on the pages. */

const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 4 });

/** Whole numbers: `1,204`, `99,999`, then `1.204M`. */
export function formatCount(value: number): string {
  return Math.abs(value) < 1_000_000 ? grouped.format(value) : compact.format(value);
}

/** Something a second or a minute: `0`, `0.3`, `12`, `1,204`. */
export function formatRate(value: number): string {
  if (value > 0 && value < 0.05) return "<0.1";
  if (value < 10) return String(Math.round(value * 10) / 10);
  return formatCount(value);
}

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** `512 B`, `1.5 MiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${BYTE_UNITS[unit]}`;
}

/** The two largest units: `85 ms`, `1.2 s`, `4 min 2 s`, `3 h 10 min`, `12 d 4 h`. */
export function formatSpan(ms: number): string {
  if (ms < 1000) return ms >= 10 || ms === 0 ? `${Math.round(ms)} ms` : `${ms.toPrecision(2)} ms`;
  if (ms < 10_000) return `${Math.floor(ms / 100) / 10} s`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return pair(Math.floor(seconds / 60), "min", seconds % 60, "s");
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1440) return pair(Math.floor(minutes / 60), "h", minutes % 60, "min");
  const hours = Math.floor(minutes / 60);
  return pair(Math.floor(hours / 24), "d", hours % 24, "h");
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** How moments are written: relative to now, in the reader's time zone, or in UTC. */
export const timeStyles = ["relative", "local", "utc"] as const;

export type TimeStyle = typeof timeStyles[number];

/**
 * A moment in Unix ms: `4 min ago`, or `2026-11-25 12:04:31Z`. The time zone of the reader is known to the browser only,
 * so `local` reads as UTC here; the script of the page writes it anew.
 */
export function formatMoment(ms: number, nowMs: number, style: TimeStyle): string {
  if (style !== "relative") return formatUtc(ms);
  const age = nowMs - ms;
  if (Math.abs(age) < 1000) return "now";
  return age < 0 ? `in ${leadingUnit(-age)}` : `${leadingUnit(age)} ago`;
}

/** `2026-11-25 12:04:31Z`. */
export function formatUtc(ms: number): string {
  return new Date(ms).toISOString().replace("T", " ").replace(/\.\d+Z$/, "Z");
}

/** The largest unit alone, as it reads best before `ago`. */
function leadingUnit(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** `1 node`, `3 nodes`. */
export function formatNoun(count: number, noun: string, plural: string = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : plural}`;
}
