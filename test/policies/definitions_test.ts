import assert from "node:assert/strict";
import {
  describeChanges,
  parseDefinitions,
  type Present,
  showDefinitions,
  showSubject,
} from "../../src/policies/definitions.ts";
import { PolicyError } from "../../src/policies/settings.ts";

const document = {
  version: 1,
  topics: [
    {
      name: "orders",
      paused: true,
      policy: { ttl: "1h" },
      channels: [{ name: "mail", policy: { max_attempts: 4 } }],
    },
    { name: "events" },
  ],
};

Deno.test("parseDefinitions() reads topics before their channels", () => {
  assert.deepEqual(parseDefinitions(document), [
    { subject: { topic: "orders" }, paused: true, change: new Map([["ttl", 3_600_000]]) },
    {
      subject: { topic: "orders", channel: "mail" },
      paused: undefined,
      change: new Map([["max_attempts", 4]]),
    },
    { subject: { topic: "events" }, paused: undefined, change: undefined },
  ]);
});

Deno.test("parseDefinitions() refuses what it does not understand, and names it", () => {
  const cases: [unknown, RegExp][] = [
    [null, /definitions: expected an object, found null/],
    [{ version: 2 }, /definitions of version 2 cannot be read/],
    [{ topic: [] }, /definitions has no key "topic"/],
    [{ topics: {} }, /topics: expected a list/],
    [{ topics: [{ name: "a b" }] }, /"a b" is no name for a topic/],
    [{ topics: [{}] }, /nothing is no name for a topic/],
    [{ topics: [{ name: "a" }, { name: "a" }] }, /a is there twice/],
    [{ topics: [{ name: "a", paused: "yes" }] }, /a: paused is true or false/],
    [{ topics: [{ name: "a", channels: [{ name: "b", policy: { ttl: "x" } }] }] }, /a\/b: ttl = "x"/],
    [{ topics: [{ name: "a", chanels: [] }] }, /a topic has no key "chanels"/],
  ];
  for (const [json, message] of cases) {
    assert.throws(() => parseDefinitions(json), (cause: Error) => {
      assert.ok(cause instanceof PolicyError);
      assert.match(cause.message, message);
      return true;
    });
  }
});

const present: Present[] = [
  { subject: { topic: "b" }, paused: false, settings: new Map() },
  { subject: { topic: "a", channel: "z" }, paused: true, settings: new Map([["max_attempts", 4]]) },
  { subject: { topic: "a", channel: "c" }, paused: false, settings: new Map() },
  { subject: { topic: "a" }, paused: false, settings: new Map([["ttl", 1000]]) },
];

Deno.test("showDefinitions() is in the order of the names, whatever the order of the node", () => {
  const expected = {
    version: 1,
    topics: [
      {
        name: "a",
        paused: false,
        policy: { ttl: "1s" },
        channels: [
          { name: "c", paused: false, policy: {} },
          { name: "z", paused: true, policy: { max_attempts: 4 } },
        ],
      },
      { name: "b", paused: false, policy: {}, channels: [] },
    ],
  };
  assert.deepEqual(showDefinitions(present), expected);
  assert.deepEqual(showDefinitions([...present].reverse()), expected);
});

Deno.test("describeChanges() finds nothing to change in a node's own document", () => {
  const byName = new Map(present.map((each) => [showSubject(each.subject), each]));
  const own = parseDefinitions(JSON.parse(JSON.stringify(showDefinitions(present))));
  assert.deepEqual(describeChanges(own, byName), []);
  assert.deepEqual(describeChanges(own, new Map()).filter((line) => line.startsWith("create")), [
    "create a",
    "create a/c",
    "create a/z",
    "create b",
  ]);
});

Deno.test("describeChanges() names what is created, paused, set and taken back", () => {
  const byName = new Map(present.map((each) => [showSubject(each.subject), each]));
  const wanted = parseDefinitions({
    topics: [
      {
        name: "a",
        paused: true,
        policy: { ttl: null, max_depth: 5 },
        channels: [{ name: "z", paused: false }],
      },
      { name: "n", policy: { ttl: "24h" } },
    ],
  });
  assert.deepEqual(describeChanges(wanted, byName), [
    "pause a",
    "take back a ttl",
    "set a max_depth = 5",
    "unpause a/z",
    "create n",
    'set n ttl = "24h0m0s"',
  ]);
});
