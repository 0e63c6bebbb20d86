import assert from "node:assert/strict";
import { bytes, json, text } from "../../src/client/codec.ts";

Deno.test("bytes leaves bodies as they are", () => {
  const body = new Uint8Array([1, 2, 3]);
  assert.equal(bytes.encode(body), body);
  assert.equal(bytes.decode(body), body);
});

Deno.test("text is UTF-8, a byte order mark included, and refuses other bytes", () => {
  for (const value of ["plain", "Zürich ✓", "\ufeffmarked"]) {
    assert.equal(text.decode(text.encode(value)), value);
  }
  assert.throws(() => text.decode(new Uint8Array([0xff, 0xfe])), TypeError);
});

Deno.test("json() encodes and decodes values, and refuses what is no JSON", () => {
  const codec = json<{ id: number; tags: string[] }>();
  const value = { id: 7, tags: ["a", "ü"] };
  assert.deepEqual(codec.decode(codec.encode(value)), value);
  assert.throws(() => codec.decode(new TextEncoder().encode("{")), SyntaxError);
  assert.throws(() => json<unknown>().encode(undefined), /undefined has no form in JSON/);
});
