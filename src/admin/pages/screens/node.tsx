/**
 * One node: whether it answers, what it says of its process, what it cannot do, its topics.
 *
 * Tested in test/ui/console_test.ts.
 */
import type { Child } from "hono/jsx";
import { backlogOn } from "../../model/backlog.ts";
import { capabilityNames, type Figures, type NodeView } from "../../model/snapshot.ts";
import { formatCount, formatNoun } from "../format.ts";
import type { Page } from "../page.ts";
import { href, mayDo, topicPath, type View } from "../view.ts";
import { ActAfterLook } from "../components/action_buttons.tsx";
import { Charts } from "../components/chart.tsx";
import { DataTable, exportable, type Table } from "../components/data_table.tsx";
import { figureColumns } from "../components/figure_columns.tsx";
import { Badge, Bytes, Count, Moment, SeverityMark, Span } from "../components/values.tsx";
import { missingPage } from "./missing.tsx";
import { nodeSeverity, NodeState } from "./nodes.tsx";

interface NodeTopic {
  name: string;
  isTombstoned: boolean;
  channelCount: number;
  figures: Figures;
}

export function nodePage(view: View, id: string): Page {
  const node = view.snapshot.nodes.find((candidate) => candidate.id === id);
  if (node === undefined) return missingPage(view, "node", id);
  const table = nodeTopicTable(view, node);
  return {
    title: node.id,
    trail: [{ label: "Nodes", path: "/nodes" }],
    hasCharts: true,
    tables: { topics: exportable(table) },
    main: (
      <>
        <header class="page-head">
          <h1>{node.id}</h1>
          <p>{node.hostname}</p>
        </header>
        <p class={`diagnosis ${nodeSeverity(node)}`}>
          <SeverityMark severity={nodeSeverity(node)} />
          <span>
            <NodeState node={node} />
            {!node.isUp && <span class="reason">{node.error}</span>}
          </span>
        </p>
        <Facts view={view} node={node} />
        <Charts view={view} historyKey={`n:${node.id}`} />
        <DataTable table={table} view={view} />
        <Limits node={node} />
      </>
    ),
  };
}

function Facts({ view, node }: { view: View; node: NodeView }) {
  const { process, figures } = node;
  return (
    <dl class={`facts ${node.isUp ? "" : "stale"}`}>
      <Fact label="Version">
        {node.version} {node.isOutOfDate && <Badge text="older than others" kind="warning" />}
      </Fact>
      <Fact label="Started">{node.startMs === null ? "–" : <Moment ms={node.startMs} />}</Fact>
      <Fact label="Consumers connect to">
        {node.broadcastAddress}:{node.tcpPort}
      </Fact>
      {(node.region !== "" || node.zone !== "") && (
        <Fact label="Region, zone">{`${node.region} ${node.zone}`}</Fact>
      )}
      {view.snapshot.discovery === "lookupd" && (
        <Fact label="Listed by">
          {formatNoun(node.remoteAddresses.length, "lookupd")} of {formatCount(view.snapshot.lookupds.length)}
          {node.remoteAddresses.map((address) => <small class="line">{address}</small>)}
        </Fact>
      )}
      <Fact label="Consumers">
        <Count value={figures.clientCount} />
      </Fact>
      <Fact label="Messages since its start">
        <Count value={figures.messageCount} />
      </Fact>
      {process !== null && <ProcessFacts process={process} />}
    </dl>
  );
}

function ProcessFacts({ process }: { process: NonNullable<NodeView["process"]> }) {
  return (
    <>
      {process.residentBytes !== null && (
        <Fact label="Memory">
          <Bytes value={process.residentBytes} />
        </Fact>
      )}
      {process.heapBytes !== null && (
        <Fact label="Heap">
          <Bytes value={process.heapBytes} />
        </Fact>
      )}
      {process.diskBytes !== null && (
        <Fact label="Disk used">
          <Bytes value={process.diskBytes} />
        </Fact>
      )}
      {process.diskFreeBytes !== null && (
        <Fact label="Disk free">
          <Bytes value={process.diskFreeBytes} />
        </Fact>
      )}
      {process.eventLoopDelayMs !== null && (
        <Fact label="Event loop delay">
          <Span ms={process.eventLoopDelayMs} />
        </Fact>
      )}
      {process.commitMs !== null && (
        <Fact label="Mean commit">
          <Span ms={process.commitMs} />
        </Fact>
      )}
      {process.syncMs !== null && (
        <Fact label="Mean sync">
          <Span ms={process.syncMs} />
        </Fact>
      )}
      {process.connections !== null && (
        <Fact label="Connections">
          <Count value={process.connections} />
        </Fact>
      )}
    </>
  );
}

function Fact({ label, children }: { label: string; children: Child }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function nodeTopicTable(view: View, node: NodeView): Table<NodeTopic> {
  const columns = figureColumns<NodeTopic>(({ figures }) => figures);
  const rows = node.topics.flatMap(({ name, isTombstoned }): NodeTopic[] => {
    const topic = view.snapshot.topics.get(name);
    const here = topic?.perNode.find((part) => part.node === node.id);
    if (topic === undefined || here === undefined) return [];
    return [{
      name,
      isTombstoned,
      figures: { ...here.figures, depth: backlogOn(topic, node.id) },
      channelCount: topic.channels.size,
    }];
  });
  const canTombstone = view.snapshot.discovery === "lookupd" && mayDo(view, "tombstone");
  return {
    name: "topics",
    title: "Topics on this node",
    isFirst: true,
    hasFilter: true,
    sort: "-depth",
    rows,
    rowClass: () => node.isUp ? "" : "stale",
    columns: [
      {
        name: "topic",
        label: "Topic",
        value: ({ name }) => name,
        cell: ({ name, isTombstoned }) => (
          <>
            <a href={href(view, topicPath(name))}>{name}</a>
            {isTombstoned && <Badge text="tombstoned" kind="warning" />}
          </>
        ),
      },
      columns.depth,
      columns.inFlight,
      columns.deferred,
      columns.in,
      columns.out,
      columns.requeued,
      columns.timedOut,
      columns.messages,
      { name: "channels", label: "Channels", isNumber: true, value: ({ channelCount }) => channelCount },
      ...(canTombstone
        ? [{
          name: "tombstone",
          label: "Tombstone",
          isAction: true,
          help: "Hides the topic of this node from consumers at the lookupds, and deletes it here",
          value: () => null,
          cell: ({ name }: NodeTopic) => (
            <ActAfterLook
              view={view}
              kind="tombstone"
              parameters={{ topic: name, node: node.id }}
              label="Tombstone"
              icon="trash"
              isQuiet
            />
          ),
        }]
        : []),
    ],
    empty: <p>It has no topic.</p>,
  };
}

/** What the node does not offer, with the reason; so that nobody looks for a button. */
function Limits({ node }: { node: NodeView }) {
  const reasons = [
    ...new Set(capabilityNames.map((name) => node.capabilities[name]).filter((why) => why !== "")),
  ];
  if (reasons.length === 0) return null;
  return (
    <details class="limits">
      <summary>What this node does not offer</summary>
      <ul>{reasons.map((why) => <li>{why}</li>)}</ul>
    </details>
  );
}
