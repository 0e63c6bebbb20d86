/**
 * Runs the tests and prints their counts alone on the last line.
 *
 *     deno task test [files, folders or options of `deno test`]
 *
 * Without a file or folder all of `test/` runs (`deno.json` says so). Exits with 0 only when tests ran
 * and none failed. A run that broke before it could count prints no counts.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { countTests, formatCounts, type TestCounts } from "./test_counts.ts";

const CHECKOUT = fileURLToPath(new URL("..", import.meta.url));

/** Runs `deno test` with `args` added and resolves with the exit code that this process should have. */
async function runTests(args: readonly string[]): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "nsq_test_report_" });
  const reportPath = join(folder, "report.xml");
  try {
    const command = new Deno.Command(Deno.execPath(), {
      args: ["test", "--allow-all", `--junit-path=${reportPath}`, ...args],
      cwd: CHECKOUT,
    });
    const { code } = await command.spawn().status;
    return conclude(code, await readCounts(reportPath));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function readCounts(reportPath: string): Promise<TestCounts | undefined> {
  try {
    return countTests(await Deno.readTextFile(reportPath));
  } catch (cause) {
    console.error(`Cannot read the test report: ${(cause as Error).message}`);
    return undefined;
  }
}

/** Prints the counts and returns the exit code for a run that ended with `code`. */
function conclude(code: number, counts: TestCounts | undefined): number {
  if (counts === undefined) {
    console.error(`The test run broke with exit code ${code} before it could count`);
    return code || 1;
  }
  // The report leaves out a module that threw while it was loaded; the exit code does not.
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  if (counts.passed + counts.failed === 0) {
    console.error("No test ran: look at the filter and the file names");
    code = 1;
  }
  console.log(formatCounts(counts));
  return code || (counts.failed > 0 ? 1 : 0);
}

Deno.exit(await runTests(Deno.args));
