/**
 * One channel: how it is and why, figures, charts, consumers, nodes.
 *
 * Tested in test/ui/console_test.ts.
 */
import type { ChannelView } from "../../model/snapshot.ts";
import type { Page } from "../page.ts";
import { deadPath, href, messagesPath, topicPath, type View } from "../view.ts";
import { TargetActions } from "../components/action_buttons.tsx";
import { Charts } from "../components/chart.tsx";
import { DataTable, exportable } from "../components/data_table.tsx";
import { Latency } from "../components/latency.tsx";
import { type Total, Totals } from "../components/totals.tsx";
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
          <p>
            <a href={href(view, messagesPath(topicName, name))}>Messages</a>
            {(channel.figures.dead ?? 0) > 0 && (
              <>
                {" · "}
                <a href={href(view, deadPath(topicName, name))}>Dead letters</a>
              </>
            )}
          </p>
        </header>
        <p class={`diagnosis ${channel.diagnosis.severity}`} id="diagnosis">
          <SeverityMark severity={channel.diagnosis.severity} />
          <Live text={channel.diagnosis.text} />
        </p>
        <Totals view={view} label="Figures" totals={totalsOf(channel)} />
        <Charts view={view} historyKey={`c:${topicName}/${name}`} />
        <DataTable table={clients} view={view} />
        <DataTable table={nodes} view={view} />
        <Latency latency={channel.latency} />
      </>
    ),
  };
}

function totalsOf({ figures }: ChannelView): Total[] {
  const { oldestAgeMs, dead, expiredCount, overflowCount } = figures;
  return [
    { label: "Waiting", content: <Count value={figures.depth} /> },
    { label: "On disk", content: <Count value={figures.backendDepth} /> },
    ...(oldestAgeMs === null ? [] : [{ label: "Oldest", content: <Span ms={oldestAgeMs} /> }]),
    { label: "In flight", content: <Count value={figures.inFlight} /> },
    { label: "Deferred", content: <Count value={figures.deferred} /> },
    ...(dead === null ? [] : [{ label: "Dead", content: <Count value={dead} />, isBad: dead > 0 }]),
    ...(expiredCount ? [{ label: "Expired", content: <Count value={expiredCount} /> }] : []),
    ...(overflowCount ? [{ label: "Over a bound", content: <Count value={overflowCount} /> }] : []),
    { label: "In/s", content: <Rate value={figures.inPerSecond} /> },
    { label: "Out/s", content: <Rate value={figures.outPerSecond} /> },
    { label: "Requeued/min", content: <Rate value={figures.requeuesPerMinute} /> },
    { label: "Timed out/min", content: <Rate value={figures.timeoutsPerMinute} /> },
    { label: "Messages", content: <Count value={figures.messageCount} /> },
  ];
}
