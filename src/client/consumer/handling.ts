/**
 * What becomes of a message that a taker gets: its way through a handler, and the other ways of messages that are
 * given up or do not decode. Nothing that a handler or a callback throws goes further than here.
 *
 * Tested in test/client/consumer/consumer_test.ts.
 */
import type { Codec } from "../codec.ts";
import { DecodeError } from "../errors.ts";
import type { Events } from "../events.ts";
import type { ConsumerOptions, Consuming } from "../options/options.ts";
import { processChannel, type ProcessContext } from "../tracing.ts";
import type { ConsumerEvents } from "./consumer_events.ts";
import type { Delivery } from "./delivery.ts";
import type { Message } from "./message.ts";

/** The consumer whose messages are handled. */
export interface HandlingHost<T> {
  readonly topic: string;
  readonly channel: string;
  readonly options: Consuming;
  readonly callbacks: Pick<ConsumerOptions<T>, "onGiveUp" | "onUndecodable">;
  readonly codec: Codec<T>;
  readonly events: Events<ConsumerEvents<T>>;
  report(error: Error): void;
}

/** Handles messages for one consumer. */
export class Handling<T> {
  readonly #host: HandlingHost<T>;

  constructor(host: HandlingHost<T>) {
    this.#host = host;
  }

  /** Sees to messages that are not handed out: those that are given up, and those that do not decode. */
  admit(delivery: Delivery<T>): boolean {
    const { maxAttempts } = this.#host.options;
    if (maxAttempts > 0 && delivery.attempts > maxAttempts) {
      this.#giveUp(delivery);
      return false;
    }
    try {
      delivery.value = this.#host.codec.decode(delivery.body);
      return true;
    } catch (cause) {
      this.#passUndecodable(delivery, cause as Error);
      return false;
    }
  }

  async #giveUp(delivery: Delivery<T>): Promise<void> {
    delivery.isHandled = true;
    this.#host.options.log("warning", `msg ${delivery.id} attempted ${delivery.attempts} times, giving up`);
    this.#host.events.emit("giveUp", delivery);
    try {
      await this.#host.callbacks.onGiveUp?.(delivery);
      if (!delivery.isDetached) delivery.finish();
    } catch (cause) {
      this.#failed(delivery, cause as Error);
    }
  }

  async #passUndecodable(delivery: Delivery<T>, cause: Error): Promise<void> {
    delivery.isHandled = true;
    const error = new DecodeError(
      `message ${delivery.id} of ${this.#host.topic}/${this.#host.channel} does not decode: ${cause.message}`,
      { cause },
    );
    this.#host.events.emit("undecodable", delivery, error);
    if (this.#host.callbacks.onUndecodable === undefined) {
      this.#host.report(error);
      delivery.requeue({ backoff: false });
      return;
    }
    try {
      await this.#host.callbacks.onUndecodable(delivery, error);
      if (!delivery.isDetached) delivery.finish();
    } catch (thrown) {
      this.#failed(delivery, thrown as Error);
    }
  }

  handle(handler: (message: Message<T>) => unknown, delivery: Delivery<T>): void | Promise<void> {
    if (processChannel.hasSubscribers) return this.#handleTraced(handler, delivery);
    let working: unknown;
    try {
      working = handler(delivery);
    } catch (thrown) {
      return this.#failed(delivery, thrown);
    }
    if (isThenable(working)) return this.#settle(working, delivery);
    if (!delivery.isDetached) delivery.finish();
  }

  async #settle(working: PromiseLike<unknown>, delivery: Delivery<T>): Promise<void> {
    try {
      await working;
      if (!delivery.isDetached) delivery.finish();
    } catch (thrown) {
      this.#failed(delivery, thrown);
    }
  }

  async #handleTraced(handler: (message: Message<T>) => unknown, delivery: Delivery<T>): Promise<void> {
    try {
      // deno-lint-ignore require-await -- what a handler throws at once is to be a rejection
      await processChannel.tracePromise(async () => handler(delivery), contextOf(delivery));
      if (!delivery.isDetached) delivery.finish();
    } catch (thrown) {
      this.#failed(delivery, thrown);
    }
  }

  /** Loops and streams process a message until it is answered. */
  trace(delivery: Delivery<T>): void {
    processChannel.tracePromise(() => delivery.answered(), contextOf(delivery)).catch(() => {});
  }

  #failed(delivery: Delivery<T>, thrown: unknown): void {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    this.#host.options.log("error", `Handler returned error (${error.message}) for msg ${delivery.id}`);
    this.#host.events.emit("error", error);
    delivery.requeue();
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null &&
    typeof (value as PromiseLike<unknown>).then === "function";
}

function contextOf<T>(delivery: Delivery<T>): ProcessContext {
  const { topic, channel, id, attempts, body, publishedAtMs, nodeAddress } = delivery;
  return { topic, channel, id, attempts, bodyBytes: body.length, publishedAtMs, nodeAddress };
}
