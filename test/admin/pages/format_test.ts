import assert from "node:assert/strict";
import {
  formatBytes,
  formatCount,
  formatMoment,
  formatNoun,
  formatRate,
  formatSpan,
} from "../../../src/admin/pages/format.ts";

const SPANS: [ms: number, text: string][] = [
  [0, "0 ms"],
  [0.42, "0.42 ms"],
  [85.4, "85 ms"],
  [1234, "1.2 s"],
  [59_999, "59 s"],
  [242_000, "4 min 2 s"],
  [3_600_000, "1 h"],
  [11_400_000, "3 h 10 min"],
  [360_000_000, "4 d 4 h"],
];

for (const [ms, text] of SPANS) {
  Deno.test(`formatSpan() writes ${ms} ms as ${text}`, () => assert.equal(formatSpan(ms), text));
}

Deno.test("formatCount() groups, and shortens millions", () => {
  assert.deepEqual([0, 1204, 999_999, 1_234_567].map(formatCount), ["0", "1,204", "999,999", "1.235M"]);
});

Deno.test("formatRate() keeps one digit of small rates, and tells almost nothing from nothing", () => {
  assert.deepEqual([0, 0.01, 0.32, 9.96, 12.4, 1204.2].map(formatRate), [
    "0",
    "<0.1",
    "0.3",
    "10",
    "12",
    "1,204",
  ]);
});

Deno.test("formatBytes() uses binary units", () => {
  assert.deepEqual([512, 1536, 3.2 * 2 ** 30].map(formatBytes), ["512 B", "1.5 KiB", "3.2 GiB"]);
});

Deno.test("formatMoment() says how long ago, or the time in UTC", () => {
  const now = Date.UTC(2026, 10, 25, 12);
  assert.equal(formatMoment(now - 200, now, "relative"), "now");
  assert.equal(formatMoment(now - 65_000, now, "relative"), "1 min ago");
  assert.equal(formatMoment(now + 7_300_000, now, "relative"), "in 2 h");
  assert.equal(formatMoment(now, now, "utc"), "2026-11-25 12:00:00Z");
});

Deno.test("formatNoun() has one and many", () => {
  assert.deepEqual([1, 0, 2000].map((count) => formatNoun(count, "node")), [
    "1 node",
    "0 nodes",
    "2,000 nodes",
  ]);
});
