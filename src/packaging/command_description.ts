/**
 * What completions, manual pages and the reference of options are made from: the commands with their option tables.
 *
 * Tested in test/packaging/completions_test.ts.
 */
import { describeValue } from "../options/help.ts";
import type { Option, OptionTable, OptionValue } from "../options/option.ts";

/** A subcommand of the program. */
export interface CommandDescription {
  readonly name: string;
  /** Names of the same program in other implementations, which links may have. */
  readonly aliases: readonly string[];
  /** One line without a final dot. */
  readonly summary: string;
  readonly options: OptionTable;
  /** What may stand behind the command besides flags, as a synopsis shows it; empty for nothing. */
  readonly words: string;
}

/** A default as texts show it that are the same wherever they are made. */
export function describeDefault(option: Option): string {
  if (typeof option.default === "function") return "depends on the machine";
  return describeValue(option, option.default as OptionValue);
}

/** What the value of an option names, for those who offer values. */
export type ValueKind = "none" | "word" | "file" | "folder" | "other";

/** What a user may type behind the option. */
export function valueKind(option: Option): ValueKind {
  if (option.kind === "bool" || option.kind === "bool or word") return "none";
  if (option.kind === "enum") return "word";
  if (/(?:-path|-dir)$/.test(option.name)) return "folder";
  return /(?:^config|-file|-cert|-key)$/.test(option.name) ? "file" : "other";
}

/** The words that an option takes, when these are all. */
export function valueWords(option: Option): readonly string[] {
  return option.kind === "enum" ? option.values : [];
}

/** The first sentence of the help, for lists with a line for each option. */
export function shortHelp(option: Option): string {
  return option.help.split(/[;:(]|\. /)[0].trim();
}
