/**
 * Dead letters of a channel over all its nodes: to look at, to tick, and to bring back or delete.
 *
 * Tested in test/admin/messages/message_desk_test.ts.
 */
import { type DeathReason, deathReasons } from "../../../../cluster/message_calls.ts";
import type { NodeMessages } from "../../../messages/message_desk.ts";
import { formatCount, formatNoun } from "../../format.ts";
import type { Page } from "../../page.ts";
import { channelPath, deadPath, href, hrefWith, mayDo, topicPath, type View } from "../../view.ts";
import { missingPage } from "../missing.tsx";
import { reasonLabels, Unable } from "./dead.tsx";
import { BodyStart, MatchField, matchOf, MessageFacts } from "./messages.tsx";

/** Of each node. */
const PAGE_LETTERS = 50;

export async function deadLettersPage(view: View, topic: string, channel: string): Promise<Page> {
  const found = view.snapshot.topics.get(topic)?.channels.get(channel);
  if (found === undefined) return missingPage(view, "channel", `${topic}/${channel}`);
  const ids = found.perNode.map(({ node }) => node), asked = view.query.get("node");
  const able = view.snapshot.nodes.filter(({ id, isUp, capabilities }) =>
    isUp && ids.includes(id) && capabilities.deadLetters === "" && (asked === null || asked === id)
  );
  const reason = reasonOf(view);
  const match = view.user.canViewBodies ? matchOf(view.query.get("match") ?? "") : "";
  const query = { topic, channel, state: "dead", reason, limit: PAGE_LETTERS, match } as const;
  const from = view.query.get("from") ?? "newest";
  const answers = await Promise.all(
    able.map(({ id }) => view.console.messages(view.user, id, { ...query, from })),
  );
  const { deadOf } = found.figures, dead = found.figures.dead ?? 0;
  return {
    title: `Dead letters of ${topic}/${channel}`,
    trail: [
      { label: "Topics", path: "/topics" },
      { label: topic, path: topicPath(topic) },
      { label: channel, path: channelPath(topic, channel) },
      { label: "Dead letters", path: "/dead" },
    ],
    isStill: true,
    main: (
      <>
        <header class="page-head">
          <h1>Dead letters of {topic}/{channel}</h1>
          <p>{formatNoun(dead, "dead letter")} in all. Looking takes and changes nothing.</p>
        </header>
        <nav class="tabs" aria-label="Reason">
          {[null, ...deathReasons].map((name) => (
            <a
              href={hrefWith(view, { reason: name, from: null, node: null })}
              aria-current={name === reason ? "page" : undefined}
            >
              {name === null ? "All" : reasonLabels[name]} {name === null ? dead : deadOf?.[name] ?? ""}
            </a>
          ))}
        </nav>
        <form method="get" class="letters-filter">
          {reason !== null && <input type="hidden" name="reason" value={reason} />}
          <MatchField view={view} />
          <button type="submit">Show</button>
        </form>
        <Unable view={view} nodes={ids} />
        <form method="post" action={href(view, deadPath(topic, channel))} class="letters">
          {reason !== null && <input type="hidden" name="reason" value={reason} />}
          {answers.map((answer) => (
            <NodeLetters
              view={view}
              topic={topic}
              channel={channel}
              answer={answer}
            />
          ))}
          {mayDo(view, "redrive") && answers.some(({ list }) => list.messages.length > 0) && (
            <LetterActions
              reason={reason}
              dead={reason === null ? dead : deadOf?.[reason] ?? null}
              isFiltered={match !== ""}
            />
          )}
        </form>
      </>
    ),
  };
}

export function reasonOf({ query }: Pick<View, "query">): DeathReason | null {
  return deathReasons.find((name) => name === query.get("reason")) ?? null;
}

function NodeLetters(
  { view, topic, channel, answer: { node, list, problem } }: {
    view: View;
    topic: string;
    channel: string;
    answer: NodeMessages;
  },
) {
  const titleId = `on-${node}`;
  return (
    <section class="block" aria-labelledby={titleId}>
      <header class="block-head">
        <h2 id={titleId}>On {node}</h2>
        <span>
          Scanned {formatCount(list.scanned)}, matched {formatCount(list.messages.length)}
          {list.next !== null && "; there are more"}
        </span>
      </header>
      {problem !== "" && <p class="problem" role="status">{problem}</p>}
      {list.messages.length === 0 && problem === "" && <p class="empty">None.</p>}
      <ol class="tail">
        {list.messages.map((message) => (
          <li>
            <label class="tick">
              {mayDo(view, "redrive") && (
                <input
                  type="checkbox"
                  name="letter"
                  value={`${message.id} ${node}`}
                  aria-label={`Letter ${message.id}`}
                />
              )}
            </label>
            <div>
              <small>
                <MessageFacts view={view} topic={topic} channel={channel} node={node} message={message} />
              </small>
              <BodyStart view={view} message={message} />
            </div>
          </li>
        ))}
      </ol>
      {list.next !== null && (
        <nav class="pager" aria-label={`Letters on ${node}`}>
          <a class="button" rel="next" href={hrefWith(view, { node, from: list.next })}>More on {node}</a>
        </nav>
      )}
    </section>
  );
}

/** What is done with those that are ticked, or with all. A filter by body is of this page alone, so not all of it. */
function LetterActions(
  { reason, dead, isFiltered }: { reason: DeathReason | null; dead: number | null; isFiltered: boolean },
) {
  const count = dead === null ? "" : ` ${formatCount(dead)}`;
  const all = `all${count}${reason === null ? "" : ` that died of ${reason}`}, on all nodes`;
  return (
    <fieldset class="block letter-actions">
      <legend>What to do</legend>
      <div class="fields">
        <label>
          With
          <select name="which">
            <option value="ticked">those that are ticked</option>
            {!isFiltered && <option value="all">{all}</option>}
          </select>
        </label>
        <label>
          Redrive to the topic
          <input type="text" name="to_topic" placeholder="back into the channel" autocomplete="off" />
        </label>
        <label>
          Attempts
          <select name="attempts">
            <option value="reset">begin anew</option>
            <option value="keep">go on counting</option>
          </select>
        </label>
        <label>
          Messages a second, on each node
          <input type="number" name="rate" min="0" max="1000000" placeholder="as fast as it goes" />
        </label>
        <p class="actions">
          <button type="submit" name="do" value="redrive" class="primary">Redrive</button>
          <button type="submit" name="do" value="delete" class="danger">Delete</button>
        </p>
      </div>
    </fieldset>
  );
}
