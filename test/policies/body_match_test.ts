import assert from "node:assert/strict";
import { parseMatch } from "../../src/policies/body_match.ts";

const encoder = new TextEncoder();

function matches(text: string, body: string | Uint8Array): boolean {
  return parseMatch(text)(typeof body === "string" ? encoder.encode(body) : body);
}

Deno.test("contains: finds bytes anywhere, also over a false start", () => {
  assert.equal(matches("contains:aab", "xaaab"), true);
  assert.equal(matches("contains:é", "café"), true);
  assert.equal(matches("contains:aab", "aa"), false);
  assert.equal(matches("contains:a:b", "x a:b"), true);
  assert.equal(matches("contains:x", new Uint8Array([0xff, 0x78])), true);
});

Deno.test("re: takes RE2, of which no expression takes for ever", () => {
  assert.equal(matches("re:^order [0-9]+$", "order 17"), true);
  assert.equal(matches("re:^order [0-9]+$", "order x"), false);
  assert.equal(matches("re:(a+)+$", "a".repeat(5000) + "!"), false);
});

Deno.test("json: compares the value of a path as text", () => {
  const body = JSON.stringify({ order: { id: 17, open: true, tags: ["a"], name: null } });
  const cases: [string, boolean][] = [
    ["order.id=17", true],
    ["order.id=18", false],
    ["order.open=true", true],
    ["order.name=null", true],
    ['order.tags=["a"]', true],
    ["order.none=1", false],
    ["constructor.name=Object", false],
  ];
  for (const [expression, expected] of cases) {
    assert.equal(matches(`json:${expression}`, body), expected, expression);
  }
  assert.equal(matches("json:a=1", "no json"), false);
});

Deno.test("parseMatch() says what is wrong", () => {
  for (const text of ["", "contains:", "x", "xml:a", "re:(", "json:=1", "json:a"]) {
    assert.throws(() => parseMatch(text), SyntaxError, text);
  }
});
