/**
 * The options of nsqd for auth servers, and for where nodes and clients are.
 *
 * Tested in test/options/option_tables_test.ts.
 */
import type { OptionTable } from "../option.ts";

export const authOptions = [
  {
    name: "auth-http-address",
    configKey: "auth_http_addresses",
    group: "Auth",
    kind: "string list",
    default: [],
    help: "Auth server that decides what clients may do: host:port, which stands for " +
      "http://host:port/auth, or a URL; with one or more, clients must AUTH",
  },
  {
    name: "auth-http-request-method",
    group: "Auth",
    kind: "string",
    default: "get",
    help: "How auth servers are asked: get or post",
  },
] as const satisfies OptionTable;

export const topologyOptions = [
  {
    name: "topology-region",
    group: "Topology",
    kind: "string",
    default: "",
    help: "Region that this node is in",
  },
  {
    name: "topology-zone",
    group: "Topology",
    kind: "string",
    default: "",
    help: "Zone that this node is in, inside its region",
  },
  {
    name: "enable-experiment",
    group: "Topology",
    kind: "string list",
    default: [],
    help: "Experiment to take part in: topology-aware-consumption gives messages to ready consumers of the " +
      "same zone first, then to those of the same region",
  },
] as const satisfies OptionTable;
