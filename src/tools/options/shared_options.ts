/**
 * The options that several utilities have, and what is said about addresses in all of them.
 *
 * Tested in test/tools/flags_test.ts.
 */
import { versionOption } from "../../options/tables/server_options.ts";
import type { OptionTable } from "../../options/option.ts";
import { ToolError } from "../tool.ts";

const SECOND_MS = 1_000;

/** Of every utility. */
export const generalOptions = [
  versionOption,
  {
    name: "config",
    configKey: null,
    group: "General",
    kind: "string",
    default: "",
    help: "TOML file to read options from; flags win over it",
  },
] as const satisfies OptionTable;

/** Where a consumer finds its nsqds. */
export const consumerAddressOptions = [
  {
    name: "nsqd-tcp-address",
    group: "Addresses",
    kind: "string list",
    default: [],
    help: "host:port of an nsqd to consume from; either this or --lookupd-http-address",
  },
  {
    name: "lookupd-http-address",
    group: "Addresses",
    kind: "string list",
    default: [],
    help: "host:port of a lookupd that knows the nsqds to consume from",
  },
] as const satisfies OptionTable;

/** Of every utility that consumes. */
export const consumerOptions = [
  {
    name: "max-in-flight",
    group: "Consumer",
    kind: "int",
    unit: "messages",
    default: 200,
    help: "Messages of a topic that may be in flight at a time, over all nsqds",
  },
  {
    name: "consumer-opt",
    group: "Consumer",
    kind: "string list",
    default: [],
    help: "Option of the client library as name,value, such as max_attempts,10",
  },
] as const satisfies OptionTable;

/** Of every utility that publishes. */
export const producerOptOption = {
  name: "producer-opt",
  group: "Producer",
  kind: "string list",
  default: [],
  help: "Option of the client library as name,value, such as snappy,true",
} as const;

/** How long HTTP requests may take. `request` is the time for a whole request, in ms. */
export function httpTimeoutOptions(request: number, use: string) {
  return [
    {
      name: "http-client-connect-timeout",
      group: "HTTP client",
      kind: "duration",
      default: 2 * SECOND_MS,
      help: `Time for a connection of ${use}`,
    },
    {
      name: "http-client-request-timeout",
      group: "HTTP client",
      kind: "duration",
      default: request,
      help: `Time for a whole request of ${use}`,
    },
  ] as const satisfies OptionTable;
}

/** Status lines of the utilities that forward. */
export const statusEveryOption = {
  name: "status-every",
  group: "Forwarding",
  kind: "int",
  unit: "messages",
  default: 250,
  help: "Log how long requests took after each so many of them; 0 is never",
} as const;

/**
 * Exactly one of the two kinds of addresses has to be given.
 *
 * @param kind `tcp` or `http`, which part of nsqd is meant
 * @param end what the text of one utility has at its end, for those who compare
 * @throws {ToolError}
 */
export function checkAddressPair(
  nsqds: readonly string[],
  lookupds: readonly string[],
  kind: "tcp" | "http" = "tcp",
  end = "",
): void {
  if (nsqds.length === 0 && lookupds.length === 0) {
    throw new ToolError(`--nsqd-${kind}-address or --lookupd-http-address required${end}`);
  }
  if (nsqds.length > 0 && lookupds.length > 0) {
    throw new ToolError(`use --nsqd-${kind}-address or --lookupd-http-address not both`);
  }
}

/** @throws {ToolError} when an address is not `host:port`; a lookupd may also be a URL with a path */
export function checkHostPort(flag: string, addresses: readonly string[], mayBeUrl = false): void {
  for (const address of addresses) {
    if (mayBeUrl && /^https?:\/\/[^/]+/.test(address)) continue;
    const match = /^(?:\[[^\]]+\]|[^:[\]/\s]+):(\d+)$/.exec(address);
    if (match !== null && Number(match[1]) > 0 && Number(match[1]) < 65_536) continue;
    const reason = /:[^\]:]*$/.test(address)
      ? "it must be host:port, the port from 1 to 65535"
      : "missing port";
    throw new ToolError(`--${flag} ${JSON.stringify(address)}: ${reason}`);
  }
}

/** @throws {ToolError} when `ms` is not above zero */
export function checkPositive(flag: string, ms: number): void {
  if (!(ms > 0)) throw new ToolError(`${flag} should be positive`);
}
