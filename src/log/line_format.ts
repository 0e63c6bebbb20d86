/**
 * How a log record becomes a line: as text in nsqd's form, or as a JSON object.
 *
 * A record is exactly one line in both: control characters are escaped, so that what a client sent cannot
 * forge a line.
 *
 * Tested in test/log/logger_test.ts.
 */

/** The formats by the names that `--log-format` has for them. */
export const logFormats = ["text", "json"] as const;

export type LogFormat = typeof logFormats[number];

/** What a record says apart from its text, for formats that can show it. Names are words joined by `_`. */
export type LogFields = Readonly<Record<string, string | number>>;

export interface LogRecord {
  /** Unix time, with a fraction. */
  readonly timeMs: number;
  /** 0 debug, 1 info, 2 warn, 3 error, 4 fatal. */
  readonly level: number;
  readonly prefix: string;
  readonly text: string;
  readonly fields: LogFields | undefined;
}

/** Returns the line without its end. */
export type LineFormat = (record: LogRecord) => string;

const TEXT_LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", "FATAL"] as const;
const JSON_LEVELS = ["debug", "info", "warn", "error", "fatal"] as const;

/** The format of that name, for the log of `program`. */
export function lineFormatOf(format: LogFormat, program: string): LineFormat {
  return format === "json" ? (record) => formatJson(record, program) : formatText;
}

/** `<prefix>YYYY/MM/DD HH:MM:SS.micros LEVEL: text`, local time; fields are left out, as the text says it all. */
export function formatText({ timeMs, level, prefix, text }: LogRecord): string {
  return `${prefix}${localTime(timeMs)} ${TEXT_LEVELS[level]}: ${escapeControls(text)}`;
}

/**
 * `{"time":...,"level":...,"program":...,"prefix":...,"message":...}` and the fields of the record. The time is
 * RFC 3339 in UTC with microseconds; the prefix is without the spaces around it, and left out when empty.
 */
function formatJson({ timeMs, level, prefix, text, fields }: LogRecord, program: string): string {
  const trimmed = prefix.trim();
  return JSON.stringify({
    time: utcTime(timeMs),
    level: JSON_LEVELS[level],
    program,
    prefix: trimmed === "" ? undefined : trimmed,
    message: text,
    ...fields,
  });
}

/** `YYYY/MM/DD HH:MM:SS.micros`, local time. */
export function localTime(timeMs: number): string {
  const date = new Date(timeMs);
  const day = `${date.getFullYear()}/${two(date.getMonth() + 1)}/${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${time}.${microseconds(timeMs, date)}`;
}

function utcTime(timeMs: number): string {
  const date = new Date(timeMs);
  return `${date.toISOString().slice(0, -"123Z".length)}${microseconds(timeMs, date)}Z`;
}

/** Those of the second, six digits. */
function microseconds(timeMs: number, date: Date): string {
  const micros = Math.floor((timeMs - Math.floor(timeMs)) * 1000) + date.getMilliseconds() * 1000;
  return String(micros).padStart(6, "0");
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}

// deno-lint-ignore no-control-regex
const CONTROLS = /[\x00-\x08\x0a-\x1f\x7f]/g;

/** Makes `text` one line: control characters but tabs are written as escapes. */
export function escapeControls(text: string): string {
  return text.replace(CONTROLS, (char) => {
    if (char === "\n") return "\\n";
    if (char === "\r") return "\\r";
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}
