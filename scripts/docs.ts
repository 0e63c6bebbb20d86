/** Writes the documents that are made from the code: `deno task docs`. */
import { fileURLToPath } from "node:url";
import { describeCommands } from "../src/cli/commands.ts";
import { optionsReference } from "../src/packaging/options_reference.ts";

const path = fileURLToPath(new URL("../docs/options.md", import.meta.url));
await Deno.writeTextFile(path, optionsReference(await describeCommands()));
console.log(`docs: wrote ${path}`);
