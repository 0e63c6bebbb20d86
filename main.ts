import { runCommandLine } from "./src/cli/commands.ts";

if (import.meta.main) Deno.exit(await runCommandLine(Deno.args));
