/** Durations as NSQ writes them, `1m30s` or `250ms`; inside they are milliseconds with a fraction. */

const NS_PER_UNIT: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1_000,
  "\u00b5s": 1_000, // the micro sign
  "\u03bcs": 1_000, // the Greek letter
  ms: 1_000_000,
  s: 1_000_000_000,
  m: 60_000_000_000,
  h: 3_600_000_000_000,
};

const PART = /(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/y;

/** The longest duration of other implementations, which count nanoseconds in 64 bits. */
const MAX_NS = 2 ** 63;

/**
 * Parses an optional sign and numbers that each have a unit, or a bare `0`, into milliseconds.
 *
 * @throws {SyntaxError} naming what is wrong, for the text after `invalid value "...": `
 */
export function parseDuration(text: string): number {
  const isNegative = text.startsWith("-");
  const unsigned = isNegative || text.startsWith("+") ? text.slice(1) : text;
  if (unsigned === "0") return 0;
  let totalNs = 0;
  PART.lastIndex = 0;
  while (PART.lastIndex < unsigned.length || unsigned === "") {
    const start = PART.lastIndex;
    const part = PART.exec(unsigned);
    if (part === null) throw new SyntaxError(describeFault(unsigned.slice(start)));
    totalNs += Number(part[1]) * NS_PER_UNIT[part[2]];
  }
  if (totalNs >= MAX_NS) throw new SyntaxError("a duration is shorter than 292 years");
  // The sum of fractions is off by a little; there is nothing below a nanosecond.
  const totalMs = Math.round(totalNs) / 1e6;
  return isNegative ? -totalMs : totalMs;
}

function describeFault(rest: string): string {
  if (/^(\d+\.?\d*|\.\d+)$/.test(rest)) return `${rest} has no unit, write for example ${rest}s or ${rest}ms`;
  return "a duration is numbers with units (ns, us, ms, s, m, h), for example 1m30s";
}

/**
 * Formats milliseconds in the form that other implementations print: `1m0s`, `1h30m0s`, `250ms`,
 * `1.5s`, `100\u00b5s`, `0s`. The result can be parsed again; precision ends at a nanosecond.
 */
export function formatDuration(ms: number): string {
  const sign = ms < 0 ? "-" : "";
  const totalNs = Math.round(Math.abs(ms) * 1e6);
  if (totalNs === 0) return "0s";
  if (totalNs < 1e3) return `${sign}${totalNs}ns`;
  if (totalNs < 1e6) return `${sign}${totalNs / 1e3}\u00b5s`;
  if (totalNs < 1e9) return `${sign}${totalNs / 1e6}ms`;
  const totalSeconds = Math.floor(totalNs / 1e9);
  const fraction = String(totalNs % 1e9).padStart(9, "0").replace(/0+$/, "");
  const seconds = `${totalSeconds % 60}${fraction === "" ? "" : `.${fraction}`}s`;
  const minutes = Math.floor(totalSeconds / 60) % 60;
  const hours = Math.floor(totalSeconds / 3600);
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${sign}${minutes}m${seconds}` : `${sign}${seconds}`;
}

/** Like `formatDuration()`, without units that are zero at the end: `1m` and `1h`, for help texts. */
export function shortDuration(ms: number): string {
  return formatDuration(ms).replace(/m0s$/, "m").replace(/h0m$/, "h");
}
