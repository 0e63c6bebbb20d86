/** Dates in file names, as the letters of strftime say. */

const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

interface Directive {
  /** The text for a date, in local time. */
  show(date: Date): string;
  /** What all its texts match, as the source of a regular expression. */
  pattern: string;
}

/** Those that other implementations know; any other letter stays as it is, its percent sign included. */
const DIRECTIVES: Readonly<Record<string, Directive>> = {
  Y: { show: (date) => String(date.getFullYear()).padStart(4, "0"), pattern: "\\d{4,}" },
  y: { show: (date) => two(date.getFullYear() % 100), pattern: "\\d\\d" },
  m: { show: (date) => two(date.getMonth() + 1), pattern: "\\d\\d" },
  d: { show: (date) => two(date.getDate()), pattern: "\\d\\d" },
  H: { show: (date) => two(date.getHours()), pattern: "\\d\\d" },
  I: { show: (date) => two(date.getHours() % 12 || 12), pattern: "\\d\\d" },
  M: { show: (date) => two(date.getMinutes()), pattern: "\\d\\d" },
  S: { show: (date) => two(date.getSeconds()), pattern: "\\d\\d" },
  p: { show: (date) => date.getHours() < 12 ? "AM" : "PM", pattern: "[AP]M" },
  B: { show: (date) => MONTHS[date.getMonth()], pattern: "[A-Z][a-z]+" },
  b: { show: (date) => MONTHS[date.getMonth()].slice(0, 3), pattern: "[A-Z][a-z]+" },
  A: { show: (date) => DAYS[date.getDay()], pattern: "[A-Z][a-z]+" },
  a: { show: (date) => DAYS[date.getDay()].slice(0, 3), pattern: "[A-Z][a-z]+" },
  Z: { show: zoneName, pattern: "[A-Z][A-Z0-9+:-]*" },
  z: { show: zoneOffset, pattern: "[+-]\\d{4}" },
  "%": { show: () => "%", pattern: "%" },
};

/** The date in local time, as `format` says: `%Y-%m-%d_%H` gives `2026-11-22_23`. */
export function formatDate(format: string, date: Date): string {
  return format.replace(/%(.)/g, (whole, letter: string) => DIRECTIVES[letter]?.show(date) ?? whole);
}

/** The source of a regular expression that matches what `formatDate()` makes of any date. */
export function datePattern(format: string): string {
  return format.split(/(%.)/).map((part) => {
    const directive = /^%.$/.test(part) ? DIRECTIVES[part[1]] : undefined;
    return directive?.pattern ?? escapePattern(part);
  }).join("");
}

/** The source of a regular expression that matches `text` and nothing else. */
export function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}

/** Such as CET; where the zone has no letters, such as GMT+3. */
function zoneName(date: Date): string {
  const parts = new Intl.DateTimeFormat("en-US", { timeZoneName: "short" }).formatToParts(date);
  return parts.find(({ type }) => type === "timeZoneName")?.value ?? "UTC";
}

function zoneOffset(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}${two(size % 60)}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
