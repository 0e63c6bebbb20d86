/**
 * One topic: how its channels are, charts, channels, nodes.
 *
 * Tested in test/ui/console_test.ts.
 */
import { backlogOn } from "../../model/backlog.ts";
import type { ChannelView, TopicOnNode, TopicView } from "../../model/snapshot.ts";
import type { Page } from "../page.ts";
import { channelPath, href, mayDo, nodePath, tailPath, type View } from "../view.ts";
import { ActAfterLook, ActNow, TargetActions } from "../components/action_buttons.tsx";
import { Charts } from "../components/chart.tsx";
import { type Column, DataTable, exportable, type Table } from "../components/data_table.tsx";
import { figureColumns } from "../components/figure_columns.tsx";
import { Latency } from "../components/latency.tsx";
import { Sparkline } from "../components/sparkline.tsx";
import { Badge, Live, SeverityMark } from "../components/values.tsx";
import { missingPage } from "./missing.tsx";
import { nodesDown } from "./topic_table.tsx";

export function topicPage(view: View, name: string): Page {
  const topic = view.snapshot.topics.get(name);
  if (topic === undefined) return missingPage(view, "topic", name);
  const channels = channelTable(view, topic);
  const perNode = topic.perNode.map((part) => ({
    ...part,
    figures: { ...part.figures, depth: backlogOn(topic, part.node) },
  }));
  const nodes = topicNodeTable(view, perNode, { topic: name, channel: null });
  return {
    title: name,
    trail: [{ label: "Topics", path: "/topics" }],
    hasCharts: true,
    tables: { channels: exportable(channels), nodes: exportable(nodes) },
    main: (
      <>
        <header class="page-head">
          <h1>{name}</h1>
          {topic.isPaused && <Badge text="paused" kind="warning" />}
          {topic.isEphemeral && <Badge text="ephemeral" />}
          {view.user.canViewBodies && topic.channels.size > 0 && (
            <a class="button" href={href(view, tailPath(name))}>Live tail</a>
          )}
          <TargetActions view={view} target={{ topic: name, channel: null }} isPaused={topic.isPaused} />
        </header>
        <State topic={topic} />
        {topic.perNode.length > 0 && <Charts view={view} historyKey={`t:${name}`} />}
        <DataTable table={channels} view={view} />
        <DataTable table={nodes} view={view} />
        <Latency latency={topic.latency} />
      </>
    ),
  };
}

/** The one line that says how it is. */
function State({ topic }: { topic: TopicView }) {
  const [severity, text] = describe(topic);
  return (
    <p class={`diagnosis ${severity}`}>
      <SeverityMark severity={severity} />
      <Live text={text} />
    </p>
  );
}

function describe(topic: TopicView): ["ok" | "notice" | "warning" | "critical", string] {
  if (topic.perNode.length === 0) {
    return [
      "notice",
      "Only lookupd knows this topic: no nsqd has it. It can be deleted here, or published to.",
    ];
  }
  if (topic.isPaused) return ["warning", "Paused: messages stay in the topic and reach no channel."];
  const channels = [...topic.channels.values()];
  if (channels.length === 0) {
    return ["notice", "No channel yet: messages wait in the topic, and the first channel gets all of them."];
  }
  const order = ["critical", "warning", "notice"] as const;
  for (const severity of order) {
    const found = channels.filter(({ diagnosis }) => diagnosis.severity === severity);
    if (found.length > 0) {
      const more = found.length > 1 ? ` (and ${found.length - 1} more)` : "";
      return [severity, `Channel ${found[0].name}${more}: ${found[0].diagnosis.text}`];
    }
  }
  return ["ok", "All channels keep up."];
}

