import assert from "node:assert/strict";
import {
  hexDump,
  indentJson,
  textOf,
  textOrHex,
} from "../../../../../src/admin/pages/screens/messages/body.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("indentJson() changes white space alone: digits, escapes and braces in strings stay", () => {
  const text = '{"id":12345678901234567890,"a":[1.50,{}, [ ]],"s":"{\\"x\\": [1,2]}","e":"\\u00e9"}';
  const indented = indentJson(bytes(text))!;
  assert.equal(
    indented,
    [
      "{",
      '  "id": 12345678901234567890,',
      '  "a": [',
      "    1.50,",
      "    {},",
      "    []",
      "  ],",
      '  "s": "{\\"x\\": [1,2]}",',
      '  "e": "\\u00e9"',
      "}",
    ].join("\n"),
  );
  assert.deepEqual(JSON.parse(indented), JSON.parse(text));
});

Deno.test("indentJson() is null for what is no object and no list", () => {
  for (const text of ["", "12", '"a"', "{", "null", "no json"]) assert.equal(indentJson(bytes(text)), null);
  assert.equal(indentJson(Uint8Array.of(0xff)), null);
});

Deno.test("textOf() leaves out a character that was cut, and is null for what is no text", () => {
  const cut = bytes("né").subarray(0, 2);
  assert.equal(textOf(cut, true), "n");
  assert.equal(textOf(cut, false), null);
  assert.equal(textOrHex(Uint8Array.of(0xff, 0), false), "ff 00");
});

Deno.test("hexDump() shows offset, bytes and what is ASCII", () => {
  assert.equal(
    hexDump(bytes("sixteen bytes ..\u0001b")),
    "000000  73 69 78 74 65 65 6e 20 62 79 74 65 73 20 2e 2e  sixteen bytes ..\n" +
      "000010  01 62                                            .b",
  );
});
