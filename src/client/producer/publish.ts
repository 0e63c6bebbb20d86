/**
 * Publishes that wait, and those that were sent together and share an answer.
 *
 * Tested in test/client/producer/producer_test.ts.
 */
import type { PublishError } from "../errors.ts";

/** Who keeps count of publishes. */
export interface PublishOwner {
  /** `publish` was confirmed or failed; it comes once for each. */
  onSettled(publish: Publish): void;
}

/** One message on its way to a node. */
export class Publish {
  readonly topic: string;
  readonly body: Uint8Array;
  /** How long the node holds it back, ms; 0 for not at all. */
  readonly deferMs: number;
  /** On the clock of `performance.now()`. */
  readonly deadlineMs: number;
  /** Whether it was confirmed or failed. */
  isSettled = false;
  /** Its batch was refused for what one message is: it is sent by itself, to see which. */
  isAlone = false;
  readonly #owner: PublishOwner;
  readonly #confirmed: () => void;
  readonly #failed: (error: PublishError) => void;

  constructor(
    owner: PublishOwner,
    topic: string,
    body: Uint8Array,
    deferMs: number,
    deadlineMs: number,
    confirmed: () => void,
    failed: (error: PublishError) => void,
  ) {
    this.#owner = owner;
    this.topic = topic;
    this.body = body;
    this.deferMs = deferMs;
    this.deadlineMs = deadlineMs;
    this.#confirmed = confirmed;
    this.#failed = failed;
  }

  /** Does nothing when it is decided already. */
  confirm(): void {
    if (this.isSettled) return;
    this.isSettled = true;
    this.#owner.onSettled(this);
    this.#confirmed();
  }

  /** Does nothing when it is decided already. */
  fail(error: PublishError): void {
    if (this.isSettled) return;
    this.isSettled = true;
    this.#owner.onSettled(this);
    this.#failed(error);
  }
}

/** Publishes that one command carries, at least one, all of one topic. */
export type Batch = readonly Publish[];
