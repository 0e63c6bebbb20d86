import assert from "node:assert/strict";
import { encodeJson } from "../../src/protocol/json.ts";

Deno.test("encodeJson() writes compact JSON in the order of the keys, numbers as Go does", () => {
  assert.equal(encodeJson({ b: [1, null, true], a: { c: "d" } }), '{"b":[1,null,true],"a":{"c":"d"}}');
  const numbers: [number, string][] = [
    [0, "0"],
    [-1.5, "-1.5"],
    [0.99, "0.99"],
    [1e20, "100000000000000000000"],
    [1e21, "1e+21"],
    [0.000001, "0.000001"],
    [1.5e-7, "1.5e-7"],
  ];
  for (const [number, text] of numbers) assert.equal(encodeJson(number), text);
});

Deno.test("encodeJson() escapes what would mean something inside HTML or JavaScript", () => {
  assert.equal(encodeJson("<a>&\u2028\u2029'/"), `"\\u003ca\\u003e\\u0026\\u2028\\u2029'/"`);
  assert.equal(encodeJson({ "<": 1 }), '{"\\u003c":1}');
});

Deno.test("encodeJson() puts U+FFFD for half a surrogate pair, and leaves text that only looks like one", () => {
  assert.equal(encodeJson({ a: "x\ud800y", b: "😀" }), '{"a":"x\ufffdy","b":"😀"}');
  assert.equal(encodeJson("\\ud800"), '"\\\\ud800"');
});
