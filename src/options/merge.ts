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
import { findRangeFault } from "./range.ts";
import { ConfigError, readConfigFile } from "./toml.ts";

/** Whose options they are. */
export interface Program {
  /** The name in help, errors and the log, such as `nsqd`. */
  name: string;
  /** One sentence about the program, for `--help`. */
  summary: string;
  /** What `--version` prints, such as `nsqd v1.3.0 (built w/deno2.9.6)`. */
  versionText: string;
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
  warnings: string[];
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
  try {
    const { given, wantsHelp } = parseArgs(table, args);
    if (wantsHelp) return { kind: "exit", code: 0, text: formatHelp(table, program, machine), to: "stdout" };
    const flag = (name: string) => given.get(table.find((option) => option.name === name)!);
    if (flag("version") === true) return { kind: "exit", code: 0, text: program.versionText, to: "stdout" };
    return merge(table, given, flag("config") as string | undefined, program, machine);
  } catch (cause) {
    if (cause instanceof UsageError) {
      const text = `${cause.message}\nRun ${program.name} --help for all flags.`;
      return { kind: "exit", code: 2, text, to: "stderr" };
    }
    if (cause instanceof ConfigError) return { kind: "exit", code: 1, text: cause.message, to: "log" };
    throw cause;
  }
}

function merge<T extends OptionTable>(
  table: T,
  given: Map<Option, OptionValue>,
  configPath: string | undefined,
  program: Program,
  machine: Machine,
): Resolved<T> | Exit {
  const config = configPath ? readConfigFile(table, configPath) : { values: new Map(), warnings: [] };
  const values: Record<string, OptionValue> = {};
  for (const option of table) {
    const value = given.get(option) ?? config.values.get(option) ?? defaultOf(option, machine);
    const fault = findRangeFault(option, value);
    if (fault !== null) {
      const isFromFile = !given.has(option) && config.values.has(option);
      const source = isFromFile ? ` (${configKeyOf(option)} in config file ${configPath})` : "";
      const text = `failed to instantiate ${program.name} - ${fault}${source}`;
      return { kind: "exit", code: 1, text, to: "log" };
    }
    values[propertyName(option.name)] = value;
  }
  return { kind: "values", values: values as OptionValues<T>, warnings: config.warnings };
}
