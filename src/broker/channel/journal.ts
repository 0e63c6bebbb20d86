/**
 * What a channel did that the log on disk does not know yet. `positions.ts` writes it down and clears it.
 *
 * Kept for durable channels only: everything here is free for ephemeral ones.
 *
 * Tested in test/durability/persistence_model_test.ts.
 */
import type { TrackedMessage } from "../tracked/tracked_message.ts";

/** With so many messages to tell of the next group tells of them: none should have to tell of a million. */
export const FULL_JOURNAL = 10_000;

export class Journal {
  readonly #isDurable: boolean;
  readonly #onBehind: () => void;
  readonly #onFull: () => void;
  /** True when something changed since the position was written. */
  isBehind = false;
  /** Tracked messages that changed; those with `unsaved` false again have ended meanwhile. */
  tracked: TrackedMessage[] = [];
  /** Ends of tracked messages that the log takes for unfinished. */
  ends: number[] = [];
  /** Messages that died; some may have been revived or finished meanwhile. */
  deaths: number[] = [];
  /** Ranges that were finished ahead of the cursor. */
  doneAhead: { from: number; to: number }[] = [];

  /**
   * @param isDurable whether positions of the channel are kept on disk
   * @param onBehind called when the first change since the last `clear` comes
   * @param onFull called when there are `FULL_JOURNAL` messages to tell of
   */
  constructor(isDurable: boolean, onBehind: () => void, onFull: () => void) {
    this.#isDurable = isDurable;
    this.#onBehind = onBehind;
    this.#onFull = onFull;
  }

  /** Messages to tell of. */
  get size(): number {
    return this.tracked.length + this.ends.length + this.deaths.length;
  }

  /** The cursor or the messages in flight changed. */
  moved(): void {
    if (this.isBehind || !this.#isDurable) return;
    this.isBehind = true;
    this.#onBehind();
  }

  changed(message: TrackedMessage): void {
    if (message.unsaved || !this.#isDurable) return;
    message.unsaved = true;
    this.tracked.push(message);
    this.moved();
    if (this.size === FULL_JOURNAL) this.#onFull();
  }

  ended(message: TrackedMessage): void {
    if (message.saved && this.#isDurable) this.ends.push(message.seq);
    message.unsaved = false;
    this.moved();
    if (this.size === FULL_JOURNAL) this.#onFull();
  }

  died(seq: number): void {
    if (!this.#isDurable) return;
    this.deaths.push(seq);
    this.moved();
    if (this.size === FULL_JOURNAL) this.#onFull();
  }

  /** A dead letter is finished. */
  endedDead(seq: number): void {
    if (!this.#isDurable) return;
    this.ends.push(seq);
    this.moved();
    if (this.size === FULL_JOURNAL) this.#onFull();
  }

  finishedAhead(from: number, to: number): void {
    if (this.#isDurable) this.doneAhead.push({ from, to });
    this.moved();
  }

  /** All of it was written, or is void. */
  clear(): void {
    this.tracked = [];
    this.ends = [];
    this.deaths = [];
    this.doneAhead = [];
    this.isBehind = false;
  }
}
