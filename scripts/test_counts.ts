/**
 * Reads how many tests passed, failed and were skipped from the JUnit report of `deno test`.
 *
 * Deno writes one `testcase` per test and one per step. A test that was never started, because a
 * filter left it out, is reported as skipped too, but without a `time`.
 */

/** What became of the tests of one run; steps count with their test. */
export interface TestCounts {
  passed: number;
  /** Tests that failed, and tests that were cancelled because their module broke. */
  failed: number;
  /** Tests marked to be ignored. */
  skipped: number;
}

/**
 * Counts the tests of a report.
 *
 * @throws {Error} when `report` is not a complete JUnit report
 */
export function countTests(report: string): TestCounts {
  if (!report.trimEnd().endsWith("</testsuites>") && !/<testsuites [^>]*\/>\s*$/.test(report)) {
    throw new Error(`Cannot count the tests: the report of ${report.length} characters is cut short`);
  }
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const [, suite] of report.matchAll(/<testsuite [^>]*?>(.*?)<\/testsuite>/gs)) {
    countSuite(suite, counts);
  }
  return counts;
}

function countSuite(suite: string, counts: TestCounts): void {
  const names = new Set<string>();
  for (const testcase of suite.matchAll(/<testcase name="([^"]*)"([^>]*?)(?:\/>|>(.*?)<\/testcase>)/gs)) {
    const [, name, attributes, outcome = ""] = testcase;
    const isStep = hasParent(name, names);
    names.add(name);
    if (isStep) continue;
    if (/<(?:failure|error)\b/.test(outcome)) counts.failed++;
    else if (!/<skipped\b/.test(outcome)) counts.passed++;
    else if (/\btime="/.test(attributes)) counts.skipped++;
  }
}

/** Whether `name` is that of a step: its test's name, ` > ` and its own, below a test that came before. */
function hasParent(name: string, names: ReadonlySet<string>): boolean {
  const separator = " &gt; ";
  for (let at = name.indexOf(separator); at >= 0; at = name.indexOf(separator, at + 1)) {
    if (names.has(name.slice(0, at))) return true;
  }
  return false;
}

/** The one line that ends a test run: `N passed, N failed`, and `, N skipped` where there are any. */
export function formatCounts({ passed, failed, skipped }: TestCounts): string {
  return `${passed} passed, ${failed} failed` + (skipped > 0 ? `, ${skipped} skipped` : "");
}
