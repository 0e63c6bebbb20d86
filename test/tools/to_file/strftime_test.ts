import assert from "node:assert/strict";
import { datePattern, escapePattern, formatDate } from "../../../src/tools/to_file/strftime.ts";

/** Sunday, early afternoon, local time. */
const DATE = new Date(2026, 10, 22, 13, 4, 5);

Deno.test("formatDate() knows the letters of NSQ and leaves others as they are", () => {
  const table: [string, string][] = [
    ["%Y-%m-%d_%H", "2026-11-22_13"],
    ["%y%m%d", "261122"],
    ["%I:%M:%S %p", "01:04:05 PM"],
    ["%B %b %A %a", "November Nov Sunday Sun"],
    ["%%", "%"],
    ["%j %q", "%j %q"],
    ["Jan2 2006", "Jan2 2006"],
    ["100%", "100%"],
    ["%%Y", "%Y"],
  ];
  for (const [format, text] of table) assert.equal(formatDate(format, DATE), text, format);
  assert.match(formatDate("%z", DATE), /^[+-]\d{4}$/);
  assert.match(formatDate("%Z", DATE), /^[A-Z]/);
});

Deno.test("formatDate() counts twelve hours from 12 to 11", () => {
  const at = (hour: number) => formatDate("%I%p", new Date(2026, 0, 1, hour));
  assert.deepEqual([0, 1, 11, 12, 13, 23].map(at), ["12AM", "01AM", "11AM", "12PM", "01PM", "11PM"]);
});

Deno.test("datePattern() matches what formatDate() makes, whole", () => {
  for (const format of ["%Y-%m-%d_%H", "%a, %d %b %y %I%p %Z%z", "a.b(%%)%j", "%B/%A"]) {
    const pattern = new RegExp(`^${datePattern(format)}$`);
    for (const date of [DATE, new Date(2030, 0, 1), new Date(1999, 11, 31, 23, 59, 59)]) {
      assert.match(formatDate(format, date), pattern, format);
    }
  }
  assert.doesNotMatch("2026-11-22", new RegExp(`^${datePattern("%Y-%m-%d_%H")}$`));
});

Deno.test("escapePattern() makes a pattern of one text", () => {
  const text = "a.b*[c](d)^$|{1}\\/-";
  assert.match(text, new RegExp(`^${escapePattern(text)}$`));
  assert.doesNotMatch("aXb", new RegExp(`^${escapePattern("a.b")}$`));
});
