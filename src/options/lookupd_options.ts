/** The options of lookupd. Their meaning stands here and nowhere else. */
import { logLevels } from "../log/logger.ts";
import type { Machine, OptionTable, OptionValues } from "./option.ts";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;

export const lookupdOptions = [
  {
    name: "version",
    configKey: null,
    group: "General",
    kind: "bool",
    default: false,
    help: "Print the version and exit",
  },
  {
    name: "config",
    configKey: null,
    group: "General",
    kind: "string",
    default: "",
    help: "TOML file to read options from; flags win over it",
  },
  {
    name: "log-level",
    group: "General",
    kind: "enum",
    values: logLevels,
    default: "info",
    help: "Lowest level that is logged",
  },
  {
    name: "log-prefix",
    group: "General",
    kind: "string",
    default: "[nsqlookupd] ",
    help: "Text at the start of each log line",
  },
  {
    name: "verbose",
    configKey: null,
    group: "General",
    kind: "bool",
    default: false,
    deprecated: true,
    help: "Without effect, use --log-level=debug",
  },

  {
    name: "tcp-address",
    group: "Addresses",
    kind: "string",
    default: "0.0.0.0:4160",
    help: "host:port where nsqd nodes register",
  },
  {
    name: "http-address",
    group: "Addresses",
    kind: "string",
    default: "0.0.0.0:4161",
    help: "host:port of the HTTP API; empty is a free port",
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
    help: "Time after its last sign of life for which an nsqd is still handed out",
  },
  {
    name: "tombstone-lifetime",
    group: "Registrations",
    kind: "duration",
    default: 45 * SECOND_MS,
    min: 0,
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
