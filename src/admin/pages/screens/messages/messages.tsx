/**
 * Messages of a channel on one node, by their state; looking changes nothing.
 *
 * Tested in test/admin/messages/message_desk_test.ts.
 */
import { messageStates, type SeenMessage } from "../../../../cluster/message_calls.ts";
import type { NodeMessages } from "../../../messages/message_desk.ts";
import { Moment } from "../../components/values.tsx";
import { formatBytes, formatCount, formatNoun } from "../../format.ts";
import type { Page } from "../../page.ts";
import { channelPath, href, hrefWith, messagesPath, topicPath, type View } from "../../view.ts";
import { missingPage } from "../missing.tsx";
import { textOrHex } from "./body.ts";

const PAGE_MESSAGES = 50;

export async function messagesPage(view: View, topic: string, channel: string): Promise<Page> {
  const found = view.snapshot.topics.get(topic)?.channels.get(channel);
  if (found === undefined) return missingPage(view, "channel", `${topic}/${channel}`);
  const nodes = found.perNode.map(({ node }) => node);
  const node = chosenNode(view, nodes);
  const asked = view.query.get("state");
  const state = messageStates.find((name) => name === asked) ?? "waiting";
  const match = view.user.canViewBodies ? matchOf(view.query.get("match") ?? "") : "";
  const answer = await view.console.messages(view.user, node, {
    topic,
    channel,
    state,
    reason: null,
    from: view.query.get("from") ?? "oldest",
    limit: PAGE_MESSAGES,
    match,
  });
  return {
    title: `Messages of ${topic}/${channel}`,
    trail: [
      { label: "Topics", path: "/topics" },
      { label: topic, path: topicPath(topic) },
      { label: channel, path: channelPath(topic, channel) },
    ],
    isStill: true,
    main: (
      <>
        <header class="page-head">
          <h1>Messages</h1>
          <p>
            What {topic}/{channel} holds on {node}. Looking takes and changes nothing.
          </p>
        </header>
        <nav class="tabs" aria-label="State">
          {messageStates.map((name) => (
            <a
              href={hrefWith(view, { state: name, from: null })}
              aria-current={name === state ? "page" : undefined}
            >
              {stateLabel(name)}
            </a>
          ))}
        </nav>
        <FilterForm view={view} nodes={nodes} node={node} state={state} />
        {answer.problem !== "" ? <p class="problem" role="status">{answer.problem}</p> : (
          <>
            <Scanned view={view} answer={answer} />
            <ol class="tail" id="messages">
              {answer.list.messages.map((message) => (
                <MessageItem view={view} topic={topic} channel={channel} node={node} message={message} />
              ))}
            </ol>
            {answer.list.next !== null && (
              <p class="more">
                <a class="button" rel="next" href={hrefWith(view, { from: answer.list.next })}>Next</a>
              </p>
            )}
          </>
        )}
      </>
    ),
  };
}

/** The one that is asked for, else the first that can. */
function chosenNode(view: View, nodes: readonly string[]): string {
  const asked = view.query.get("node");
  if (asked !== null && nodes.includes(asked)) return asked;
  const able = view.snapshot.nodes.filter(({ capabilities }) => capabilities.messages === "").map(({ id }) =>
    id
  );
  return nodes.find((node) => able.includes(node)) ?? nodes[0] ?? "";
}

/** Words alone are looked for in the body. */
export function matchOf(text: string): string {
  return text === "" || /^(contains|re|json):/.test(text) ? text : `contains:${text}`;
}

export function stateLabel(state: string): string {
  const label = state.replace("_", " ");
  return label[0].toUpperCase() + label.slice(1);
}

function FilterForm(
  { view, nodes, node, state }: { view: View; nodes: readonly string[]; node: string; state: string },
) {
  const from = view.query.get("from") ?? "oldest";
  return (
    <form method="get" class="letters-filter">
      <input type="hidden" name="state" value={state} />
      {nodes.length > 1
        ? (
          <label>
            Node{" "}
            <select name="node">
              {nodes.map((name) => <option value={name} selected={name === node}>{name}</option>)}
            </select>
          </label>
        )
        : null}
      <label>
        From{" "}
        <select name="from">
          <option value="oldest">the oldest</option>
          <option value="newest" selected={from === "newest" || from.startsWith("before:")}>
            the newest
          </option>
        </select>
      </label>
      <MatchField view={view} />
      <button type="submit">Show</button>
    </form>
  );
}

/** Where to type what bodies have to hold; for who may not look into them, a word on that. */
export function MatchField({ view }: { view: View }) {
  if (!view.user.canViewBodies) return <span>Bodies are not shown to you.</span>;
  return (
    <label>
      Body holds{" "}
      <input
        type="search"
        name="match"
        value={view.query.get("match") ?? ""}
        placeholder="words, re:… or json:…"
      />
    </label>
  );
}

function Scanned({ view, answer: { list } }: { view: View; answer: NodeMessages }) {
  const { messages, scanned, next } = list;
  const isFiltered = (view.query.get("match") ?? "") !== "";
  return (
    <p>
      Scanned {formatCount(scanned)}, matched {formatCount(messages.length)}
      {next !== null &&
        (isFiltered && messages.length === 0 ? "; go on to look further" : "; there are more")}.
    </p>
  );
}

export function MessageItem(
  { view, topic, channel, node, message }: {
    view: View;
    topic: string;
    channel: string;
    node: string;
    message: SeenMessage;
  },
) {
  return (
    <li id={`m-${message.id}`}>
      <small>
        <MessageFacts view={view} topic={topic} channel={channel} node={node} message={message} />
      </small>
      <BodyStart view={view} message={message} />
    </li>
  );
}

export function MessageFacts(
  { view, topic, channel, node, message }: {
    view: View;
    topic: string;
    channel: string;
    node: string;
    message: SeenMessage;
  },
) {
  const { id, publishedAtMs, attempts, byteCount, dueMs, timeoutAtMs, diedMs, consumer, reason } = message;
  return (
    <>
      {view.user.canViewBodies
        ? (
          <a href={href(view, `${messagesPath(topic, channel)}/${encodeURIComponent(id)}`, { node })}>
            <code>{id}</code>
          </a>
        )
        : <code>{id}</code>} published <Moment ms={publishedAtMs} />, {formatBytes(byteCount)},{" "}
      {formatNoun(attempts, "attempt")}
      {dueMs !== null && (
        <>
          , due <Moment ms={dueMs} />
        </>
      )}
      {timeoutAtMs !== null && (
        <>
          , times out <Moment ms={timeoutAtMs} />
        </>
      )}
      {diedMs !== null && (
        <>
          , died <Moment ms={diedMs} />
        </>
      )}
      {reason !== "" && ` of ${reason}`}
      {consumer !== "" && `, consumer ${consumer}`}
    </>
  );
}

export function BodyStart({ view, message: { body, byteCount } }: { view: View; message: SeenMessage }) {
  if (!view.user.canViewBodies) return null;
  const isCut = body.length < byteCount;
  return <pre>{textOrHex(body, isCut)}{isCut && "…"}</pre>;
}
