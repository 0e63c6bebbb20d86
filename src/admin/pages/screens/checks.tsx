/**
 * Whether what lookupds hand out can be reached from the machine of the console: the checks of `nsq doctor`.
 *
 * Tested in test/ui/console_test.ts.
 */
import type { CheckResult } from "../../../cluster/doctor_checks.ts";
import { formatNoun } from "../format.ts";
import type { Page } from "../page.ts";
import { href, type View } from "../view.ts";
import { DataTable, exportable, type Table } from "../components/data_table.tsx";
import { Badge, SeverityMark } from "../components/values.tsx";

interface NumberedCheck extends CheckResult {
  number: number;
}

const severities = { ok: "ok", warn: "warning", FAIL: "critical" } as const;

export function checksPage(view: View, results: readonly CheckResult[]): Page {
  const table = checkTable(results);
  const failed = results.filter(({ status }) => status === "FAIL").length;
  return {
    title: "Checks",
    trail: [{ label: "Nodes", path: "/nodes" }],
    isStill: true,
    tables: { checks: exportable(table) },
    main: (
      <>
        <header class="page-head">
          <h1>Checks from here</h1>
          <p>Whether the addresses that consumers are given answer on the machine of this console.</p>
          <div class="actions">
            <a class="button" href={href(view, "/checks")}>Check again</a>
          </div>
        </header>
        <p class={`diagnosis ${failed > 0 ? "critical" : "ok"}`}>
          <SeverityMark severity={failed > 0 ? "critical" : "ok"} />
          <span>
            {failed > 0
              ? `${
                formatNoun(failed, "check")
              } of ${results.length} failed: consumers elsewhere may fail as well.`
              : `All ${formatNoun(results.length, "check")} passed.`}
          </span>
        </p>
        <DataTable table={table} view={view} />
      </>
    ),
  };
}

function checkTable(results: readonly CheckResult[]): Table<NumberedCheck> {
  return {
    name: "checks",
    title: "Checks",
    isFirst: true,
    hasFilter: true,
    sort: "number",
    size: 200,
    rows: results.map((result, index) => ({ ...result, number: index + 1 })),
    columns: [
      { name: "number", label: "No.", isNumber: true, value: ({ number }) => number },
      {
        name: "result",
        label: "Result",
        value: ({ status }) => status,
        cell: ({ status }) => (
          <Badge
            text={status === "FAIL" ? "failed" : status}
            kind={severities[status]}
          />
        ),
      },
      { name: "subject", label: "What", isSearched: true, value: ({ subject }) => subject },
      { name: "address", label: "Address", isSearched: true, value: ({ address }) => address },
      { name: "check", label: "Check", isSearched: true, value: ({ check }) => check },
      { name: "detail", label: "Detail", isSearched: true, value: ({ detail }) => detail },
      { name: "advice", label: "What to change", value: ({ advice }) => advice },
    ],
    empty: <p>There is nothing to check.</p>,
  };
}
