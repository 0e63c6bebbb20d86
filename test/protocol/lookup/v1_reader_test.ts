import assert from "node:assert/strict";
import { LookupProtocolError, MAX_IDENTIFY_BYTES } from "../../../src/protocol/lookup/errors.ts";
import { MAX_LINE_BYTES, V1Reader } from "../../../src/protocol/lookup/v1_reader.ts";

const BODY = new TextEncoder().encode(`{"a":1}\n`);

function stream(...parts: (string | Uint8Array)[]): Uint8Array {
  return Uint8Array.from(
    parts.flatMap((part) => typeof part === "string" ? [...new TextEncoder().encode(part)] : [...part]),
  );
}

function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value);
  return bytes;
}

/** Feeds `bytes`, at most `step` at a time, and returns every part as text. */
function partsOf(bytes: Uint8Array, step: number, reader = new V1Reader()): string[] {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const space = reader.space();
    const byteCount = Math.min(step, space.length, bytes.length - at);
    assert.ok(byteCount > 0, "there is always space for a byte");
    space.set(bytes.subarray(at, at + byteCount));
    reader.received(byteCount);
    at += byteCount;
    for (let part = reader.next(); part !== undefined; part = reader.next()) {
      if (part.kind === "line" && part.text === "IDENTIFY") reader.expectBody();
      parts.push(part.kind === "body" ? new TextDecoder().decode(part.body) : part.text);
    }
  }
  return parts;
}

Deno.test("V1Reader.next() finds the same parts wherever the stream is split", () => {
  const bytes = stream(
    "  V1",
    "PING\r\n",
    "IDENTIFY\n",
    int32(BODY.length),
    BODY,
    "REGISTER t c\n",
    "\n",
    "PI",
  );
  const expected = ["  V1", "PING\r", "IDENTIFY", `{"a":1}\n`, "REGISTER t c", ""];
  for (let step = 1; step <= bytes.length; step++) assert.deepEqual(partsOf(bytes, step), expected);
});

Deno.test("V1Reader.next() keeps bytes that are not UTF-8 one to one", () => {
  assert.deepEqual(partsOf(stream("  V1", new Uint8Array([0xff, 0x80, 10])), 100), ["  V1", "\xff\x80"]);
});

Deno.test("V1Reader.next() takes the longest line and refuses a longer one before its end", () => {
  const longest = "x".repeat(MAX_LINE_BYTES);
  for (const step of [1, 512, 100_000]) {
    assert.deepEqual(partsOf(stream("  V1", longest, "\n", "PING\n"), step), ["  V1", longest, "PING"]);
    assert.throws(() => partsOf(stream("  V1", longest, "x"), step), LookupProtocolError);
    assert.throws(() => partsOf(stream("  V1", longest, "x\n"), step), LookupProtocolError);
  }
});

Deno.test("V1Reader.next() takes the largest body and refuses other sizes before the body", () => {
  const body = new Uint8Array(MAX_IDENTIFY_BYTES).fill(97);
  const bytes = stream("  V1IDENTIFY\n", int32(body.length), body, "PING\n");
  assert.deepEqual(partsOf(bytes, 1000), ["  V1", "IDENTIFY", "a".repeat(body.length), "PING"]);
  for (const size of [-1, -0x80000000, MAX_IDENTIFY_BYTES + 1, 0x7fffffff]) {
    assert.throws(() => partsOf(stream("  V1IDENTIFY\n", int32(size)), 1), LookupProtocolError);
  }
});

Deno.test("V1Reader.space() is small again after a large body", () => {
  const reader = new V1Reader();
  const body = new Uint8Array(MAX_IDENTIFY_BYTES);
  partsOf(stream("  V1IDENTIFY\n", int32(body.length), body), 1000, reader);
  assert.ok(reader.space().length < 1024);
});

Deno.test("V1Reader.expected says what an ended stream was in the middle of", () => {
  const reader = new V1Reader();
  assert.equal(reader.expected, "magic");
  partsOf(stream("  V1"), 4, reader);
  assert.equal(reader.expected, "line");
  partsOf(stream("IDENTIFY\n"), 100, reader);
  assert.equal(reader.expected, "body-size");
  partsOf(stream(int32(8)), 100, reader);
  assert.equal(reader.expected, "body");
});
