/**
 * What surrounds every page: document, rail, header, what is broken, what was just done.
 *
 * Tested in test/ui/console_test.ts.
 */
import { raw } from "hono/html";
import type { Child } from "hono/jsx";
import { Icon, type IconName } from "./components/icons.tsx";
import { Moment } from "./components/values.tsx";
import { RecordBanner } from "./components/record_banner.tsx";
import { KeyTable } from "./components/key_table.tsx";
import { timeStyles } from "./format.ts";
import { keyBindings } from "./keyboard.ts";
import { refreshSeconds, themes } from "./preferences.ts";
import type { Page } from "./page.ts";
import { href, rangeOf, ranges, type View } from "./view.ts";

interface Place {
  label: string;
  path: string;
  icon: IconName;
}

const places: readonly Place[] = [
  { label: "Overview", path: "/", icon: "gauge" },
  { label: "Topics", path: "/topics", icon: "topics" },
  { label: "Consumers", path: "/consumers", icon: "users" },
  { label: "Dead letters", path: "/dead", icon: "dead" },
  { label: "Nodes", path: "/nodes", icon: "nodes" },
  { label: "Lookup", path: "/lookup", icon: "lookup" },
  { label: "Activity", path: "/activity", icon: "activity" },
  { label: "Counter", path: "/counter", icon: "counter" },
];

/** Content of `main`; the part of a page that its stream renders again. */
export function Main({ view, page }: { view: View; page: Page }) {
  const done = view.query.get("done");
  const record = done === null ? undefined : view.console.record(done);
  return (
    <>
      {page.trail !== undefined && (
        <nav class="trail" aria-label="Way to this page">
          {page.trail.map(({ label, path }) => (
            <>
              <a href={href(view, path)}>{label}</a>
              <span aria-hidden="true">/</span>
            </>
          ))}
        </nav>
      )}
      {record !== undefined && <RecordBanner view={view} record={record} />}
      {view.path !== "/" && <Broken view={view} />}
      {page.main}
    </>
  );
}

/** Nodes and lookupds that do not answer: their figures stay, and this says how old those are. */
function Broken({ view }: { view: View }) {
  const { nodes, lookupds } = view.snapshot;
  const deaf = lookupds.filter(({ isUp }) => !isUp);
  const down = nodes.filter(({ isUp }) => !isUp);
  if (deaf.length + down.length === 0) return null;
  return (
    <ul class="broken" role="status">
      {down.map(({ id, error, lastAnswerMs }) => (
        <li>
          <Icon name="alert" />
          <b>nsqd {id}</b> does not answer, no data {lastAnswerMs === null ? "yet" : (
            <>
              since <Moment ms={lastAnswerMs} />
            </>
          )}.
          <span class="reason">{error}</span>
        </li>
      ))}
      {deaf.map(({ address, error, sinceMs }) => (
        <li>
          <Icon name="alert" />
          <b>lookupd {address}</b> does not answer since <Moment ms={sinceMs} />.{" "}
          <span class="reason">{error}</span>
        </li>
      ))}
    </ul>
  );
}

/** The whole document; `main` is the rendered content of `main`, markers resolved, `structure` its name for the stream. */
export function Document(
  { view, page, main, structure, nonce }: {
    view: View;
    page: Page;
    main: string;
    structure: string;
    nonce: string;
  },
) {
  const { settings, preferences } = view;
  const name = settings.environment === null ? "nsq" : `${settings.environment.name} · nsq`;
  const asset = (file: string) => href(view, `/static/${file}`, { v: settings.version });
  const isLive = !page.isStill && preferences.refresh > 0;
  return (
    <>
      {raw("<!doctype html>")}
      <html lang="en" data-theme={preferences.theme} data-time={preferences.time} data-base={href(view, "/")}>
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <meta name="color-scheme" content="light dark" />
          <title>{`${page.title} · ${name}`}</title>
          <link rel="icon" type="image/svg+xml" href={asset("icon.svg")} />
          <link rel="stylesheet" href={asset("console.css")} nonce={nonce} />
          {isLive && (
            <noscript>
              <meta http-equiv="refresh" content={String(Math.max(5, preferences.refresh))} />
            </noscript>
          )}
          {page.hasCharts && <script defer src={asset("uplot.js")} nonce={nonce}></script>}
          <script defer src={asset("idiomorph.js")} nonce={nonce}></script>
          <script type="module" src={asset("console.js")} nonce={nonce}></script>
        </head>
        <body>
          <a class="skip" href="#main">To the content</a>
          <Header view={view} page={page} isLive={isLive} />
          <Rail view={view} />
          <main
            id="main"
            tabindex={-1}
            data-structure={structure}
            data-refresh={isLive ? String(preferences.refresh) : "0"}
          >
            {raw(main)}
          </main>
          <dialog id="help" aria-labelledby="help-title">
            <h2 id="help-title">Keyboard</h2>
            <KeyTable />
            <form method="dialog">
              <button type="submit">Close</button>
            </form>
          </dialog>
          <dialog id="palette" aria-label="Command palette" data-search={href(view, "/search")}>
            <input
              type="text"
              role="combobox"
              aria-expanded="true"
              aria-controls="palette-list"
              aria-label="Topic, channel, node or action"
              placeholder="Topic, channel, node or action"
              autocomplete="off"
            />
            <ul id="palette-list" role="listbox" aria-label="Matches"></ul>
          </dialog>
          <dialog id="sheet" aria-label="Action"></dialog>
          <div id="notice" role="status" aria-live="polite"></div>
          <script type="application/json" id="keys" nonce={nonce}>
            {raw(JSON.stringify(keyBindings).replaceAll("<", "\\u003c"))}
          </script>
        </body>
      </html>
    </>
  );
}

