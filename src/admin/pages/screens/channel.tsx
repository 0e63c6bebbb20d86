/**
 * One channel: how it is and why, figures, charts, consumers, nodes.
 *
 * Tested in test/ui/console_test.ts.
 */
import type { Child } from "hono/jsx";
import type { ChannelView } from "../../model/snapshot.ts";
import type { Page } from "../page.ts";
import { topicPath, type View } from "../view.ts";
import { TargetActions } from "../components/action_buttons.tsx";
import { Charts } from "../components/chart.tsx";
import { DataTable, exportable } from "../components/data_table.tsx";
import { Latency } from "../components/latency.tsx";
import { Badge, Count, Live, Rate, SeverityMark, Span } from "../components/values.tsx";
import { clientTable } from "./client_table.tsx";
import { missingPage } from "./missing.tsx";
import { topicNodeTable } from "./topic.tsx";

export function channelPage(view: View, topicName: string, name: string): Page {
  const channel = view.snapshot.topics.get(topicName)?.channels.get(name);
  if (channel === undefined) return missingPage(view, "channel", `${topicName}/${name}`);
  const target = { topic: topicName, channel: name };
  const clients = clientTable(view, channel.clients ?? [], true);
  const nodes = topicNodeTable(view, channel.perNode, target);
  return {
    title: `${name} of ${topicName}`,
    trail: [{ label: "Topics", path: "/topics" }, { label: topicName, path: topicPath(topicName) }],
    hasCharts: true,
    tables: { consumers: exportable(clients), nodes: exportable(nodes) },
    main: (
      <>
        <header class="page-head">
          <h1>{name}</h1>
          {channel.isPaused && <Badge text="paused" kind="warning" />}
          {channel.isEphemeral && <Badge text="ephemeral" />}
          <TargetActions view={view} target={target} isPaused={channel.isPaused} />
        </header>
        <p class={`diagnosis ${channel.diagnosis.severity}`} id="diagnosis">
          <SeverityMark severity={channel.diagnosis.severity} />
          <Live text={channel.diagnosis.text} />
        </p>
        <ChannelFigures channel={channel} />
        <Charts view={view} historyKey={`c:${topicName}/${name}`} />
        <DataTable table={clients} view={view} />
        <DataTable table={nodes} view={view} />
        <Latency latency={channel.latency} />
      </>
    ),
  };
}

function ChannelFigures({ channel: { figures } }: { channel: ChannelView }) {
  return (
    <ul class="totals small" aria-label="Figures">
      <Figure label="Waiting">
        <Count value={figures.depth} />
      </Figure>
      <Figure label="On disk">
        <Count value={figures.backendDepth} />
      </Figure>
      {figures.oldestAgeMs !== null && (
        <Figure label="Oldest">
          <Span ms={figures.oldestAgeMs} />
        </Figure>
      )}
      <Figure label="In flight">
        <Count value={figures.inFlight} />
      </Figure>
      <Figure label="Deferred">
        <Count value={figures.deferred} />
      </Figure>
      <Figure label="In/s">
        <Rate value={figures.inPerSecond} />
      </Figure>
      <Figure label="Out/s">
        <Rate value={figures.outPerSecond} />
      </Figure>
      <Figure label="Requeued/min">
        <Rate value={figures.requeuesPerMinute} />
      </Figure>
      <Figure label="Timed out/min">
        <Rate value={figures.timeoutsPerMinute} />
      </Figure>
      <Figure label="Messages">
        <Count value={figures.messageCount} />
      </Figure>
    </ul>
  );
}

function Figure({ label, children }: { label: string; children: Child }) {
  return (
    <li>
      <span class="label">{label}</span>
      <b>{children}</b>
    </li>
  );
}
