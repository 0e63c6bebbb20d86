/**
 * The log: records with a level, each exactly one line on stderr. How a line looks is a format, see
 * `line_format.ts`; where lines go is a sink, so that tests can read them.
 */
import { type Clock, systemClock } from "../clock/clock.ts";
import { formatText, type LineFormat, type LogFields } from "./line_format.ts";

/** Lowest to highest; a logger writes its own level and those above. */
export const logLevels = ["debug", "info", "warn", "error", "fatal"] as const;

export type LogLevel = typeof logLevels[number];

/** Takes one complete line, newline included. */
export type LogSink = (line: string) => void;

/** Writes lines at or above a level that may change at run time. */
export class Logger {
  readonly prefix: string;
  readonly #sink: LogSink;
  readonly #clock: Clock;
  readonly #format: LineFormat;
  #lowest: number;

  constructor(
    level: LogLevel,
    prefix: string,
    sink: LogSink = stderrSink(),
    clock: Clock = systemClock,
    format: LineFormat = formatText,
  ) {
    this.#lowest = logLevels.indexOf(level);
    this.prefix = prefix;
    this.#sink = sink;
    this.#clock = clock;
    this.#format = format;
  }

  /** A logger of its own level and prefix that writes to the same place in the same format. */
  sibling(prefix: string): Logger {
    return new Logger(this.level, prefix, this.#sink, this.#clock, this.#format);
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

  debug(text: string, fields?: LogFields): void {
    this.#write(0, text, fields);
  }

  info(text: string, fields?: LogFields): void {
    this.#write(1, text, fields);
  }

  warn(text: string, fields?: LogFields): void {
    this.#write(2, text, fields);
  }

  error(text: string, fields?: LogFields): void {
    this.#write(3, text, fields);
  }

  /** Says why the process is about to end. It does not end it. */
  fatal(text: string, fields?: LogFields): void {
    this.#write(4, text, fields);
  }

  #write(level: number, text: string, fields: LogFields | undefined): void {
    if (level < this.#lowest) return;
    const { prefix } = this;
    this.#sink(`${this.#format({ timeMs: this.#clock.nowMs(), level, prefix, text, fields })}\n`);
  }
}

/**
 * Makes the sink that writes to stderr.
 *
 * A log that cannot be written (a closed terminal, a full pipe) must not stop a broker: such lines are
 * dropped, and the next one that gets through is preceded by `describeDrops()` of their number.
 */
export function stderrSink(
  describeDrops: (lines: number) => string = (lines) => `(${lines} log lines could not be written)`,
  write: (bytes: Uint8Array) => number = (bytes) => Deno.stderr.writeSync(bytes),
): LogSink {
  const encoder = new TextEncoder();
  let droppedLines = 0;
  return (line) => {
    const notice = droppedLines > 0 ? `${describeDrops(droppedLines)}\n` : "";
    let bytes = encoder.encode(notice + line);
    try {
      while (bytes.length > 0) bytes = bytes.subarray(write(bytes));
      droppedLines = 0;
    } catch {
      droppedLines += 1;
    }
  };
}
