/**
 * Parameters that more than one endpoint understands.
 *
 * Tested in test/nsqd/http/routes_test.ts.
 */
import { HttpError } from "../../http/errors.ts";
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

/** A parameter that cannot be used; `message` says why, and what may be. */
export function badArgument(name: string, message: string): HttpError {
  return new HttpError(400, `INVALID_ARG_${name.toUpperCase()}: ${message}`);
}

/** A whole number from `min` to `max`; `absent` without one. @throws {HttpError} 400 */
export function integerParameter(
  query: Query,
  name: string,
  min: number,
  max: number,
  absent: number,
): number {
  const text = query.get(name);
  if (text === undefined) return absent;
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(value >= min && value <= max)) {
    throw badArgument(name, `"${text}" is no whole number from ${min} to ${max}`);
  }
  return value;
}

/** One of `choices`; `absent` without one. @throws {HttpError} 400 */
export function choiceParameter<T extends string>(
  query: Query,
  name: string,
  choices: readonly T[],
  absent: T,
): T {
  const text = query.get(name);
  if (text === undefined) return absent;
  const choice = choices.find((known) => known === text);
  if (choice === undefined) throw badArgument(name, `"${text}" is none of ${choices.join(", ")}`);
  return choice;
}
