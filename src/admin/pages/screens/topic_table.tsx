/**
 * The table of topics, as the overview and the list of topics show it.
 *
 * Tested in test/ui/console_test.ts.
 */
import { backlogOf } from "../../model/backlog.ts";
import type { Severity, Snapshot, TopicView } from "../../model/snapshot.ts";
import { formatNoun } from "../format.ts";
import { href, topicPath, type View } from "../view.ts";
import { ActAfterLook } from "../components/action_buttons.tsx";
import type { Table } from "../components/data_table.tsx";
import { figureColumns } from "../components/figure_columns.tsx";
import { Sparkline } from "../components/sparkline.tsx";
import { Badge, SeverityMark } from "../components/values.tsx";
import { FirstSteps } from "../components/first_steps.tsx";

const severities: readonly Severity[] = ["ok", "notice", "warning", "critical"];

/** The worst that any of its channels has. */
function worstOf(topic: TopicView): Severity {
  const worst = Math.max(
    0,
    ...[...topic.channels.values()].map((c) => severities.indexOf(c.diagnosis.severity)),
  );
  return severities[worst];
}

/** Whether one of the nodes that have it does not answer. */
function isStale(topic: TopicView, down: ReadonlySet<string>): boolean {
  return topic.perNode.some(({ node }) => down.has(node));
}

export function nodesDown({ nodes }: Snapshot): Set<string> {
  return new Set(nodes.filter(({ isUp }) => !isUp).map(({ id }) => id));
}

export function topicTable(view: View, size: number): Table<TopicView> {
  const { snapshot, console, nowMs } = view;
  const columns = figureColumns<TopicView>((topic) => ({ ...topic.figures, depth: backlogOf(topic) }));
  const down = nodesDown(snapshot);
  const knowsAge = snapshot.totals.oldestAgeMs !== null;
  return {
    name: "topics",
    title: "Topics",
    isFirst: true,
    hasFilter: true,
    sort: "-depth",
    size,
    rows: [...snapshot.topics.values()],
    rowClass: (topic) => isStale(topic, down) ? "stale" : "",
    columns: [
      {
        name: "topic",
        label: "Topic",
        value: ({ name }) => name,
        cell: (topic) => (
          <>
            <SeverityMark severity={worstOf(topic)} />
            <a href={href(view, topicPath(topic.name))}>{topic.name}</a>
            {topic.isPaused && <Badge text="paused" kind="warning" />}
            {topic.perNode.length === 0 && <Badge text="no node" kind="notice" />}
            {isStale(topic, down) && <Badge text="stale" kind="warning" />}
          </>
        ),
      },
      {
        name: "state",
        label: "State",
        isHidden: true,
        help: "The worst that a channel has: ok, notice, warning, critical; or paused",
        value: (topic) => topic.isPaused ? "paused" : worstOf(topic),
      },
      columns.depth,
      {
        name: "trend",
        label: "10 min",
        help: "Waiting messages over the last ten minutes",
        value: backlogOf,
        cell: ({ name }) => (
          <Sparkline console={console} nowMs={nowMs} historyKey={`t:${name}`} metric="depth" />
        ),
      },
      ...(knowsAge ? [columns.oldest] : []),
      columns.inFlight,
      columns.deferred,
      columns.in,
      columns.out,
      columns.requeued,
      columns.timedOut,
      columns.clients,
      {
        name: "channels",
        label: "Channels",
        isNumber: true,
        value: ({ channels }) => channels.size,
      },
    ],
    tools: <ActAfterLook view={view} kind="create" parameters={{}} label="Create topic" icon="plus" />,
    empty: <FirstSteps view={view} />,
  };
}

/** `2 topics, 5 channels`. */
export function topicSummary({ totals }: Snapshot): string {
  return `${formatNoun(totals.topicCount, "topic")}, ${formatNoun(totals.channelCount, "channel")}`;
}
