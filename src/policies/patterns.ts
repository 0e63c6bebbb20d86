/**
 * Policies by patterns, as `[[policy]]` tables of the config file give them: for all topics or channels whose names
 * match, unless something more specific says otherwise. `*` stands for any characters, nothing else is special.
 *
 * Tested in test/policies/policy_book_test.ts.
 */
import type { PolicyOf } from "./policy_fields.ts";
import { fieldsOf } from "./policy_fields.ts";
import { parseSettings, PolicyError, type Settings } from "./settings.ts";

/** A table of the config file. */
export interface PolicyPattern {
  /** As it was written, for answers that say where a value comes from: `orders.*` or `orders.* mail`. */
  readonly name: string;
  readonly of: PolicyOf;
  readonly topic: RegExp;
  /** Of a channel policy. */
  readonly channel: RegExp | null;
  /** Characters that are no `*`: of two patterns that match the longer one counts. */
  readonly length: number;
  readonly settings: Settings;
}

/**
 * Reads one table: `topic`, for a channel policy `channel` too, and the keys of the policy.
 *
 * @throws {PolicyError}
 */
export function parsePattern(table: unknown): PolicyPattern {
  if (typeof table !== "object" || table === null) {
    throw new PolicyError("a policy is a table of keys and values");
  }
  const { topic, channel, ...keys } = table as Record<string, unknown>;
  if (typeof topic !== "string") {
    throw new PolicyError('a policy wants topic, the pattern of names: topic = "*"');
  }
  if (channel !== undefined && typeof channel !== "string") {
    throw new PolicyError("channel is a pattern of names, a text");
  }
  for (const [key, pattern] of Object.entries({ topic, channel: channel ?? "*" })) {
    if (!/^[.a-zA-Z0-9_*#-]+$/.test(pattern)) {
      throw new PolicyError(
        `${key} = ${JSON.stringify(pattern)}: names have letters, digits, . _ - and #ephemeral, * is any`,
      );
    }
  }
  const of = channel === undefined ? "topic" : "channel";
  const change = parseSettings(of, keys);
  const settings = new Map(
    [...change].filter((entry): entry is [string, number | string] => entry[1] !== null),
  );
  return {
    name: channel === undefined ? topic : `${topic} ${channel}`,
    of,
    topic: patternOf(topic),
    channel: channel === undefined ? null : patternOf(channel),
    length: (topic + (channel ?? "")).replaceAll("*", "").length,
    settings,
  };
}

function patternOf(text: string): RegExp {
  return new RegExp(`^${text.split("*").map(RegExp.escape).join(".*")}$`);
}

/** Of each key the value of the longest pattern that matches and has it, and that pattern's name. */
export function matchPatterns(
  patterns: readonly PolicyPattern[],
  of: PolicyOf,
  topic: string,
  channel?: string,
): Map<string, { value: number | string; pattern: string }> {
  const matching = patterns.filter((pattern) =>
    pattern.of === of && pattern.topic.test(topic) &&
    (pattern.channel === null || pattern.channel.test(channel!))
  );
  // Of equally long ones the one that stands first.
  matching.sort((a, b) => b.length - a.length);
  const found = new Map<string, { value: number | string; pattern: string }>();
  for (const { key } of fieldsOf(of)) {
    const first = matching.find(({ settings }) => settings.has(key));
    if (first !== undefined) found.set(key, { value: first.settings.get(key)!, pattern: first.name });
  }
  return found;
}
