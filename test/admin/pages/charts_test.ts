import assert from "node:assert/strict";
import { linePath } from "../../../src/admin/pages/components/sparkline.tsx";

const frame = { fromS: 0, toS: 4, stepS: 1, width: 40, height: 12 };

Deno.test("linePath() goes from zero at the bottom to the highest at the top", () => {
  assert.equal(linePath([0, 1, 2, 3], [0, 5, 10, 5], frame), "M5.0 11.0L15.0 6.0L25.0 1.0L35.0 6.0");
});

Deno.test("linePath() leaves gaps where nothing is known, and what lies outside", () => {
  assert.equal(linePath([-1, 0, 1, 3, 9], [9, 4, null, 4, 9], frame), "M5.0 1.0M35.0 1.0");
});

Deno.test("linePath() keeps the highest of each step", () => {
  assert.equal(linePath([0, 0.2, 0.4, 1], [1, 10, 2, 10], frame), "M5.0 1.0L15.0 1.0");
});

Deno.test("linePath() of nothing but zero lies at the bottom", () => {
  assert.equal(linePath([0, 1], [0, 0], frame), "M5.0 11.0L15.0 11.0");
});
