/**
 * The first page: totals, what needs attention, the topics.
 *
 * Tested in test/ui/console_test.ts.
 */
import type { Child } from "hono/jsx";
import type { HistoryMetric } from "../../console.ts";
import type { AttentionLine } from "../../model/snapshot.ts";
import { formatCount, formatNoun } from "../format.ts";
import type { Page } from "../page.ts";
import { href, type View } from "../view.ts";
import { DataTable, exportable } from "../components/data_table.tsx";
import { Icon } from "../components/icons.tsx";
import { Sparkline } from "../components/sparkline.tsx";
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
        <Totals view={view} />
        {hasTopics && <Attention view={view} />}
        <DataTable table={table} view={view} />
      </>
    ),
  };
}

function Totals({ view }: { view: View }) {
  const { totals } = view.snapshot;
  const isShort = totals.nodesUp < totals.nodesKnown;
  return (
    <ul class="totals" aria-label="Totals">
      <Total view={view} label="In/s" to={{ path: "/topics", sort: "-in" }} metric="inPerSecond">
        <Rate value={totals.inPerSecond} />
      </Total>
      <Total view={view} label="Out/s" to={{ path: "/topics", sort: "-out" }} metric="outPerSecond">
        <Rate value={totals.outPerSecond} />
      </Total>
      <Total view={view} label="Waiting" to={{ path: "/topics", sort: "-depth" }} metric="depth">
        <Count value={totals.depth} />
      </Total>
      <Total view={view} label="In flight" to={{ path: "/topics", sort: "-in_flight" }} metric="inFlight">
        <Count value={totals.inFlight} />
      </Total>
      <Total view={view} label="Deferred" to={{ path: "/topics", sort: "-deferred" }} metric="deferred">
        <Count value={totals.deferred} />
      </Total>
      {totals.oldestAgeMs !== null && (
        <Total view={view} label="Oldest" to={{ path: "/topics", sort: "-oldest_ms" }} metric="oldestAgeMs">
          <Span ms={totals.oldestAgeMs} />
        </Total>
      )}
      {totals.dead !== null && (
        <Total view={view} label="Dead" to={{ path: "/topics", sort: "" }}>
          <Count value={totals.dead} />
        </Total>
      )}
      <Total view={view} label="Consumers" to={{ path: "/consumers", sort: "" }}>
        <Count value={totals.clientCount} />
      </Total>
      <Total view={view} label="Nodes up" to={{ path: "/nodes", sort: "" }} isBad={isShort}>
        <Count value={totals.nodesUp} /> <small>of {formatCount(totals.nodesKnown)}</small>
      </Total>
      {totals.diskBytes !== null && (
        <Total view={view} label="Disk" to={{ path: "/nodes", sort: "" }}>
          <Bytes value={totals.diskBytes} />
        </Total>
      )}
    </ul>
  );
}

function Total(
  { view, label, to, metric, isBad = false, children }: {
    view: View;
    label: string;
    to: { path: string; sort: string };
    metric?: HistoryMetric;
    isBad?: boolean;
    children: Child;
  },
) {
  return (
    <li class={isBad ? "bad" : undefined}>
      <a href={href(view, to.path, { sort: to.sort })}>
        <span class="label">{label}</span>
        <b>{children}</b>
        {metric !== undefined &&
          <Sparkline console={view.console} nowMs={view.nowMs} historyKey="" metric={metric} />}
      </a>
    </li>
  );
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
