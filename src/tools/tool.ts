/**
 * What a utility is: its options, what it refuses before it does anything, and how it is started.
 *
 * The command line (`cli/tool.ts`) resolves the options, catches signals and turns the end into an exit code; a
 * utility does neither. Tested in test/tools/flags_test.ts.
 */
import type { Logger } from "../log/logger.ts";
import type { OptionTable, OptionValues } from "../options/option.ts";

/** A utility cannot go on. The command line prints `message`, one line, and exits with 1. */
export class ToolError extends Error {
  override name = "ToolError";
}

/** A utility at work. */
export interface RunningTool {
  /** Ends in good order: what is under way is finished. With `force` at once; may be called again. */
  stop(force?: boolean): Promise<void>;
  /** Resolves with the exit code once it has ended. @throws {ToolError} when it could not go on */
  done: Promise<number>;
  /** For SIGHUP, of a tool that has a use for it. */
  hangup?: () => void;
}

/** A utility as the command line runs it. */
export interface Tool<T extends OptionTable> {
  /** NSQ's name, as in `nsq_stat`. */
  readonly name: string;
  /** How it is called here, as in `nsq stat`. */
  readonly command: string;
  readonly summary: string;
  readonly table: T;
  /** Whether SIGHUP is for `hangup()`; else the signal keeps its default and ends the process. */
  readonly hasHangup?: boolean;
  /**
   * Refuses what cannot be meant, before anything is opened.
   *
   * @throws {ToolError} for values that do not fit, exit code 1
   * @throws {UsageError} for a flag that cannot be read, exit code 2
   */
  check(options: OptionValues<T>): void;
  /** @throws {ToolError} when it cannot start */
  start(options: OptionValues<T>, logger: Logger): Promise<RunningTool>;
}

/** Keeps the type of a table while a tool is written down. */
export function defineTool<const T extends OptionTable>(tool: Tool<T>): Tool<T> {
  return tool;
}

/** The pair that every `stop` and `done` of a tool is made of: a promise of the exit code, settled from outside. */
export function exitCode(): { done: Promise<number>; end(code: number): void; fail(cause: unknown): void } {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  // Whoever waits for it gets the error; until somebody does it is not unhandled.
  promise.catch(() => {});
  return { done: promise, end: resolve, fail: reject };
}

/** The text of whatever was thrown. */
export function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
