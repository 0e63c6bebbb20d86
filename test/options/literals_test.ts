import assert from "node:assert/strict";
import { formatBytes, parseBool, parseBytes, parseFloats, parseInteger } from "../../src/options/literals.ts";

Deno.test("parseBool() reads exactly the words of Go's flags", () => {
  for (const word of ["1", "t", "T", "TRUE", "true", "True"]) assert.equal(parseBool(word), true, word);
  for (const word of ["0", "f", "F", "FALSE", "false", "False"]) assert.equal(parseBool(word), false, word);
  for (const word of ["", "yes", "no", "on", "2", "tRUE", " true"]) {
    assert.throws(() => parseBool(word), { name: "SyntaxError", message: "use true or false" }, word);
  }
});

Deno.test("parseInteger() reads signs, bases and underscores", () => {
  const table: [string, number][] = [
    ["0", 0],
    ["-0", 0],
    ["2500", 2500],
    ["+7", 7],
    ["-7", -7],
    ["0x10", 16],
    ["-0X1f", -31],
    ["0o17", 15],
    ["0O17", 15],
    ["017", 15],
    ["0_17", 15],
    ["00", 0],
    ["0b101", 5],
    ["0B1", 1],
    ["0x_ff", 255],
    ["1_000_000", 1_000_000],
    ["9007199254740991", Number.MAX_SAFE_INTEGER],
  ];
  for (const [text, value] of table) assert.equal(parseInteger(text), value, text);
});

Deno.test("parseInteger() refuses what is not a whole number in range", () => {
  const texts = [
    "",
    "-",
    "abc",
    "1.0",
    "1e3",
    "08",
    "0x",
    "0b2",
    "1__0",
    "_1",
    "1_",
    " 1",
    "1 ",
    "1,000",
    "--1",
  ];
  for (const text of texts) assert.throws(() => parseInteger(text), { message: "use a whole number" }, text);
  assert.throws(() => parseInteger("9223372036854775808"), { message: "value out of range" });
  assert.equal(parseInteger("9223372036854775807"), Number.MAX_SAFE_INTEGER, "taken by Go nsqd");
});

Deno.test("parseBytes() reads whole numbers as parseInteger() does, and suffixes", () => {
  const table: [string, number][] = [
    ["1048576", 1048576],
    ["0x100000", 1048576],
    ["0b11", 3],
    ["1_000", 1000],
    ["64MiB", 67_108_864],
    ["64mib", 67_108_864],
    ["64 MiB", 67_108_864],
    ["256MB", 256_000_000],
    ["5B", 5],
    ["1.5KiB", 1536],
    ["1.5GB", 1_500_000_000],
    ["2TiB", 2 ** 41],
    ["1kb", 1000],
    ["-1KB", -1000],
  ];
  for (const [text, bytes] of table) assert.equal(parseBytes(text), bytes, text);
});

Deno.test("parseBytes() refuses unknown suffixes and parts of a byte", () => {
  for (const text of ["", "64M", "64Mb/s", "MiB", "1.5", "64XB", "1e3KB", "64iB"]) {
    assert.throws(() => parseBytes(text), { name: "SyntaxError", message: /^use a number of bytes/ }, text);
  }
  for (const text of ["0.3KiB", "1.5B", "9007199254740991KiB"]) {
    assert.throws(() => parseBytes(text), { message: /^not a whole number of bytes/ }, text);
  }
});

Deno.test("formatBytes() takes the largest suffix without a fraction, and parseBytes() reads it back", () => {
  const table: [number, string][] = [
    [0, "0"],
    [1, "1"],
    [1000, "1000"],
    [1024, "1KiB"],
    [65_536, "64KiB"],
    [104_857_600, "100MiB"],
    [2_147_483_647, "2147483647"],
    [2 ** 30, "1GiB"],
  ];
  for (const [bytes, text] of table) {
    assert.equal(formatBytes(bytes), text);
    assert.equal(parseBytes(text), bytes, text);
  }
});

Deno.test("parseFloats() reads numbers joined by commas and nothing else", () => {
  assert.deepEqual(parseFloats("1.0,0.99, 0.95"), [1, 0.99, 0.95]);
  assert.deepEqual(parseFloats(".5"), [0.5]);
  assert.deepEqual(parseFloats("1e-3,-2"), [0.001, -2]);
  for (const text of ["", ",", "1,", "abc", "1 2", "0x1", "NaN", "Infinity"]) {
    assert.throws(() => parseFloats(text), { message: "use numbers joined by commas" }, text);
  }
});
