import assert from "node:assert/strict";
import { RE2JS } from "re2js";
import { Authorization } from "../../../src/nsqd/auth/authorization.ts";

function parse(reply: unknown): Authorization {
  const text = typeof reply === "string" ? reply : JSON.stringify(reply);
  return Authorization.parse(text, (pattern) => RE2JS.compile(pattern));
}

const ALL = { topic: ".*", channels: [".*"], permissions: ["publish", "subscribe"] };

Deno.test("Authorization.parse() reads a reply, and keys in any letter case", () => {
  const authorization = parse({ ttl: 60, identity: "bob", identity_url: "http://x", authorizations: [ALL] });
  const { identity, identityUrl, ttlSeconds, permissionCount } = authorization;
  assert.deepEqual([identity, identityUrl, ttlSeconds, permissionCount], ["bob", "http://x", 60, 1]);
  assert.equal(parse({ TTL: 1, Identity: "eve", Authorizations: [ALL] }).identity, "eve");
});

Deno.test("Authorization.parse() takes absent and null members as empty", () => {
  for (const reply of [{ ttl: 1 }, { ttl: 1, identity: null, authorizations: null }]) {
    const authorization = parse(reply);
    assert.deepEqual([authorization.identity, authorization.permissionCount], ["", 0]);
    assert.equal(authorization.allows("t", ""), false);
  }
});

Deno.test("Authorization.parse() refuses what is no valid reply", () => {
  const entry = (changed: object) => ({ ttl: 1, authorizations: [{ ...ALL, ...changed }] });
  const invalid: unknown[] = [
    "",
    "no json",
    "[]",
    "null",
    '"text"',
    {},
    { ttl: 0 },
    { ttl: -1 },
    { ttl: 1.5 },
    { ttl: "60" },
    { ttl: 1, identity: 5 },
    { ttl: 1, identity_url: {} },
    { ttl: 1, authorizations: {} },
    { ttl: 1, authorizations: ["x"] },
    entry({ topic: 5 }),
    entry({ topic: "(" }),
    entry({ channels: "x" }),
    entry({ channels: ["ok", "["] }),
    entry({ channels: [null, 5] }),
    entry({ permissions: ["publish", "admin"] }),
    entry({ permissions: ["PUBLISH"] }),
    entry({ permissions: "publish" }),
  ];
  for (const reply of invalid) assert.throws(() => parse(reply), Error, JSON.stringify(reply));
});

Deno.test("Authorization.parse() refuses expressions that RE2 has not, or that take long to compile", () => {
  const invalid = [
    "(?=x)",
    "(?<!x)y",
    "(a)\\1",
    "a{1001}",
    "((a{100}){100}){100}",
    "(a?){1000}".repeat(20),
    "x".repeat(200_000),
  ];
  for (const topic of invalid) {
    const reply = { ttl: 1, authorizations: [{ ...ALL, topic }] };
    assert.throws(() => parse(reply), Error, topic.slice(0, 30));
  }
  const [many] = [{
    ttl: 1,
    authorizations: Array.from({ length: 2000 }, () => ({ ...ALL, topic: "x".repeat(100) })),
  }];
  assert.throws(() => parse(many), /too long/);
});

Deno.test("Authorization.allows() matches anywhere in a name, and RE2's own syntax", () => {
  const cases: [topic: string, name: string, expected: boolean][] = [
    ["order", "eu_orders_1", true],
    ["^order", "eu_orders_1", false],
    ["^orders$", "orders", true],
    ["", "anything", true],
    ["(?i)ORDERS", "orders", true],
    ["(?P<name>o)rders", "orders", true],
    ["\\Qa.b\\E", "a.b", true],
    ["\\Qa.b\\E", "axb", false],
    ["^[[:alpha:]]+$", "orders", true],
    ["^(a+)+$", "a".repeat(63) + "-", false],
  ];
  for (const [topic, name, expected] of cases) {
    const authorization = parse({ ttl: 1, authorizations: [{ ...ALL, topic }] });
    assert.equal(authorization.allows(name, ""), expected, `${topic} on ${name}`);
    assert.equal(authorization.allows(name, "c"), expected, `${topic} on ${name}, again and for a channel`);
  }
});

Deno.test("Authorization.allows() wants the permission, the topic and a channel in one entry", () => {
  const authorization = parse({
    ttl: 1,
    authorizations: [
      { topic: "^t$", channels: ["^c$", "^d$"], permissions: ["subscribe", "publish"] },
      { topic: "^p$", channels: [".*"], permissions: ["publish"] },
      { topic: "^s$", channels: [".*"], permissions: ["subscribe"] },
      { topic: "^none$", channels: [], permissions: ["subscribe", "publish"] },
      { topic: "^empty$", channels: ["^$"], permissions: ["subscribe", "publish"] },
    ],
  });
  const cases: [topic: string, channel: string, expected: boolean][] = [
    ["t", "c", true],
    ["t", "d", true],
    ["t", "e", false],
    // No expression of the first entry matches the empty name, by which publishing is asked for.
    ["t", "", false],
    ["p", "", true],
    ["p", "c", false],
    ["s", "", false],
    ["s", "c", true],
    ["none", "", false],
    ["none", "c", false],
    ["empty", "", true],
    ["empty", "c", false],
  ];
  for (const [topic, channel, expected] of cases) {
    assert.equal(authorization.allows(topic, channel), expected, `${topic} ${channel}`);
  }
});

Deno.test("Authorization.allows() answers the same after thousands of names", () => {
  const authorization = parse({ ttl: 1, authorizations: [{ ...ALL, topic: "[02468]$" }] });
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 3000; i++) assert.equal(authorization.allows(`t${i}`, ""), i % 2 === 0);
  }
});
