/**
 * The options of `nsq systemd`. Their meaning stands here and nowhere else.
 *
 * Tested in test/options/option_tables_test.ts.
 */
import { generalOptions } from "./general_options.ts";
import type { OptionTable, OptionValues } from "../option.ts";

export const systemdOptions = [
  ...generalOptions,
  {
    name: "dry-run",
    configKey: null,
    group: "What",
    kind: "bool",
    default: false,
    help: "Print the files instead of writing them",
  },
  {
    name: "executable",
    configKey: null,
    group: "Places",
    kind: "string",
    default: "/usr/local/bin/nsq",
    help: "Where the program lies on the machine",
  },
  {
    name: "root",
    configKey: null,
    group: "Places",
    kind: "string",
    default: "",
    help: "Folder that everything is written below, for those who make packages or images",
  },
  {
    name: "unit-dir",
    configKey: null,
    group: "Places",
    kind: "string",
    default: "/etc/systemd/system",
    help: "Folder of the unit files",
  },
  {
    name: "config-dir",
    configKey: null,
    group: "Places",
    kind: "string",
    default: "/etc/nsq",
    help: "Folder of the config files; those that are there stay as they are",
  },
] as const satisfies OptionTable;

export type SystemdOptions = OptionValues<typeof systemdOptions>;
