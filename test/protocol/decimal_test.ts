import assert from "node:assert/strict";
import { parseDecimal, parseTimeoutMs, parseUint64 } from "../../src/protocol/decimal.ts";

type Parse<T> = (buf: Uint8Array, start: number, end: number) => T;

/** Puts digits around the parameter, so that reading outside the range shows. */
function parseText<T>(parse: Parse<T>, text: string): T {
  const buf = new TextEncoder().encode("77" + text + "77");
  return parse(buf, 2, buf.length - 2);
}

Deno.test("parseDecimal() reads digits, wraps at 2^64 and answers -1 for a negative signed view", () => {
  const table: [string, number][] = [
    ["", 0],
    ["0", 0],
    ["2500", 2500],
    ["007", 7],
    ["999999999999999", 999_999_999_999_999],
    ["1000000000000000", 1_000_000_000_000_000],
    ["0000000000000000000000000000005", 5],
    ["9007199254740993", 9_007_199_254_740_992],
    ["9223372036854775807", 2 ** 63],
    ["9223372036854775808", -1],
    ["18446744073709551615", -1],
    ["18446744073709551616", 0],
    ["18446744073709551617", 1],
    ["184467440737095516161", 1],
    ["36893488147419103239", 7],
    ["1" + "0".repeat(64), 0],
    ["1" + "0".repeat(62) + "12", 12],
    ["9".repeat(16_000) + "0".repeat(60) + "2500", 2500],
  ];
  for (const [text, value] of table) assert.equal(parseText(parseDecimal, text), value, text.slice(0, 40));
});

Deno.test("parseDecimal(), parseTimeoutMs() and parseUint64() refuse all that is not a digit", () => {
  const texts = ["-1", "+1", " 1", "1 ", "1.0", "1e3", "0x10", "a", "/", ":", "\xff", "-", "1\r"];
  for (const text of [...texts, ...texts.map((short) => "1".repeat(20) + short), "x" + "0".repeat(80)]) {
    assert.ok(Number.isNaN(parseText(parseDecimal, text)), text);
    assert.ok(Number.isNaN(parseText(parseTimeoutMs, text)), text);
    assert.equal(parseText(parseUint64, text), undefined, text);
  }
});

Deno.test("parseUint64() is exact modulo 2^64", () => {
  assert.equal(parseText(parseUint64, ""), 0n);
  assert.equal(parseText(parseUint64, "9007199254740993"), 9_007_199_254_740_993n);
  assert.equal(parseText(parseUint64, "18446744073709551615"), 18_446_744_073_709_551_615n);
  assert.equal(parseText(parseUint64, "18446744073709551618"), 2n);
});

Deno.test("parseDecimal() agrees with arithmetic modulo 2^64 for random digits", () => {
  let seed = 42;
  for (let round = 0; round < 5_000; round++) {
    let text = "";
    for (let count = round % 90; count > 0; count--) {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      text += (seed >>> 16) % 10;
    }
    const signed = BigInt.asIntN(64, BigInt(text));
    assert.equal(parseText(parseDecimal, text), signed < 0n ? -1 : Number(signed), text);
    assert.equal(parseText(parseUint64, text), BigInt.asUintN(64, BigInt(text)), text);
  }
});

Deno.test("parseTimeoutMs() overflows as a signed 64-bit count of nanoseconds", () => {
  const table: [string, number][] = [
    ["", 0],
    ["0", 0],
    ["3600000", 3_600_000],
    ["9223372036854", 9_223_372_036_854],
    ["9223372036855", -1],
    ["18446744073709", -1],
    ["18446744073710", 0.448384],
    ["288230376151711744", 0],
    ["9223372036854775808", 0],
    ["18446744073709551615", -1],
    ["18446744073709551616", 0],
    ["18446744073709551617", 1],
  ];
  for (const [text, value] of table) assert.equal(parseText(parseTimeoutMs, text), value, text);
});
