/** Completion for fish: one line for each flag of each command. Tested in test/packaging/completions_test.ts. */
import type { Option } from "../../options/option.ts";
import { type CommandDescription, shortHelp, valueKind, valueWords } from "../command_description.ts";

/** The script, to be put into the folder of completions under the name `nsq.fish`. */
export function fishCompletion(commands: readonly CommandDescription[]): string {
  const names = commands.flatMap(({ name, aliases }) => [name, ...aliases]);
  const lines = [
    "# fish completion for nsq",
    "complete -c nsq -f",
    ...commands.flatMap(({ name, aliases, summary }) =>
      [name, ...aliases].map((each) =>
        `complete -c nsq -n ${quote(`not __fish_seen_subcommand_from ${names.join(" ")}`)} -a ${each} -d ${
          quote(summary)
        }`
      )
    ),
  ];
  for (const { name, aliases, options } of commands) {
    const isChosen = `-n ${quote(`__fish_seen_subcommand_from ${[name, ...aliases].join(" ")}`)}`;
    for (const option of options) lines.push(`complete -c nsq ${isChosen} ${flag(option)}`);
    const links = name === "nsqd" ? ["nsqd"] : aliases;
    for (const link of links) {
      lines.push(`complete -c ${link} -f`);
      for (const option of options) lines.push(`complete -c ${link} ${flag(option)}`);
    }
  }
  return lines.join("\n") + "\n";
}

function flag(option: Option): string {
  const head = `-l ${option.name} -d ${quote(shortHelp(option))}`;
  switch (valueKind(option)) {
    case "none":
      return head;
    case "word":
      return `${head} -x -a ${quote(valueWords(option).join(" "))}`;
    case "file":
      return `${head} -r -F`;
    case "folder":
      return `${head} -x -a ${quote("(__fish_complete_directories)")}`;
    case "other":
      return `${head} -x`;
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
