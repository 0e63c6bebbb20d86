/**
 * The options of `nsq to-file`. Their meaning stands here and nowhere else.
 *
 * Tested in test/tools/flags_test.ts.
 */
import { logLevels } from "../../log/logger.ts";
import type { OptionTable, OptionValues } from "../../options/option.ts";
import {
  consumerAddressOptions,
  consumerOptions,
  generalOptions,
  httpTimeoutOptions,
} from "../options/shared_options.ts";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;

export const toFileOptions = [
  ...generalOptions,
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
    default: "[nsq_to_file] ",
    help: "Text at the start of each log line",
  },

  {
    name: "topic",
    group: "What",
    kind: "string list",
    default: [],
    help: "Topic to write to files",
  },
  {
    name: "topic-pattern",
    group: "What",
    kind: "string",
    default: "",
    help: "Regular expression (RE2); topics whose name it matches anywhere are written, new ones too",
  },
  {
    name: "topic-refresh",
    group: "What",
    kind: "duration",
    default: MINUTE_MS,
    help: "Time between two looks for new topics, when no --topic is given",
  },
  {
    name: "channel",
    group: "What",
    kind: "string",
    default: "nsq_to_file",
    help: "Channel to consume from",
  },
  ...consumerAddressOptions,
  ...consumerOptions,
  ...httpTimeoutOptions(5 * SECOND_MS, "the look for topics"),

  {
    name: "output-dir",
    group: "Files",
    kind: "string",
    default: "/tmp",
    help: "Directory of the finished files",
  },
  {
    name: "work-dir",
    group: "Files",
    kind: "string",
    default: "",
    help: "Directory of the files being written, on the same file system; empty is --output-dir",
  },
  {
    name: "filename-format",
    group: "Files",
    kind: "string",
    default: "<TOPIC>.<HOST><REV>.<DATETIME>.log",
    help:
      "Name of a file, with directories if it has any: <TOPIC>, <HOST>, <PID>, <DATETIME>, and <REV>, a number " +
      "that keeps names apart and is needed with --gzip, rotation or --work-dir",
  },
  {
    name: "datetime-format",
    group: "Files",
    kind: "string",
    default: "%Y-%m-%d_%H",
    help: "What <DATETIME> stands for, in the letters of strftime; a new file begins whenever it changes",
  },
  {
    name: "host-identifier",
    group: "Files",
    kind: "string",
    default: "",
    help: "What <HOST> stands for, which may hold <SHORT_HOST> and <HOSTNAME>; empty is the short hostname",
  },
  {
    name: "gzip",
    group: "Files",
    kind: "bool",
    default: false,
    help: "Compress, into gzip members that can be read as one",
  },
  {
    name: "gzip-level",
    group: "Files",
    kind: "int",
    default: 6,
    help: "Level of the compression: 1 is fastest, 9 smallest",
  },
  {
    name: "skip-empty-files",
    group: "Files",
    kind: "bool",
    default: false,
    help: "Open a file only when there is a message for it",
  },
  {
    name: "rotate-size",
    group: "Files",
    kind: "bytes",
    default: 0,
    help: "Begin a new file when there are more bytes in it, before compression; 0 is never",
  },
  {
    name: "rotate-interval",
    group: "Files",
    kind: "duration",
    default: 0,
    help: "Begin a new file when it has been open for longer; 0 is never",
  },
  {
    name: "sync-interval",
    group: "Files",
    kind: "duration",
    default: 30 * SECOND_MS,
    help:
      "Longest time before a message is synced to the disk and finished; it has to be below the message timeout",
  },
] as const satisfies OptionTable;

/** The resolved options: durations in milliseconds. */
export type ToFileOptions = OptionValues<typeof toFileOptions>;
