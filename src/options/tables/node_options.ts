/**
 * The options of the commands that ask one nsqd over HTTP: policy, definitions, peek.
 *
 * Tested in test/options/option_tables_test.ts.
 */
import { versionOption } from "./server_options.ts";
import type { OptionTable } from "../option.ts";

const addressOptions = [
  versionOption,
  {
    name: "nsqd-http-address",
    configKey: null,
    group: "Node",
    kind: "string",
    default: "127.0.0.1:4151",
    help: "host:port of the HTTP API of the nsqd, or the path of its Unix socket",
  },
  {
    name: "timeout",
    configKey: null,
    group: "Node",
    kind: "duration",
    default: 10_000,
    min: 1,
    help: "Time for an answer",
  },
] as const satisfies OptionTable;

const authSecretOption = {
  name: "auth-secret",
  configKey: null,
  group: "Node",
  kind: "string",
  default: "",
  help: "Secret of AUTH, where the node has auth servers; it must be one that may subscribe",
} as const;

const dryRunOption = {
  name: "dry-run",
  configKey: null,
  group: "What",
  kind: "bool",
  default: false,
  help: "Say what would change, and change nothing",
} as const;

export const policyCommandOptions = [...addressOptions, dryRunOption] as const satisfies OptionTable;

export const definitionsOptions = [...addressOptions, dryRunOption] as const satisfies OptionTable;

export const peekOptions = [
  ...addressOptions,
  authSecretOption,
  {
    name: "state",
    configKey: null,
    group: "What",
    kind: "enum",
    values: ["waiting", "in_flight", "requeued", "deferred", "dead", "held", "all"],
    default: "waiting",
    help: "Which messages of a channel; of a topic held, which no channel was given, or all",
  },
  {
    name: "from",
    configKey: null,
    group: "What",
    kind: "string",
    default: "oldest",
    help: "Where to begin: oldest, newest, id:<message id>, or a time of RFC 3339",
  },
  {
    name: "n",
    configKey: null,
    group: "What",
    kind: "int",
    unit: "messages",
    default: 10,
    min: 1,
    help: "Messages to show",
  },
  {
    name: "match",
    configKey: null,
    group: "What",
    kind: "string",
    default: "",
    help: "Only bodies with contains:<text>, re:<expression>, or json:<path>=<value>",
  },
  {
    name: "json",
    configKey: null,
    group: "What",
    kind: "bool",
    default: false,
    help: "Print one JSON object on each line, with all that is known of the message",
  },
] as const satisfies OptionTable;
