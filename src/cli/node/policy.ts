/** The subcommand `policy`: shows and sets what a queue does. Tested in test/cli/node_commands_test.ts. */
import { policyCommandOptions } from "../../options/tables/node_options.ts";
import { parseSettings, PolicyError } from "../../policies/settings.ts";
import { NodeApi } from "../../tools/node/node_api.ts";
import { buildInfo } from "../../version.ts";
import { runNodeCommand, subjectOf, WordsError } from "./node_command.ts";

export const options = policyCommandOptions;
export const words = "get|set TOPIC[/CHANNEL] [key=value ...]";

const program = {
  name: "nsq policy",
  command: "nsq policy get|set TOPIC[/CHANNEL] [key=value ...]",
  summary: "shows and sets what a topic or channel does: dead letters, expiry, bounds, order",
  versionText: buildInfo("nsq policy"),
};

interface Shown {
  [key: string]: { value: number | string; source: string };
}

/** `key=` takes a key back. Resolves with the exit code. */
export function run(args: readonly string[]): Promise<number> {
  return runNodeCommand(
    policyCommandOptions,
    program,
    args,
    async ([action, word, ...pairs], { nsqdHttpAddress, timeout, dryRun }) => {
      if (action !== "get" && action !== "set") throw new WordsError("what is to be done? get or set");
      const subject = subjectOf(word), node = new NodeApi(nsqdHttpAddress, timeout);
      const path = subject.channel === undefined ? "/topic/policy" : "/channel/policy";
      const query = subject as Record<string, string>;
      const change = action === "set"
        ? readChange(subject.channel === undefined ? "topic" : "channel", pairs)
        : null;
      const before = await node.call("GET", path, query) as Shown;
      if (change === null || dryRun) return show(before, change);
      show(await node.call("PUT", path, query, change) as Shown, null);
    },
  );
}

function readChange(
  of: "topic" | "channel",
  pairs: readonly string[],
): Record<string, number | string | null> {
  if (pairs.length === 0) throw new WordsError("what is to be set? Give key=value, or key= to take it back");
  const change: Record<string, number | string | null> = {};
  for (const pair of pairs) {
    const equals = pair.indexOf("=");
    if (equals <= 0) throw new WordsError(`"${pair}" is no key=value`);
    const value = pair.slice(equals + 1);
    change[pair.slice(0, equals)] = value === "" ? null : /^\d+$/.test(value) ? Number(value) : value;
  }
  try {
    parseSettings(of, change);
  } catch (cause) {
    if (!(cause instanceof PolicyError)) throw cause;
    throw new WordsError(cause.message);
  }
  return change;
}

function show(policy: Shown, change: Record<string, number | string | null> | null): void {
  const width = Math.max(...Object.keys(policy).map((key) => key.length));
  for (const [key, { value, source }] of Object.entries(policy)) {
    const next = change === null || !(key in change) ? "" : ` -> ${change[key] ?? "taken back"}`;
    console.log(`${key.padEnd(width)}  ${value === "" ? "-" : value}${next}  (${source})`);
  }
}
