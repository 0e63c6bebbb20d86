/**
 * The options of `nsq pub`. Their meaning stands here and nowhere else.
 *
 * Tested in test/tools/flags_test.ts.
 */
import type { OptionTable, OptionValues } from "../../options/option.ts";
import { generalOptions, producerOptOption } from "../options/shared_options.ts";

export const pubOptions = [
  ...generalOptions,
  {
    name: "topic",
    group: "What",
    kind: "string",
    default: "",
    help: "Topic to publish to, required",
  },
  {
    name: "nsqd-tcp-address",
    group: "Addresses",
    kind: "string list",
    default: [],
    help: "host:port of an nsqd, required; each gets every message",
  },
  {
    name: "file",
    group: "What",
    kind: "string",
    default: "",
    help: "File to read the messages from instead of standard input",
  },
  {
    name: "delimiter",
    group: "What",
    kind: "string",
    default: "\n",
    help: "Byte that stands between messages",
  },
  {
    name: "rate",
    group: "Sending",
    kind: "int",
    unit: "messages a second",
    default: 0,
    help: "Limit of the rate; below 1 is none",
  },
  {
    name: "defer",
    group: "Sending",
    kind: "duration",
    default: 0,
    min: 0,
    help: "Time for which nsqd holds each message back",
  },
  producerOptOption,
] as const satisfies OptionTable;

/** The resolved options: durations in milliseconds. */
export type PubOptions = OptionValues<typeof pubOptions>;
