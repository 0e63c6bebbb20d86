/** Puts the options of a program together: a given flag wins over the config file, that over the default. */
import { parseArgs, UsageError } from "./args.ts";
import { formatHelp } from "./help.ts";
import {
  configKeyOf,
  defaultOf,
  type Machine,
  type Option,
  type OptionTable,
  type OptionValue,
  type OptionValues,
  propertyName,
  thisMachine,
} from "./option.ts";
import { clamp, findRangeFault } from "./range.ts";
import { ConfigError, type ConfigFile, readConfigFile } from "./toml.ts";

/** Whose options they are. */
export interface Program {
  /** The name in help, errors and the log, such as `nsqd`. */
  name: string;
  /** How it is called on a command line, where that is not its name, such as `nsq nsqd`. */
  command?: string;
  /** One sentence about the program, for `--help`. */
  summary: string;
  /** What `--version` prints, such as `nsqd v1.3.0 (built w/deno2.9.6)`. */
  versionText: string;
  /** Words that are no flags are only warned of, as programs that take another implementation's place must. */
  isLenient?: boolean;
}

/** The process is to end at once with `code`, after showing `text` (which has no line end). */
export interface Exit {
  kind: "exit";
  code: number;
  text: string;
  /** `log` stands for a FATAL line of the log. */
  to: "stdout" | "stderr" | "log";
}

/** The options, and what to warn about once there is a log. */
export interface Resolved<T extends OptionTable> {
  kind: "values";
  values: OptionValues<T>;
  /** Keys of the config file that mean nothing, and options without effect. */
  warnings: string[];
}

/** Something that keeps a program from starting. */
export interface Problem {
  /** Whether the config file could not be understood, or a value is out of its range. */
  kind: "config file" | "range";
  /** One line, such as `config file nsqd.toml - line 3: id = 1.5: use a whole number`. */
  text: string;
}

/** What the command line and the config file say, right or wrong. */
export interface Examined<T extends OptionTable> extends Omit<Resolved<T>, "kind"> {
  kind: "examined";
  /** Where there is a problem, `values` holds the default instead. */
  problems: Problem[];
}

/**
 * Resolves the options of `program` from `args`, the words after its name, and from the file that
 * `--config` names. An unreadable command line exits with 2, an unusable file or a value out of range
 * with 1, `--help` and `--version` with 0.
 */
export function resolveOptions<const T extends OptionTable>(
  table: T,
  args: readonly string[],
  program: Program,
  machine: Machine = thisMachine,
): Resolved<T> | Exit {
  const found = examineOptions(table, args, program, machine);
  return found.kind === "exit" ? found : settle(found, program);
}

/** Like `resolveOptions()`, but goes on after problems with the config file and with ranges, to find them all. */
export function examineOptions<const T extends OptionTable>(
  table: T,
  args: readonly string[],
  program: Program,
  machine: Machine = thisMachine,
): Examined<T> | Exit {
  try {
    const { given, wantsHelp, warnings } = parseArgs(table, args, program.isLenient === true);
    if (wantsHelp) return { kind: "exit", code: 0, text: formatHelp(table, program, machine), to: "stdout" };
    const flag = (name: string) => given.get(table.find((option) => option.name === name)!);
    if (flag("version") === true) return { kind: "exit", code: 0, text: program.versionText, to: "stdout" };
    const found = merge(table, given, flag("config") as string | undefined, machine);
    found.warnings.unshift(...warnings);
    return found;
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause;
    return {
      kind: "exit",
      code: 2,
      text: `${cause.message} (see ${program.command ?? program.name} --help)`,
      to: "stderr",
    };
  }
}

/** Turns the first problem, if there is one, into the end of the process. */
export function settle<T extends OptionTable>(found: Examined<T>, program: Program): Resolved<T> | Exit {
  const { values, warnings, problems: [problem] } = found;
  if (problem === undefined) return { kind: "values", values, warnings };
  const action = problem.kind === "config file"
    ? "failed to load "
    : `failed to instantiate ${program.name} - `;
  return { kind: "exit", code: 1, text: action + problem.text, to: "log" };
}

function merge<T extends OptionTable>(
  table: T,
  given: Map<Option, OptionValue>,
  configPath: string | undefined,
  machine: Machine,
): Examined<T> {
  const problems: Problem[] = [];
  const file = configPath ? readOrReport(table, configPath, problems) : null;
  const warnings = [...file?.warnings ?? []];
  const values: Record<string, OptionValue> = {};
  for (const option of table) {
    const isFromFile = !given.has(option) && file?.values.has(option) === true;
    const said = given.get(option) ?? file?.values.get(option);
    const place = () =>
      isFromFile ? `config file ${file.path} - ${file.place(configKeyOf(option)!)}` : `--${option.name}`;
    if (said !== undefined && option.deprecated) warnings.push(`${place()} has no effect`);
    const nearest = said === undefined ? null : clamp(option, said);
    const taken = nearest?.value ?? said;
    const fault = taken === undefined ? null : findRangeFault(option, taken);
    const placed = (text: string) => isFromFile ? `${text} (${place()})` : text;
    if (nearest !== null) warnings.push(placed(nearest.warning));
    if (fault !== null) problems.push({ kind: "range", text: placed(fault) });
    const value = fault === null && taken !== undefined ? taken : defaultOf(option, machine);
    values[propertyName(option.name)] = !isFromFile && said !== undefined ? ordered(option, value) : value;
  }
  return { kind: "examined", values: values as OptionValues<T>, warnings, problems };
}

/** Puts the flags of a list in the order that counts. */
function ordered(option: Option, value: OptionValue): OptionValue {
  if (option.kind !== "string list" || !option.isLastFirst) return value;
  const list = value as string[];
  return [...new Set([list.at(-1)!, ...list])];
}

/** Null when nothing of the file can be used, which is then one of the problems. */
function readOrReport(table: OptionTable, path: string, problems: Problem[]): ConfigFile | null {
  try {
    const file = readConfigFile(table, path);
    problems.push(...file.problems.map((text) => ({ kind: "config file", text }) as const));
    return file;
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    problems.push({ kind: "config file", text: cause.message });
    return null;
  }
}
