/**
 * The message as a handler sees it.
 *
 * Tested in test/client/consumer/consumer_test.ts.
 */
import type { GivenUp } from "../options/options.ts";

/** What a requeue may say. */
export interface RequeueOptions {
  /** When it is to come again, ms from now. Default: grows with its attempts, see `defaultRequeueDelayMs`. */
  delay?: number;
  /** False leaves the pace of the consumer alone. Default true. */
  backoff?: boolean;
}

/**
 * A message in hand. Its answers return false when it is no longer ours, because its time is over, its
 * connection is gone or it was answered; they never throw.
 *
 *     await consumer.run(async (message) => {
 *       await send(message.value, { signal: message.signal });
 *     });
 */
export interface Message<T = Uint8Array> extends GivenUp {
  /** The body as the codec decodes it. */
  readonly value: T;
  /** The topic it was published to. */
  readonly topic: string;
  /** The channel it came through. */
  readonly channel: string;
  /** The id as 16 ASCII bytes; a view that stays valid. */
  readonly idBytes: Uint8Array;
  /** When it was published, ms since the Unix epoch, with a fraction. */
  readonly publishedAtMs: number;
  /**
   * Aborts when the message is no longer ours before it was answered: at its timeout, with its connection, or at
   * the deadline of `close()`. The reason is a `MessageError`.
   */
  readonly signal: AbortSignal;
  /** The body as UTF-8 text. */
  text(): string;
  /** Finishes it: it is done. Returns whether it was still ours. */
  finish(): boolean;
  /** Gives it back, to come again later. Returns whether it was still ours. */
  requeue(options?: RequeueOptions): boolean;
  /** Keeps it for another timeout, up to the node's maximum. Returns whether it was still ours. */
  touch(): boolean;
  /** Tells `run()` that it is answered later, not when its handler returns. */
  detach(): void;
}
