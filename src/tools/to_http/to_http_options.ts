/**
 * The options of `nsq to-http`. Their meaning stands here and nowhere else.
 *
 * Tested in test/tools/flags_test.ts.
 */
import type { OptionTable, OptionValues } from "../../options/option.ts";
import {
  consumerAddressOptions,
  consumerOptions,
  generalOptions,
  httpTimeoutOptions,
  statusEveryOption,
} from "../options/shared_options.ts";

const SECOND_MS = 1_000;

export const toHttpOptions = [
  ...generalOptions,
  {
    name: "topic",
    group: "What",
    kind: "string",
    default: "",
    help: "Topic to consume from, required",
  },
  {
    name: "channel",
    group: "What",
    kind: "string",
    default: "nsq_to_http",
    help: "Channel to consume from",
  },
  {
    name: "sample",
    group: "What",
    kind: "float",
    default: 1,
    help: "Fraction of the messages to send, from 0 to 1; the others are finished",
  },
  ...consumerAddressOptions,
  ...consumerOptions,
  {
    name: "n",
    group: "Forwarding",
    kind: "int",
    unit: "requests",
    default: 100,
    help: "Requests under way at a time",
  },
  {
    name: "post",
    group: "Forwarding",
    kind: "string list",
    default: [],
    help: "URL to POST each message to; either this or --get",
  },
  {
    name: "get",
    group: "Forwarding",
    kind: "string list",
    default: [],
    help: "URL to GET, in which %s stands for the message; write %% for a percent sign",
  },
  {
    name: "mode",
    group: "Forwarding",
    kind: "string",
    default: "hostpool",
    help:
      "Which URL gets a message: round-robin, hostpool (those that answer), epsilon-greedy (mostly the fastest), " +
      "or multicast for all of them",
  },
  {
    name: "header",
    group: "Forwarding",
    kind: "string list",
    default: [],
    help: "Header of the requests, as 'Name: value'",
  },
  {
    name: "content-type",
    group: "Forwarding",
    kind: "string",
    default: "application/octet-stream",
    help: "Content-Type of what is posted",
  },
  statusEveryOption,
  ...httpTimeoutOptions(20 * SECOND_MS, "a message; 0 is no limit"),
] as const satisfies OptionTable;

/** The resolved options: durations in milliseconds. */
export type ToHttpOptions = OptionValues<typeof toHttpOptions>;
