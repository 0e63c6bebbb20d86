/**
 * What a consumer tells of itself, and what its faces may be told.
 *
 * Tested in test/client/consumer/consumer_test.ts.
 */
import type { NsqError } from "../errors.ts";
import type { BackoffState } from "./backoff.ts";
import type { Message } from "./message.ts";

/** What a consumer tells. Nobody has to listen. */
export interface ConsumerEvents<T> {
  /** What no call reports: an attempt to connect, a lost connection, a lookupd, an answer that came too late, a handler that threw. */
  error: [error: Error];
  /** A node sends messages from now on. */
  connected: [address: string];
  /** A node is gone; null when that was wanted. */
  disconnected: [address: string, error: NsqError | null];
  /** The pace changed. */
  backoff: [state: BackoffState];
  /** A body that does not decode. */
  undecodable: [message: Message<T>, error: Error];
  /** A message was delivered more than `maxAttempts` times. */
  giveUp: [message: Message<T>];
  /** All is over. */
  closed: [];
}

/** What a consumer has done so far. */
export interface ConsumerStats {
  /** Nodes that it is subscribed to. */
  readonly connections: number;
  /** Messages in hand. */
  readonly inFlight: number;
  /** Messages that came, redelivered ones included. */
  readonly received: number;
  /** Messages that were finished. */
  readonly finished: number;
  /** Messages that were given back. */
  readonly requeued: number;
  /** Messages whose time was over, or whose connection was lost, before they were answered. */
  readonly lost: number;
}

/** What `run()` may be told. */
export interface RunOptions {
  /** Messages that are handled at a time. Default `maxInFlight`. */
  concurrency?: number;
}
