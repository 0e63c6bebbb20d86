/**
 * How the utilities log: `YYYY/MM/DD HH:MM:SS text`, without a level, as NSQ's utilities do; the client library has
 * its level in front of the text.
 *
 * Tested in test/tools/flags_test.ts.
 */
import { escapeControls, localTime } from "./line_format.ts";
import type { LogRecord } from "./line_format.ts";

/** Local time to the second, then the text; the prefix is left out. */
export function formatPlain({ timeMs, text }: LogRecord): string {
  return `${localTime(timeMs).slice(0, -".123456".length)} ${escapeControls(text)}`;
}

const LIBRARY_LEVELS = ["DBG", "INF", "WRN", "ERR", "ERR"] as const;

/** The same with the three letters of the level, as NSQ's client library writes. */
export function formatLibrary(record: LogRecord): string {
  return formatPlain({ ...record, text: `${LIBRARY_LEVELS[record.level]} ${record.text}` });
}
