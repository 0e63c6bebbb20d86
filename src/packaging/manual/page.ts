/**
 * Manual pages in the mdoc language: one of the whole program, and one of each command with its flags.
 *
 * Tested in test/packaging/manual_test.ts.
 */
import type { Option } from "../../options/option.ts";
import { describeFlag } from "../../options/help.ts";
import { describeRange } from "../../options/range.ts";
import { type CommandDescription, describeDefault } from "../command_description.ts";

/** Facts of this release that stand in every page. */
export interface Release {
  readonly version: string;
  /** ISO 8601, such as `2026-11-25`. */
  readonly date: string;
}

/** `nsq(1)`: what commands there are. */
export function programPage(commands: readonly CommandDescription[], release: Release): string {
  return [
    ...head("nsq", "a message broker and its tools", release),
    ".Sh SYNOPSIS",
    ".Nm",
    ".Ar command",
    ".Op Fl -flags",
    ".Sh DESCRIPTION",
    ".Nm",
    "is one program with several commands.",
    "Called through a link that is named like a program of the other implementation, such as",
    ".Pa nsqlookupd ,",
    "it is that program.",
    ".Bl -tag -width standalone",
    ...commands.flatMap(({ name, aliases, summary }) => [
      `.It Cm ${name}`,
      `${text(summary)}.`,
      ...(aliases.length === 0 ? [] : [`Also called ${aliases.map(text).join(", ")}.`]),
      `See ${pageOf(name)}.`,
    ]),
    ".El",
    ".Sh EXIT STATUS",
    "0 when all went well, 1 when something failed, 2 when the command line could not be read.",
    ".Sh SEE ALSO",
    ...commands.map(({ name }) => name).sort().map((name, index) =>
      `.Xr nsq-${name} 1${index < commands.length - 1 ? " ," : ""}`
    ),
  ].flatMap(wrap).join("\n") + "\n";
}

/** `nsq-COMMAND(1)`: what the flags of a command mean. */
export function commandPage(command: CommandDescription, release: Release): string {
  const { name, aliases, summary, options, words } = command;
  const groups = [...new Set(options.map(({ group }) => group))];
  return [
    ...head(`nsq-${name}`, summary, release),
    ".Sh SYNOPSIS",
    `.Nm nsq ${name}`,
    ".Op Fl -flags",
    ...(words === "" ? [] : [`.Ar ${words}\\&`]),
    ".Sh DESCRIPTION",
    `${text(summary)}.`,
    ...(aliases.length === 0 ? [] : [`Also called ${aliases.map(text).join(", ")}.`]),
    "A flag wins over the config file, and that over the default.",
    ...groups.flatMap((group) => [
      `.Ss ${text(group)}`,
      ".Bl -tag -width Ds",
      ...options.filter((option) => option.group === group).flatMap(entry),
      ".El",
    ]),
    ".Sh SEE ALSO",
    ".Xr nsq 1",
  ].flatMap(wrap).join("\n") + "\n";
}

function head(name: string, summary: string, { date }: Release): string[] {
  return [
    `.Dd ${mdocDate(date)}`,
    `.Dt ${name.toUpperCase()} 1`,
    ".Os",
    ".Sh NAME",
    `.Nm ${name}`,
    `.Nd ${text(summary.charAt(0).toLowerCase() + summary.slice(1))}`,
  ];
}

function entry(option: Option): string[] {
  const facts = [];
  const isPlainSwitch = option.kind.startsWith("bool") && option.default === false;
  if (!isPlainSwitch) facts.push(`default ${describeDefault(option)}`);
  facts.push(describeRange(option));
  if (option.kind === "string list") facts.push("may be repeated");
  const told = facts.filter((fact) => fact !== "").join("; ");
  return [
    `.It Fl -${text(describeFlag(option).slice(2))}`,
    `${text(option.help)}${told === "" ? "" : ` (${text(told)})`}.`,
  ];
}

const MONTHS = "January February March April May June July August September October November December".split(
  " ",
);

function mdocDate(date: string): string {
  const [year, month, day] = date.split("-").map(Number);
  return `${MONTHS[month - 1]} ${day}, ${year}`;
}

function pageOf(name: string): string {
  return `nsq-${text(name)}(1)`;
}

const LINE_LENGTH = 78;

/** Breaks lines of text; lines of mdoc commands have to stay whole. */
function wrap(line: string): string[] {
  if (line.startsWith(".")) return [line];
  return line.split("\n").flatMap((part) => {
    const lines = [""];
    for (const word of part.split(" ")) {
      const last = lines[lines.length - 1];
      if (last !== "" && last.length + 1 + word.length > LINE_LENGTH) {
        lines.push(word.replace(/^[.']/, "\\&$&"));
      } else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
    }
    return lines;
  });
}

/** Text that means nothing to mdoc: no macro at the start of a line, no escapes; long sentences are one line each. */
function text(plain: string): string {
  return plain
    .replaceAll("\\", "\\e")
    .replace(/^[.']/, "\\&$&")
    .replaceAll('"', "\\(dq")
    .replace(/\. (?=[A-Z])/g, ".\n");
}
