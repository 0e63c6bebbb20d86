/**
 * The reference of all options as Markdown, made from their tables: `docs/options.md`.
 *
 * Tested in test/packaging/options_reference_test.ts.
 */
import { describeFlag } from "../options/help.ts";
import { configKeyOf, type Option } from "../options/option.ts";
import { describeRange } from "../options/range.ts";
import { type CommandDescription, describeDefault } from "./command_description.ts";

/** The whole document. */
export function optionsReference(commands: readonly CommandDescription[]): string {
  const sections = commands.flatMap(({ name, aliases, summary, options }) => [
    `## nsq ${name}`,
    "",
    aliases.length === 0 ? `${summary}.` : `${summary}. Also \`${aliases.join("`, `")}\`.`,
    "",
    ...[...new Set(options.map(({ group }) => group))].flatMap((group) => [
      `### ${group}`,
      "",
      "| flag | config key | default | meaning |",
      "| --- | --- | --- | --- |",
      ...options.filter((option) => option.group === group).map(row),
      "",
    ]),
  ]);
  return [
    "# Options",
    "",
    "Made from the tables in the source by `deno task docs`. A flag wins over the config file, and that over the",
    "default. Options with a ↻ change at SIGHUP, when the config file is read again.",
    "",
    ...sections,
  ].join("\n").trimEnd() + "\n";
}

function row(option: Option): string {
  const key = configKeyOf(option);
  const range = describeRange(option);
  const meaning = [
    option.deprecated ? `Deprecated. ${option.help}` : option.help,
    ...(range === "" ? [] : [range]),
    ...(option.kind === "string list" ? ["may be repeated"] : []),
    ...(option.reloadable ? ["↻"] : []),
  ].join("; ");
  const cells = [
    `\`${describeFlag(option)}\``,
    key === null ? "" : `\`${key}\``,
    describeDefault(option),
    meaning,
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}
