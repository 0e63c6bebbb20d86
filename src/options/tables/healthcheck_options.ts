/**
 * The options of `nsq healthcheck`. Their meaning stands here and nowhere else.
 *
 * Tested in test/options/option_tables_test.ts.
 */
import { generalOptions } from "./general_options.ts";
import type { OptionTable } from "../option.ts";

export const healthcheckOptions = [
  ...generalOptions,
  {
    name: "http-address",
    configKey: null,
    group: "What",
    kind: "string",
    default: "127.0.0.1:4151",
    help: "Where the HTTP API listens: host:port, or the path of a Unix socket",
  },
  {
    name: "path",
    configKey: null,
    group: "What",
    kind: "string",
    default: "/ready",
    help:
      "What is asked: /ready whether it takes work, /live whether it runs at all, /ping whether all is well",
  },
  {
    name: "timeout",
    configKey: null,
    group: "What",
    kind: "duration",
    default: 4000,
    min: 1,
    help: "Time for the answer",
  },
] as const satisfies OptionTable;