function Header({ view, page, isLive }: { view: View; page: Page; isLive: boolean }) {
  return (
    <header class="top" data-color={view.settings.environment?.color}>
      <a class="brand" href={href(view, "/")}>
        <svg class="logo" viewBox="0 0 24 24" aria-hidden="true">
          <path d="M3 6h11M3 12h18M3 18h7" />
          <circle cx="19" cy="6" r="2" />
          <circle cx="15" cy="18" r="2" />
        </svg>
        nsq
      </a>
      {view.settings.environment !== null && <span class="environment">{view.settings.environment.name}
      </span>}
      <form class="search" role="search" aria-label="Everything" action={href(view, "/search")} method="get">
        <Icon name="search" />
        <input
          id="search"
          type="search"
          name="q"
          value={view.path === "/search" ? view.query.get("q") ?? "" : ""}
          placeholder="Search topics, channels, nodes"
          aria-label="Search topics, channels, nodes"
          autocomplete="off"
        />
        <kbd aria-hidden="true">/</kbd>
      </form>
      {page.hasCharts && <RangeChoice view={view} />}
      <button
        type="button"
        class="live"
        id="live"
        data-state={isLive ? "waiting" : "off"}
        title="Pause or resume live figures"
        disabled
      >
        {isLive ? "live" : "not live"}
      </button>
      <Display view={view} />
      {view.user.name !== "" && (
        <span class="user" title={`Role: ${view.user.role}`}>
          {view.user.name} <small>{view.user.role}</small>
        </span>
      )}
      {view.user.source === "login" && (
        <form method="post" action={href(view, "/logout")}>
          <button type="submit" class="plain">Log out</button>
        </form>
      )}
    </header>
  );
}

function RangeChoice({ view }: { view: View }) {
  const chosen = rangeOf(view);
  const kept = [...view.query].filter(([name]) =>
    !["range", "format", "table", "done", "structure"].includes(name)
  );
  return (
    <form class="range" method="get" data-submit="">
      {kept.map(([name, value]) => <input type="hidden" name={name} value={value} />)}
      <label>
        <span class="unseen">Range of charts</span>
        <select name="range">
          {ranges.map(({ name, label }) => (
            <option value={name} selected={name === chosen.name}>{label}</option>
          ))}
        </select>
      </label>
      <noscript>
        <button type="submit">Set</button>
      </noscript>
    </form>
  );
}

/** Theme, times and refresh, for this browser. */
function Display({ view }: { view: View }) {
  const { preferences } = view;
  return (
    <details class="menu" id="display">
      <summary>Display</summary>
      <form method="post" action={href(view, "/preferences")}>
        <input type="hidden" name="back" value={`${view.path}?${view.query}`} />
        <Choice
          name="theme"
          label="Theme"
          options={themes.map((theme) => [theme, theme])}
          chosen={preferences.theme}
        />
        <Choice
          name="time"
          label="Times"
          options={timeStyles.map((style) => [style, style === "utc" ? "UTC" : style])}
          chosen={preferences.time}
        />
        <Choice
          name="refresh"
          label="Refresh"
          options={refreshSeconds.map((
            s,
          ) => [String(s), s === 0 ? "off" : `every ${s === 1 ? "second" : `${s} s`}`])}
          chosen={String(preferences.refresh)}
        />
        <button type="submit">Apply</button>
        <a href={href(view, "/keyboard")} data-command="help">
          <Icon name="keyboard" /> Keyboard
        </a>
      </form>
    </details>
  );
}

function Choice(
  { name, label, options, chosen }: {
    name: string;
    label: string;
    options: readonly (readonly [value: string, text: string])[];
    chosen: string;
  },
) {
  return (
    <label>
      {label}
      <select name={name}>
        {options.map(([value, text]) => <option value={value} selected={value === chosen}>{text}</option>)}
      </select>
    </label>
  );
}

function Rail({ view }: { view: View }) {
  return (
    <nav class="rail" aria-label="Pages">
      <ul>
        {places.map(({ label, path, icon }) => (
          <li>
            <a href={href(view, path)} aria-current={isWithin(view.path, path) ? "page" : undefined}>
              <Icon name={icon} />
              {label}
            </a>
          </li>
        ))}
      </ul>
      <a class="button primary" href={href(view, "/publish")}>
        <Icon name="send" /> Publish
      </a>
      <p class="version">nsq {view.settings.version}</p>
    </nav>
  );
}

function isWithin(path: string, place: string): boolean {
  return place === "/" ? path === "/" : path === place || path.startsWith(`${place}/`);
}

/** A page outside the console: the login. */
export function BareDocument(
  { view, title, nonce, children }: {
    view: Pick<View, "settings" | "preferences">;
    title: string;
    nonce: string;
    children: Child;
  },
) {
  const asset = (file: string) => href(view, `/static/${file}`, { v: view.settings.version });
  return (
    <>
      {raw("<!doctype html>")}
      <html lang="en" data-theme={view.preferences.theme}>
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <meta name="color-scheme" content="light dark" />
          <title>{`${title} · nsq`}</title>
          <link rel="icon" type="image/svg+xml" href={asset("icon.svg")} />
          <link rel="stylesheet" href={asset("console.css")} nonce={nonce} />
        </head>
        <body class="bare">
          <main id="main">{children}</main>
        </body>
      </html>
    </>
  );
}
