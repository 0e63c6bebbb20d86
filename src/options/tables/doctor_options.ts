/**
 * The options of `nsq doctor`. Their meaning stands here and nowhere else.
 *
 * Tested in test/options/option_tables_test.ts.
 */
import type { OptionTable, OptionValues } from "../option.ts";
import { versionOption } from "./server_options.ts";

export const doctorOptions = [
  versionOption,
  {
    name: "timeout",
    configKey: null,
    group: "General",
    kind: "duration",
    default: 2_000,
    min: 1,
    help: "Time that each address has for its answer",
  },
  {
    name: "lookupd-http-address",
    configKey: null,
    group: "Addresses",
    kind: "string list",
    default: [],
    help: "host:port of the HTTP API of a lookupd whose nodes are checked",
  },
  {
    name: "nsqd-http-address",
    configKey: null,
    group: "Addresses",
    kind: "string list",
    default: [],
    help: "host:port of the HTTP API of an nsqd that is expected to be registered",
  },
] as const satisfies OptionTable;

/** The resolved options of `nsq doctor`: durations in milliseconds. */
export type DoctorOptions = OptionValues<typeof doctorOptions>;
