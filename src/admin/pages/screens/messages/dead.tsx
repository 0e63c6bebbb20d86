/**
 * Dead letters of all channels: which have some, how many, and which nodes know nothing of them.
 *
 * Tested in test/admin/messages/message_desk_test.ts.
 */
import type { ChannelView } from "../../../model/snapshot.ts";
import { type DeathReason, deathReasons } from "../../../../cluster/message_calls.ts";
import { type Column, DataTable, exportable, type Table } from "../../components/data_table.tsx";
import { Count } from "../../components/values.tsx";
import type { Page } from "../../page.ts";
import { deadPath, href, type View } from "../../view.ts";

export const reasonLabels: Readonly<Record<DeathReason, string>> = {
  attempts: "Attempts",
  expired: "Expired",
  overflow: "Over a bound",
};

const reasonHelps: Readonly<Record<DeathReason, string>> = {
  attempts: "They were tried as often as the policy of their channel allows",
  expired: "They became older than the policy of their channel allows",
  overflow: "More waited than the policy of their channel allows",
};

export function deadPage(view: View): Page {
  const channels = [...view.snapshot.topics.values()].flatMap((topic) => [...topic.channels.values()]);
  const table: Table<ChannelView> = {
    name: "dead",
    title: "Channels with dead letters",
    isFirst: true,
    hasFilter: true,
    sort: "-dead",
    rows: channels.filter(({ figures }) => (figures.dead ?? 0) > 0),
    columns: [
      {
        name: "channel",
        label: "Channel",
        value: ({ topic, name }) => `${topic}/${name}`,
        cell: ({ topic, name }) => <a href={href(view, deadPath(topic, name))}>{`${topic}/${name}`}</a>,
      },
      {
        name: "dead",
        label: "Dead letters",
        isNumber: true,
        value: ({ figures }) => figures.dead,
        cell: ({ figures }) => <Count value={figures.dead ?? 0} />,
      },
      ...deathReasons.map((reason): Column<ChannelView> => ({
        name: reason,
        label: reasonLabels[reason],
        help: reasonHelps[reason],
        isNumber: true,
        value: ({ figures }) => figures.deadOf?.[reason] ?? null,
        cell: ({ topic, name, figures }) =>
          figures.deadOf === null ? "–" : (
            <a href={href(view, deadPath(topic, name), { reason })}>
              <Count value={figures.deadOf[reason] ?? 0} />
            </a>
          ),
      })),
      {
        name: "nodes",
        label: "On",
        value: ({ perNode }) =>
          perNode.filter(({ figures }) => (figures.dead ?? 0) > 0).map(({ node }) => node).join(", "),
      },
    ],
    empty: <p>No channel has dead letters.</p>,
  };
  return {
    title: "Dead letters",
    tables: { dead: exportable(table) },
    main: (
      <>
        <header class="page-head">
          <h1>Dead letters</h1>
          <p>
            Messages that a policy of their channel took out of it: for their attempts, their age, or its
            bounds.
          </p>
        </header>
        <DataTable table={table} view={view} />
        <Unable view={view} />
      </>
    ),
  };
}

/** The nodes that cannot, and why. */
export function Unable({ view, nodes }: { view: View; nodes?: readonly string[] }) {
  const unable = view.snapshot.nodes.filter(({ id, isUp, capabilities }) =>
    isUp && capabilities.deadLetters !== "" && (nodes?.includes(id) ?? true)
  );
  if (unable.length === 0) return null;
  return (
    <ul class="unable">
      {unable.map(({ capabilities }) => <li>{capabilities.deadLetters}.</li>)}
    </ul>
  );
}
