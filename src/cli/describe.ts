/** All commands with their options, for what is made from them; loads the modules of all. Tested in test/packaging/options_reference_test.ts. */
import type { CommandDescription } from "../packaging/command_description.ts";
import { commands } from "./commands.ts";

/** In the order of `nsq --help`. */
export function describeCommands(): Promise<CommandDescription[]> {
  return Promise.all(commands.map(async ({ name, aliases, summary, load }) => {
    const { options, words = "" } = await load();
    return { name, aliases, summary, options, words };
  }));
}
