/** The subcommand `completion`. Tested in test/packaging/completions_test.ts. */
import { generalOptions } from "../../options/tables/general_options.ts";
import { bashCompletion } from "../../packaging/completions/bash.ts";
import { fishCompletion } from "../../packaging/completions/fish.ts";
import { zshCompletion } from "../../packaging/completions/zsh.ts";
import type { CommandDescription } from "../../packaging/command_description.ts";
import { takeWord } from "./word_command.ts";

export const options = generalOptions;
export const words = "bash|zsh|fish";

const shells = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };
const HELP = `nsq completion - prints the completion script for a shell

Usage: nsq completion ${words}

  bash  source <(nsq completion bash), or nsq completion bash > /etc/bash_completion.d/nsq
  zsh   nsq completion zsh > "\${fpath[1]}/_nsq"
  fish  nsq completion fish > ~/.config/fish/completions/nsq.fish`;

/** Prints the script; resolves with the exit code. */
export async function run(
  args: readonly string[],
  describe: () => Promise<CommandDescription[]>,
): Promise<number> {
  const taken = takeWord("nsq completion", HELP, args, Object.keys(shells));
  if (typeof taken === "number") return taken;
  if (taken.word === undefined) {
    console.error(`for which shell? One of ${Object.keys(shells).join(", ")} (see nsq completion --help)`);
    return 2;
  }
  const script = shells[taken.word as keyof typeof shells](await describe());
  await new Blob([script]).stream().pipeTo(Deno.stdout.writable);
  return 0;
}
