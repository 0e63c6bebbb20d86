/**
 * The config file: TOML, of which the keys at the top are options.
 *
 * What the file says is coerced as other implementations do where that is harmless: an integer for a
 * duration is milliseconds, numbers may be strings, and a list may be one string with commas. Where they
 * guess (an integer for a bool is inverted, a number for a list gives an empty list) the file is refused.
 */
import { parse, TomlError } from "smol-toml";
import { parseBoolOrWord, parseEnum } from "./args.ts";
import { closest } from "./closest.ts";
import { parseDuration } from "./duration.ts";
import { findKeyLine } from "./key_lines.ts";
import { parseBool, parseBytes, parseFloat64, parseFloats, parseInteger } from "./literals.ts";
import { configKeyOf, findByConfigKey, type Option, type OptionTable, type OptionValue } from "./option.ts";

/** Of a line that is shown in an error, characters. */
const MAX_SHOWN_LENGTH = 60;

/** A config file of which nothing can be used; `message` begins with `config file <path> - `. */
export class ConfigError extends Error {
  override name = "ConfigError";
}

export interface ConfigFile {
  readonly path: string;
  /** Those that could be understood. */
  readonly values: Map<Option, OptionValue>;
  /** One text for each value that could not, each beginning with `config file <path> - `. */
  readonly problems: string[];
  /** One text for each key that means nothing, likewise. */
  readonly warnings: string[];
  /** Where the file names `key`, as in `line 3: id`. */
  place(key: string): string;
}

/** @throws {ConfigError} when the file cannot be read or is no TOML; ranges are not checked here */
export function readConfigFile(table: OptionTable, path: string): ConfigFile {
  try {
    return parseConfig(table, Deno.readTextFileSync(path), path);
  } catch (cause) {
    const reason = cause instanceof Deno.errors.NotFound ? "there is no such file" : (cause as Error).message;
    throw new ConfigError(`config file ${path} - ${reason}`, { cause });
  }
}

function parseConfig(table: OptionTable, text: string, path: string): ConfigFile {
  const place = (key: string) => {
    const line = findKeyLine(text, key), shown = /^[\w-]+$/.test(key) ? key : JSON.stringify(key);
    return line === undefined ? shown : `line ${line}: ${shown}`;
  };
  const file: ConfigFile = { path, values: new Map(), problems: [], warnings: [], place };
  for (const [key, raw] of Object.entries(parseToml(text))) {
    const option = findByConfigKey(table, key);
    if (option === undefined) {
      file.warnings.push(`config file ${path} - ${place(key)} ${describeUnknownKey(table, key)}`);
      continue;
    }
    try {
      file.values.set(option, coerce(option, raw));
    } catch (cause) {
      if (!(cause instanceof SyntaxError)) throw cause;
      file.problems.push(`config file ${path} - ${place(key)} = ${describeValue(raw)}: ${cause.message}`);
    }
  }
  return file;
}

/** Integers come as bigint, so that `1` and `1.0` can be told apart. */
function parseToml(text: string): Record<string, unknown> {
  try {
    return parse(text, { integersAsBigInt: true });
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const reason = cause.message.split("\n", 1)[0].replace(/^Invalid TOML document: /, "");
    const source = JSON.stringify(text.split("\n")[cause.line - 1]?.trim().slice(0, MAX_SHOWN_LENGTH) ?? "");
    throw new SyntaxError(`line ${cause.line}, column ${cause.column}: ${reason}, in ${source}`, { cause });
  }
}

function describeUnknownKey(table: OptionTable, key: string): string {
  const flag = key.replaceAll("_", "-");
  const sameFlag = table.find((option) => option.name === flag);
  if (sameFlag !== undefined && configKeyOf(sameFlag) === null) return "is only a flag, ignored";
  const keys = table.map(configKeyOf).filter((candidate) => candidate !== null);
  const likely = sameFlag === undefined ? closest(key, keys) : configKeyOf(sameFlag);
  return `is an unknown key, ignored${likely === undefined ? "" : `; did you mean ${likely}?`}`;
}

/** @throws {SyntaxError} when `raw`, a value as the TOML parser gives it, does not fit the option */
export function coerce(option: Option, raw: unknown): OptionValue {
  switch (option.kind) {
    case "bool":
      if (typeof raw === "boolean") return raw;
      if (typeof raw === "string") return parseBool(raw);
      throw new SyntaxError("a bool is written true or false");
    case "bool or word":
      if (typeof raw === "boolean") return raw;
      if (typeof raw === "string") return parseBoolOrWord(option.word, raw);
      throw new SyntaxError(`use true, false or "${option.word}"`);
    case "int":
      if (typeof raw === "string") return parseInteger(raw);
      return integerOf(raw, "use a whole number");
    case "float":
      if (typeof raw === "string") return parseFloat64(raw);
      if (typeof raw === "number" || typeof raw === "bigint") return Number(raw);
      throw new SyntaxError("use a number");
    case "bytes":
      if (typeof raw === "string") return parseBytes(raw);
      return integerOf(raw, 'use a whole number of bytes, or a string such as "64MiB"');
    case "duration":
      if (typeof raw === "string") return parseDuration(raw);
      return integerOf(raw, 'use a string such as "1m30s", or a whole number of milliseconds');
    case "string":
      if (typeof raw === "string") return raw;
      throw new SyntaxError("use a string");
    case "enum":
      if (typeof raw === "string") return parseEnum(option, raw);
      throw new SyntaxError(`use one of ${option.values.map((value) => `"${value}"`).join(", ")}`);
    case "string list":
      return option.isTables ? coerceTables(raw) : coerceStrings(raw);
    case "float list":
      return coerceFloats(raw);
  }
}

function integerOf(raw: unknown, expected: string): number {
  if (typeof raw !== "bigint") throw new SyntaxError(expected);
  const value = Number(raw);
  if (BigInt.asIntN(64, raw) !== raw) throw new SyntaxError("value out of range");
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(value, Number.MAX_SAFE_INTEGER));
}

/** An empty part of a string with commas is nothing, hence `""` is the empty list. */
function coerceStrings(raw: unknown): string[] {
  if (typeof raw === "string") return raw.split(",").map((part) => part.trim()).filter((part) => part !== "");
  if (Array.isArray(raw) && raw.every((element) => typeof element === "string")) return raw;
  throw new SyntaxError('use an array of strings, such as ["a:4160", "b:4160"]');
}

function coerceTables(raw: unknown): string[] {
  const elements = Array.isArray(raw) ? raw : [raw];
  return elements.map((element) => {
    if (typeof element === "string") return element;
    if (typeof element !== "object" || element === null || element instanceof Date) {
      throw new SyntaxError("use tables, or an array of strings that hold JSON");
    }
    return JSON.stringify(element, (_key, value) => typeof value === "bigint" ? Number(value) : value);
  });
}

function coerceFloats(raw: unknown): number[] {
  if (typeof raw === "string") return raw.trim() === "" ? [] : parseFloats(raw);
  const isNumber = (element: unknown) => typeof element === "number" || typeof element === "bigint";
  if (Array.isArray(raw) && raw.every(isNumber)) return raw.map(Number);
  throw new SyntaxError("use an array of numbers, such as [0.95, 0.99]");
}

function describeValue(raw: unknown): string {
  if (Array.isArray(raw)) return `[${raw.map(describeValue).join(", ")}]`;
  if (typeof raw === "string") return JSON.stringify(raw);
  if (raw instanceof Date) return raw.toISOString();
  return typeof raw === "object" ? "a table" : String(raw);
}
