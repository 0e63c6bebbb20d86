import { argv0 } from "node:process";
import { commandWords, runCommandLine } from "./src/cli/commands.ts";

if (import.meta.main) Deno.exit(await runCommandLine(commandWords(argv0, Deno.args)));
