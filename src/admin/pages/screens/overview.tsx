/**
 * The first page: totals, what needs attention, the topics.
 *
 * Tested in test/ui/console_test.ts.
 */
import type { AttentionLine, Snapshot } from "../../model/snapshot.ts";
import { formatCount, formatNoun } from "../format.ts";
import type { Page } from "../page.ts";
import { href, type View } from "../view.ts";
import { DataTable, exportable } from "../components/data_table.tsx";
import { Icon } from "../components/icons.tsx";
import { type Total, Totals } from "../components/totals.tsx";
import { Bytes, Count, Live, Moment, Rate, SeverityMark, Span } from "../components/values.tsx";
import { topicTable } from "./topic_table.tsx";

const MAX_LINES = 10;

export function overviewPage(view: View): Page {
  const table = topicTable(view, 25);
  const hasTopics = view.snapshot.topics.size > 0;
  return {
    title: "Overview",
    tables: { topics: exportable(table) },
    main: (
      <>
        <h1 class="unseen">Overview</h1>
        <Totals view={view} label="Totals" totals={totalsOf(view.snapshot)} />
        {hasTopics && <Attention view={view} />}
        <DataTable table={table} view={view} />
      </>
    ),
  };
}

/** Those that no node tells are left out. */
function totalsOf({ totals }: Snapshot): Total[] {
  const { oldestAgeMs, dead, diskBytes, nodesUp, nodesKnown } = totals;
  const topicsBy = (sort: string) => ({ path: "/topics", sort });
  return [
    {
      label: "In/s",
      content: <Rate value={totals.inPerSecond} />,
      to: topicsBy("-in"),
      metric: "inPerSecond",
    },
    {
      label: "Out/s",
      content: <Rate value={totals.outPerSecond} />,
      to: topicsBy("-out"),
      metric: "outPerSecond",
    },
    { label: "Waiting", content: <Count value={totals.depth} />, to: topicsBy("-depth"), metric: "depth" },
    {
      label: "In flight",
      content: <Count value={totals.inFlight} />,
      to: topicsBy("-in_flight"),
      metric: "inFlight",
    },
    {
      label: "Deferred",
      content: <Count value={totals.deferred} />,
      to: topicsBy("-deferred"),
      metric: "deferred",
    },
    ...(oldestAgeMs === null ? [] : [{
      label: "Oldest",
      content: <Span ms={oldestAgeMs} />,
      to: topicsBy("-oldest_ms"),
      metric: "oldestAgeMs" as const,
    }]),
    ...(dead === null ? [] : [{ label: "Dead", content: <Count value={dead} />, to: { path: "/dead" } }]),
    { label: "Consumers", content: <Count value={totals.clientCount} />, to: { path: "/consumers" } },
    {
      label: "Nodes up",
      content: (
        <>
          <Count value={nodesUp} /> <small>of {formatCount(nodesKnown)}</small>
        </>
      ),
      to: { path: "/nodes" },
      isBad: nodesUp < nodesKnown,
    },
    ...(diskBytes === null
      ? []
      : [{ label: "Disk", content: <Bytes value={diskBytes} />, to: { path: "/nodes" } }]),
  ];
}

function Attention({ view }: { view: View }) {
  const { attention } = view.snapshot;
  if (attention.length === 0) {
    return (
      <p class="calm">
        <Icon name="check" /> Nothing needs attention.
      </p>
    );
  }
  return (
    <section class="block attention" aria-labelledby="attention-title">
      <header class="block-head">
        <h2 id="attention-title">
          Needs attention <span class="count">{formatCount(attention.length)}</span>
        </h2>
      </header>
      <ul>
        {attention.slice(0, MAX_LINES).map((line) => <AttentionRow view={view} line={line} />)}
      </ul>
      {attention.length > MAX_LINES && (
        <p class="more">
          and {formatNoun(attention.length - MAX_LINES, "more", "more")}:{" "}
          <a href={href(view, "/topics", { sort: "-depth", q: "-state:ok" })}>topics in trouble</a>
        </p>
      )}
    </section>
  );
}

function AttentionRow({ view, line }: { view: View; line: AttentionLine }) {
  return (
    <li class={line.severity} data-row="">
      <SeverityMark severity={line.severity} />
      <span class="cause">
        <Live text={line.cause} />
      </span>
      <span class="since">
        since <Moment ms={line.sinceMs} />
      </span>
      <a class="button" href={href(view, line.action.path)}>{line.action.label}</a>
    </li>
  );
}
