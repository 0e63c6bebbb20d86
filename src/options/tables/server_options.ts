/**
 * The options that every server has: what it reads its options from, and how it logs.
 *
 * Tested in test/options/option_tables_test.ts.
 */
import { logFormats } from "../../log/line_format.ts";
import { logLevels } from "../../log/logger.ts";
import type { OptionTable } from "../option.ts";

/** Of every program. */
export const versionOption = {
  name: "version",
  configKey: null,
  group: "General",
  kind: "bool",
  default: false,
  help: "Print the version and exit",
} as const;

export const serverOptions = [
  versionOption,
  {
    name: "config",
    configKey: null,
    group: "General",
    kind: "string",
    default: "",
    help: "TOML file to read options from; flags win over it",
  },
  {
    name: "check-config",
    configKey: null,
    group: "General",
    kind: "bool",
    default: false,
    help: "Check flags, config file and the files they name, print what is wrong or OK, and exit with 1 or 0",
  },
  {
    name: "log-level",
    group: "General",
    kind: "enum",
    values: logLevels,
    default: "info",
    reloadable: true,
    help: "Lowest level that is logged",
  },
  {
    name: "log-format",
    group: "General",
    kind: "enum",
    values: logFormats,
    default: "text",
    help: "How log lines look: text as in NSQ, or json with one object on each line",
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
    name: "http-server-idle-timeout",
    group: "HTTP server",
    kind: "duration",
    default: 180_000,
    min: 1_000,
    reloadable: true,
    help:
      "Time after which an HTTP connection is closed on which nothing comes, or nothing of an answer is taken",
  },
  {
    name: "http-server-request-timeout",
    group: "HTTP server",
    kind: "duration",
    default: 600_000,
    min: 1_000,
    reloadable: true,
    help: "Time in which an HTTP request must have come, from its first byte to its last",
  },
] as const satisfies OptionTable;
