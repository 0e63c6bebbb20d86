/**
 * Log lines in nsqd's format: `<prefix>YYYY/MM/DD HH:MM:SS.micros LEVEL: text`, local time, on stderr.
 *
 * A record is exactly one line: control characters in the text are escaped, so that what a client sent
 * cannot forge a line. Where lines go is a sink, so that tests can read them.
 */
import { type Clock, systemClock } from "../clock/clock.ts";

/** Lowest to highest; a logger writes its own level and those above. */
export const logLevels = ["debug", "info", "warn", "error", "fatal"] as const;

export type LogLevel = typeof logLevels[number];

/** Takes one complete line, newline included. */
export type LogSink = (line: string) => void;

const LEVEL_WORDS = ["DEBUG", "INFO", "WARNING", "ERROR", "FATAL"] as const;

/** Writes lines at or above a level that may change at run time. */
export class Logger {
  readonly prefix: string;
  readonly #sink: LogSink;
  readonly #clock: Clock;
  #lowest: number;

  constructor(level: LogLevel, prefix: string, sink: LogSink = stderrSink(), clock: Clock = systemClock) {
    this.#lowest = logLevels.indexOf(level);
    this.prefix = prefix;
    this.#sink = sink;
    this.#clock = clock;
  }

  get level(): LogLevel {
    return logLevels[this.#lowest];
  }

  set level(level: LogLevel) {
    this.#lowest = logLevels.indexOf(level);
  }

  /** Whether a line of this level is written: for callers whose text is costly to build. */
  isEnabled(level: LogLevel): boolean {
    return logLevels.indexOf(level) >= this.#lowest;
  }

  debug(text: string): void {
    this.#write(0, text);
  }

  info(text: string): void {
    this.#write(1, text);
  }

  warn(text: string): void {
    this.#write(2, text);
  }

  error(text: string): void {
    this.#write(3, text);
  }

  /** Says why the process is about to end. It does not end it. */
  fatal(text: string): void {
    this.#write(4, text);
  }

  #write(level: number, text: string): void {
    if (level < this.#lowest) return;
    const line = `${timestamp(this.#clock.nowMs())} ${LEVEL_WORDS[level]}: ${escapeControls(text)}`;
    this.#sink(`${this.prefix}${line}\n`);
  }
}

/**
 * Makes the sink that writes to stderr.
 *
 * A log that cannot be written (a closed terminal, a full pipe) must not stop a broker: such lines are
 * dropped, and the next one that gets through is preceded by their number.
 */
export function stderrSink(write: (bytes: Uint8Array) => number = (b) => Deno.stderr.writeSync(b)): LogSink {
  const encoder = new TextEncoder();
  let droppedLines = 0;
  return (line) => {
    const notice = droppedLines > 0 ? `(${droppedLines} log lines could not be written)\n` : "";
    let bytes = encoder.encode(notice + line);
    try {
      while (bytes.length > 0) bytes = bytes.subarray(write(bytes));
      droppedLines = 0;
    } catch {
      droppedLines += 1;
    }
  };
}

function timestamp(nowMs: number): string {
  const date = new Date(nowMs);
  const micros = Math.floor((nowMs - Math.floor(nowMs)) * 1000) + date.getMilliseconds() * 1000;
  const day = `${date.getFullYear()}/${two(date.getMonth() + 1)}/${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${time}.${String(micros).padStart(6, "0")}`;
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}

// deno-lint-ignore no-control-regex
const CONTROLS = /[\x00-\x08\x0a-\x1f\x7f]/g;

function escapeControls(text: string): string {
  return text.replace(CONTROLS, (char) => {
    if (char === "\n") return "\\n";
    if (char === "\r") return "\\r";
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}
