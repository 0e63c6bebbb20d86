/**
 * What running a utility from the command line comes to, whichever utility it is.
 *
 * Tested in test/tools/flags_test.ts.
 */
import { systemClock } from "../clock/clock.ts";
import { Logger, stderrSink } from "../log/logger.ts";
import { formatPlain } from "../log/plain_format.ts";
import { UsageError } from "../options/args.ts";
import { examineOptions } from "../options/merge.ts";
import type { OptionTable } from "../options/option.ts";
import type { RunningTool, Tool } from "../tools/tool.ts";
import { ToolError } from "../tools/tool.ts";
import { version } from "../version.ts";
import { runUntilStopped, type Service } from "./signals.ts";

/** Resolves the options from `args`, runs the utility and resolves with the exit code of the process. */
export async function runTool<T extends OptionTable>(
  tool: Tool<T>,
  args: readonly string[],
): Promise<number> {
  const logger = new Logger("info", "", stderrSink(), systemClock, formatPlain);
  const program = { ...tool, versionText: `${tool.name} v${version}` };
  const found = examineOptions<T>(tool.table, args, program);
  if (found.kind === "exit") {
    if (found.to === "stdout") console.log(found.text);
    else console.error(found.text);
    return found.code;
  }
  try {
    for (const warning of found.warnings) logger.warn(`WARNING: ${warning}`);
    if (found.problems.length > 0) throw new ToolError(found.problems[0].text);
    tool.check(found.values);
    // That a signal came needs no line: whoever sent it knows, and standard error may be a terminal.
    const quiet = new Logger("warn", "", stderrSink(), systemClock, formatPlain);
    const service = serviceOf(() => tool.start(found.values, logger), logger);
    return await runUntilStopped(service, quiet, tool.hasHangup ? () => service.hangup() : undefined);
  } catch (cause) {
    if (cause instanceof UsageError) {
      console.error(`${cause.message} (see ${tool.command} --help)`);
      return 2;
    }
    if (!(cause instanceof ToolError)) throw cause;
    logger.fatal(cause.message);
    return 1;
  }
}

/**
 * The utility as a service from its first moment on: a signal that comes while it starts ends it at once, in good order,
 * as nothing was done yet.
 */
function serviceOf(start: () => Promise<RunningTool>, logger: Logger): Service & { hangup(): void } {
  let running: RunningTool | null = null;
  const early = Promise.withResolvers<number>();
  const run = async () => {
    // Signals are listened to before it begins.
    await Promise.resolve();
    try {
      running = await start();
      return await running.done;
    } catch (cause) {
      if (!(cause instanceof ToolError)) throw cause;
      logger.fatal(cause.message);
      return 1;
    }
  };
  return {
    async stop(force) {
      if (running === null) early.resolve(0);
      else await running.stop(force);
    },
    done: Promise.race([early.promise, run()]),
    hangup: () => running?.hangup?.(),
  };
}
