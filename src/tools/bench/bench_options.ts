/**
 * The options of `nsq bench`. Their meaning stands here and nowhere else.
 *
 * Tested in test/tools/bench/bench_test.ts.
 */
import type { OptionTable, OptionValues } from "../../options/option.ts";
import { generalOptions, producerOptOption } from "../options/shared_options.ts";

const SECOND_MS = 1_000;

/** What is measured. */
export const works = ["publish", "consume", "both", "latency"] as const;

export type Work = typeof works[number];

/** What the connections are made of. */
export const transports = ["plain", "tls", "deflate", "snappy"] as const;

export type TransportName = typeof transports[number];

export const benchOptions = [
  ...generalOptions,
  {
    name: "work",
    group: "What",
    kind: "string list",
    default: ["both"],
    help:
      "What to measure: publish, consume (a backlog that is published first), both at a time, latency (both at " +
      "--rate), or all of these",
  },
  {
    name: "over",
    group: "What",
    kind: "string list",
    default: ["plain"],
    help: "Kind of connection: plain, tls, deflate, snappy, or all of these; one row of results for each",
  },
  {
    name: "duration",
    group: "What",
    kind: "duration",
    default: 5 * SECOND_MS,
    min: 100,
    max: 3_600 * SECOND_MS,
    help: "Time for which messages are published in each row",
  },
  {
    name: "rate",
    group: "What",
    kind: "int",
    unit: "messages a second",
    default: 1_000,
    min: 1,
    max: 1_000_000,
    help: "Rate at which latency is measured",
  },
  {
    name: "nsqd-tcp-address",
    group: "Addresses",
    kind: "string",
    default: "127.0.0.1:4150",
    help: "host:port of the nsqd",
  },
  {
    name: "nsqd-http-address",
    group: "Addresses",
    kind: "string",
    default: "",
    help:
      "host:port of its HTTP API, where the topic is deleted afterwards; empty is the port above the other",
  },
  {
    name: "topic",
    group: "Load",
    kind: "string",
    default: "",
    help: "Topic to use, which must not be in use; empty is one of its own, which is deleted afterwards",
  },
  {
    name: "size",
    group: "Load",
    kind: "bytes",
    default: 200,
    min: 8,
    max: 16 * 2 ** 20,
    help: "Size of a message",
  },
  {
    name: "batch",
    group: "Load",
    kind: "int",
    unit: "messages",
    default: 200,
    min: 1,
    max: 100_000,
    help: "Messages of one publish, but for latency, where each goes by itself",
  },
  {
    name: "publishers",
    group: "Load",
    kind: "int",
    unit: "connections",
    default: 4,
    min: 1,
    max: 1_000,
    help: "Connections that publish",
  },
  {
    name: "consumers",
    group: "Load",
    kind: "int",
    unit: "connections",
    default: 4,
    min: 1,
    max: 1_000,
    help: "Connections that consume",
  },
  {
    name: "max-in-flight",
    group: "Load",
    kind: "int",
    unit: "messages",
    default: 2_500,
    min: 1,
    max: 1_000_000,
    help: "Messages in flight for each consumer",
  },
  {
    name: "json",
    group: "Output",
    kind: "bool",
    default: false,
    help: "Print the results as one JSON document instead of a table",
  },
  {
    ...producerOptOption,
    name: "client-opt",
    help: "Option of the client library as name,value, such as tls_insecure_skip_verify,true",
  },
] as const satisfies OptionTable;

/** The resolved options: durations in milliseconds. */
export type BenchOptions = OptionValues<typeof benchOptions>;
