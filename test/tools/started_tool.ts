/** A utility in this process: quicker than a process, for all that does not depend on one. */
import { Logger } from "../../src/log/logger.ts";
import { formatPlain } from "../../src/log/plain_format.ts";
import { examineOptions } from "../../src/options/merge.ts";
import type { OptionTable } from "../../src/options/option.ts";
import type { RunningTool, Tool } from "../../src/tools/tool.ts";

export interface StartedTool extends AsyncDisposable {
  running: RunningTool;
  /** What it logged, without the time. */
  lines: string[];
}

/** Checks `words` as the command line does, and starts. @throws what the utility refuses */
export async function startTool<T extends OptionTable>(
  tool: Tool<T>,
  ...words: string[]
): Promise<StartedTool> {
  const found = examineOptions<T>(tool.table, words, { ...tool, versionText: "" });
  if (found.kind === "exit") throw new Error(found.text);
  if (found.problems.length > 0) throw new Error(found.problems[0].text);
  tool.check(found.values);
  const lines: string[] = [];
  const sink = (line: string) => void lines.push(line.slice("2026/11/22 23:00:00 ".length).trimEnd());
  const running = await tool.start(found.values, new Logger("info", "", sink, undefined, formatPlain));
  return {
    running,
    lines,
    async [Symbol.asyncDispose]() {
      await running.stop();
      await running.done;
    },
  };
}
