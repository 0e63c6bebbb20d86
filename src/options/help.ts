/**
 * The text of `--help`: the table, by group, with the flags in one column and their meaning in the other.
 *
 * Tested in test/options/option_tables_test.ts.
 */
import {
  configKeyOf,
  defaultOf,
  type Machine,
  type Option,
  type OptionTable,
  type OptionValue,
} from "./option.ts";
import { describeRange, formatNumber } from "./range.ts";

const LINE_WIDTH = 110;
const INDENT = "  ";

/** The defaults are those of `machine`. The text has no line end. */
export function formatHelp(
  table: OptionTable,
  program: { name: string; command?: string; summary: string },
  machine: Machine,
): string {
  const lines = [
    `${program.name} - ${program.summary}`,
    "",
    `Usage: ${program.command ?? program.name} [flags]`,
  ];
  const columnWidth = Math.max(...table.map((option) => describeFlag(option).length)) + 2 * INDENT.length;
  const add = (flag: string, text: string) => {
    const meaning = wrap(text, LINE_WIDTH - columnWidth);
    lines.push(`${INDENT}${flag}`.padEnd(columnWidth) + meaning[0]);
    lines.push(...meaning.slice(1).map((line) => " ".repeat(columnWidth) + line));
  };
  for (const [index, group] of [...new Set(table.map((option) => option.group))].entries()) {
    lines.push("", `${group}:`);
    if (index === 0) add("--help", "Show this text and exit");
    const options = table.filter((candidate) => candidate.group === group);
    options.sort((a, b) => Number(a.deprecated ?? false) - Number(b.deprecated ?? false));
    for (const option of options) add(describeFlag(option), describeMeaning(option, machine));
  }
  for (const note of notesOn(table)) lines.push("", ...wrap(note, LINE_WIDTH));
  return lines.join("\n");
}

function notesOn(table: OptionTable): string[] {
  const notes = [
    "A flag may start with - or --, and its value may stand after = or as the next word. A flag that shows no " +
    "value is switched on by its name and off by --name=false. A duration is numbers with units: ns, us, ms, s, m, " +
    "h, as in 1m30s.",
  ];
  if (table.some((option) => option.name === "config")) {
    notes.push(
      'In the config file an option is named like its flag with _ for -, unless said otherwise: msg_timeout = "90s". ' +
        "A duration is a string, or a whole number of milliseconds; a size is a whole number of bytes, or a string " +
        'such as "64MiB".',
    );
    const reloadable = table.filter((option) => option.reloadable).map(({ name }) => name);
    const hasTls = table.some((option) => option.name === "tls-cert");
    if (reloadable.length > 0) {
      notes.push(
        `With --config, SIGHUP has the file read again${
          hasTls ? "; with --tls-cert, those of TLS" : ""
        }. These change at once, all others with a restart: ${reloadable.join(", ")}.`,
      );
    }
  }
  return notes;
}

/** Also the placeholder of the value, which names its kind. */
export function describeFlag(option: Option): string {
  switch (option.kind) {
    case "bool":
      return option.default === true ? `--${option.name}[=false]` : `--${option.name}`;
    case "bool or word":
      return `--${option.name}[=${option.word}]`;
    case "enum":
      return `--${option.name}=${option.values.join("|")}`;
    case "string list":
      return `--${option.name}=<string> ...`;
    case "float list":
      return `--${option.name}=<float,...>`;
    default:
      return `--${option.name}=<${option.kind}>`;
  }
}

function describeMeaning(option: Option, machine: Machine): string {
  const facts = option.kind.startsWith("bool") && option.default === false
    ? []
    : [describeDefault(option, defaultOf(option, machine))];
  const isOnlyNotNegative = "min" in option && option.min === 0 && option.max === undefined;
  if (!isOnlyNotNegative) facts.push(describeRange(option));
  if (option.kind === "string list") facts.push("may be repeated");
  const key = configKeyOf(option);
  if (key !== null && key !== option.name.replaceAll("-", "_")) facts.push(`in the config file ${key}`);
  const told = facts.filter((fact) => fact !== "").join("; ");
  const text = told === "" ? option.help : `${option.help} (${told})`;
  return option.deprecated ? `Deprecated. ${text}` : text;
}

function describeDefault(option: Option, value: OptionValue): string {
  const unit = option.kind === "int" && option.unit !== undefined ? ` ${option.unit}` : "";
  return `default ${describeValue(option, value)}${unit}`;
}

/** A value in the unit of its option, as help and log show it. */
export function describeValue(option: Option, value: OptionValue): string {
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.join(",");
  if (typeof value === "number") return formatNumber(option, value);
  if (option.kind !== "string") return String(value);
  return value === "" ? "empty" : JSON.stringify(value);
}

function wrap(text: string, width: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines[lines.length - 1];
    if (line === "") lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}
