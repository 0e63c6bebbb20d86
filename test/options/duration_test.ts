import assert from "node:assert/strict";
import { formatDuration, parseDuration, shortDuration } from "../../src/options/duration.ts";

Deno.test("parseDuration() reads signs, fractions and sequences of units into milliseconds", () => {
  const table: [string, number][] = [
    ["0", 0],
    ["-0", 0],
    ["0s", 0],
    ["250ms", 250],
    ["1m30s", 90_000],
    ["1.5h30m", 7_200_000],
    ["+5s", 5_000],
    ["-1m", -60_000],
    [".5s", 500],
    ["5.s", 5_000],
    ["100us", 0.1],
    ["100\u00b5s", 0.1],
    ["100\u03bcs", 0.1],
    ["1ns", 0.000_001],
    ["1s1ms1us1ns", 1_001.001_001],
    ["30s1h", 3_630_000],
    ["2562047h47m16s", 9_223_372_036_000],
  ];
  for (const [text, ms] of table) assert.equal(parseDuration(text), ms, text);
});

Deno.test("parseDuration() refuses what has no unit, is no number or is too long", () => {
  for (
    const text of ["", "+", "-", "s", "abc", "1m 30s", " 1m", "1m ", "1e3s", "1d", "--1s", "1.2.3s", "."]
  ) {
    assert.throws(
      () => parseDuration(text),
      { name: "SyntaxError", message: /^a duration is numbers/ },
      text,
    );
  }
  for (const text of ["90", "1.5", "-90", "+3", "1m30"]) {
    assert.throws(() => parseDuration(text), { name: "SyntaxError", message: /has no unit/ }, text);
  }
  assert.throws(() => parseDuration("2562048h"), { message: /shorter than 292 years/ });
});

Deno.test("formatDuration() prints the largest units first, and parseDuration() reads it back", () => {
  const table: [number, string][] = [
    [0, "0s"],
    [0.000_001, "1ns"],
    [0.1, "100\u00b5s"],
    [0.001_5, "1.5\u00b5s"],
    [25, "25ms"],
    [1.5, "1.5ms"],
    [1_000, "1s"],
    [1_500, "1.5s"],
    [1_001.001_001, "1.001001001s"],
    [60_000, "1m0s"],
    [90_250, "1m30.25s"],
    [3_600_000, "1h0m0s"],
    [5_400_000, "1h30m0s"],
    [86_400_000, "24h0m0s"],
    [-90_000, "-1m30s"],
  ];
  for (const [ms, text] of table) {
    assert.equal(formatDuration(ms), text);
    assert.equal(parseDuration(text), ms, text);
  }
});

Deno.test("shortDuration() leaves out zero units at the end", () => {
  const table: [number, string][] = [
    [60_000, "1m"],
    [3_600_000, "1h"],
    [5_400_000, "1h30m"],
    [3_601_000, "1h0m1s"],
    [600_000, "10m"],
    [36_000_000, "10h"],
    [10_000, "10s"],
    [0, "0s"],
  ];
  for (const [ms, text] of table) {
    assert.equal(shortDuration(ms), text);
    assert.equal(parseDuration(text), ms, text);
  }
});
