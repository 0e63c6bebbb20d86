/** What the commands that ask one nsqd have in common: words first, then flags. Tested in test/cli/node_commands_test.ts. */
import { type Program, resolveOptions } from "../../options/merge.ts";
import type { OptionTable, OptionValues } from "../../options/option.ts";
import { NodeError } from "../../tools/node/node_api.ts";

/** A command line that cannot be meant: exit code 2. */
export class WordsError extends Error {}

/** Resolves with the exit code: 1 when the node refuses, 2 when the command line cannot be read. */
export async function runNodeCommand<T extends OptionTable>(
  table: T,
  program: Program,
  args: readonly string[],
  work: (words: readonly string[], options: OptionValues<T>) => Promise<void>,
): Promise<number> {
  const firstFlag = args.findIndex((word) => word.startsWith("-"));
  const words = firstFlag < 0 ? args : args.slice(0, firstFlag);
  const resolved = resolveOptions<T>(table, args.slice(words.length), program);
  if (resolved.kind === "exit") {
    if (resolved.to === "stdout") console.log(resolved.text);
    else console.error(resolved.text);
    return resolved.code;
  }
  try {
    await work(words, resolved.values);
    return 0;
  } catch (cause) {
    if (cause instanceof WordsError) {
      console.error(`${cause.message} (see ${program.name} --help)`);
      return 2;
    }
    if (!(cause instanceof NodeError)) throw cause;
    console.error(cause.message);
    return 1;
  }
}

/** The topic, and the channel if there is one, of `TOPIC` or `TOPIC/CHANNEL`. @throws {WordsError} for nothing */
export function subjectOf(word: string | undefined): { topic: string; channel?: string } {
  if (word === undefined || word === "") throw new WordsError("which topic? Give TOPIC or TOPIC/CHANNEL");
  const slash = word.indexOf("/");
  return slash < 0 ? { topic: word } : { topic: word.slice(0, slash), channel: word.slice(slash + 1) };
}
