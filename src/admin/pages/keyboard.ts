/**
 * What keys do: one table for the help and for the script of the pages.
 *
 * Tested in test/ui/console_test.ts.
 */

export interface KeyBinding {
  /** As pressed, one after the other, with a space between: `g t`. */
  readonly keys: string;
  readonly text: string;
  /** What the script does: a command of its own, or `go:` and a path below the base path. */
  readonly command: string;
}

export const keyBindings: readonly KeyBinding[] = [
  { keys: "/", text: "Search, or filter the table", command: "search" },
  { keys: "Control+k", text: "Command palette: topics, channels, nodes, actions", command: "palette" },
  { keys: "?", text: "This help", command: "help" },
  { keys: "g o", text: "Go to the overview", command: "go:/" },
  { keys: "g t", text: "Go to topics", command: "go:/topics" },
  { keys: "g c", text: "Go to consumers", command: "go:/consumers" },
  { keys: "g d", text: "Go to dead letters", command: "go:/dead" },
  { keys: "g n", text: "Go to nodes", command: "go:/nodes" },
  { keys: "g a", text: "Go to activity", command: "go:/activity" },
  { keys: "g l", text: "Go to lookup", command: "go:/lookup" },
  { keys: "g p", text: "Publish a message", command: "go:/publish" },
  { keys: "j", text: "Next row", command: "next" },
  { keys: "k", text: "Previous row", command: "previous" },
  { keys: "Enter", text: "Open the row", command: "open" },
  { keys: "u", text: "Up to the page above", command: "up" },
  { keys: "r", text: "Pause or resume live figures", command: "toggle live" },
  { keys: "t", text: "Times: relative, local, UTC", command: "times" },
  { keys: "d", text: "Theme: system, light, dark", command: "theme" },
  { keys: "Escape", text: "Close, or leave the field", command: "close" },
];
