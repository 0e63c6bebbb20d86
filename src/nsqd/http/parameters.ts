/**
 * Parameters that more than one endpoint understands.
 *
 * Tested in test/nsqd/http/routes_test.ts.
 */
import type { Query } from "../../http/query.ts";
import type { Logger } from "../../log/logger.ts";

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([["true", true], ["1", true], ["false", false], [
  "0",
  false,
]]);

/** A yes or no; any other word, and none, means yes, as it always has, but is warned of. */
export function booleanParameter(query: Query, name: string, absent: boolean, logger: Logger): boolean {
  const text = query.get(name);
  if (text === undefined) return absent;
  const value = BOOLEANS.get(text);
  if (value === undefined) {
    logger.warn(`HTTP: ${name}=${text} is deprecated, use true or false; it means true`);
  }
  return value ?? true;
}
