/** The options of standalone: those of nsqd, and what its lookupd needs besides. */
import { lookupdOptions } from "./lookupd_options.ts";
import { nsqdOptions } from "./nsqd_options.ts";
import type { OptionTable, OptionValues } from "./option.ts";

type LookupdName = (typeof lookupdOptions)[number]["name"];

/** The entry of lookupd's table: its meaning stands there. */
function ofLookupd<N extends LookupdName>(name: N) {
  const option = lookupdOptions.find((entry) => entry.name === name);
  return option as Extract<(typeof lookupdOptions)[number], { name: N }>;
}

export const standaloneOptions = [
  ...nsqdOptions,
  {
    name: "lookupd-listen-tcp-address",
    group: "lookupd",
    kind: "string",
    default: "0.0.0.0:4160",
    help: "host:port where the lookupd in this process listens for nsqd nodes",
  },
  {
    name: "lookupd-listen-http-address",
    group: "lookupd",
    kind: "string",
    default: "0.0.0.0:4161",
    help: "host:port of the HTTP API of the lookupd in this process",
  },
  ofLookupd("inactive-producer-timeout"),
  ofLookupd("tombstone-lifetime"),
] as const satisfies OptionTable;

/** The resolved options of standalone: durations in milliseconds, sizes in bytes. */
export type StandaloneOptions = OptionValues<typeof standaloneOptions>;
