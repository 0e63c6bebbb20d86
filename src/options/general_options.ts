/** Options of commands that have no others. */
import type { OptionTable } from "./option.ts";

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
