/** Moments as relative times, in the reader's time zone, or in UTC; the other forms are in the title. */

const styles = ["relative", "local", "utc"];
const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function startTimes() {
  writeTimes(document);
  setInterval(() => {
    if (style() === "relative" && !document.hidden) writeTimes(document);
  }, 1000);
}

function style() {
  return document.documentElement.dataset.time;
}

/** The next of the three, for this page; the form of the header keeps it for others. */
export function nextTimeStyle() {
  const next = styles[(styles.indexOf(style()) + 1) % styles.length];
  document.documentElement.dataset.time = next;
  writeTimes(document);
  return next;
}

/** Writes all moments within `root`. */
export function writeTimes(root) {
  for (const element of root.querySelectorAll("time[data-ms]")) writeTime(element);
}

export function writeTime(element) {
  const ms = Number(element.dataset.ms);
  const text = style() === "relative" ? relative(ms) : style() === "utc" ? utc(ms) : local.format(ms);
  if (element.textContent !== text) element.textContent = text;
  const title = `${local.format(ms)} · ${utc(ms)}`;
  if (element.title !== title) {
    element.title = title;
    element.dateTime = new Date(ms).toISOString();
  }
}

export function utc(ms) {
  return new Date(ms).toISOString().replace("T", " ").replace(/\.\d+Z$/, "Z");
}

const clocks = { local: undefined, utc: "UTC" };

/** For the axis of a chart that spans so many seconds: `12:04`, `12:04:30` when zoomed in, with the day for days. */
export function axisTime(seconds, span) {
  const timeZone = clocks[style()];
  const date = new Date(seconds * 1000);
  const options = { timeZone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  if (seconds % 60 !== 0) options.second = "2-digit";
  if (span > 86_400) Object.assign(options, { month: "short", day: "numeric" });
  return date.toLocaleString(undefined, options);
}

/** `12:04:31`, as people here write it. */
export function timeOfDay(ms) {
  return new Date(ms).toLocaleTimeString();
}

function relative(ms) {
  const age = Date.now() - ms;
  if (Math.abs(age) < 1000) return "now";
  return age < 0 ? `in ${leadingUnit(-age)}` : `${leadingUnit(age)} ago`;
}

function leadingUnit(ms) {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}
