/**
 * The subcommand `doctor`: checks from where it runs that what lookupds hand out can be reached, and
 * says which flag to change where it cannot.
 */
import { doctorOptions } from "../options/tables/doctor_options.ts";
import { resolveOptions } from "../options/merge.ts";
import { buildInfo } from "../version.ts";
import { type CheckResult, counted, runChecks } from "../cluster/doctor_checks.ts";

export const options = doctorOptions;

const program = {
  name: "nsq doctor",
  summary: "checks that registered nodes can be reached from here",
  versionText: buildInfo("nsq doctor"),
};

/** Prints a report; resolves with 0 when all is well, 1 when something is wrong, 2 for bad flags. */
export async function run(args: readonly string[]): Promise<number> {
  const resolved = resolveOptions<typeof doctorOptions>(doctorOptions, args, program);
  if (resolved.kind === "exit") {
    if (resolved.to === "stdout") console.log(resolved.text);
    else console.error(resolved.text);
    return resolved.code;
  }
  const { lookupdHttpAddress, nsqdHttpAddress, timeout } = resolved.values;
  if (lookupdHttpAddress.length + nsqdHttpAddress.length === 0) {
    console.error("nothing to check: give --lookupd-http-address=<host:port> (see nsq doctor --help)");
    return 2;
  }
  const results = await runChecks({
    lookupdHttpAddresses: lookupdHttpAddress,
    nsqdHttpAddresses: nsqdHttpAddress,
    timeoutMs: timeout,
  });
  console.log(formatReport(results));
  return results.some(({ status }) => status === "FAIL") ? 1 : 0;
}

/** Returns a table with a line for each check, below each failure what to change, and a summary. */
export function formatReport(results: readonly CheckResult[]): string {
  const rows = results.map(({ status, subject, address, check, detail }) => [
    status,
    subject,
    address,
    check,
    detail,
  ]);
  const header = ["RESULT", "WHAT", "ADDRESS", "CHECK", "DETAIL"];
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column].length))
  );
  const line = (row: string[]) => row.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd();
  const lines = [line(header)];
  for (let i = 0; i < results.length; i++) {
    lines.push(line(rows[i]));
    if (results[i].advice !== "") lines.push(`        -> ${results[i].advice}`);
  }
  const failures = results.filter(({ status }) => status === "FAIL").length;
  const warnings = results.filter(({ status }) => status === "warn").length;
  lines.push("", `${counted(results.length, "check")}: ${failures} failed, ${counted(warnings, "warning")}`);
  return lines.join("\n");
}
