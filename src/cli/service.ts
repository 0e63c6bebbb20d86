/** What running a server from the command line comes to, whichever server it is. */
import { lineFormatOf, type LogFormat } from "../log/line_format.ts";
import { Logger, type LogLevel, stderrSink } from "../log/logger.ts";
import { StartupError } from "../log/startup_error.ts";
import { systemClock } from "../clock/clock.ts";
import { findRestartOptions } from "../options/live_options.ts";
import { type Examined, examineOptions, type Exit, type Program, settle } from "../options/merge.ts";
import { configKeyOf, type OptionTable, type OptionValues } from "../options/option.ts";
import { ServiceManager } from "../net/service_manager.ts";
import { holdHangups, ignoreSignals, runUntilStopped, type Service } from "./signals.ts";

/** A server as a subcommand runs it. */
export interface Server<T extends OptionTable> {
  /** @throws {StartupError} when it cannot start */
  start(options: OptionValues<T>, logger: Logger): Promise<ReloadableService<T>>;
  /** Says, a line each, what of the options would keep it from starting, as far as that shows without starting. */
  check(options: OptionValues<T>): string[] | Promise<string[]>;
  /** Whether there are files besides the config file that a reload reads again; by default not. */
  hasFilesToReload?(options: OptionValues<T>): boolean;
}

/** A started server that takes other options while it runs, as far as they can change. */
export interface ReloadableService<T extends OptionTable> extends Service {
  reload(next: OptionValues<T>): void;
}

/** The options that every server has. */
interface ServerOptions {
  config: string;
  checkConfig: boolean;
  logLevel: LogLevel;
  logFormat: LogFormat;
  logPrefix: string;
}

/** Resolves the options from `args`, starts the server and resolves with the exit code of the process. */
export async function runService<T extends OptionTable>(
  table: OptionValues<T> extends ServerOptions ? T : never,
  args: readonly string[],
  program: Program,
  server: Server<T>,
): Promise<number> {
  const found = examineOptions<T>(table, args, program);
  if (found.kind === "exit") return showExit(found, new Logger("fatal", `[${program.name}] `));
  const { checkConfig, config, logLevel, logFormat, logPrefix } = found.values as ServerOptions;
  if (checkConfig) return await showCheck(found, server);

  const logger = openLog(logLevel, logPrefix, logFormat, program);
  // Why a program did not start is logged under its own name, whatever prefix its options ask for.
  const fatalLogger = logger.sibling(`[${program.name}] `);
  const resolved = settle(found, program);
  if (resolved.kind === "exit") return showExit(resolved, fatalLogger);
  for (const warning of resolved.warnings) logger.warn(warning);
  ignoreSignals();
  const isReloadable = config !== "" || server.hasFilesToReload?.(resolved.values) === true;
  const letHangupsGo = isReloadable ? holdHangups() : undefined;
  try {
    const service = tellManager(await server.start(resolved.values, logger), logger);
    const reload = () => reloadConfig(table, args, program, resolved.values, service, logger);
    const exitCode = runUntilStopped(service, logger, isReloadable ? reload : undefined);
    if (letHangupsGo?.()) reload();
    return await exitCode;
  } catch (cause) {
    if (!(cause instanceof StartupError)) throw cause;
    const lead = cause.standsAlone ? "" : `failed to instantiate ${program.name} - `;
    fatalLogger.fatal(lead + cause.message);
    return 1;
  }
}

/** Has the service manager know how `service` fares, where there is one. */
function tellManager<T extends OptionTable>(
  service: ReloadableService<T>,
  logger: Logger,
): ReloadableService<T> {
  const manager = ServiceManager.find(logger);
  if (manager === null) return service;
  manager.ready("serving");
  return {
    reload: (next) => service.reload(next),
    async stop(force) {
      await manager.stopping();
      await service.stop(force);
    },
    done: service.done.finally(() => manager.close()),
  };
}

function openLog(level: LogLevel, prefix: string, format: LogFormat, program: Program): Logger {
  const lineFormat = lineFormatOf(format, program.name);
  const describeDrops = (lines: number) => {
    const text = `${lines} log lines could not be written`;
    return lineFormat({ timeMs: systemClock.nowMs(), level: 2, prefix, text, fields: undefined });
  };
  return new Logger(level, prefix, stderrSink(describeDrops), systemClock, lineFormat);
}

function showExit(exit: Exit, logger: Logger): number {
  if (exit.to === "stdout") console.log(exit.text);
  if (exit.to === "stderr") console.error(exit.text);
  if (exit.to === "log") logger.fatal(exit.text);
  return exit.code;
}

/** Prints everything that is wrong, also what a start only warns of, or OK. */
async function showCheck<T extends OptionTable>(found: Examined<T>, server: Server<T>): Promise<number> {
  const problems = [...found.problems.map(({ text }) => text), ...found.warnings];
  problems.push(...await server.check(found.values));
  console.log(problems.length === 0 ? "OK" : problems.join("\n"));
  return problems.length === 0 ? 0 : 1;
}

/** SIGHUP: what flags and file say now is put in force, or nothing of it when something is wrong. */
function reloadConfig<T extends OptionTable>(
  table: T,
  args: readonly string[],
  program: Program,
  running: OptionValues<T>,
  service: ReloadableService<T>,
  logger: Logger,
): void {
  const found = examineOptions(table, args, program);
  if (found.kind === "exit") throw new Error(`the command line cannot be read any more: ${found.text}`);
  for (const { text } of found.problems) logger.error(`config not loaded again, nothing changes - ${text}`);
  if (found.problems.length > 0) return;
  for (const warning of found.warnings) logger.warn(warning);
  for (const option of findRestartOptions(table, running, found.values)) {
    logger.warn(`${configKeyOf(option)} has another value now, which needs a restart`);
  }
  service.reload(found.values);
  const { config } = found.values as ServerOptions;
  if (config !== "") logger.info(`config loaded again from ${config}`);
}
