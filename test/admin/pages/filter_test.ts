import assert from "node:assert/strict";
import { parseFilter } from "../../../src/admin/pages/filter.ts";

const COLUMNS = ["topic", "state", "depth"];
const row: Record<string, string | number | null> = {
  topic: "Orders-EU",
  state: "paused",
  depth: 120,
  age: null,
};

const FILTERS: [text: string, matches: boolean][] = [
  ["", true],
  ["orders", true],
  ["orders eu", true],
  ["orders us", false],
  ["-us", true],
  ["-eu", false],
  ["state:paused", true],
  ["-state:paused", false],
  ["depth:>100", true],
  ["depth:>=120 depth:<=120", true],
  ["depth:<120", false],
  ["depth:120", true],
  ["depth:12", false],
];

for (const [text, matches] of FILTERS) {
  Deno.test(`the filter "${text}" ${matches ? "matches" : "does not match"} Orders-EU, paused, 120`, () => {
    const filter = parseFilter(text, COLUMNS);
    assert.deepEqual(filter.problems, []);
    assert.equal(filter.matches("Orders-EU", (column) => row[column]), matches);
  });
}

Deno.test("parseFilter() names a column that is not there, and a comparison with no number, and goes on", () => {
  const filter = parseFilter("speed:>3 depth:>many orders", COLUMNS);
  assert.deepEqual(filter.problems, [
    'There is no column "speed" here: topic, state, depth',
    '"depth:>many" compares with something that is no number',
  ]);
  assert.equal(filter.matches("orders", () => undefined), true);
});

Deno.test("a condition on a figure that nobody knows does not hold", () => {
  assert.equal(parseFilter("depth:<10", COLUMNS).matches("orders", () => null), false);
});
