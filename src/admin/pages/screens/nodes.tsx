/**
 * All nodes and lookupds.
 *
 * Tested in test/ui/console_test.ts.
 */
import type { LookupdView, NodeView, Severity } from "../../model/snapshot.ts";
import { formatNoun, formatSpan } from "../format.ts";
import type { Page } from "../page.ts";
import { href, nodePath, type View } from "../view.ts";
import { type Column, DataTable, exportable, type Table } from "../components/data_table.tsx";
import { figureColumns } from "../components/figure_columns.tsx";
import { Badge, Bytes, Count, Live, Moment, SeverityMark, Span } from "../components/values.tsx";
import { FirstSteps } from "../components/first_steps.tsx";

export function nodesPage(view: View): Page {
  const nodes = nodeTable(view);
  const lookupds = lookupdTable(view);
  const { totals } = view.snapshot;
  return {
    title: "Nodes",
    tables: { nodes: exportable(nodes), lookupds: exportable(lookupds) },
    main: (
      <>
        <header class="page-head">
          <h1>Nodes</h1>
          <p>
            {totals.nodesUp} of {formatNoun(totals.nodesKnown, "node")} up
          </p>
          <div class="actions">
            <a class="button" href={href(view, "/checks")}>Check addresses from here</a>
          </div>
        </header>
        <DataTable table={nodes} view={view} />
        {view.snapshot.discovery === "lookupd" && <DataTable table={lookupds} view={view} />}
      </>
    ),
  };
}

function nodeTable(view: View): Table<NodeView> {
  const { snapshot } = view;
  const figures = figureColumns<NodeView>((node) => node.figures);
  const lookupdCount = snapshot.lookupds.length;
  const hasPlaces = snapshot.nodes.some(({ region, zone }) => region !== "" || zone !== "");
  return {
    name: "nodes",
    title: "nsqd",
    isFirst: true,
    hasFilter: true,
    sort: "node",
    rows: snapshot.nodes,
    rowClass: ({ isUp }) => isUp ? "" : "stale",
    columns: [
      {
        name: "node",
        label: "Node",
        value: ({ id }) => id,
        cell: (node) => (
          <>
            <SeverityMark severity={nodeSeverity(node)} />
            <a href={href(view, nodePath(node.id))}>{node.id}</a>{" "}
            {node.hostname !== node.broadcastAddress && <small>{node.hostname}</small>}
          </>
        ),
      },
      { name: "host", label: "Host", isHidden: true, isSearched: true, value: ({ hostname }) => hostname },
      {
        name: "state",
        label: "State",
        value: (node) => node.isUp ? (node.health.startsWith("NOK") ? "sick" : "up") : "down",
        cell: (node) => <NodeState node={node} />,
      },
      {
        name: "version",
        label: "Version",
        value: ({ version }) => version,
        cell: ({ version, isOutOfDate }) => (
          <>
            {version} {isOutOfDate && <Badge text="older than others" kind="warning" />}
          </>
        ),
      },
      { name: "tcp", label: "TCP port", isNumber: true, isHidden: true, value: ({ tcpPort }) => tcpPort },
      ...(hasPlaces
        ? [{
          name: "place",
          label: "Region, zone",
          value: ({ region, zone }: NodeView) => `${region} ${zone}`.trim(),
        }]
        : []),
      ...(snapshot.discovery === "lookupd" ? [lookupdColumn(lookupdCount)] : []),
      {
        name: "topics",
        label: "Topics",
        isNumber: true,
        value: ({ topics }) => topics.length,
        cell: ({ topics }) => {
          const tombstoned = topics.filter(({ isTombstoned }) => isTombstoned).length;
          return (
            <>
              <Count value={topics.length} />
              {tombstoned > 0 && <Badge text={`${tombstoned} tombstoned`} kind="warning" />}
            </>
          );
        },
      },
      figures.clients,
      figures.depth,
      figures.inFlight,
      figures.in,
      figures.out,
      ...processColumns(snapshot.nodes),
      {
        name: "started",
        label: "Started",
        isNumber: true,
        value: ({ startMs }) => startMs,
        cell: ({ startMs }) => startMs === null ? "–" : <Moment ms={startMs} />,
      },
    ],
    empty: <FirstSteps view={view} />,
  };
}

