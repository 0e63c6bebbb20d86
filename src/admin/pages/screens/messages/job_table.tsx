/**
 * Jobs of the nodes: redrives and deletions of dead letters, how far they are, and the button that stops one.
 *
 * Tested in test/admin/messages/message_desk_test.ts.
 */
import type { NodeJob } from "../../../../cluster/message_calls.ts";
import type { NodeJobs } from "../../../messages/message_desk.ts";
import { type Table } from "../../components/data_table.tsx";
import { Badge, Count, Live, Moment } from "../../components/values.tsx";
import { formatCount } from "../../format.ts";
import { href, mayDo, type View } from "../../view.ts";

interface JobRow extends NodeJob {
  readonly node: string;
}

const badges = { running: "notice", done: "ok", stopped: "warning", failed: "critical" } as const;

export function jobTable(view: View, nodes: readonly NodeJobs[]): Table<JobRow> {
  const rows = nodes.flatMap(({ node, jobs }) => jobs.map((job) => ({ ...job, node })));
  return {
    name: "jobs",
    title: "Jobs on the nodes",
    isFirst: false,
    sort: "-started_ms",
    size: 20,
    rows,
    columns: [
      {
        name: "job",
        label: "Job",
        value: ({ kind, subject }) =>
          `${kind === "redrive" ? "Redrive" : "Delete"} dead letters of ${subject}`,
      },
      {
        name: "state",
        label: "State",
        value: ({ state }) => state,
        cell: ({ state, error }) => (
          <>
            <Badge text={state} kind={badges[state] ?? ""} />{" "}
            {error !== "" && <span class="reason">{error}</span>}
          </>
        ),
      },
      {
        name: "done",
        label: "Done",
        isNumber: true,
        value: ({ done }) => done,
        cell: ({ done, selected }) => <Live text={`${formatCount(done)} of ${formatCount(selected)}`} />,
      },
      {
        name: "failed",
        label: "Not done",
        help: "They were gone meanwhile, or it was refused",
        isNumber: true,
        value: ({ failed }) => failed,
        cell: ({ failed }) => <Count value={failed} />,
      },
      {
        name: "rate",
        label: "Rate/s",
        isNumber: true,
        value: ({ ratePerSecond }) => ratePerSecond,
        cell: ({ ratePerSecond }) => ratePerSecond === 0 ? "as fast as it goes" : formatCount(ratePerSecond),
      },
      { name: "node", label: "Node", value: ({ node }) => node },
      {
        name: "started_ms",
        label: "Began",
        isNumber: true,
        value: ({ startedMs }) => startedMs,
        cell: ({ startedMs }) => <Moment ms={startedMs} />,
      },
      ...(mayDo(view, "stop job")
        ? [{
          name: "stop",
          label: "Stop",
          isAction: true,
          value: () => null,
          cell: (job: JobRow) => job.state === "running" ? <StopForm view={view} job={job} /> : "",
        }]
        : []),
    ],
    empty: <p>No job.</p>,
  };
}

function StopForm({ view, job }: { view: View; job: JobRow }) {
  return (
    <form method="post" action={href(view, "/jobs/stop")}>
      <input type="hidden" name="node" value={job.node} />
      <input type="hidden" name="job" value={job.id} />
      <input type="hidden" name="subject" value={job.subject} />
      <button type="submit" aria-label={`Stop job ${job.id} on ${job.node}`}>Stop</button>
    </form>
  );
}
