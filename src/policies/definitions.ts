/**
 * Definitions: topics, channels, their paused flags and set policies as one JSON document, for version control.
 *
 *     {"version": 1, "topics": [{"name": "orders", "paused": false, "policy": {"ttl": "24h0m0s"},
 *       "channels": [{"name": "mail", "paused": false, "policy": {"max_attempts": 4}}]}]}
 *
 * A document creates and changes what it names and deletes nothing. The order of topics and channels is that of
 * their names, so that equal nodes have equal documents.
 */
import { isValidName } from "../protocol/names.ts";
import type { PolicyOf } from "./policy_fields.ts";
import type { PolicySubject } from "./policy_book.ts";
import { parseSettings, PolicyError, type Settings, type SettingsChange, showSettings } from "./settings.ts";

/** A topic or a channel of a document; what is undefined is not mentioned and stays as it is. */
export interface Defined {
  readonly subject: PolicySubject;
  readonly paused?: boolean;
  readonly change?: SettingsChange;
}

/** What a node has. */
export interface Present {
  readonly subject: PolicySubject;
  readonly paused: boolean;
  readonly settings: Settings;
}

const VERSION = 1;

/**
 * Reads a document: topics before their channels, in the order in which they stand.
 *
 * @throws {PolicyError} naming the topic or channel and what is wrong with it
 */
export function parseDefinitions(json: unknown): Defined[] {
  const { version, topics } = objectOf("definitions", json, ["version", "topics"]);
  if (version !== undefined && version !== VERSION) {
    throw new PolicyError(
      `definitions of version ${JSON.stringify(version)} cannot be read, only version ${VERSION}`,
    );
  }
  const seen = new Set<string>();
  return listOf("topics", topics).flatMap((topic) => {
    const { name, channels, ...rest } = objectOf("a topic", topic, ["name", "paused", "policy", "channels"]);
    const subject = { topic: nameOf("topic", name) };
    return [
      defined("topic", subject, rest, seen),
      ...listOf(`channels of ${subject.topic}`, channels).map((channel) => {
        const { name, ...rest } = objectOf("a channel", channel, ["name", "paused", "policy"]);
        return defined("channel", { ...subject, channel: nameOf("channel", name) }, rest, seen);
      }),
    ];
  });
}

function defined(
  of: PolicyOf,
  subject: PolicySubject,
  rest: Record<string, unknown>,
  seen: Set<string>,
): Defined {
  const shown = showSubject(subject);
  if (seen.has(shown)) throw new PolicyError(`${shown} is there twice`);
  seen.add(shown);
  const { paused, policy } = rest;
  if (paused !== undefined && typeof paused !== "boolean") {
    throw new PolicyError(`${shown}: paused is true or false`);
  }
  try {
    const change = policy === undefined ? undefined : parseSettings(of, policy);
    return { subject, paused, change };
  } catch (cause) {
    if (!(cause instanceof PolicyError)) throw cause;
    throw new PolicyError(`${shown}: ${cause.message}`, { cause });
  }
}

function objectOf(what: string, json: unknown, keys: readonly string[]): Record<string, unknown> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new PolicyError(`${what}: expected an object, found ${JSON.stringify(json)?.slice(0, 60)}`);
  }
  const unknown = Object.keys(json).find((key) => !keys.includes(key));
  if (unknown !== undefined) throw new PolicyError(`${what} has no key ${JSON.stringify(unknown)}`);
  return json as Record<string, unknown>;
}

function listOf(what: string, json: unknown): unknown[] {
  if (json === undefined) return [];
  if (!Array.isArray(json)) throw new PolicyError(`${what}: expected a list`);
  return json;
}

function nameOf(what: string, json: unknown): string {
  if (typeof json === "string" && isValidName(json)) return json;
  throw new PolicyError(`${JSON.stringify(json) ?? "nothing"} is no name for a ${what}`);
}

/** `orders`, or `orders/mail` for a channel. */
export function showSubject({ topic, channel }: PolicySubject): string {
  return channel === undefined ? topic : `${topic}/${channel}`;
}

/** The document of what a node has. */
export function showDefinitions(present: Iterable<Present>): object {
  const byName = (a: Present, b: Present) => compare(showSubject(a.subject), showSubject(b.subject));
  const all = [...present].sort(byName);
  const topics = all.filter(({ subject }) => subject.channel === undefined).map((topic) => ({
    ...showObject("topic", topic.subject.topic, topic),
    channels: all
      .filter(({ subject }) => subject.channel !== undefined && subject.topic === topic.subject.topic)
      .map((channel) => showObject("channel", channel.subject.channel!, channel)),
  }));
  return { version: VERSION, topics };
}

function showObject(of: PolicyOf, name: string, { paused, settings }: Present): object {
  return { name, paused, policy: showSettings(of, settings) };
}

/** By code units, the same on every machine. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** What a document changes on a node, one line each: `create orders`, `pause orders`, `set orders/mail max_attempts = 4`. */
export function describeChanges(wanted: readonly Defined[], present: ReadonlyMap<string, Present>): string[] {
  return wanted.flatMap(({ subject, paused, change }) => {
    const name = showSubject(subject), there = present.get(name);
    const of = subject.channel === undefined ? "topic" : "channel";
    const lines = there === undefined ? [`create ${name}`] : [];
    if (paused !== undefined && paused !== (there?.paused ?? false)) {
      lines.push(`${paused ? "pause" : "unpause"} ${name}`);
    }
    for (const [key, value] of change ?? []) {
      const before = there?.settings.get(key);
      if (value === null && before !== undefined) lines.push(`take back ${name} ${key}`);
      if (value === null || value === before) continue;
      const shown = showSettings(of, new Map([[key, value]]))[key];
      lines.push(`set ${name} ${key} = ${JSON.stringify(shown)}`);
    }
    return lines;
  });
}
