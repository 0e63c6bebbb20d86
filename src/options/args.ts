/**
 * The command line. Flags are written `-name` or `--name`, values `-name=value` or `-name value`; a bool
 * takes a value only after `=`. The last flag wins, and lists collect all.
 *
 * Other implementations ignore everything from the first word that is not a flag, without a word. Programs that
 * take their place do so with a warning; for all others such a word is an error.
 */
import { closest } from "./closest.ts";
import { parseDuration } from "./duration.ts";
import { parseBool, parseBytes, parseFloat64, parseFloats, parseInteger } from "./literals.ts";
import type { EnumOption, Option, OptionTable, OptionValue } from "./option.ts";

/** A command line that cannot be understood; `message` is one line for standard error. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** What a command line says. */
export interface ParsedArgs {
  /** The values of the flags that were given, also when they equal the default. */
  given: Map<Option, OptionValue>;
  /** `-h`, `-help` or `--help` was met; what follows it was not looked at. */
  wantsHelp: boolean;
  /** What was ignored. */
  warnings: string[];
}

/**
 * Parses the words after the subcommand. Ranges are not checked here.
 *
 * @param isLenient whether a word that is no flag ends the flags with a warning
 * @throws {UsageError} when a flag is unknown, its value is missing or unreadable, or a word is no flag
 */
export function parseArgs(table: OptionTable, args: readonly string[], isLenient = false): ParsedArgs {
  const given = new Map<Option, OptionValue>();
  for (let i = 0; i < args.length; i++) {
    const word = args[i];
    if (word === "--" && i + 1 === args.length) break;
    if (word === "--" || word === "-" || !word.startsWith("-")) {
      const stray = strayWord(table, args, i);
      if (!isLenient) throw stray;
      return { given, wantsHelp: false, warnings: [`${stray.message}; it and what follows it is ignored`] };
    }
    const { name, value } = splitFlag(word);
    if (name === "h" || name === "help") return { given, wantsHelp: true, warnings: [] };
    const option = table.find((candidate) => candidate.name === name);
    if (option === undefined) throw unknownFlag(table, name);
    if (value !== undefined) {
      collect(given, option, parseFlag(option, value));
    } else if (isBoolFlag(option)) {
      given.set(option, true);
    } else {
      i++;
      if (i === args.length) throw new UsageError(`flag needs an argument: -${name}`);
      collect(given, option, parseFlag(option, args[i]));
    }
  }
  return { given, wantsHelp: false, warnings: [] };
}

function splitFlag(word: string): { name: string; value: string | undefined } {
  const body = word.startsWith("--") ? word.slice(2) : word.slice(1);
  if (body.startsWith("-") || body.startsWith("=")) throw new UsageError(`bad flag syntax: ${word}`);
  const equals = body.indexOf("=");
  if (equals < 0) return { name: body, value: undefined };
  return { name: body.slice(0, equals), value: body.slice(equals + 1) };
}

function collect(given: Map<Option, OptionValue>, option: Option, value: OptionValue): void {
  const before = given.get(option);
  const isList = Array.isArray(before) && Array.isArray(value);
  given.set(option, isList ? [...before, ...value] as string[] | number[] : value);
}

function parseFlag(option: Option, text: string): OptionValue {
  try {
    return parseText(option, text);
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    const value = isBoolFlag(option) ? "boolean value" : "value";
    const reason = `parse error: ${cause.message}`;
    throw new UsageError(`invalid ${value} "${text}" for flag -${option.name}: ${reason}`, { cause });
  }
}

/** Reads one flag's text; a list yields what this one flag adds to it. */
function parseText(option: Option, text: string): OptionValue {
  switch (option.kind) {
    case "bool":
      return parseBool(text);
    case "bool or word":
      return parseBoolOrWord(option.word, text);
    case "int":
      return parseInteger(text);
    case "float":
      return parseFloat64(text);
    case "bytes":
      return parseBytes(text);
    case "duration":
      return parseDuration(text);
    case "string":
      return text;
    case "enum":
      return parseEnum(option, text);
    case "string list":
      return [text];
    case "float list":
      return parseFloats(text);
  }
}

/** Whether the name alone is the whole flag, so that a value needs `=`. */
function isBoolFlag(option: Option): boolean {
  return option.kind === "bool" || option.kind === "bool or word";
}

/** @throws {SyntaxError} naming what is allowed */
export function parseBoolOrWord(word: string, text: string): boolean | string {
  const lowerCase = text.toLowerCase();
  if (lowerCase === word) return word;
  try {
    return parseBool(lowerCase);
  } catch (cause) {
    throw new SyntaxError(`use true, false or ${word}`, { cause });
  }
}

/** @throws {SyntaxError} naming the allowed values */
export function parseEnum(option: EnumOption, text: string): string {
  const { values, emptyMeans } = option;
  const word = text.toLowerCase();
  if (word === "" && emptyMeans !== undefined) return emptyMeans;
  if (!values.includes(word)) throw new SyntaxError(`use one of ${values.join(", ")}`);
  return word;
}

function unknownFlag(table: OptionTable, name: string): UsageError {
  const likely = closest(name, table.map((option) => option.name));
  const hint = likely === undefined ? "" : `, did you mean -${likely}?`;
  return new UsageError(`flag provided but not defined: -${name}${hint}`);
}

function strayWord(table: OptionTable, args: readonly string[], index: number): UsageError {
  const word = args[index] === "--" ? args[index + 1] : args[index];
  const before = index > 0 ? args[index - 1].replace(/^--?/, "") : "";
  const isBoolBefore = table.some((option) => option.name === before && isBoolFlag(option));
  const hint = isBoolBefore && args[index] === word ? `, did you mean -${before}=${word}?` : "";
  return new UsageError(`unexpected argument "${word}": only flags are allowed here${hint}`);
}
