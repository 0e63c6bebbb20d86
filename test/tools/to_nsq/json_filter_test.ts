import assert from "node:assert/strict";
import { isJsonNeeded, type JsonRequirements, judge } from "../../../src/tools/to_nsq/json_filter.ts";

const none: JsonRequirements = { requireField: "", requireValue: "", whitelist: [] };

function outcome(body: string, requirements: Partial<JsonRequirements>): string {
  const verdict = judge(new TextEncoder().encode(body), { ...none, ...requirements });
  if (verdict.kind === "forward") return new TextDecoder().decode(verdict.body);
  return `${verdict.kind}: ${verdict.text}`;
}

Deno.test("judge() forwards everything as it is when nothing is required", () => {
  assert.equal(outcome("no json", {}), "no json");
  assert.equal(outcome("no json", { requireValue: "7" }), "no json");
  assert.equal(isJsonNeeded({ ...none, requireValue: "7" }), false);
});

Deno.test("judge() drops what is no JSON object, and says so", () => {
  for (const body of ["no json", "[1]", "3", '"x"', "", "{", "true"]) {
    assert.equal(outcome(body, { requireField: "a" }), `drop: ERROR: Unable to decode json: ${body}`);
  }
});

Deno.test("judge() holds the required field against the value, as text or as number", () => {
  const table: [body: string, value: string, isForwarded: boolean][] = [
    ['{"a":"x"}', "", true],
    ['{"a":null}', "", true],
    ['{"a":"x"}', "x", true],
    ['{"a":"x"}', "y", false],
    ['{"a":1.50}', "1.5", true],
    ['{"a":1}', "1e0", true],
    ['{"a":1}', "one", false],
    ['{"a":"1"}', "1.0", false],
    ['{"a":true}', "true", false],
    ['{"a":null}', "null", false],
    ['{"a":{}}', "{}", false],
    ['{"a":[1]}', "1", false],
  ];
  for (const [body, requireValue, isForwarded] of table) {
    assert.equal(outcome(body, { requireField: "a", requireValue }), isForwarded ? body : "drop: null", body);
  }
});

Deno.test("judge() drops a message without the field, and has it come again when a value is required", () => {
  assert.equal(outcome('{"b":1}', { requireField: "a" }), "drop: null");
  assert.equal(outcome("null", { requireField: "a" }), "drop: null");
  assert.equal(
    outcome('{"b":1}', { requireField: "a", requireValue: "1" }),
    "requeue: ERROR: missing field to check required value",
  );
});

Deno.test("judge() forwards the members of the whitelist, sorted, compact and safe within HTML", () => {
  const table: [string, string[], string][] = [
    ['{"c":"x", "a":1, "b":2.5}', ["b", "a"], '{"a":1,"b":2.5}'],
    ['{"a":1}', ["z"], "{}"],
    ['{"a":"<&>\\u2028"}', ["a", "a"], '{"a":"\\u003c\\u0026\\u003e\\u2028"}'],
    ['{"a":{"z":1,"b":[1.0,true,null,"x"]}}', ["a"], '{"a":{"b":[1,true,null,"x"],"z":1}}'],
    ['{"a":1e3,"b":-0.50}', ["a", "b"], '{"a":1000,"b":-0.5}'],
    ['{"a":12345678901234567890}', ["a"], '{"a":12345678901234567890}'],
    ['{"__proto__":1,"constructor":2}', ["constructor"], '{"constructor":2}'],
    ["null", ["a"], "{}"],
  ];
  for (const [body, whitelist, expected] of table) assert.equal(outcome(body, { whitelist }), expected);
});
