import assert from "node:assert/strict";
import { countTests, formatCounts } from "../../scripts/test_counts.ts";

const PASSED = `time="0.001" line="1" col="6">\n</testcase>`;
const NOT_STARTED = `line="1" col="6">\n<skipped/>\n</testcase>`;
const IGNORED = `time="0.000" line="1" col="6">\n<skipped/>\n</testcase>`;
const FAILED =
  `time="0.001" line="1" col="6">\n<failure message="m">Error: &lt;skipped/&gt;</failure>\n</testcase>`;
const CANCELLED = `time="0.000" line="1" col="6">\n<error message="Cancelled"/>\n</testcase>`;

function report(...suites: [name: string, outcome: string][][]): string {
  const body = suites.map((tests) => {
    const cases = tests.map(([name, outcome]) =>
      `<testcase name="${name}" classname="./a_test.ts" ${outcome}\n`
    );
    return `<testsuite name="./a_test.ts" tests="${tests.length}" disabled="0">\n${
      cases.join("")
    }</testsuite>\n`;
  });
  return `<?xml version="1.0"?>\n<testsuites name="deno test" tests="9" time="0.1">\n${
    body.join("")
  }</testsuites>\n`;
}

Deno.test("countTests() counts every outcome over all modules", () => {
  const counts = countTests(report(
    [["a", PASSED], ["b", FAILED], ["c", IGNORED]],
    [["a", PASSED], ["d", CANCELLED], ["e", NOT_STARTED]],
  ));
  assert.deepEqual(counts, { passed: 2, failed: 2, skipped: 1 });
});

Deno.test("countTests() counts a test once, whatever became of its steps", () => {
  const counts = countTests(report([
    ["a", FAILED],
    ["a &gt; first", PASSED],
    ["a &gt; second", FAILED],
    ["a &gt; second &gt; inner", FAILED],
  ]));
  assert.deepEqual(counts, { passed: 0, failed: 1, skipped: 0 });
});

Deno.test("countTests() takes a test whose own name has the step separator for a test", () => {
  const counts = countTests(report([["x", PASSED], ["messages &gt; 10 are refused", PASSED]]));
  assert.deepEqual(counts, { passed: 2, failed: 0, skipped: 0 });
});

Deno.test("countTests() refuses a report that is cut short", () => {
  const whole = report([["a", PASSED]]);
  assert.throws(() => countTests(whole.slice(0, -20)), /cut short/);
  assert.throws(() => countTests(""), /cut short/);
});

Deno.test("countTests() finds nothing in a report without tests", () => {
  assert.deepEqual(countTests(report()), { passed: 0, failed: 0, skipped: 0 });
  assert.deepEqual(countTests(`<testsuites name="deno test" tests="0"/>`), {
    passed: 0,
    failed: 0,
    skipped: 0,
  });
});

Deno.test("formatCounts() names skipped tests only where there are any", () => {
  assert.equal(formatCounts({ passed: 3, failed: 0, skipped: 0 }), "3 passed, 0 failed");
  assert.equal(formatCounts({ passed: 3, failed: 1, skipped: 2 }), "3 passed, 1 failed, 2 skipped");
});
