/**
 * The options of nsqd that say what policies topics and channels have. Their meaning stands here and nowhere else.
 *
 * Tested in test/options/option_tables_test.ts.
 */
import type { OptionTable } from "../option.ts";

export const policyOptions = [
  {
    name: "definitions",
    group: "Policies",
    kind: "string",
    default: "",
    help:
      "File of topics, channels and their policies, as GET /definitions gives it: created before anybody is served",
  },
  {
    name: "policy",
    group: "Policies",
    kind: "string list",
    isTables: true,
    default: [],
    help: "Policy for all topics, or channels, whose names match, as JSON: " +
      '{"topic": "orders.*", "channel": "*", "max_attempts": 4}; in the config file a table: [[policy]]',
  },
] as const satisfies OptionTable;
