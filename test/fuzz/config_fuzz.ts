/**
 * Config files and flags: any text is taken or refused with an error that says where, and what is taken is of
 * the kind and in the range that the option table states.
 */
import assert from "node:assert/strict";
import { parseArgs, UsageError } from "../../src/options/args.ts";
import { lookupdOptions } from "../../src/options/tables/lookupd_options.ts";
import { resolveOptions } from "../../src/options/merge.ts";
import { nsqdOptions } from "../../src/options/tables/nsqd_options.ts";
import {
  configKeyOf,
  type Machine,
  type Option,
  type OptionTable,
  type OptionValue,
  propertyName,
} from "../../src/options/option.ts";
import { findRangeFault } from "../../src/options/range.ts";
import { ConfigError, readConfigFile } from "../../src/options/toml.ts";
import type { Random } from "../support/random.ts";
import { anyBody, latin1, mutate } from "./bytes.ts";
import { excerpt, type Session, type Tally, type Target } from "./target.ts";

const PROGRAM = { name: "fuzzed", summary: "", versionText: "v" };
const MACHINE: Machine = { hostname: () => "fuzzed", memoryBytes: () => 1 << 30 };
const TABLES: readonly OptionTable[] = [nsqdOptions, lookupdOptions];

/** Values as TOML, of every type and then some. */
const TOML_VALUES = [
  "true",
  "false",
  "0",
  "1",
  "-1",
  "1.5",
  "1e400",
  "nan",
  "inf",
  "9223372036854775807",
  "9223372036854775808",
  "0x10",
  "1_000",
  '""',
  '"true"',
  '"10"',
  '"10s"',
  '"1h30m"',
  '"1.5ms"',
  '"64MiB"',
  '"-5"',
  '"info"',
  '"a:1,b:2"',
  '"\\u00e9"',
  "'literal'",
  '"""\nlong"""',
  "[]",
  '["a:1", "b:2"]',
  "[0.5, 1]",
  "[1, 2.5, 99]",
  '[1, "a"]',
  "[[1], [2]]",
  "{ a = 1 }",
  "1979-05-27",
  "1979-05-27T07:32:00Z",
];
const FLAG_VALUES = [
  "",
  "0",
  "1",
  "-1",
  "true",
  "false",
  "x",
  "10s",
  "1h",
  "5ms",
  "1.5",
  "64MiB",
  "a:1",
  "0.5,0.9",
  "NaN",
  "1e9",
  "99999999999999999999",
  "\0",
  "é",
];

function anyConfig(random: Random, table: OptionTable): string {
  let text = "";
  for (let left = random.int(8); left > 0; left--) {
    const key = random.chance(0.9)
      ? configKeyOf(random.pick(table))
      : random.pick(["nope", '"a b"', "a.b", "", "max-rdy-count"]);
    text += random.chance(0.05)
      ? random.pick(["[table]\n", "[[tables]]\n", "# comment\n", "\n", "key\n", "= 1\n"])
      : `${key ?? "config"} = ${random.pick(TOML_VALUES)}\n`;
  }
  return text;
}

/** Whether `value` is what an option of this kind may be. */
function fits(option: Option, value: OptionValue): boolean {
  switch (option.kind) {
    case "bool":
      return typeof value === "boolean";
    case "bool or word":
      return typeof value === "boolean" || value === option.word;
    case "int":
    case "bytes":
      return Number.isSafeInteger(value);
    case "float":
    case "duration":
      return typeof value === "number" && Number.isFinite(value);
    case "string":
      return typeof value === "string";
    case "enum":
      return option.values.includes(value as string);
    case "string list":
      return Array.isArray(value) && (value as unknown[]).every((element) => typeof element === "string");
    case "float list":
      return Array.isArray(value) && (value as unknown[]).every((element) => typeof element === "number");
  }
}

function checkKinds(values: Iterable<[Option, OptionValue]>, source: string): void {
  for (const [option, value] of values) {
    assert.ok(fits(option, value), `${option.name} is ${String(value)}, from ${excerpt(source, 2000)}`);
  }
}

const NO_TOML = /^config file \S+ - line \d+, column \d+: .+$/s;
const PROBLEM = /^config file \S+ - (?:line (\d+): )?(\S.*)$/s;

/** A message about a key names its line, which begins with that key. */
function checkPlace(message: string, text: string): void {
  const [, line, rest] = PROBLEM.exec(message) ?? assert.fail(`${message} for ${excerpt(text, 2000)}`);
  if (line === undefined) return;
  const key = text.split("\n")[Number(line) - 1]?.trimStart().split(/[\s=]/, 1)[0].replace(/^\[+|\]+$/g, "");
  const isSpelled = key !== undefined && /^[a-z_]+$/.test(key);
  if (isSpelled) assert.ok(rest.startsWith(key), `${message} for ${excerpt(text, 2000)}`);
}

class ConfigSession implements Session {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  batch(random: Random, rounds: number): Tally {
    const tally: Tally = { configs: 0, refused: 0, flags: 0 };
    for (; tally.configs < rounds; tally.configs++) {
      const table = random.pick(TABLES);
      let text = anyConfig(random, table);
      if (random.chance(0.4)) text = mutate(random, text);
      else if (random.chance(0.02)) text = anyBody(random, random.int(200));
      if (!this.#config(table, text)) tally.refused++;
      this.#flags(random, table);
      tally.flags++;
    }
    return tally;
  }

  /** False when the file was refused. */
  #config(table: OptionTable, text: string): boolean {
    Deno.writeFileSync(this.#path, latin1(text));
    try {
      const file = readConfigFile(table, this.#path);
      checkKinds(file.values, text);
      for (const message of [...file.problems, ...file.warnings]) checkPlace(message, text);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      assert.match(error.message, NO_TOML, `${error.message} for ${excerpt(text, 2000)}`);
      return false;
    }
    const resolved = resolveOptions(table, [`--config=${this.#path}`], PROGRAM, MACHINE);
    if (resolved.kind === "exit") {
      assert.match(
        resolved.text,
        /^failed to (instantiate fuzzed - |load config file ).+$/s,
        excerpt(text, 2000),
      );
      assert.deepEqual([resolved.code, resolved.to], [1, "log"]);
      return false;
    }
    const values = resolved.values as Record<string, OptionValue>;
    for (const option of table) {
      const value = values[propertyName(option.name)];
      assert.ok(
        fits(option, value) && findRangeFault(option, value) === null,
        `${option.name} is ${String(value)}`,
      );
    }
    return true;
  }

  #flags(random: Random, table: OptionTable): void {
    const words = Array.from({ length: random.int(5) }, () => {
      const { name } = random.pick(table), dash = random.pick(["-", "--", "--", ""]);
      const flag = random.chance(0.1) ? mutate(random, name) : name;
      return `${dash}${flag}${random.chance(0.7) ? `=${random.pick(FLAG_VALUES)}` : ""}`;
    });
    try {
      checkKinds(parseArgs(table, words).given, words.join(" "));
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      assert.ok(error.message.length > 5, words.join(" "));
    }
  }

  check(): Promise<void> {
    return Promise.resolve();
  }

  async close(): Promise<void> {
    await Deno.remove(this.#path);
  }
}

export const config: Target = {
  name: "config",
  summary: "config files and flags",
  batchRounds: 2_000,
  shortRounds: 500,
  open: async () => new ConfigSession(await Deno.makeTempFile({ prefix: "nsqd-fuzz-", suffix: ".toml" })),
};
