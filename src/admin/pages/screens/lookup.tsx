/**
 * What only lookupds know: topics and channels without a node; and the form that creates some.
 *
 * Tested in test/ui/console_test.ts.
 */
import type { ChannelView, TopicView } from "../../model/snapshot.ts";
import type { Page } from "../page.ts";
import { href, mayDo, topicPath, type View } from "../view.ts";
import { ActAfterLook } from "../components/action_buttons.tsx";
import { DataTable, exportable, type Table } from "../components/data_table.tsx";
import { Badge, Moment } from "../components/values.tsx";
import { CreateForm } from "../forms/act.tsx";

/** A topic that no node has, or a channel of it. */
interface Inactive {
  topic: TopicView;
  channel: ChannelView | null;
}

export function lookupPage(view: View): Page {
  const { snapshot } = view;
  const table = inactiveTable(view);
  return {
    title: "Lookup",
    isStill: true,
    tables: { inactive: exportable(table) },
    main: (
      <>
        <header class="page-head">
          <h1>Lookup</h1>
          <p>Who tells consumers where topics are, and what is registered there without a node.</p>
        </header>
        {snapshot.discovery === "nsqd"
          ? (
            <p class="diagnosis notice">
              This console asks nsqds directly, without lookupd: there is nothing to look up, and topics are
              made by publishing.
            </p>
          )
          : (
            <>
              <ul class="lookupds">
                {snapshot.lookupds.map(({ address, isUp, sinceMs }) => (
                  <li>
                    <Badge text={isUp ? "up" : "down"} kind={isUp ? "ok" : "critical"} /> <b>{address}</b>
                    {" "}
                    {sinceMs > 0 && (
                      <small>
                        since <Moment ms={sinceMs} />
                      </small>
                    )}
                  </li>
                ))}
              </ul>
              {mayDo(view, "create") && (
                <section class="block" aria-labelledby="create-title">
                  <header class="block-head">
                    <h2 id="create-title">Create a topic or channel</h2>
                  </header>
                  <CreateForm view={view} topic="" back="/lookup" canCancel={false} />
                </section>
              )}
              <DataTable table={table} view={view} />
            </>
          )}
      </>
    ),
  };
}

function inactiveTable(view: View): Table<Inactive> {
  const rows = [...view.snapshot.topics.values()].filter(({ perNode }) => perNode.length === 0).flatMap(
    (topic): Inactive[] => [
      { topic, channel: null },
      ...[...topic.channels.values()].map((channel) => ({ topic, channel })),
    ],
  );
  return {
    name: "inactive",
    title: "Registered, without a node",
    isFirst: true,
    hasFilter: true,
    sort: "name",
    rows,
    columns: [
      {
        name: "name",
        label: "Topic or channel",
        value: ({ topic, channel }) => channel === null ? topic.name : `${topic.name}/${channel.name}`,
        cell: ({ topic, channel }) =>
          channel === null
            ? <a href={href(view, topicPath(topic.name))}>{topic.name}</a>
            : <span class="child">{channel.name}</span>,
      },
      { name: "kind", label: "Kind", value: ({ channel }) => channel === null ? "topic" : "channel" },
      ...(mayDo(view, "delete")
        ? [{
          name: "delete",
          label: "Delete",
          isAction: true,
          value: () => null,
          cell: ({ topic, channel }: Inactive) => (
            <ActAfterLook
              view={view}
              kind="delete"
              parameters={{ topic: topic.name, channel: channel?.name ?? null }}
              label="Delete"
              icon="trash"
              isQuiet
            />
          ),
        }]
        : []),
    ],
    empty: <p>Every registered topic has a node.</p>,
  };
}
