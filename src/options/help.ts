/** The text of `--help`: the table, by group, with the flags in one column and their meaning in the other. */
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
  program: { name: string; summary: string },
  machine: Machine,
): string {
  const lines = [`${program.name} - ${program.summary}`, "", `Usage: ${program.name} [flags]`];
  const columnWidth = Math.max(...table.map((option) => describeFlag(option).length)) + 2 * INDENT.length;
  for (const group of new Set(table.map((option) => option.group))) {
    lines.push("", `${group}:`);
    for (const option of table.filter((candidate) => candidate.group === group)) {
      const meaning = wrap(describeMeaning(option, machine), LINE_WIDTH - columnWidth);
      const flag = `${INDENT}${describeFlag(option)}`.padEnd(columnWidth);
      lines.push(...meaning.map((line, index) => (index === 0 ? flag : " ".repeat(columnWidth)) + line));
    }
  }
  if (table.some((option) => option.name === "config")) lines.push("", ...CONFIG_FILE_NOTE);
  return lines.join("\n");
}

const CONFIG_FILE_NOTE = [
  "In the config file an option is named like its flag with _ for -, unless said otherwise:",
  'msg_timeout = "1m30s". A duration is a string with units (ns, us, ms, s, m, h), or a whole number of',
  'milliseconds; a size is a whole number of bytes, or a string such as "64MiB".',
];

/** Also the placeholder of the value, which names its kind. */
export function describeFlag(option: Option): string {
  switch (option.kind) {
    case "bool":
      return `--${option.name}`;
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
  const facts = option.kind === "bool" && option.default === false
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
  return `default ${formatValue(option, value)}${unit}`;
}

function formatValue(option: Option, value: OptionValue): string {
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.join(",");
  if (typeof value === "number") return formatNumber(option, value);
  return option.kind === "string" ? JSON.stringify(value) : String(value);
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
