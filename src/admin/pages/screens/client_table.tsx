/**
 * The table of consumers, of one channel or of all; those in trouble come first.
 *
 * Tested in test/ui/console_test.ts.
 */
import type { ClientView } from "../../model/snapshot.ts";
import { channelPath, href, nodePath, topicPath, type View } from "../view.ts";
import type { Column, Table } from "../components/data_table.tsx";
import { Badge, Count, Moment, Rate } from "../components/values.tsx";

/** What is the matter with a consumer; "" when nothing is. */
export function clientTrouble({ ready, inFlight, finishedPerMinute, requeuedPerMinute }: ClientView): string {
  if (inFlight > 0 && finishedPerMinute === 0) return "holds messages, finishes none";
  if (ready === 0) return "not ready (RDY 0)";
  if (requeuedPerMinute !== null && requeuedPerMinute > (finishedPerMinute ?? 0)) {
    return "requeues more than it finishes";
  }
  return "";
}

const troubles = ["", "requeues more than it finishes", "not ready (RDY 0)", "holds messages, finishes none"];

export function clientTable(
  view: View,
  rows: readonly ClientView[],
  isOfOneChannel: boolean,
): Table<ClientView> {
  const place: Column<ClientView>[] = isOfOneChannel ? [] : [
    {
      name: "channel",
      label: "Channel",
      isSearched: true,
      value: ({ topic, channel }) => `${topic}/${channel}`,
      cell: ({ topic, channel }) => (
        <>
          <a href={href(view, topicPath(topic))}>{topic}</a> /{" "}
          <a href={href(view, channelPath(topic, channel))}>{channel}</a>
        </>
      ),
    },
  ];
  return {
    name: "consumers",
    title: "Consumers",
    isFirst: !isOfOneChannel,
    hasFilter: true,
    sort: "-trouble",
    rows,
    columns: [
      {
        name: "client",
        label: "Client",
        value: ({ hostname, clientId, remoteAddress }) => `${clientId || hostname} ${remoteAddress}`,
        cell: ({ hostname, clientId, remoteAddress }) => (
          <>
            <b>{clientId || hostname || "unnamed"}</b>{" "}
            {hostname !== clientId && hostname !== "" && <small>{hostname}</small>}{" "}
            <small>{remoteAddress}</small>
          </>
        ),
      },
      {
        name: "trouble",
        label: "State",
        value: (client) => troubles.indexOf(clientTrouble(client)),
        cell: (client) => {
          const trouble = clientTrouble(client);
          return trouble === "" ? <span class="fine">working</span> : <Badge text={trouble} kind="warning" />;
        },
      },
      ...place,
      figure("rdy", "RDY", "How many messages it is ready to take", ({ ready }) => ready),
      figure("in_flight", "In flight", "Messages that it holds", ({ inFlight }) => inFlight),
      perMinute("finished", "Finished/min", ({ finishedPerMinute }) => finishedPerMinute),
      perMinute("requeued", "Requeued/min", ({ requeuedPerMinute }) => requeuedPerMinute),
      {
        name: "last_fin",
        label: "Last FIN",
        help: "When its count of finished messages was last seen to grow",
        isNumber: true,
        value: ({ lastFinishMs }) => lastFinishMs,
        cell: ({ lastFinishMs }) => lastFinishMs === null ? "–" : <Moment ms={lastFinishMs} />,
      },
      figure("finished_all", "Finished", "Since it connected", ({ finishCount }) => finishCount),
      figure("messages", "Received", "Messages since it connected", ({ messageCount }) => messageCount),
      {
        name: "connected",
        label: "Connected",
        isNumber: true,
        value: ({ connectedAtMs }) => connectedAtMs,
        cell: ({ connectedAtMs }) => <Moment ms={connectedAtMs} />,
      },
      {
        name: "node",
        label: "Node",
        isSearched: true,
        value: ({ node }) => node,
        cell: ({ node }) => <a href={href(view, nodePath(node))}>{node}</a>,
      },
      { name: "user_agent", label: "User agent", isSearched: true, value: ({ userAgent }) => userAgent },
      {
        name: "attributes",
        label: "Attributes",
        value: (client) => attributes(client).map(({ text }) => text).join(" "),
        cell: (client) => (
          <>
            {attributes(client).map(({ text, help }) => <span class="badge" title={help}>{text}</span>)}
            {client.authIdentityUrl.startsWith("https://") &&
              <a href={client.authIdentityUrl} rel="noreferrer">{client.authIdentity}</a>}
          </>
        ),
      },
    ],
    empty: (
      <p>
        No consumer is connected{isOfOneChannel && ": messages wait until one subscribes"}.
      </p>
    ),
  };
}

function figure(
  name: string,
  label: string,
  help: string,
  value: (client: ClientView) => number,
): Column<ClientView> {
  return { name, label, help, isNumber: true, value, cell: (client) => <Count value={value(client)} /> };
}

function perMinute(
  name: string,
  label: string,
  value: (client: ClientView) => number | null,
): Column<ClientView> {
  return {
    name,
    label,
    isNumber: true,
    value,
    cell: (client) => {
      const rate = value(client);
      return rate === null ? "–" : <Rate value={rate} />;
    },
  };
}

function attributes(client: ClientView): { text: string; help?: string }[] {
  const { isTls, tlsVersion, tlsCipherSuite, isDeflate, isSnappy, sampleRate, isAuthed, authIdentity } =
    client;
  const { region, zone, nodeRegion, nodeZone, version } = client;
  const isZoneLocal = zone !== "" && zone === nodeZone && region === nodeRegion;
  const isRegionLocal = region !== "" && region === nodeRegion && !isZoneLocal;
  return [
    { text: version },
    ...(isTls ? [{ text: "TLS", help: `${tlsVersion} ${tlsCipherSuite}`.trim() }] : []),
    ...(isDeflate ? [{ text: "deflate" }] : []),
    ...(isSnappy ? [{ text: "snappy" }] : []),
    ...(sampleRate > 0 ? [{ text: `${sampleRate}% sample` }] : []),
    ...(isAuthed ? [{ text: "auth", help: authIdentity }] : []),
    ...(region !== "" || zone !== ""
      ? [{ text: [region, zone].filter((part) => part !== "").join("/") }]
      : []),
    ...(isZoneLocal ? [{ text: "zone local" }] : []),
    ...(isRegionLocal ? [{ text: "region local" }] : []),
  ];
}
