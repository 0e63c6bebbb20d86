import assert from "node:assert/strict";
import { keyFinder, MAX_KEY_BYTES } from "../../src/policies/message_key.ts";

function keyOf(place: string, body: string | Uint8Array): string | null {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const framed = new Uint8Array([1, 2, 3, ...bytes, 4, 5]);
  return keyFinder(place)!(framed, 3, framed.length - 2);
}

Deno.test("keyFinder() of a prefix finds what stands before the first such byte", () => {
  assert.equal(keyOf("prefix:|", "customer 7|created|x"), "customer 7");
  assert.equal(keyOf("prefix:|", "|created"), "");
  assert.equal(keyOf("prefix:|", "no delimiter"), null);
  assert.equal(keyOf("prefix:|", ""), null);
});

Deno.test("keyFinder() of a prefix looks at no more than the longest key", () => {
  assert.equal(keyOf("prefix:,", "x".repeat(MAX_KEY_BYTES) + ",rest")?.length, MAX_KEY_BYTES);
  assert.equal(keyOf("prefix:,", "x".repeat(MAX_KEY_BYTES + 1) + ",rest"), null);
});

Deno.test("keyFinder() of a prefix keeps keys apart that are no UTF-8", () => {
  const keys = [0xfe, 0xff].map((byte) => keyOf("prefix:,", new Uint8Array([byte, 0x2c])));
  assert.notEqual(keys[0], keys[1]);
});

Deno.test("keyFinder() of a JSON path finds texts, numbers and booleans, and nothing else", () => {
  assert.equal(keyOf("json:order.customer", '{"order": {"customer": "anna"}}'), "anna");
  assert.equal(keyOf("json:id", '{"id": 17}'), "17");
  assert.equal(keyOf("json:id", '{"id": true}'), "true");
  for (const body of ["{}", '{"id": null}', '{"id": {}}', '{"id": [1]}', "[1]", "5", "no JSON", '{"id": 1']) {
    assert.equal(keyOf("json:id", body), null, body);
  }
  assert.equal(keyOf("json:a.b", '{"a": "text"}'), null);
  assert.equal(keyOf("json:constructor.name", "{}"), null);
});

Deno.test("keyFinder() is none where the topic has no place of keys", () => {
  assert.equal(keyFinder(""), null);
});
