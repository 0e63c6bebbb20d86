/**
 * The options of standalone: all of nsqd, and of lookupd and the console those that nsqd has no flag for.
 *
 * Tested in test/options/option_tables_test.ts.
 */
import { adminOptions } from "./admin_options.ts";
import { lookupdOptions } from "./lookupd_options.ts";
import { nsqdOptions } from "./nsqd_options.ts";
import type { OptionTable, OptionValues } from "../option.ts";

const GROUP = "The lookupd in this process";
const ADMIN_GROUP = "The console in this process";

type LookupdOption = (typeof lookupdOptions)[number];

/** An entry of lookupd's table, where its kind, range, default and meaning stand. */
function ofLookupd<N extends LookupdOption["name"]>(name: N) {
  const option = lookupdOptions.find((entry) => entry.name === name);
  return { ...option as Extract<LookupdOption, { name: N }>, group: GROUP };
}

type AdminOption = (typeof adminOptions)[number];

/** An entry of the console's table, likewise. */
function ofAdmin<N extends AdminOption["name"]>(name: N) {
  const option = adminOptions.find((entry) => entry.name === name);
  return { ...option as Extract<AdminOption, { name: N }>, group: ADMIN_GROUP };
}

export const standaloneOptions = [
  ...nsqdOptions.map((option) =>
    option.name === "broadcast-address"
      ? {
        ...option,
        // Often the hostname means nothing even on its own machine, and there the first consumer runs.
        default: ["127.0.0.1"],
        help: "Host that consumers are told, by default one that only works on this machine; repeat it to " +
          "announce more, of which old clients see the last",
      }
      : option
  ),
  { ...ofLookupd("tcp-address"), name: "lookupd-listen-tcp-address" },
  { ...ofLookupd("http-address"), name: "lookupd-listen-http-address" },
  ofLookupd("inactive-producer-timeout"),
  ofLookupd("tombstone-lifetime"),
  {
    ...ofAdmin("http-address"),
    name: "admin-listen-http-address",
    help: "Where the console listens: host:port, the path of a Unix socket, or empty for no console",
  },
  ofAdmin("base-path"),
  ofAdmin("admin-environment"),
  ofAdmin("open"),
  ofAdmin("users-file"),
  ofAdmin("auth-secret"),
  ofAdmin("session-lifetime"),
  ofAdmin("audit-log"),
  ofAdmin("acl-http-header"),
  ofAdmin("admin-user"),
  ofAdmin("history-limit"),
  ofAdmin("history-interval"),
] as const satisfies OptionTable;

/** The resolved options of standalone: durations in milliseconds, sizes in bytes. */
export type StandaloneOptions = OptionValues<typeof standaloneOptions>;

/** The prefix of the lines that the lookupd logs; `--log-prefix` is for those of nsqd. */
export const lookupdLogPrefix = ofLookupd("log-prefix").default;

/** The prefix of the lines that the console logs. */
export const adminLogPrefix = ofAdmin("log-prefix").default;
