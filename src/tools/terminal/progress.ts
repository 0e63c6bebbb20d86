/**
 * A progress bar on standard error, while it is a terminal; nothing at all where it is piped.
 *
 * Tested in test/tools/terminal/terminal_test.ts.
 */
import type { SingleBar } from "cli-progress";

/** How far a piece of work is. */
export interface Progress {
  /** @param note short text behind the bar, such as a rate */
  update(value: number, note?: string): void;
  /** Leaves the bar where it is and begins a new line. */
  stop(): void;
}

const NOTHING: Progress = { update: () => {}, stop: () => {} };
const BARS_A_SECOND = 10;

/** Begins a bar for work of the size `total`; `label` stands before it. */
export async function startProgress(label: string, total: number): Promise<Progress> {
  if (!Deno.stderr.isTerminal()) return NOTHING;
  const { default: cliProgress } = await import("cli-progress");
  const bar: SingleBar = new cliProgress.SingleBar({
    format: `${label} {bar} {percentage}% {note}`,
    barsize: 24,
    fps: BARS_A_SECOND,
    hideCursor: true,
    barCompleteChar: "\u2588",
    barIncompleteChar: "\u2591",
    // A line that is too long for the window would begin a new one with each step.
    linewrap: false,
    gracefulExit: false,
  });
  bar.start(Math.max(total, 1), 0, { note: "" });
  let isStopped = false;
  return {
    update(value, note = "") {
      if (!isStopped) bar.update(Math.min(value, Math.max(total, 1)), { note });
    },
    stop() {
      if (isStopped) return;
      isStopped = true;
      bar.stop();
    },
  };
}
