/**
 * The options of `nsq to-nsq`. Their meaning stands here and nowhere else.
 *
 * Tested in test/tools/flags_test.ts.
 */
import type { OptionTable, OptionValues } from "../../options/option.ts";
import {
  consumerAddressOptions,
  consumerOptions,
  generalOptions,
  producerOptOption,
  statusEveryOption,
} from "../options/shared_options.ts";

export const toNsqOptions = [
  ...generalOptions,
  {
    name: "topic",
    group: "What",
    kind: "string list",
    default: [],
    help: "Topic to consume from, required",
  },
  {
    name: "channel",
    group: "What",
    kind: "string",
    default: "nsq_to_nsq",
    help: "Channel to consume from",
  },
  ...consumerAddressOptions,
  ...consumerOptions,
  {
    name: "destination-nsqd-tcp-address",
    group: "Forwarding",
    kind: "string list",
    default: [],
    help: "host:port of an nsqd to publish to, required",
  },
  {
    name: "destination-topic",
    group: "Forwarding",
    kind: "string",
    default: "",
    help: "Topic to publish to; empty is the topic that a message comes from",
  },
  {
    name: "mode",
    group: "Forwarding",
    kind: "string",
    default: "hostpool",
    help:
      "Which destination gets a message: round-robin, hostpool (those that answer) or epsilon-greedy (mostly the " +
      "fastest)",
  },
  statusEveryOption,
  {
    name: "require-json-field",
    group: "Messages",
    kind: "string",
    default: "",
    help: "Forward only messages that are JSON objects with this member",
  },
  {
    name: "require-json-value",
    group: "Messages",
    kind: "string",
    default: "",
    help: "What that member has to be, a string or a number",
  },
  {
    name: "whitelist-json-field",
    group: "Messages",
    kind: "string list",
    default: [],
    help: "Forward this member only, and others that are given",
  },
  producerOptOption,
] as const satisfies OptionTable;

/** The resolved options. */
export type ToNsqOptions = OptionValues<typeof toNsqOptions>;
