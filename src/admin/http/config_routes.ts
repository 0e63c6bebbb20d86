/**
 * `/config/<opt>`: shows options, and changes two of them while the console runs.
 *
 * `<opt>` is the key of the config file. Text stands as it is, all else is JSON; durations are nanoseconds, and a
 * log level is its number. Tested in test/admin/http/config_routes_test.ts.
 */
import { readBody } from "../../http/body.ts";
import { HttpError } from "../../http/errors.ts";
import { EncodedJson } from "../../http/respond.ts";
import type { RequestContext, Route } from "../../http/router.ts";
import { type LogLevel, logLevels } from "../../log/logger.ts";
import { type AdminOptions, adminOptions } from "../../options/tables/admin_options.ts";
import type { LiveOptions } from "../../options/live_options.ts";
import { findByConfigKey, propertyName } from "../../options/option.ts";
import { parseCidr } from "./cidr.ts";

type Live = LiveOptions<typeof adminOptions>;

const MAX_VALUE_BYTES = 1 << 20;
const NS_PER_MS = 1_000_000;
const UTF8 = new TextDecoder();

/** @param authorizeChange throws when who asks may not change anything */
export function configRoutes(live: Live, authorizeChange: (context: RequestContext) => void): Route[] {
  const path = "/config/:opt";
  return [
    {
      method: "GET",
      path,
      handle(context) {
        admit(live.values, context);
        return show(live.values, context.parameter("opt"));
      },
    },
    {
      method: "PUT",
      path,
      async handle(context) {
        admit(live.values, context);
        authorizeChange(context);
        const key = context.parameter("opt");
        const { bytes, isCut } = await readBody(context.request, MAX_VALUE_BYTES);
        if (isCut || bytes.length === 0) throw new HttpError(413, "INVALID_VALUE");
        change(live, key, UTF8.decode(bytes));
        return show(live.values, key);
      },
    },
  ];
}

/** @throws {HttpError} when the peer of the connection is not in the range of those who may */
function admit({ allowConfigFromCidr }: AdminOptions, { remoteAddress }: RequestContext): void {
  if (allowConfigFromCidr === "") return;
  const ip = /^\[?([0-9a-fA-F.:]+?)\]?:\d+$/.exec(remoteAddress)?.[1];
  if (ip === undefined) throw new HttpError(400, "INVALID_REMOTE_ADDR");
  if (!parseCidr(allowConfigFromCidr)?.contains(ip)) throw new HttpError(403, "FORBIDDEN");
}

function change(live: Live, key: string, text: string): void {
  if (key === "log_level") {
    const level = text.toLowerCase();
    if (!logLevels.includes(level as LogLevel)) throw invalidValue();
    live.set("logLevel", level as LogLevel);
  } else if (key === "nsqlookupd_http_addresses") {
    live.set("lookupdHttpAddress", readAddresses(text));
  } else {
    throw invalidOption();
  }
}

function readAddresses(text: string): string[] {
  let json: unknown;
  try {
    json = JSON.parse(text) ?? [];
  } catch {
    throw invalidValue();
  }
  if (!Array.isArray(json) || !json.every((each) => typeof each === "string")) throw invalidValue();
  return json;
}

function show(options: AdminOptions, key: string): string | EncodedJson {
  const option = findByConfigKey(adminOptions, key);
  if (option === undefined) throw invalidOption();
  const value = options[propertyName(option.name) as keyof AdminOptions];
  if (option.name === "log-level") return json(logLevels.indexOf(options.logLevel) + 1);
  if (option.kind === "duration") return json(Math.round(value as number * NS_PER_MS));
  return typeof value === "string" ? value : json(value);
}

/** Also for what would be an empty answer. */
function json(value: unknown): EncodedJson {
  return new EncodedJson(JSON.stringify(value));
}

function invalidOption(): HttpError {
  return new HttpError(400, "INVALID_OPTION");
}

function invalidValue(): HttpError {
  return new HttpError(400, "INVALID_VALUE");
}
