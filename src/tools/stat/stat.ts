/** `nsq stat`: what happens in a channel, as rows of numbers; in all of them, as JSON or as a live view. */
import type { Logger } from "../../log/logger.ts";
import { shortDuration } from "../../options/duration.ts";
import { checkAddressPair, checkHostPort, checkPositive } from "../options/shared_options.ts";
import { isColoured, Screen, windowSize } from "../terminal/screen.ts";
import { writeOut } from "../terminal/output.ts";
import { defineTool, exitCode, type RunningTool, ToolError } from "../tool.ts";
import { Counter, type Look, LookError, rowsOf } from "./counts.ts";
import { renderView, type SortColumn, sortColumns } from "./live_view.ts";
import { formatJsonRow, formatRow, header, LOOKS_PER_HEADER } from "./plain_rows.ts";
import { type StatOptions, statOptions } from "./stat_options.ts";

export const statTool = defineTool({
  name: "nsq_stat",
  command: "nsq stat",
  summary: "shows what happens in a channel, or in all of them",
  table: statOptions,
  hasHangup: true,
  check: checkStatOptions,
  start: (options, logger) => Promise.resolve(new Stat(options, logger)),
});

/** The live view is for whoever looks at all channels on a terminal. */
function isLive({ topic, channel, json, live, count }: StatOptions): boolean {
  const isAboutMany = topic === "" || channel === "";
  return live || (!json && isAboutMany && count === 0 && Deno.stdout.isTerminal());
}

function checkStatOptions(options: StatOptions): void {
  const { topic, channel, json, live } = options;
  if ((topic === "" || channel === "") && !json && !isLive(options)) {
    throw new ToolError("--topic and --channel are required");
  }
  checkPositive("--interval", options.interval);
  checkPositive("--http-client-connect-timeout", options.httpClientConnectTimeout);
  checkPositive("--http-client-request-timeout", options.httpClientRequestTimeout);
  if (options.count < 0) throw new ToolError("--count should be positive");
  if (live && json) throw new ToolError("use --live or --json not both");
  if (live && !Deno.stdout.isTerminal()) throw new ToolError("--live needs a terminal as standard output");
  checkAddressPair(options.nsqdHttpAddress, options.lookupdHttpAddress, "http");
  for (const flag of ["nsqd-http-address", "lookupd-http-address"] as const) {
    const addresses = flag === "nsqd-http-address" ? options.nsqdHttpAddress : options.lookupdHttpAddress;
    if (addresses.some((address) => address.startsWith("http"))) {
      throw new ToolError(`--${flag} error - address should not contain scheme`);
    }
    checkHostPort(flag, addresses);
  }
}

class Stat implements RunningTool {
  readonly done: Promise<number>;
  readonly #options: StatOptions;
  readonly #logger: Logger;
  readonly #counter: Counter;
  readonly #exit = exitCode();
  readonly #stopped = new AbortController();
  #screen: Screen | null = null;
  /** Failures that were warned of and have not gone away. */
  #knownFailures: string[] = [];

  constructor(options: StatOptions, logger: Logger) {
    this.#options = options;
    this.#logger = logger;
    this.#counter = new Counter({
      topic: options.topic,
      channel: options.channel,
      nsqdHttpAddresses: options.nsqdHttpAddress,
      lookupdHttpAddresses: options.lookupdHttpAddress,
      connectTimeoutMs: options.httpClientConnectTimeout,
      requestTimeoutMs: options.httpClientRequestTimeout,
    });
    this.done = this.#exit.done;
    const work = isLive(options) ? this.#runLive() : this.#runRows();
    work.then(() => this.#exit.end(0), (cause) => {
      this.#exit.fail(cause instanceof LookError ? new ToolError(cause.message, { cause }) : cause);
    }).finally(() => this.#counter[Symbol.dispose]());
  }

  stop(): Promise<void> {
    this.#stopped.abort();
    // A question under way is not waited for; the window is given back at once.
    this.#screen?.[Symbol.dispose]();
    this.#exit.end(0);
    return Promise.resolve();
  }

  readonly hangup = (): void => void this.stop();

  async #runRows(): Promise<void> {
    const { count, json } = this.#options;
    let before = await this.#lookFirst();
    if (!json) writeOut(`${header}\n`);
    for (let row = 1; !this.#isStopped; row++) {
      await this.#pause();
      if (this.#isStopped) return;
      if (count > 0 && row > count) return;
      if (!json && row % LOOKS_PER_HEADER === 0) writeOut(`${header}\n`);
      const now = await this.#lookAgain();
      this.#print(now, before);
      before = now;
    }
  }

  #print(now: Look, before: Look): void {
    const { topic, channel, json } = this.#options;
    const rows = rowsOf(now, before);
    if (json) {
      const time = new Date();
      writeOut(rows.map((row) => `${formatJsonRow(row, time)}\n`).join(""));
      return;
    }
    if (rows.length === 0) throw missing(channel, topic);
    writeOut(`${formatRow(rows[0])}\n`);
  }

  async #runLive(): Promise<void> {
    const { interval } = this.#options;
    let sort: SortColumn = this.#options.sort;
    let before: Look | null = null;
    let now = await this.#lookFirst();
    const draw = () => {
      const settings = {
        ...windowSize(),
        sort,
        isColoured: isColoured("stdout"),
        intervalText: shortDuration(interval),
      };
      screen.draw(renderView(rowsOf(now, before), now.failures, settings));
    };
    using screen = this.#screen = new Screen((key) => {
      if (key === "q") void this.stop();
      if (key !== "s") return;
      sort = sortColumns[(sortColumns.indexOf(sort) + 1) % sortColumns.length];
      draw();
    });
    draw();
    while (!this.#isStopped) {
      await this.#pause();
      if (this.#isStopped) return;
      const next = await this.#lookUnlessAway();
      if (next === null) now = { ...now, failures: ["nobody answers; what is shown is old"] };
      else [before, now] = [now, next];
      draw();
    }
  }

  /** Whoever cannot be asked at the start was probably meant differently. */
  async #lookFirst(): Promise<Look> {
    const { topic, channel } = this.#options;
    const look = await this.#counter.look();
    if (look.failures.length > 0) {
      throw new ToolError(`ERROR: failed to get nsqd stats - ${look.failures.join("; ")}`);
    }
    if (topic !== "" && channel !== "" && rowsOf(look, null).length === 0) throw missing(channel, topic);
    return look;
  }

  /** Later a node may be away for a while. */
  async #lookAgain(): Promise<Look> {
    const look = await this.#counter.look();
    for (const failure of look.failures) {
      if (!this.#knownFailures.includes(placeOf(failure))) {
        this.#logger.warn(`WARNING: left out - ${failure}`);
      }
    }
    this.#knownFailures = look.failures.map(placeOf);
    return look;
  }

  async #lookUnlessAway(): Promise<Look | null> {
    try {
      return await this.#counter.look();
    } catch (cause) {
      if (!(cause instanceof LookError)) throw cause;
      return null;
    }
  }

  get #isStopped(): boolean {
    return this.#stopped.signal.aborted;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const { signal } = this.#stopped;
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, this.#options.interval);
      signal.addEventListener("abort", end);
    });
  }
}

/** Whom a failure is about; why may differ from look to look. */
function placeOf(failure: string): string {
  return /\d+\.\d+\.\d+\.\d+:\d+|[\w.-]+:\d+/.exec(failure)?.[0] ?? failure;
}

function missing(channel: string, topic: string): ToolError {
  return new ToolError(`ERROR: failed to find channel(${channel}) in stats metadata for topic(${topic})`);
}
