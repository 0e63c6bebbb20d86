/**
 * The addresses of the pages: what is asked for is rendered, streamed or exported.
 *
 * Tested in test/ui/console_test.ts.
 */
import type { Hono } from "hono";
import { getCookie } from "hono/cookie";
import { HttpError } from "../../http/errors.ts";
import { type CheckResult, runChecks } from "../../cluster/doctor_checks.ts";
import type { Console, ConsoleContext, ConsoleEnv, Scope } from "../console.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { mountAssets } from "./assets.ts";
import { exportTable } from "./export.ts";
import { mountForms } from "./forms/forms.tsx";
import { Document, Main } from "./layout.tsx";
import { finishPage, splitPage, streamPage, structureOf } from "./live.ts";
import { PREFERENCES_COOKIE, readPreferences } from "./preferences.ts";
import { activityPage, recordPage } from "./screens/activity.tsx";
import { checksPage } from "./screens/checks.tsx";
import { channelPage } from "./screens/channel.tsx";
import { consumersPage } from "./screens/consumers.tsx";
import { counterPage } from "./screens/counter.tsx";
import { keyboardPage } from "./screens/keyboard_page.tsx";
import { lookupPage } from "./screens/lookup.tsx";
import { nodePage } from "./screens/node.tsx";
import { nodesPage } from "./screens/nodes.tsx";
import { overviewPage } from "./screens/overview.tsx";
import { exactMatch, matchHref, search, searchPage } from "./screens/search.tsx";
import { deadPage } from "./screens/messages/dead.tsx";
import { deadLettersPage } from "./screens/messages/dead_letters.tsx";
import { messagePage } from "./screens/messages/message.tsx";
import { messagesPage } from "./screens/messages/messages.tsx";
import { tailPage } from "./screens/messages/tail.tsx";
import { topicPage } from "./screens/topic.tsx";
import { topicsPage } from "./screens/topics.tsx";
import type { Page } from "./page.ts";
import { rangeOf, type View } from "./view.ts";

/** For each step of a check. */
const CHECK_TIMEOUT_MS = 2_000;

type Parameters = Readonly<Record<string, string>>;

interface Route {
  path: string;
  page(view: View, parameters: Parameters): Page | Promise<Page>;
  /** Whose consumers it shows; of none unless given. */
  scope?(parameters: Parameters): Scope;
}

const routes: readonly Route[] = [
  { path: "/", page: overviewPage },
  { path: "/topics", page: topicsPage },
  { path: "/topics/:topic", page: (view, { topic }) => topicPage(view, topic) },
  {
    path: "/topics/:topic/:channel",
    page: (view, { topic, channel }) => channelPage(view, topic, channel),
    scope: ({ topic, channel }) => ({ clients: "channel", topic, channel }),
  },
  { path: "/tail/:topic", page: (view, { topic }) => tailPage(view, topic) },
  {
    path: "/messages/:topic/:channel",
    page: (view, { topic, channel }) => messagesPage(view, topic, channel),
  },
  {
    path: "/messages/:topic/:channel/:id",
    page: (view, { topic, channel, id }) => messagePage(view, topic, channel, id),
  },
  { path: "/dead", page: deadPage },
  {
    path: "/dead/:topic/:channel",
    page: (view, { topic, channel }) => deadLettersPage(view, topic, channel),
  },
  { path: "/consumers", page: consumersPage, scope: () => ({ clients: "all" }) },
  { path: "/nodes", page: nodesPage },
  { path: "/nodes/:node", page: (view, { node }) => nodePage(view, node) },
  { path: "/lookup", page: lookupPage },
  { path: "/activity", page: activityPage },
  { path: "/activity/:id", page: (view, { id }) => recordPage(view, id) },
  { path: "/counter", page: counterPage },
  { path: "/keyboard", page: keyboardPage },
];

/** Adds all pages, forms and assets to `app`, which has the base path already. */
export function mountPages(app: Hono<ConsoleEnv>, console: Console): void {
  for (const route of routes) {
    app.get(route.path, async (context) => {
      const parameters = context.req.param();
      const scope = route.scope?.(parameters);
      const render = (snapshot: Snapshot) => route.page(viewOf(context, console, snapshot), parameters);
      if (context.req.header("accept")?.includes("text/event-stream")) {
        return streamOf(context, console, scope, render);
      }
      return answer(context, console, await render(await console.look(scope)));
    });
  }
  const checks = new SharedChecks(console);
  app.get("/search", async (context) => {
    const view = viewOf(context, console, await console.look());
    if (!context.req.header("accept")?.includes("application/json")) {
      const only = exactMatch(view);
      if (only !== undefined) return context.redirect(matchHref(view, only), 303);
      return answer(context, console, searchPage(view));
    }
    const matches = search(view, view.query.get("q") ?? "", 20);
    return context.json(
      matches.map((match) => ({ kind: match.kind, label: match.label, href: matchHref(view, match) })),
    );
  });
  app.get("/checks", async (context) => {
    const results = await checks.run();
    return answer(context, console, checksPage(viewOf(context, console, await console.look()), results));
  });
  app.get("/series", (context) => series(context, console));
  mountForms(app, console, { viewOf, answer });
  mountAssets(app);
}

