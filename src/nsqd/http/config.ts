/**
 * `/config/<opt>`: shows options, and changes two of them while nsqd runs.
 *
 * `<opt>` is the key of the config file. Numbers and lists are JSON; durations are nanoseconds; text stands as it
 * is; words that are numbers inside Go nsqd are those numbers.
 */
import { HttpError, internalError } from "../../http/errors.ts";
import { readBody } from "../../http/body.ts";
import type { RequestContext, Route } from "../../http/router.ts";
import { type LogLevel, logLevels } from "../../log/logger.ts";
import type { LiveOptions } from "../../options/live_options.ts";
import { type NsqdOptions, nsqdOptions } from "../../options/tables/nsqd_options.ts";
import { findByConfigKey, type Option, type OptionValue, propertyName } from "../../options/option.ts";
import { expandPrefix } from "../stats/statsd_lines.ts";
import { requirement } from "../../net/tls_settings.ts";

type Live = LiveOptions<typeof nsqdOptions>;

/** The ports that were really bound: below 1 when there is none. */
type Ports = () => { tcp: number; http: number };

/** Takes the text of a body and changes the option. @throws {HttpError} 400 INVALID_VALUE */
type Change = (live: Live, text: string) => void;

const NS_PER_MS = 1_000_000;
const UTF8 = new TextDecoder();

const TLS_VERSION_NUMBERS = { "tls1.0": 769, "tls1.1": 770, "tls1.2": 771, "tls1.3": 772 };
const TLS_REQUIRED_NUMBERS = { no: 0, "tcp-https": 1, yes: 2 };

export function configRoutes(live: Live, ports: Ports): Route[] {
  const path = "/config/:opt";
  const show = (key: string) => represent(live.values, key, ports());
  return [
    { method: "GET", path, handle: (context) => show(context.parameter("opt")) },
    {
      method: "PUT",
      path,
      async handle(context) {
        const key = context.parameter("opt");
        const text = await readValue(context, live.values.maxMsgSize);
        const change = CHANGES.get(key);
        if (change === undefined) throw invalidOption();
        change(live, text);
        return show(key);
      },
    },
  ];
}

const CHANGES: ReadonlyMap<string, Change> = new Map([
  ["log_level", setLogLevel],
  ["nsqlookupd_tcp_addresses", setLookupds],
]);

function setLogLevel(live: Live, text: string): void {
  const level = text.toLowerCase();
  if (!logLevels.includes(level as LogLevel)) throw invalidValue();
  live.set("logLevel", level as LogLevel);
}

/** Takes an array of texts; `null` stands for an empty array, and inside one for an empty text. */
function setLookupds(live: Live, text: string): void {
  let json: unknown;
  try {
    json = JSON.parse(text) ?? [];
  } catch {
    throw invalidValue();
  }
  if (!Array.isArray(json)) throw invalidValue();
  const addresses = json.map((element) => element ?? "");
  if (!addresses.every((element) => typeof element === "string")) throw invalidValue();
  live.set("lookupdTcpAddress", addresses);
}

async function readValue(context: RequestContext, maxBytes: number): Promise<string> {
  let body;
  try {
    body = await readBody(context.request, maxBytes);
  } catch {
    // The client cut it off: no fault of ours, and nothing for the log.
    throw internalError();
  }
  if (body.isCut || body.bytes.length === 0) throw new HttpError(413, "INVALID_VALUE");
  return UTF8.decode(body.bytes);
}

/** @throws {HttpError} 400 INVALID_OPTION when no option has that key */
function represent(options: NsqdOptions, key: string, ports: ReturnType<Ports>): OptionValue {
  const option = findByConfigKey(nsqdOptions, key);
  if (option === undefined) throw invalidOption();
  switch (option.name) {
    case "broadcast-address":
      // Where other implementations have one, the first is for them.
      return options.broadcastAddress[0] ?? "";
    case "broadcast-tcp-port":
      return broadcastPort(options.broadcastTcpPort, ports.tcp);
    case "broadcast-http-port":
      return broadcastPort(options.broadcastHttpPort, ports.http);
    case "statsd-prefix": {
      const port = broadcastPort(options.broadcastHttpPort, ports.http);
      return expandPrefix(options.statsdPrefix, options.broadcastAddress[0] ?? "", port);
    }
    case "log-level":
      return logLevels.indexOf(options.logLevel) + 1;
    case "tls-min-version":
      return TLS_VERSION_NUMBERS[options.tlsMinVersion];
    case "tls-required":
      return TLS_REQUIRED_NUMBERS[requirement(options)];
    default:
      return representKind(option, options[propertyName(option.name) as keyof NsqdOptions]);
  }
}

function representKind(option: Option, value: OptionValue): OptionValue {
  if (option.kind === "duration") return Math.round(value as number * NS_PER_MS);
  return value;
}

function broadcastPort(configured: number, bound: number): number {
  return configured || Math.max(0, bound);
}

function invalidOption(): HttpError {
  return new HttpError(400, "INVALID_OPTION");
}

function invalidValue(): HttpError {
  return new HttpError(400, "INVALID_VALUE");
}
