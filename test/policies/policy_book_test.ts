import assert from "node:assert/strict";
import { parsePattern } from "../../src/policies/patterns.ts";
import { noChannelPolicy, noTopicPolicy } from "../../src/policies/policy.ts";
import { noSettings, PolicyBook } from "../../src/policies/policy_book.ts";
import { parseSettings, PolicyError, type Settings } from "../../src/policies/settings.ts";

const read = (of: "topic" | "channel", json: object) => parseSettings(of, json) as Settings;

Deno.test("PolicyBook: without policies everything is at its default", () => {
  const book = new PolicyBook();
  assert.deepEqual(book.topicPolicy("t", noSettings), noTopicPolicy);
  assert.deepEqual(book.channelPolicy("t", "c", noSettings, noTopicPolicy), noChannelPolicy);
  assert.deepEqual(book.shown({ topic: "t", channel: "c" }, noSettings).max_attempts, {
    value: 0,
    source: "default",
  });
});

Deno.test("PolicyBook: set wins over definitions, these over the longest pattern, that over the default", () => {
  const book = new PolicyBook([
    parsePattern({ topic: "*", channel: "*", max_attempts: 1, ttl: "1s", max_depth: 10 }),
    parsePattern({ topic: "orders.*", channel: "*", max_attempts: 2, ttl: "2s" }),
    parsePattern({ topic: "orders.new", channel: "m*", max_attempts: 3 }),
  ]);
  const subject = { topic: "orders.new", channel: "mail" };
  const sources = (settings: Settings) => {
    const { max_attempts, ttl, max_depth, on_expire } = book.shown(subject, settings);
    return [max_attempts, ttl, max_depth, on_expire].map(({ value, source }) => `${value} ${source}`);
  };
  const general = ["2s config: orders.* *", "10 config: * *", "drop default"];
  assert.deepEqual(sources(noSettings), ["3 config: orders.new m*", ...general]);
  book.define(subject, read("channel", { max_attempts: 4 }));
  assert.deepEqual(sources(noSettings), ["4 definitions", ...general]);
  const set = book.checked(subject, noSettings, parseSettings("channel", { max_attempts: 5 }));
  assert.deepEqual(sources(set), ["5 set", ...general]);
  const { maxAttempts, ttlMs } = book.channelPolicy("orders.new", "mail", set, noTopicPolicy);
  assert.deepEqual([maxAttempts, ttlMs], [5, 2000]);
  const takenBack = book.checked(subject, set, parseSettings("channel", { max_attempts: null }));
  assert.deepEqual(sources(takenBack), ["4 definitions", ...general]);
});

Deno.test("PolicyBook: the topic's limits hold in its channels, the smaller one counts", () => {
  const book = new PolicyBook();
  const topic = book.topicPolicy("t", read("topic", { ttl: "10s", max_depth: 100, overflow: "dead" }));
  const own = book.channelPolicy("t", "short", read("channel", { ttl: "1s", max_depth: 200 }), topic);
  const plain = book.channelPolicy("t", "c", noSettings, topic);
  assert.deepEqual([plain.ttlMs, plain.maxDepth, plain.overflow], [10_000, 100, "dead"]);
  assert.deepEqual([own.ttlMs, own.maxDepth, own.overflow], [1000, 100, "drop-oldest"]);
});

Deno.test("PolicyBook: a topic that refuses publishers at its bound leaves its channels unbounded", () => {
  const book = new PolicyBook(), topic = book.topicPolicy("t", read("topic", { max_depth: 100 }));
  assert.equal(topic.overflow, "reject");
  assert.equal(book.channelPolicy("t", "c", noSettings, topic).maxDepth, 0);
});

Deno.test("PolicyBook.checked() refuses what contradicts itself", () => {
  const book = new PolicyBook();
  const check = (subject: { topic: string; channel?: string }, json: object, settings = noSettings) => () =>
    book.checked(subject, settings, parseSettings(subject.channel === undefined ? "topic" : "channel", json));
  assert.throws(
    check({ topic: "t", channel: "e#ephemeral" }, { order: "key" }),
    /order is not for the ephemeral channel/,
  );
  assert.throws(
    check({ topic: "t", channel: "c" }, { dead_letter_topic: "t" }),
    /is the channel's own topic/,
  );
  assert.throws(check({ topic: "t", channel: "c" }, { dead_letter_topic: "t" }), PolicyError);
  const own = read("channel", { dead_letter_topic: "d" });
  assert.throws(() => book.define({ topic: "d", channel: "c" }, own), PolicyError);
});

Deno.test("parsePattern() refuses tables without topic, odd patterns and wrong keys", () => {
  assert.throws(() => parsePattern({ channel: "*", ttl: 1 }), /a policy wants topic/);
  assert.throws(() => parsePattern({ topic: "a b", ttl: 1 }), /topic = "a b"/);
  assert.throws(() => parsePattern({ topic: "a", channel: 5 }), /channel is a pattern of names/);
  assert.throws(
    () => parsePattern({ topic: "a", max_attempts: 5 }),
    /max_attempts is a key of channel policies/,
  );
  assert.throws(() => parsePattern("x"), /is a table/);
});

Deno.test("parsePattern() takes * for any characters and nothing else for special", () => {
  const { topic } = parsePattern({ topic: "a.*-b", ttl: 1 });
  assert.deepEqual(["a.x-b", "a.-b", "axx-b", "a.x-bb"].map((name) => topic.test(name)), [
    true,
    true,
    false,
    false,
  ]);
});
