/** What starting a server from the command line comes to, whichever server it is. */
import { Logger, type LogLevel } from "../log/logger.ts";
import { StartupError } from "../log/startup_error.ts";
import { type Exit, type Program, resolveOptions } from "../options/merge.ts";
import type { OptionTable, OptionValues } from "../options/option.ts";
import { runUntilStopped, type Service } from "./signals.ts";

/** Starts the service with its options. @throws {StartupError} when it cannot start */
export type Start<T extends OptionTable> = (options: OptionValues<T>, logger: Logger) => Promise<Service>;

/** The options that every server has. */
interface LogOptions {
  logLevel: LogLevel;
  logPrefix: string;
}

/** Resolves the options from `args`, starts the service and resolves with the exit code of the process. */
export async function runService<T extends OptionTable>(
  table: OptionValues<T> extends LogOptions ? T : never,
  args: readonly string[],
  program: Program,
  start: Start<T>,
): Promise<number> {
  const resolved = resolveOptions<T>(table, args, program);
  if (resolved.kind === "exit") return showExit(resolved, program);
  const options = resolved.values;
  const { logLevel, logPrefix } = options as LogOptions;
  const logger = new Logger(logLevel, logPrefix);
  for (const warning of resolved.warnings) logger.warn(warning);
  try {
    return await runUntilStopped(await start(options, logger), logger);
  } catch (cause) {
    if (!(cause instanceof StartupError)) throw cause;
    fatalLogger(program).fatal(`failed to instantiate ${program.name} - ${cause.message}`);
    return 1;
  }
}

function showExit(exit: Exit, program: Program): number {
  if (exit.to === "stdout") console.log(exit.text);
  if (exit.to === "stderr") console.error(exit.text);
  if (exit.to === "log") fatalLogger(program).fatal(exit.text);
  return exit.code;
}

/** Why a program did not start is logged under its own name, whatever prefix its options ask for. */
function fatalLogger(program: Program): Logger {
  return new Logger("fatal", `[${program.name}] `);
}
