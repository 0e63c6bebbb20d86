/** What one person set for this browser: theme, how times read, how often figures refresh. Kept in a cookie. */
import { type TimeStyle, timeStyles } from "./format.ts";

export const themes = ["system", "light", "dark"] as const;
export const refreshSeconds = [1, 2, 5, 15, 0] as const;

export interface Preferences {
  readonly theme: typeof themes[number];
  readonly time: TimeStyle;
  /** 0 for off. */
  readonly refresh: typeof refreshSeconds[number];
}

export const PREFERENCES_COOKIE = "nsq_preferences";
const defaults: Preferences = { theme: "system", time: "relative", refresh: 1 };

/** Reads what `formatPreferences` wrote, with `changes` above it; what is not understood is the default. */
export function readPreferences(cookie: string | undefined, changes = new URLSearchParams()): Preferences {
  const stored = new URLSearchParams(cookie ?? "");
  const value = (name: string) => changes.get(name) ?? stored.get(name);
  const refresh = value("refresh");
  return {
    theme: themes.find((theme) => theme === value("theme")) ?? defaults.theme,
    time: timeStyles.find((style) => style === value("time")) ?? defaults.time,
    refresh: refreshSeconds.find((seconds) => refresh !== null && String(seconds) === refresh) ??
      defaults.refresh,
  };
}

export function formatPreferences({ theme, time, refresh }: Preferences): string {
  return new URLSearchParams({ theme, time, refresh: String(refresh) }).toString();
}
