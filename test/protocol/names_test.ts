import assert from "node:assert/strict";
import { isEphemeral, isValidName, isValidNameBytes, MAX_NAME_LENGTH } from "../../src/protocol/names.ts";

const SUFFIX = "#ephemeral";

const VALID = [
  "a",
  "0",
  ".",
  "-",
  "_",
  "orders.v2_EU-1",
  "x" + SUFFIX,
  "a".repeat(64),
  "a".repeat(54) + SUFFIX,
  "ephemeral",
];

const INVALID = [
  "",
  SUFFIX,
  "a".repeat(65),
  "a".repeat(55) + SUFFIX,
  "a b",
  " a",
  "a ",
  "a\r",
  "a\n",
  "a/b",
  "a:b",
  "a#",
  "a#eph",
  "a#ephemeral2",
  "a#ephemera",
  "a#Ephemeral",
  "#ephemerala",
  "a#ephemeral#ephemeral",
  "a#x#ephemeral",
  "é",
  "a\0",
];

function bytesOf(name: string): Uint8Array {
  return new TextEncoder().encode(name);
}

Deno.test("isValidName() and isValidNameBytes() accept names of 1..64 bytes with the suffix counted", () => {
  for (const name of VALID) {
    const bytes = bytesOf(name);
    assert.equal(isValidName(name), true, JSON.stringify(name));
    assert.equal(isValidNameBytes(bytes, 0, bytes.length), true, JSON.stringify(name));
  }
});

Deno.test("isValidName() and isValidNameBytes() refuse other bytes, lengths and suffixes", () => {
  for (const name of INVALID) {
    const bytes = bytesOf(name);
    assert.equal(isValidName(name), false, JSON.stringify(name));
    assert.equal(isValidNameBytes(bytes, 0, bytes.length), false, JSON.stringify(name));
  }
});

Deno.test("isValidNameBytes() looks only at the range that it is given", () => {
  const line = bytesOf("SUB orders#ephemeral ch!\n");
  assert.equal(isValidNameBytes(line, 4, 20), true);
  assert.equal(isValidNameBytes(line, 4, 10), true);
  assert.equal(isValidNameBytes(line, 4, 15), false);
  assert.equal(isValidNameBytes(line, 10, 20), false);
  assert.equal(isValidNameBytes(line, 21, 23), true);
  assert.equal(isValidNameBytes(line, 21, 24), false);
  assert.equal(isValidNameBytes(line, 5, 5), false);
});

Deno.test("isValidNameBytes() judges every single byte as the name rule does", () => {
  for (let byte = 0; byte < 256; byte++) {
    const isAllowed = /^[.a-zA-Z0-9_-]$/.test(String.fromCharCode(byte));
    assert.equal(isValidNameBytes(Uint8Array.of(byte), 0, 1), isAllowed, `byte ${byte}`);
    assert.equal(isValidNameBytes(Uint8Array.of(0x61, byte), 0, 2), isAllowed, `a and byte ${byte}`);
  }
});

Deno.test("isValidNameBytes() agrees with isValidName() on random pieces of names", () => {
  const pieces = ["a", "Z9", "._-", "#", SUFFIX, "#ephem", "eral", "x".repeat(20), "~"];
  let seed = 20_260_101;
  for (let round = 0; round < 20_000; round++) {
    let name = "";
    for (let count = 1 + round % 5; count > 0; count--) {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      name += pieces[(seed >>> 16) % pieces.length];
    }
    const bytes = bytesOf("%" + name + "%");
    assert.equal(isValidNameBytes(bytes, 1, bytes.length - 1), isValidName(name), JSON.stringify(name));
  }
});

Deno.test("isEphemeral() looks for the suffix at the end of the name", () => {
  assert.equal(isEphemeral("a#ephemeral"), true);
  assert.equal(isEphemeral("a"), false);
  assert.equal(isEphemeral("ephemeral"), false);
});

Deno.test("MAX_NAME_LENGTH is the limit of the wire", () => {
  assert.equal(MAX_NAME_LENGTH, 64);
});
