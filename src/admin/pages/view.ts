/**
 * What a page is rendered from: the cluster at one moment, who asks, the address with its parameters.
 *
 * Tested in test/admin/pages/tables_test.ts.
 */
import type { Console, ConsoleSettings } from "../console.ts";
import { type Action, roleFor, roles, type User } from "../model/action.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { Preferences } from "./preferences.ts";

export interface View {
  readonly console: Console;
  readonly settings: ConsoleSettings;
  readonly user: User;
  readonly snapshot: Snapshot;
  readonly preferences: Preferences;
  readonly nowMs: number;
  /** Below the base path, such as `/topics/orders`. */
  readonly path: string;
  readonly query: URLSearchParams;
}

/** An address of this console: `path` is below the base path; parameters that are null or "" are left out. */
export function href(
  { settings }: Pick<View, "settings">,
  path: string,
  parameters: Readonly<Record<string, string | number | null>> = {},
): string {
  const base = settings.basePath === "/" ? "" : settings.basePath;
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== "") query.set(name, String(value));
  }
  const full = path === "/" && base !== "" ? base : base + path;
  return query.size === 0 ? full : `${full}?${query}`;
}

/** The address of the page itself with some parameters changed; null takes one away. */
export function hrefWith(view: View, changes: Readonly<Record<string, string | number | null>>): string {
  const kept = Object.fromEntries([...view.query].filter(([name]) => !PASSING_PARAMETERS.has(name)));
  return href(view, view.path, { ...kept, ...changes });
}

/** They belong to one answer, not to the page. */
const PASSING_PARAMETERS = new Set(["format", "table", "structure", "done"]);

export function topicPath(topic: string): string {
  return `/topics/${encodeURIComponent(topic)}`;
}

export function channelPath(topic: string, channel: string): string {
  return `${topicPath(topic)}/${encodeURIComponent(channel)}`;
}

export function tailPath(topic: string): string {
  return `/tail/${encodeURIComponent(topic)}`;
}

export function messagesPath(topic: string, channel: string): string {
  return `/messages/${encodeURIComponent(topic)}/${encodeURIComponent(channel)}`;
}

export function deadPath(topic: string, channel: string): string {
  return `/dead/${encodeURIComponent(topic)}/${encodeURIComponent(channel)}`;
}

export function nodePath(node: string): string {
  return `/nodes/${encodeURIComponent(node).replaceAll("%3A", ":")}`;
}

/** Whether the role of the one who asks allows `kind`. */
export function mayDo({ user }: Pick<View, "user">, kind: Action["kind"]): boolean {
  return roles.indexOf(user.role) >= roles.indexOf(roleFor[kind]);
}

/** How far back charts look. */
export const ranges = [
  { name: "10m", label: "10 minutes", ms: 600_000 },
  { name: "1h", label: "1 hour", ms: 3_600_000 },
  { name: "6h", label: "6 hours", ms: 21_600_000 },
  { name: "12h", label: "12 hours", ms: 43_200_000 },
  { name: "2d", label: "2 days", ms: 172_800_000 },
  { name: "7d", label: "7 days", ms: 604_800_000 },
] as const;

export function rangeOf({ query }: Pick<View, "query">): typeof ranges[number] {
  return ranges.find(({ name }) => name === query.get("range")) ?? ranges[0];
}
