/**
 * What a channel did that the log on disk does not know yet. `positions.ts` writes it down and clears it.
 *
 * Kept for durable channels only: everything here is free for ephemeral ones.
 */
import type { Channel } from "./channel.ts";
import type { TrackedMessage } from "./tracked_message.ts";

export class Journal {
  readonly #channel: Channel;
  /** True when something changed since the position was written. */
  isBehind = false;
  /** Tracked messages that changed; those with `unsaved` false again have ended meanwhile. */
  tracked: TrackedMessage[] = [];
  /** Ends of tracked messages that the log takes for unfinished. */
  ends: number[] = [];
  /** Ranges that were finished ahead of the cursor. */
  doneAhead: { from: number; to: number }[] = [];

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** The cursor or the messages in flight changed. */
  moved(): void {
    if (this.isBehind || !this.#channel.durable) return;
    this.isBehind = true;
    this.#channel.topic.host.positionChanged(this.#channel);
  }

  changed(message: TrackedMessage): void {
    if (message.unsaved || !this.#channel.durable) return;
    message.unsaved = true;
    this.tracked.push(message);
    this.moved();
  }

  ended(message: TrackedMessage): void {
    if (message.saved && this.#channel.durable) this.ends.push(message.seq);
    message.unsaved = false;
    this.moved();
  }

  finishedAhead(from: number, to: number): void {
    if (this.#channel.durable) this.doneAhead.push({ from, to });
    this.moved();
  }

  /** All of it was written, or is void. */
  clear(): void {
    this.tracked = [];
    this.ends = [];
    this.doneAhead = [];
    this.isBehind = false;
  }
}