/** However many ask at once, the nodes are checked once. */
class SharedChecks {
  readonly #console: Console;
  #running: Promise<CheckResult[]> | null = null;

  constructor(console: Console) {
    this.#console = console;
  }

  run(): Promise<CheckResult[]> {
    const { lookupdHttpAddresses, nsqdHttpAddresses } = this.#console.settings;
    this.#running ??= runChecks({ lookupdHttpAddresses, nsqdHttpAddresses, timeoutMs: CHECK_TIMEOUT_MS })
      .finally(() => this.#running = null);
    return this.#running;
  }
}

/** What a page is rendered from, for this request. */
export function viewOf(context: ConsoleContext, console: Console, snapshot: Snapshot): View {
  const url = new URL(context.req.url);
  const { basePath } = console.settings;
  const path = basePath === "/" ? url.pathname : url.pathname.slice(basePath.length) || "/";
  return {
    console,
    settings: console.settings,
    user: context.get("user"),
    snapshot,
    preferences: readPreferences(getCookie(context, PREFERENCES_COOKIE), url.searchParams),
    nowMs: Date.now(),
    path,
    query: url.searchParams,
  };
}

/** The page as a document, or one of its tables as a file. */
export function answer(context: ConsoleContext, console: Console, page: Page): Response {
  const view = viewOf(context, console, console.snapshot());
  const format = view.query.get("format");
  if (format === "csv" || format === "json") return exportOf(page, view.query, format);
  const marked = renderMain(view, page);
  const nonce = context.get("secureHeadersNonce") ?? "";
  const html = String(
    <Document
      view={view}
      page={page}
      main={finishPage(marked, view.nowMs, view.preferences.time)}
      structure={structureOf(splitPage(marked))}
      nonce={nonce}
    />,
  );
  context.header("Cache-Control", "no-store");
  return context.html(html, page.status ?? 200);
}

function renderMain(view: View, page: Page): string {
  return String(<Main view={view} page={page} />);
}

function exportOf(page: Page, query: URLSearchParams, format: "csv" | "json"): Response {
  const tables = page.tables ?? {};
  const table = tables[query.get("table") ?? Object.keys(tables)[0] ?? ""];
  if (table === undefined) throw new HttpError(404, "TABLE_NOT_FOUND");
  return exportTable(table, query, format);
}

function streamOf(
  context: ConsoleContext,
  console: Console,
  scope: Scope | undefined,
  render: (snapshot: Snapshot) => Page | Promise<Page>,
): Response {
  const { preferences, query } = viewOf(context, console, console.snapshot());
  const stream = streamPage({
    stopping: console.stopping,
    structure: query.get("structure") ?? "",
    intervalMs: Math.max(1, preferences.refresh) * 1000,
    finish: (html) => finishPage(html, Date.now(), preferences.time),
    render: async () => {
      const snapshot = await console.look(scope);
      return renderMain(viewOf(context, console, snapshot), await render(snapshot));
    },
  });
  return new Response(stream, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    },
  });
}

/** Points more than this are thinned out: a chart has no more pixels. */
const MAX_POINTS = 1500;

/** The figures of charts: `t` in Unix seconds, a list for each metric, and marks. */
function series(context: ConsoleContext, console: Console): Response {
  const view = viewOf(context, console, console.snapshot());
  const key = view.query.get("key") ?? "";
  const fromMs = view.nowMs - rangeOf(view).ms;
  const found = console.history(key, fromMs, view.nowMs);
  const marks = console.marks(key, fromMs, view.nowMs);
  if (found === undefined) return context.json({ t: [], values: {}, marks });
  const every = Math.ceil(found.t.length / MAX_POINTS);
  const thin = <T,>(list: readonly T[]) =>
    every === 1 ? list : list.filter((_, index) => index % every === 0);
  const values = Object.entries(found.values).map(([metric, list]) => [metric, thin(list)]);
  return context.json({ t: thin(found.t), values: Object.fromEntries(values), marks });
}
