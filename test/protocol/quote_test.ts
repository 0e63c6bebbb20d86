import assert from "node:assert/strict";
import { byteText, decodeText, encodeByteText, goQuote, rawText } from "../../src/protocol/quote.ts";

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function randomBytes(seed: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  // Lead and continuation bytes at the edges of what UTF-8 allows are worth more than plain chance.
  const edges = [
    0x22,
    0x5c,
    0x7f,
    0x80,
    0x8f,
    0x90,
    0xa0,
    0xbf,
    0xc1,
    0xc2,
    0xe0,
    0xed,
    0xef,
    0xf0,
    0xf4,
    0xf5,
  ];
  for (let i = 0; i < length; i++) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    const choice = seed >>> 16;
    bytes[i] = choice % 3 === 0 ? choice >>> 8 : edges[choice % edges.length];
  }
  return bytes;
}

/** Reads a quoted text back by its documented escapes, without knowing when each is used. */
function unquote(quoted: string): Uint8Array {
  assert.match(quoted, /^"(?:[^"\\]|\\.)*"$/);
  const letters: Record<string, number> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, '"': 34, "\\": 92 };
  const out: number[] = [];
  const inner = quoted.slice(1, -1);
  const token = /\\x([0-9a-f]{2})|\\u([0-9a-f]{4})|\\U([0-9a-f]{8})|\\(.)|([^])/g;
  for (const [, x, u, U, letter, plain] of inner.matchAll(token)) {
    if (x !== undefined) out.push(parseInt(x, 16));
    else if (letter !== undefined) out.push(letters[letter]);
    else if (plain !== undefined) out.push(plain.charCodeAt(0));
    else out.push(...bytesOf(String.fromCodePoint(parseInt(u ?? U, 16))));
  }
  return Uint8Array.from(out);
}

Deno.test("goQuote() escapes as the error texts of nsqd do", () => {
  const table: [Uint8Array, string][] = [
    [bytesOf(""), '""'],
    [bytesOf("a b"), '"a b"'],
    [bytesOf("c\r"), '"c\\r"'],
    [bytesOf('q"\\'), '"q\\"\\\\"'],
    [bytesOf("\x07\b\t\n\v\f\r"), '"\\a\\b\\t\\n\\v\\f\\r"'],
    [bytesOf("\0\x01\x1b\x1f\x7f"), '"\\x00\\x01\\x1b\\x1f\\x7f"'],
    [bytesOf("~!'/<>&"), '"~!\'/<>&"'],
    [Uint8Array.of(0x61, 0xff, 0x80, 0xc3), '"a\\xff\\x80\\xc3"'],
    [Uint8Array.of(0xc0, 0x80), '"\\xc0\\x80"'],
    [Uint8Array.of(0xed, 0xa0, 0x80), '"\\xed\\xa0\\x80"'],
    [Uint8Array.of(0xf4, 0x90, 0x80, 0x80), '"\\xf4\\x90\\x80\\x80"'],
    [Uint8Array.of(0xe2, 0x82, 0x41), '"\\xe2\\x82A"'],
    [
      bytesOf("\u0085\u00a0\u00ad\u200b\u2028\u3000\ue000\ufeff\uffff"),
      '"\\u0085\\u00a0\\u00ad\\u200b\\u2028\\u3000\\ue000\\ufeff\\uffff"',
    ],
    [bytesOf("\u{e0001}\u{10ffff}"), '"\\U000e0001\\U0010ffff"'],
    [bytesOf("é¡日\ufffd\u0301\u{1f600}"), byteText('"é¡日\ufffd\u0301\u{1f600}"')],
  ];
  for (const [bytes, quoted] of table) assert.equal(goQuote(bytes), quoted);
});

Deno.test("goQuote() of any bytes reads back as the same bytes", () => {
  for (let seed = 1; seed <= 5_000; seed++) {
    const bytes = randomBytes(seed, seed % 13);
    assert.deepEqual(unquote(goQuote(bytes)), bytes, `seed ${seed}`);
  }
});

Deno.test("goQuote() of any bytes is valid UTF-8 without control bytes", () => {
  const strict = new TextDecoder("utf-8", { fatal: true });
  for (let seed = 1; seed <= 5_000; seed++) {
    const text = strict.decode(encodeByteText(goQuote(randomBytes(seed, 1 + seed % 9))));
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(text, /[\x00-\x1f\x7f-\x9f]/, `seed ${seed}`);
  }
});

Deno.test("encodeByteText() gives back every byte that rawText() took", () => {
  const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  assert.deepEqual(encodeByteText(rawText(all)), all);
  assert.equal(rawText(all.subarray(0x41, 0x44)), "ABC");
  assert.equal(rawText(new Uint8Array(0)), "");
});

Deno.test("rawText() does not alias the buffer that it read", () => {
  const buffer = bytesOf("before");
  const text = rawText(buffer);
  buffer.fill(0);
  assert.equal(text, "before");
});

Deno.test("byteText() turns Unicode text into its UTF-8 bytes", () => {
  assert.deepEqual(encodeByteText(byteText("é\u{1f600}a")), bytesOf("é\u{1f600}a"));
});

Deno.test("decodeText() decodes valid UTF-8 and replaces each other byte by itself", () => {
  assert.equal(decodeText(bytesOf("aé日\u{1f600}\ufffd")), "aé日\u{1f600}\ufffd");
  assert.equal(decodeText(Uint8Array.of(0xf0, 0x9f, 0x98, 0x41)), "\ufffd\ufffd\ufffdA");
  assert.equal(decodeText(Uint8Array.of(0xed, 0xa0, 0x80)), "\ufffd\ufffd\ufffd");
});
