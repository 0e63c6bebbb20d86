/** The subcommand `definitions`: the topics, channels and policies of a node as a file. Tested in test/cli/node_commands_test.ts. */
import { definitionsOptions } from "../../options/tables/node_options.ts";
import { NodeApi } from "../../tools/node/node_api.ts";
import { buildInfo } from "../../version.ts";
import { runNodeCommand, WordsError } from "./node_command.ts";

export const options = definitionsOptions;
export const words = "get|set [FILE]";

const program = {
  name: "nsq definitions",
  command: "nsq definitions get|set [FILE]",
  summary: "writes the topics, channels and policies of a node to a file, or puts a file onto a node",
  versionText: buildInfo("nsq definitions"),
};

/** Resolves with the exit code. */
export function run(args: readonly string[]): Promise<number> {
  return runNodeCommand(
    definitionsOptions,
    program,
    args,
    async ([action, file, ...more], { nsqdHttpAddress, timeout, dryRun }) => {
      if (more.length > 0) throw new WordsError(`one file is enough, but there is also "${more[0]}"`);
      const node = new NodeApi(nsqdHttpAddress, timeout);
      if (action === "get") {
        const text = JSON.stringify(await node.call("GET", "/definitions", {}), null, 2) + "\n";
        if (file === undefined) console.log(text.trimEnd());
        else await Deno.writeTextFile(file, text);
        return;
      }
      if (action !== "set") throw new WordsError("what is to be done? get or set");
      if (file === undefined) throw new WordsError("which file is to be put onto the node?");
      const query: Record<string, string> = dryRun ? { dry_run: "true" } : {};
      const { changes } = await node.call("PUT", "/definitions", query, await readJson(file)) as {
        changes: string[];
      };
      console.log(changes.length === 0 ? "nothing to change" : changes.join("\n"));
    },
  );
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await Deno.readTextFile(file));
  } catch (cause) {
    throw new WordsError(`cannot read ${file}: ${(cause as Error).message}`, { cause });
  }
}
