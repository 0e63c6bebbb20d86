/**
 * The options of lookupd. Their meaning stands here and nowhere else.
 *
 * Tested in test/options/option_tables_test.ts.
 */
import type { Machine, OptionTable, OptionValues } from "../option.ts";
import { serverOptions } from "./server_options.ts";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;

export const lookupdOptions = [
  ...serverOptions,
  {
    name: "log-prefix",
    group: "General",
    kind: "string",
    default: "[nsqlookupd] ",
    help: "Text at the start of each log line",
  },

  {
    name: "tcp-address",
    group: "Addresses",
    kind: "string",
    default: "0.0.0.0:4160",
    help: "Where nsqd nodes register: host:port, or the path of a Unix socket",
  },
  {
    name: "http-address",
    group: "Addresses",
    kind: "string",
    default: "0.0.0.0:4161",
    help: "Where the HTTP API listens: host:port, the path of a Unix socket, or empty for a free port",
  },
  {
    name: "broadcast-address",
    group: "Addresses",
    kind: "string",
    default: (machine: Machine) => machine.hostname(),
    help: "Host that is told to nsqd nodes, which reach the HTTP API there; by default the hostname",
  },

  {
    name: "inactive-producer-timeout",
    group: "Registrations",
    kind: "duration",
    default: 5 * MINUTE_MS,
    min: 0,
    isClamped: true,
    help: "Time after its last sign of life for which an nsqd is still handed out",
  },
  {
    name: "tombstone-lifetime",
    group: "Registrations",
    kind: "duration",
    default: 45 * SECOND_MS,
    min: 0,
    isClamped: true,
    help: "Time for which a tombstoned producer of a topic is hidden",
  },
  {
    name: "data-path",
    group: "Registrations",
    kind: "string",
    default: "",
    help: "Existing directory for the snapshot of the registrations, read again at start; empty is none",
  },
] as const satisfies OptionTable;

/** The resolved options of lookupd: durations in milliseconds. */
export type LookupdOptions = OptionValues<typeof lookupdOptions>;