export function nodeSeverity({ isUp, health }: NodeView): Severity {
  if (!isUp) return "critical";
  return health.startsWith("NOK") ? "warning" : "ok";
}

/** Whether it answers, and how fast; or since when not. */
export function NodeState({ node }: { node: NodeView }) {
  if (!node.isUp) {
    return (
      <>
        <Badge text="down" kind="critical" /> no data {node.lastAnswerMs === null ? "yet" : (
          <>
            since <Moment ms={node.lastAnswerMs} />
          </>
        )}
      </>
    );
  }
  if (node.health.startsWith("NOK")) return <Badge text={node.health} kind="warning" />;
  return (
    <span class="fine">
      up, <Live text={node.answerMs === null ? "–" : formatSpan(Math.round(node.answerMs))} />
    </span>
  );
}

function lookupdColumn(lookupdCount: number): Column<NodeView> {
  return {
    name: "lookupds",
    label: "At lookupds",
    help: "How many lookupds list it",
    isNumber: true,
    value: ({ remoteAddresses }) => remoteAddresses.length,
    cell: ({ remoteAddresses }) => (
      <span
        title={remoteAddresses.join("\n")}
        class={remoteAddresses.length < lookupdCount ? "caution" : undefined}
      >
        {remoteAddresses.length} of {lookupdCount}
      </span>
    ),
  };
}

/** Columns about the process, those that no node tells left out. */
function processColumns(nodes: readonly NodeView[]): Column<NodeView>[] {
  const all: (Column<NodeView> & { value(node: NodeView): number | null })[] = [
    {
      name: "memory_bytes",
      label: "Memory",
      help: "Resident memory of the process",
      isNumber: true,
      value: ({ process }) => process?.residentBytes ?? null,
      cell: ({ process }) => <Bytes value={process?.residentBytes ?? null} />,
    },
    {
      name: "disk_bytes",
      label: "Disk",
      help: "Used by the data path",
      isNumber: true,
      value: ({ process }) => process?.diskBytes ?? null,
      cell: ({ process }) => <Bytes value={process?.diskBytes ?? null} />,
    },
    {
      name: "disk_free_bytes",
      label: "Disk free",
      isNumber: true,
      value: ({ process }) => process?.diskFreeBytes ?? null,
      cell: ({ process }) => <Bytes value={process?.diskFreeBytes ?? null} />,
    },
    {
      name: "loop_delay_ms",
      label: "Loop delay",
      help: "How late its event loop is",
      isNumber: true,
      value: ({ process }) => process?.eventLoopDelayMs ?? null,
      cell: ({ process }) => <Span ms={process?.eventLoopDelayMs ?? null} />,
    },
    {
      name: "commit_ms",
      label: "Commit",
      help: "Mean time of a commit",
      isNumber: true,
      value: ({ process }) => process?.commitMs ?? null,
      cell: ({ process }) => <Span ms={process?.commitMs ?? null} />,
    },
    {
      name: "sync_ms",
      label: "Sync",
      help: "Mean time of a sync to disk",
      isNumber: true,
      value: ({ process }) => process?.syncMs ?? null,
      cell: ({ process }) => <Span ms={process?.syncMs ?? null} />,
    },
  ];
  return all.filter((column) => nodes.some((node) => column.value(node) !== null));
}

function lookupdTable(view: View): Table<LookupdView> {
  return {
    name: "lookupds",
    title: "lookupd",
    isFirst: false,
    sort: "address",
    rows: view.snapshot.lookupds,
    rowClass: ({ isUp }) => isUp ? "" : "stale",
    columns: [
      {
        name: "address",
        label: "Address",
        value: ({ address }) => address,
        cell: ({ address, isUp }) => (
          <>
            <SeverityMark severity={isUp ? "ok" : "critical"} />
            {address}
          </>
        ),
      },
      {
        name: "state",
        label: "State",
        value: ({ isUp }) => isUp ? "up" : "down",
        cell: ({ isUp, sinceMs }) => (
          <>
            {isUp ? "up" : <Badge text="down" kind="critical" />} {sinceMs > 0 && (
              <>
                since <Moment ms={sinceMs} />
              </>
            )}
          </>
        ),
      },
      { name: "error", label: "Why", value: ({ error }) => error },
    ],
    empty: <p>This console asks nsqds directly.</p>,
  };
}
