/**
 * What a channel did that the log on disk does not know yet. `positions.ts` writes it down and clears it.
 *
 * Kept for durable channels only: everything here is free for ephemeral ones.
 */
import type { Channel } from "./channel.ts";
import type { Exception } from "./exception.ts";

export class Journal {
  readonly #channel: Channel;
  /** True when something changed since the position was written. */
  isBehind = false;
  /** Exceptions that changed; those with `unsaved` false again have ended meanwhile. */
  exceptions: Exception[] = [];
  /** Ends of exceptions that the log takes for unfinished. */
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

  changed(exception: Exception): void {
    if (exception.unsaved || !this.#channel.durable) return;
    exception.unsaved = true;
    this.exceptions.push(exception);
    this.moved();
  }

  ended(exception: Exception): void {
    if (exception.saved && this.#channel.durable) this.ends.push(exception.seq);
    exception.unsaved = false;
    this.moved();
  }

  finishedAhead(from: number, to: number): void {
    if (this.#channel.durable) this.doneAhead.push({ from, to });
    this.moved();
  }

  /** All of it was written, or is void. */
  clear(): void {
    this.exceptions = [];
    this.ends = [];
    this.doneAhead = [];
    this.isBehind = false;
  }
}
