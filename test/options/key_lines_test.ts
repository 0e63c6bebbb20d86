import assert from "node:assert/strict";
import { findKeyLine } from "../../src/options/key_lines.ts";

Deno.test("findKeyLine() finds keys however they are spelled, but only at the top", () => {
  const text = [
    "# id = 1",
    "id=1",
    'text = """',
    "deep = 1",
    '"""',
    "list = [",
    "  1,",
    "]",
    '"quoted" = 2',
    "  dotted.part = 3",
    "[table]",
    "inner = 5",
    "[ later ]",
    "[[several]]",
    "[several.sub]",
  ].join("\r\n");
  const table: [string, number | undefined][] = [
    ["id", 2],
    ["text", 3],
    ["deep", undefined],
    ["list", 6],
    ["quoted", 9],
    ["dotted", 10],
    ["table", 11],
    ["inner", undefined],
    ["later", 13],
    ["several", 14],
    ["i.", undefined],
    ["absent", undefined],
  ];
  for (const [key, line] of table) assert.equal(findKeyLine(text, key), line, key);
});
