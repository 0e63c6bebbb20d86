/**
 * Who did what: the audit log, and the page of one entry.
 *
 * Tested in test/ui/actions_test.ts.
 */
import type { ActionRecord } from "../../model/action.ts";
import type { Page } from "../page.ts";
import { href, type View } from "../view.ts";
import { DataTable, exportable, type Table } from "../components/data_table.tsx";
import { recordTitle, UndoButton } from "../components/record_banner.tsx";
import { Badge, Moment, SeverityMark } from "../components/values.tsx";
import { jobTable } from "./messages/job_table.tsx";
import { missingPage } from "./missing.tsx";

const MAX_RECORDS = 500;
const PAGE_RECORDS = 50;

export async function activityPage(view: View): Promise<Page> {
  const onNodes = await view.console.jobs(), jobs = jobTable(view, onNodes);
  const before = view.query.get("before") ?? undefined;
  const records = view.console.audit(MAX_RECORDS, before);
  const table: Table<ActionRecord> = {
    name: "activity",
    title: "Actions",
    isFirst: true,
    hasFilter: true,
    sort: "-time_ms",
    size: PAGE_RECORDS,
    rows: records,
    columns: [
      {
        name: "action",
        label: "Action",
        value: recordTitle,
        cell: (record) => (
          <>
            <SeverityMark severity={record.isOk ? "ok" : "critical"} />
            <a href={href(view, `/activity/${encodeURIComponent(record.id)}`)}>{recordTitle(record)}</a>
          </>
        ),
      },
      {
        name: "time_ms",
        label: "When",
        isNumber: true,
        value: ({ atMs }) => atMs,
        cell: ({ atMs }) => <Moment ms={atMs} />,
      },
      { name: "user", label: "Who", isSearched: true, value: ({ user }) => user === "" ? "anyone" : user },
      { name: "from", label: "From", isSearched: true, value: ({ remoteAddress }) => remoteAddress },
      {
        name: "result",
        label: "Result",
        value: ({ isOk, message }) => isOk ? "ok" : message || "failed",
        cell: ({ isOk, message, results }) =>
          isOk ? <span class="fine">ok</span> : (
            <>
              <Badge text={failures(results)} kind="critical" /> <span class="reason">{message}</span>
            </>
          ),
      },
      {
        name: "undo",
        label: "Undo",
        isAction: true,
        value: ({ undoUntilMs }) => undoUntilMs === null || undoUntilMs <= view.nowMs ? "" : "can be undone",
        cell: (record) => <UndoButton view={view} record={record} />,
      },
    ],
    empty: <p>Nothing was done from this console yet.</p>,
  };
  return {
    title: "Activity",
    tables: { activity: exportable(table), jobs: exportable(jobs) },
    main: (
      <>
        <header class="page-head">
          <h1>Activity</h1>
          <p>Who did what from this console, and what came of it.</p>
        </header>
        {onNodes.filter(({ problem }) => problem !== "").map(({ node, problem }) => (
          <p class="problem" role="status">{`${node} does not tell its jobs: ${problem}`}</p>
        ))}
        {jobs.rows.length > 0 && <DataTable table={jobs} view={view} />}
        <DataTable table={table} view={view} />
        {records.length === MAX_RECORDS && (
          <p class="more">
            <a href={href(view, "/activity", { before: records[records.length - 1].id })}>Older ones</a>
          </p>
        )}
      </>
    ),
  };
}

function failures(results: ActionRecord["results"]): string {
  if (results.length === 0) return "failed";
  return `failed on ${results.filter(({ isOk }) => !isOk).length} of ${results.length}`;
}

export function recordPage(view: View, id: string): Page {
  const record = view.console.record(id);
  if (record === undefined) return missingPage(view, "record", id);
  return {
    title: recordTitle(record),
    trail: [{ label: "Activity", path: "/activity" }],
    main: (
      <>
        <header class="page-head">
          <h1>{recordTitle(record)}</h1>
          <div class="actions">
            <UndoButton view={view} record={record} />
          </div>
        </header>
        <p class={`diagnosis ${record.isOk ? "ok" : "critical"}`}>
          <SeverityMark severity={record.isOk ? "ok" : "critical"} />
          <span>{record.isOk ? "It worked everywhere." : record.message || "It failed."}</span>
        </p>
        <dl class="facts">
          <div>
            <dt>When</dt>
            <dd>
              <Moment ms={record.atMs} />
            </dd>
          </div>
          <div>
            <dt>Who</dt>
            <dd>{record.user === "" ? "anyone: no login is needed here" : record.user}</dd>
          </div>
          <div>
            <dt>From</dt>
            <dd>{record.remoteAddress}</dd>
          </div>
        </dl>
        {record.results.length > 0 && <Results record={record} />}
      </>
    ),
  };
}

function Results({ record }: { record: ActionRecord }) {
  return (
    <section class="block" aria-labelledby="results-title">
      <header class="block-head">
        <h2 id="results-title">On each server</h2>
      </header>
      <div class="scroll" tabindex={0} role="group" aria-labelledby="results-title">
        <table class="data">
          <thead>
            <tr>
              <th scope="col">Server</th>
              <th scope="col">Kind</th>
              <th scope="col">Result</th>
            </tr>
          </thead>
          <tbody>
            {record.results.map(({ target, kind, isOk, error }) => (
              <tr>
                <th scope="row">{target}</th>
                <td data-label="Kind">{kind}</td>
                <td data-label="Result">
                  <Badge text={isOk ? "done" : "failed"} kind={isOk ? "ok" : "critical"} />{" "}
                  <span class="reason">{error}</span>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
