import assert from "node:assert/strict";
import { channelFields, fieldsOf, topicFields } from "../../src/policies/policy_fields.ts";
import { changed, parseSettings, PolicyError, showSettings } from "../../src/policies/settings.ts";

function refused(owner: "topic" | "channel", json: unknown): string {
  try {
    parseSettings(owner, json);
  } catch (cause) {
    assert.ok(cause instanceof PolicyError);
    return cause.message;
  }
  throw new Error(`${JSON.stringify(json)} was taken`);
}

Deno.test("parseSettings() reads durations and sizes as flags write them, or as numbers", () => {
  const settings = parseSettings("topic", {
    ttl: "1h30m",
    max_bytes: "10GiB",
    max_depth: 7,
  });
  assert.deepEqual([...settings], [
    ["ttl", 5_400_000],
    ["max_bytes", 10 * 2 ** 30],
    ["max_depth", 7],
  ]);
});

Deno.test("parseSettings() reads words, names and places of keys", () => {
  const settings = parseSettings("topic", { overflow: "dead", key: "json:order.customer" });
  assert.deepEqual([...settings.values()], ["dead", "json:order.customer"]);
  assert.deepEqual([...parseSettings("channel", { dead_letter_topic: "d.l", order: "key" }).values()], [
    "d.l",
    "key",
  ]);
  assert.deepEqual([...parseSettings("topic", { key: "prefix:|" }).values()], [
    "prefix:|",
  ]);
});

Deno.test("parseSettings() refuses with the key and the limit", () => {
  const cases: [("topic" | "channel"), unknown, RegExp][] = [
    ["topic", [], /a topic policy is an object/],
    ["channel", "x", /a channel policy is an object/],
    ["channel", { max_attempt: 3 }, /has no key "max_attempt", did you mean max_attempts\?/],
    ["topic", { max_attempts: 3 }, /max_attempts is a key of channel policies, this is one of a topic/],
    ["channel", { max_attempts: 65_536 }, /max_attempts = 65536: must be from 0 to 65535/],
    ["channel", { max_attempts: -1 }, /max_attempts = -1: must be from 0/],
    ["channel", { max_attempts: 1.5 }, /use a whole number/],
    ["channel", { max_attempts: "3" }, /use a whole number/],
    ["topic", { ttl: "soon" }, /ttl = "soon": a duration is numbers with units/],
    ["topic", { ttl: "-1s" }, /ttl = "-1s": must be from 0s to /],
    ["topic", { max_bytes: "2 PiB" }, /max_bytes = "2 PiB": use a number of bytes/],
    ["topic", { overflow: "drop" }, /overflow = "drop": use reject, drop-oldest or dead/],
    ["channel", { overflow: "reject" }, /overflow = "reject": use drop-oldest or dead/],
    ["channel", { dead_letter_topic: "a b" }, /is no name for a topic/],
    ["channel", { dead_letter_topic: "a#ephemeral" }, /would be gone with an ephemeral topic/],
    ["topic", { key: "header" }, /use prefix:<byte> or json:<path>/],
    ["topic", { key: "prefix:ab" }, /wants one byte/],
    ["topic", { key: "json:a..b" }, /wants a path/],
  ];
  for (const [of, json, message] of cases) assert.match(refused(of, json), message, JSON.stringify(json));
});

Deno.test("parseSettings() reads again what showSettings() shows, for every key", () => {
  const samples: Record<string, number | string> = {
    count: 3,
    duration: 90_000,
    bytes: 4096,
    "topic name": "elsewhere",
    "key place": "prefix:,",
  };
  for (const owner of ["topic", "channel"] as const) {
    const settings = new Map(
      fieldsOf(owner).map(({ key, kind, words }) => [key, kind === "word" ? words!.at(-1)! : samples[kind]]),
    );
    assert.deepEqual(
      parseSettings(owner, JSON.parse(JSON.stringify(showSettings(owner, settings)))),
      settings,
    );
  }
});

Deno.test("changed() takes keys back with null", () => {
  const before = new Map([["ttl", 5], ["max_depth", 6]]);
  assert.deepEqual([...changed(before, new Map<string, number | null>([["ttl", null], ["max_bytes", 7]]))], [
    ["max_depth", 6],
    ["max_bytes", 7],
  ]);
});

Deno.test("the tables of policy keys have defaults that are allowed, and help", () => {
  for (const field of [...topicFields, ...channelFields]) {
    assert.match(field.help, /^\w.*[^.]$/s, field.key);
    assert.match(field.key, /^[a-z]+(_[a-z]+)*$/);
  }
  for (const owner of ["topic", "channel"] as const) {
    const defaults = Object.fromEntries(fieldsOf(owner).map((field) => [field.key, field.default]));
    assert.equal(parseSettings(owner, defaults).size, fieldsOf(owner).length);
  }
});
