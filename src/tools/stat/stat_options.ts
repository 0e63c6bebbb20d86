/**
 * The options of `nsq stat`. Their meaning stands here and nowhere else.
 *
 * Tested in test/tools/flags_test.ts.
 */
import type { OptionTable, OptionValues } from "../../options/option.ts";
import { generalOptions, httpTimeoutOptions } from "../options/shared_options.ts";

const SECOND_MS = 1_000;

export const statOptions = [
  ...generalOptions,
  {
    name: "topic",
    group: "What",
    kind: "string",
    default: "",
    help: "Topic; required, but for the live view, which shows all without it",
  },
  {
    name: "channel",
    group: "What",
    kind: "string",
    default: "",
    help: "Channel; required, but for the live view, which shows all without it",
  },
  {
    name: "nsqd-http-address",
    group: "Addresses",
    kind: "string list",
    default: [],
    help: "host:port of the HTTP API of an nsqd; either this or --lookupd-http-address",
  },
  {
    name: "lookupd-http-address",
    group: "Addresses",
    kind: "string list",
    default: [],
    help: "host:port of a lookupd that knows the nsqds",
  },
  {
    name: "interval",
    group: "Output",
    kind: "duration",
    default: 2 * SECOND_MS,
    help: "Time between two looks, above 0",
  },
  {
    name: "count",
    group: "Output",
    kind: "int",
    unit: "rows",
    default: 0,
    help: "Rows to print before the end; 0 is no end",
  },
  {
    name: "json",
    group: "Output",
    kind: "bool",
    default: false,
    help: "Print one JSON object on each line, with all topics and channels that match",
  },
  {
    name: "live",
    group: "Output",
    kind: "bool",
    default: false,
    help: "Show a table of all topics and channels that match, which follows what happens; needs a terminal",
  },
  {
    name: "sort",
    group: "Output",
    kind: "enum",
    values: ["depth", "ingress", "egress", "msgs", "clients", "name"],
    default: "depth",
    help: "Column that the live view is sorted by at first, the largest on top; the key s changes it",
  },
  ...httpTimeoutOptions(5 * SECOND_MS, "statistics"),
] as const satisfies OptionTable;

/** The resolved options: durations in milliseconds. */
export type StatOptions = OptionValues<typeof statOptions>;
