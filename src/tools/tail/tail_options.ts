/**
 * The options of `nsq tail`. Their meaning stands here and nowhere else.
 *
 * Tested in test/tools/flags_test.ts.
 */
import type { OptionTable, OptionValues } from "../../options/option.ts";
import { consumerAddressOptions, consumerOptions, generalOptions } from "../options/shared_options.ts";

export const tailOptions = [
  ...generalOptions,
  {
    name: "topic",
    group: "What",
    kind: "string list",
    default: [],
    help: "Topic to show, required",
  },
  {
    name: "channel",
    group: "What",
    kind: "string",
    default: "",
    help: "Channel to consume from; without it an ephemeral one of its own, so that nobody misses a message",
  },
  {
    name: "n",
    group: "What",
    kind: "int",
    unit: "messages",
    default: 0,
    help: "Messages of each topic to show before the end; 0 is no end",
  },
  {
    name: "filter",
    group: "What",
    kind: "string",
    default: "",
    help: "Show only messages whose body matches this regular expression (RE2); the others are finished too",
  },
  {
    name: "print-topic",
    group: "Output",
    kind: "bool",
    default: false,
    help: "Begin each line with the topic",
  },
  {
    name: "json",
    group: "Output",
    kind: "bool",
    default: false,
    help: "Print a JSON object for each message: topic, id, time, attempts, node and body",
  },
  ...consumerAddressOptions,
  ...consumerOptions,
] as const satisfies OptionTable;

/** The resolved options. */
export type TailOptions = OptionValues<typeof tailOptions>;
