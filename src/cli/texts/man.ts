/** The subcommand `man`. Tested in test/packaging/manual_test.ts. */
import { generalOptions } from "../../options/tables/general_options.ts";
import { commandPage, programPage } from "../../packaging/manual/page.ts";
import { releaseDate, version } from "../../version.ts";
import type { CommandDescription } from "../../packaging/command_description.ts";
import { takeWord } from "./word_command.ts";

export const options = generalOptions;
export const words = "[command]";

const HELP = `nsq man - prints the manual page of the program or of one command

Usage: nsq man [command]

  nsq man nsqd | man -l -
  nsq man nsqd > /usr/local/share/man/man1/nsq-nsqd.1`;

/** Prints the page; resolves with the exit code. */
export async function run(
  args: readonly string[],
  describe: () => Promise<CommandDescription[]>,
): Promise<number> {
  const commands = await describe();
  const names = commands.flatMap(({ name, aliases }) => [name, ...aliases]);
  const taken = takeWord("nsq man", HELP, args, names);
  if (typeof taken === "number") return taken;
  const release = { version, date: releaseDate };
  const command = commands.find(({ name, aliases }) => [name, ...aliases].includes(taken.word ?? ""));
  const page = command === undefined ? programPage(commands, release) : commandPage(command, release);
  await new Blob([page]).stream().pipeTo(Deno.stdout.writable);
  return 0;
}
