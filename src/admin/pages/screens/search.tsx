/**
 * Search over topics, channels, nodes, pages and actions; for its page, and for the command palette as JSON.
 *
 * Tested in test/admin/pages/search_test.ts.
 */
import type { Page } from "../page.ts";
import { channelPath, href, mayDo, nodePath, topicPath, type View } from "../view.ts";
import { keyBindings } from "../keyboard.ts";

export interface Match {
  readonly kind: "topic" | "channel" | "node" | "page" | "action";
  readonly label: string;
  /** Below the base path. */
  readonly path: string;
  readonly parameters?: Readonly<Record<string, string>>;
}

/**
 * The best `limit` matches for `text`: all its words have to occur. Names that begin with it come first, shorter ones
 * before longer ones.
 */
export function search(view: View, text: string, limit: number): Match[] {
  const words = text.toLowerCase().split(/\s+/).filter((word) => word !== "");
  const found: { match: Match; rank: number }[] = [];
  for (const match of candidates(view)) {
    const label = match.label.toLowerCase();
    if (!words.every((word) => label.includes(word))) continue;
    const isPrefix = words.length > 0 && label.startsWith(words[0]);
    found.push({ match, rank: (isPrefix ? 0 : 1000) + label.length + (match.kind === "action" ? 200 : 0) });
  }
  return found.sort((a, b) => a.rank - b.rank).slice(0, limit).map(({ match }) => match);
}

function* candidates(view: View): Generator<Match> {
  for (const { text, command } of keyBindings) {
    if (command.startsWith("go:")) yield { kind: "page", label: text, path: command.slice(3) };
  }
  for (const { id, hostname } of view.snapshot.nodes) {
    yield { kind: "node", label: hostname === "" ? id : `${id} ${hostname}`, path: nodePath(id) };
  }
  for (const topic of view.snapshot.topics.values()) {
    yield { kind: "topic", label: topic.name, path: topicPath(topic.name) };
    yield* actionsOn(view, topic.name, null, topic.isPaused);
    for (const channel of topic.channels.values()) {
      yield {
        kind: "channel",
        label: `${topic.name}/${channel.name}`,
        path: channelPath(topic.name, channel.name),
      };
      yield* actionsOn(view, topic.name, channel.name, channel.isPaused);
    }
  }
}

function* actionsOn(view: View, topic: string, channel: string | null, isPaused: boolean): Generator<Match> {
  const name = channel === null ? topic : `${topic}/${channel}`;
  const back = channel === null ? topicPath(topic) : channelPath(topic, channel);
  const target: Record<string, string> = channel === null ? { topic, back } : { topic, channel, back };
  for (const kind of [isPaused ? "unpause" : "pause", "empty", "delete"] as const) {
    if (mayDo(view, kind)) {
      yield { kind: "action", label: `${kind} ${name}`, path: "/act", parameters: { kind, ...target } };
    }
  }
  if (channel === null && mayDo(view, "publish")) {
    yield { kind: "action", label: `publish to ${topic}`, path: "/publish", parameters: { topic } };
  }
}

/** The topic, channel or node whose whole name somebody typed into the search: it needs no list. */
export function exactMatch(view: View): Match | undefined {
  const text = (view.query.get("q") ?? "").trim();
  return search(view, text, 5).find(({ kind, label }) =>
    kind !== "page" && kind !== "action" && label === text
  );
}

const MAX_MATCHES = 50;

export function searchPage(view: View): Page {
  const text = view.query.get("q") ?? "";
  const matches = text.trim() === "" ? [] : search(view, text, MAX_MATCHES);
  return {
    title: text === "" ? "Search" : `Search: ${text}`,
    isStill: true,
    main: (
      <>
        <header class="page-head">
          <h1>Search</h1>
          <p>
            {matches.length === MAX_MATCHES ? `The best ${MAX_MATCHES} matches` : `${matches.length} found`}
          </p>
        </header>
        {matches.length === 0
          ? (
            <p class="empty">
              {text === "" ? "Type a part of a name above." : `Nothing has "${text}" in its name.`}
            </p>
          )
          : (
            <ul class="matches">
              {matches.map((match) => (
                <li data-row="">
                  <span class="badge">{match.kind}</span> <a href={matchHref(view, match)}>{match.label}</a>
                </li>
              ))}
            </ul>
          )}
      </>
    ),
  };
}

export function matchHref(view: View, { path, parameters }: Match): string {
  return href(view, path, parameters);
}