function channelTable(view: View, topic: TopicView): Table<ChannelView> {
  const columns = figureColumns<ChannelView>(({ figures }) => figures);
  const down = nodesDown(view.snapshot);
  return {
    name: "channels",
    title: "Channels",
    isFirst: true,
    hasFilter: true,
    sort: "channel",
    rows: [...topic.channels.values()],
    rowClass: ({ perNode }) => perNode.some(({ node }) => down.has(node)) ? "stale" : "",
    columns: [
      {
        name: "channel",
        label: "Channel",
        value: ({ name }) => name,
        cell: (channel) => (
          <>
            <SeverityMark severity={channel.diagnosis.severity} />
            <a href={href(view, channelPath(topic.name, channel.name))}>{channel.name}</a>
            {channel.isPaused && <Badge text="paused" kind="warning" />}
          </>
        ),
      },
      columns.depth,
      {
        name: "trend",
        label: "10 min",
        help: "Waiting messages over the last ten minutes",
        value: ({ figures }) => figures.depth,
        cell: ({ name }) => (
          <Sparkline
            console={view.console}
            nowMs={view.nowMs}
            historyKey={`c:${topic.name}/${name}`}
            metric="depth"
          />
        ),
      },
      columns.disk,
      ...(view.snapshot.totals.oldestAgeMs !== null ? [columns.oldest] : []),
      columns.inFlight,
      columns.deferred,
      columns.in,
      columns.out,
      columns.requeued,
      columns.timedOut,
      columns.clients,
      columns.messages,
      ...(mayDo(view, "pause") ? [pauseColumn(view)] : []),
    ],
    empty: <p>No channel. A consumer that subscribes makes one, or create it here.</p>,
  };
}

function pauseColumn(view: View): Column<ChannelView> {
  return {
    name: "paused",
    label: "Pause",
    isAction: true,
    value: ({ isPaused }) => isPaused ? "paused" : "",
    cell: ({ topic, name, isPaused }) => {
      const target = { topic, channel: name };
      return isPaused
        ? <ActNow view={view} kind="unpause" target={target} label="Unpause" icon="play" isQuiet />
        : <ActNow view={view} kind="pause" target={target} label="Pause" icon="pause" isQuiet />;
    },
  };
}

/** The nodes that have a topic or channel, with their part of it. */
export function topicNodeTable(
  view: View,
  perNode: readonly TopicOnNode[],
  target: { topic: string; channel: string | null },
): Table<TopicOnNode> {
  const columns = figureColumns<TopicOnNode>(({ figures }) => figures);
  const down = nodesDown(view.snapshot);
  const byId = new Map(view.snapshot.nodes.map((node) => [node.id, node]));
  const canTombstone = target.channel === null && view.snapshot.discovery === "lookupd" &&
    mayDo(view, "tombstone");
  return {
    name: "nodes",
    title: "Nodes",
    isFirst: false,
    sort: "node",
    rows: perNode,
    rowClass: ({ node }) => down.has(node) ? "stale" : "",
    columns: [
      {
        name: "node",
        label: "Node",
        value: ({ node }) => node,
        cell: ({ node, isPaused }) => (
          <>
            <a href={href(view, nodePath(node))}>{node}</a> <small>{byId.get(node)?.hostname ?? ""}</small>
            {isPaused && <Badge text="paused" kind="warning" />}
            {down.has(node) && <Badge text="no answer" kind="critical" />}
          </>
        ),
      },
      columns.depth,
      columns.disk,
      columns.inFlight,
      columns.deferred,
      columns.in,
      columns.out,
      columns.requeued,
      columns.timedOut,
      columns.messages,
      ...(canTombstone ? [tombstoneColumn(view, target.topic)] : []),
    ],
    empty: <p>No nsqd has it.</p>,
  };
}

function tombstoneColumn(view: View, topic: string): Column<TopicOnNode> {
  return {
    name: "tombstone",
    label: "Tombstone",
    isAction: true,
    help: "Hides the topic of this node from consumers at the lookupds, and deletes it there",
    value: () => null,
    cell: ({ node }) => (
      <ActAfterLook
        view={view}
        kind="tombstone"
        parameters={{ topic, node }}
        label={`Tombstone ${node} for`}
        icon="trash"
        isQuiet
      />
    ),
  };
}
