/**
 * The options of the console. Their meaning stands here and nowhere else.
 *
 * Tested in test/options/option_tables_test.ts.
 */
import type { OptionTable, OptionValues } from "../option.ts";
import { serverOptions } from "./server_options.ts";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const MIB = 1 << 20;

/** Where it listens unless told otherwise; on loopback alone when nobody would have to log in. */
export const DEFAULT_ADMIN_HTTP_ADDRESS = "0.0.0.0:4171";

export const adminOptions = [
  ...serverOptions,
  {
    name: "log-prefix",
    group: "General",
    kind: "string",
    default: "[nsqadmin] ",
    help: "Text at the start of each log line",
  },
  {
    name: "admin-environment",
    group: "General",
    kind: "string",
    default: "",
    help: "Name that stands on every page, such as production, with a colour behind a colon if wanted: " +
      "production:red",
  },
  {
    name: "data-path",
    group: "General",
    kind: "string",
    default: "",
    help: "Existing directory for history, audit log and users, which then outlive a restart; empty for none",
  },

  {
    name: "http-address",
    group: "Addresses",
    kind: "string",
    default: DEFAULT_ADMIN_HTTP_ADDRESS,
    help: "Where the console listens: host:port, or the path of a Unix socket",
  },
  {
    name: "base-path",
    group: "Addresses",
    kind: "string",
    default: "/",
    help: "What all addresses of the console begin with, behind a proxy that needs it",
  },
  {
    name: "dev-static-dir",
    group: "Addresses",
    kind: "string",
    default: "",
    help: "Directory that /static and /fonts are served from instead of what is built in",
  },

  {
    name: "lookupd-http-address",
    configKey: "nsqlookupd_http_addresses",
    group: "Nodes",
    kind: "string list",
    default: [],
    reloadable: true,
    help: "host:port of the HTTP API of a lookupd that knows the nodes",
  },
  {
    name: "nsqd-http-address",
    configKey: "nsqd_http_addresses",
    group: "Nodes",
    kind: "string list",
    default: [],
    reloadable: true,
    help: "host:port of the HTTP API of an nsqd, where there is no lookupd",
  },
  {
    name: "http-client-connect-timeout",
    group: "Nodes",
    kind: "duration",
    default: 2 * SECOND_MS,
    min: 1,
    max: DAY_MS,
    isClamped: true,
    help: "Time to connect to a node",
  },
  {
    name: "http-client-request-timeout",
    group: "Nodes",
    kind: "duration",
    default: 5 * SECOND_MS,
    min: 1,
    max: DAY_MS,
    isClamped: true,
    help: "Time for a whole request to a node",
  },
  {
    name: "http-client-tls-insecure-skip-verify",
    group: "Nodes",
    kind: "bool",
    default: false,
    help: "Take any certificate of a node",
  },
  {
    name: "http-client-tls-root-ca-file",
    group: "Nodes",
    kind: "string",
    default: "",
    help: "PEM file with the roots that certificates of nodes are checked by; empty for those of the system",
  },
  {
    name: "http-client-tls-cert",
    group: "Nodes",
    kind: "string",
    default: "",
    help: "PEM file with the certificate that is shown to nodes",
  },
  {
    name: "http-client-tls-key",
    group: "Nodes",
    kind: "string",
    default: "",
    help: "PEM file with the key of that certificate",
  },

  {
    name: "open",
    group: "Access",
    kind: "bool",
    default: false,
    help:
      "Let everybody in who reaches --http-address, also from other machines, without users or --admin-user",
  },
  {
    name: "users-file",
    group: "Access",
    kind: "string",
    default: "",
    help: "File of those who may log in, which nsq admin user writes; by default nsqadmin_users.json in " +
      "--data-path, if it is there",
  },
  {
    name: "auth-secret",
    group: "Access",
    kind: "string",
    default: "",
    help:
      "Secret of AUTH for nodes that have auth servers, so that messages can be seen; goes to every nsqd that " +
      "is found",
  },
  {
    name: "session-lifetime",
    group: "Access",
    kind: "duration",
    default: 12 * HOUR_MS,
    min: SECOND_MS,
    help: "Time after its last request for which somebody stays logged in",
  },
  {
    name: "audit-log",
    group: "Access",
    kind: "string",
    default: "",
    help: "File that gets a line of JSON for each action and login; by default nsqadmin_audit.jsonl in " +
      "--data-path, or the log alone",
  },
  {
    name: "acl-http-header",
    group: "Access",
    kind: "string",
    default: "X-Forwarded-User",
    help: "Header by which a proxy in front says who somebody is",
  },
  {
    name: "admin-user",
    configKey: "admin_users",
    group: "Access",
    kind: "string list",
    default: [],
    help: "Whom that header has to name for changes; everybody may look. Not together with users",
  },
  {
    name: "allow-config-from-cidr",
    group: "Access",
    kind: "string",
    default: "127.0.0.1/8",
    help: "Range of the addresses that may use /config; empty for everybody",
  },
  {
    name: "notification-http-endpoint",
    group: "Access",
    kind: "string",
    default: "",
    help: "URL that a JSON description of each change is posted to",
  },

  {
    name: "history-limit",
    group: "Charts",
    kind: "bytes",
    default: 64 * MIB,
    min: MIB,
    max: 4096 * MIB,
    help: "Memory for figures of the past; the oldest go first",
  },
  {
    name: "history-interval",
    group: "Charts",
    kind: "duration",
    default: 10 * SECOND_MS,
    min: 0,
    max: HOUR_MS,
    help: "How often nodes are asked while nobody looks, so that charts reach back; 0 for not at all. " +
      "While somebody looks it is each second",
  },
  {
    name: "graphite-url",
    group: "Charts",
    kind: "string",
    default: "",
    help: "URL of a Graphite whose charts are shown beside the built-in ones",
  },
  {
    name: "proxy-graphite",
    group: "Charts",
    kind: "bool",
    default: false,
    help: "Pass requests for /render on to that Graphite, for browsers that do not reach it",
  },
  {
    name: "statsd-prefix",
    group: "Charts",
    kind: "string",
    default: "nsq.%s",
    help: "The --statsd-prefix of the nsqds; %s stands for the host",
  },
  {
    name: "statsd-counter-format",
    group: "Charts",
    kind: "string",
    default: "stats.counters.%s.count",
    help: "How statsd names counters in Graphite; %s stands for the name",
  },
  {
    name: "statsd-gauge-format",
    group: "Charts",
    kind: "string",
    default: "stats.gauges.%s",
    help: "How statsd names gauges in Graphite; %s stands for the name",
  },
  {
    name: "statsd-interval",
    group: "Charts",
    kind: "duration",
    default: MINUTE_MS,
    min: SECOND_MS,
    isClamped: true,
    help: "The --statsd-interval of the nsqds",
  },
] as const satisfies OptionTable;

/** The resolved options of the console: durations in milliseconds, sizes in bytes. */
export type AdminOptions = OptionValues<typeof adminOptions>;
