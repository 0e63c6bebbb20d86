/**
 * How the utilities set up the client: addresses, the options of `--consumer-opt` and `--producer-opt`, the user agent,
 * and log lines in the form of NSQ's client library.
 *
 * Tested in test/tools/flags_test.ts.
 */
import {
  applyGoOption,
  type ConnectionOptions,
  Consumer,
  type ConsumerOptions,
  type Log,
  type LogLevel,
  OptionError,
  Producer,
  type ProducerOptions,
} from "../client/mod.ts";
import { systemClock } from "../clock/clock.ts";
import { formatPlain } from "../log/plain_format.ts";
import { Logger, stderrSink } from "../log/logger.ts";
import { UsageError } from "../options/args.ts";
import { isValidName } from "../protocol/names.ts";
import { version } from "../version.ts";
import { reasonOf, ToolError } from "./tool.ts";

/** The version of NSQ's own client library that servers and dashboards see. */
const LIBRARY = "go-nsq/1.1.0";

/** What the flags of a utility say of its consumers. */
export interface ConsumerFlags {
  nsqdTcpAddress: readonly string[];
  lookupdHttpAddress: readonly string[];
  maxInFlight: number;
  consumerOpt: readonly string[];
}

/**
 * Reads the values of `--consumer-opt` or `--producer-opt`.
 *
 * @throws {UsageError} naming the flag, the option and what is allowed
 */
export function readClientOptions(flagName: string, texts: readonly string[]): ConsumerOptions {
  const options: ConsumerOptions = {};
  for (const text of texts) {
    try {
      applyGoOption(options, text);
    } catch (cause) {
      if (!(cause instanceof OptionError)) throw cause;
      throw new UsageError(`invalid value "${text}" for flag -${flagName}: ${cause.message}`, { cause });
    }
  }
  return options;
}

let lastClientId = 0;

const LEVELS: Readonly<Record<LogLevel, string>> = {
  debug: "DBG",
  info: "INF",
  warning: "WRN",
  error: "ERR",
};

/** Logs lines from `lowest` on, with the number of the client and, for a consumer, `topic/channel`. */
function libraryLog(of: string | null, lowest: "info" | "warning"): Log {
  const logger = new Logger("info", "", stderrSink(), systemClock, formatPlain);
  const lead = `${String(++lastClientId).padStart(3)}${of === null ? "" : ` [${of}]`}`;
  return (level, text) => {
    if (level !== "debug" && (level !== "info" || lowest === "info")) {
      logger.info(`${LEVELS[level]}  ${lead} ${text}`);
    }
  };
}

/**
 * Makes a consumer for the utility `tool` (as in `nsq_tail`). What the flags say wins over `--consumer-opt`.
 *
 * `more` is for what a utility needs besides; of what it gives, `--consumer-opt` wins.
 *
 * @throws {ToolError} when a name or an option cannot be used
 */
export function createConsumer(
  tool: string,
  topic: string,
  channel: string,
  flags: ConsumerFlags,
  more: ConsumerOptions = {},
  lowestLevel: "info" | "warning" = "info",
): Consumer {
  checkNames(topic, channel);
  const options: ConsumerOptions = {
    ...more,
    ...readClientOptions("consumer-opt", flags.consumerOpt),
    ...addressesOf(flags.nsqdTcpAddress, flags.lookupdHttpAddress),
    maxInFlight: flags.maxInFlight,
    userAgent: userAgentOf(tool),
    log: libraryLog(`${topic}/${channel}`, lowestLevel),
  };
  if ((options.maxAttempts ?? 0) > 0 && options.onGiveUp === undefined) {
    options.onGiveUp = ({ id, attempts }) =>
      options.log!("warning", `msg ${id} attempted ${attempts} times, giving up`);
  }
  return create(() => new Consumer(topic, channel, options));
}

/** @throws {ToolError} when an option cannot be used */
export function createProducer(
  tool: string,
  nsqdTcpAddress: string,
  producerOpt: readonly string[],
  more: ProducerOptions = {},
  lowestLevel: "info" | "warning" = "info",
): Producer {
  const options = readClientOptions("producer-opt", producerOpt);
  return create(() =>
    new Producer({
      ...more,
      ...connectionPart(options),
      nsqd: [nsqdTcpAddress],
      userAgent: userAgentOf(tool),
      log: libraryLog(null, lowestLevel),
    })
  );
}

/** @throws {ToolError} as NSQ's client library says it */
export function checkNames(topic: string, channel: string): void {
  if (!isValidName(topic)) throw new ToolError("invalid topic name");
  if (!isValidName(channel)) throw new ToolError("invalid channel name");
}

function create<T>(make: () => T): T {
  try {
    return make();
  } catch (cause) {
    if (!(cause instanceof OptionError)) throw cause;
    throw new ToolError(reasonOf(cause), { cause });
  }
}

function userAgentOf(tool: string): string {
  return `${tool}/${version} ${LIBRARY}`;
}

function addressesOf(nsqd: readonly string[], lookupd: readonly string[]): ConnectionOptions {
  return { ...(nsqd.length > 0 ? { nsqd } : {}), ...(lookupd.length > 0 ? { lookupd } : {}) };
}

/** Producers take all names, as NSQ's do, and use those that are about connections. */
function connectionPart(options: ConsumerOptions): ConnectionOptions {
  const consumerOnly = new Set([
    "maxInFlight",
    "maxAttempts",
    "onGiveUp",
    "defaultRequeueDelayMs",
    "maxRequeueDelayMs",
    "backoffStrategy",
    "maxBackoffMs",
    "backoffMultiplierMs",
    "lowRdyIdleTimeoutMs",
    "lowRdyTimeoutMs",
    "rdyRedistributeIntervalMs",
  ]);
  return Object.fromEntries(Object.entries(options).filter(([name]) => !consumerOnly.has(name)));
}
