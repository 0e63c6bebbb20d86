/**
 * Options of commands that have no others.
 *
 * Tested in test/options/option_tables_test.ts.
 */
import type { OptionTable } from "../option.ts";

export const generalOptions = [
  {
    name: "version",
    configKey: null,
    group: "General",
    kind: "bool",
    default: false,
    help: "Show the version and exit",
  },
] as const satisfies OptionTable;
