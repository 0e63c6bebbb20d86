/**
 * The consumer: one channel over any number of nodes, taken by handlers, a loop or a stream.
 *
 * How many messages it has in hand follows `maxInFlight`, backoff, and whether anyone takes them at all. Its life
 * is: idle, open from the first taker on, draining from `close()` on, closed.
 */
import { bytes, type Codec } from "../codec.ts";
import { DecodeError, NsqError } from "../errors.ts";
import { Events } from "../events.ts";
import { Discovery } from "../nodes/discovery.ts";
import {
  checkName,
  checkNumber,
  type ConsumerOptions,
  type Consuming,
  resolveConsuming,
} from "../options/options.ts";
import { CONSUMER_NUMBERS } from "../options/number_ranges.ts";
import { processChannel } from "../tracing.ts";
import { atEndOfTurn } from "../runtime.ts";
import { Backoff, type BackoffState } from "./backoff.ts";
import type { Delivery } from "./delivery.ts";
import type { ConsumerEvents, ConsumerStats, RunOptions } from "./consumer_events.ts";
import { HandOut } from "./hand_out.ts";
import { Handling } from "./handling.ts";
import type { Message } from "./message.ts";
import { ReadyShares } from "./ready_shares.ts";
import { type Outcome, Subscription, type SubscriptionHost } from "./subscription.ts";

/** A share of its RDY that a node must have out for the consumer to count as starved. */
const STARVED_SHARE = 0.85;

/**
 * Consumes the messages of one channel.
 *
 *     await using mail = new Consumer("orders", "mail", { lookupd: ["10.0.0.1:4161"], maxInFlight: 200 });
 *     for await (const message of mail) {
 *       console.log(message.text());
 *       message.finish();
 *     }
 */
export class Consumer<T = Uint8Array> implements AsyncDisposable, AsyncIterable<Message<T>> {
  /** What it was made for. */
  readonly topic: string;
  /** What it was made for. */
  readonly channel: string;
  readonly #options: Consuming;
  readonly #handling: Handling<T>;
  readonly #events: Events<ConsumerEvents<T>>;
  readonly #subscriptions = new Set<Subscription<T>>();
  readonly #discovery: Discovery;
  readonly #shares: ReadyShares;
  readonly #backoff: Backoff;
  readonly #handOut: HandOut<T>;
  readonly #host: SubscriptionHost<T>;
  readonly #stats = { received: 0, finished: 0, requeued: 0, lost: 0 };
  readonly #over: Promise<void>;
  #setOver: () => void = () => {};
  #maxInFlight: number;
  /** Whether anyone takes messages. */
  #isTaken = false;
  #isSharing = false;
  #started: Promise<NsqError[]> | null = null;
  #closing: Promise<void> | null = null;
  #onLastGone: () => void = () => {};

  /**
   * Nothing is connected before someone takes messages, or `ready()`.
   *
   * @throws {OptionError}
   */
  constructor(topic: string, channel: string, options: ConsumerOptions<T>) {
    checkName("topic", topic);
    checkName("channel", channel);
    this.topic = topic;
    this.channel = channel;
    this.#options = resolveConsuming(options);
    this.#maxInFlight = this.#options.maxInFlight;
    this.#events = new Events((fault) => this.#options.log("error", `a listener threw: ${String(fault)}`));
    this.#over = new Promise((resolve) => this.#setOver = resolve);
    this.#shares = new ReadyShares(this.#options);
    this.#backoff = new Backoff(this.#options, (state) => this.#onBackoff(state));
    this.#handling = new Handling({
      topic,
      channel,
      options: this.#options,
      callbacks: options,
      codec: options.codec ?? bytes as unknown as Codec<T>,
      events: this.#events,
      report: (error) => this.#report(error),
    });
    this.#handOut = new HandOut((delivery) => this.#handling.admit(delivery));
    this.#host = {
      topic,
      channel,
      options: this.#options,
      onSubscribed: (subscription) => {
        this.#shares.add(subscription);
        this.#options.log("info", `(${subscription.link.key}) connected`);
        this.#events.emit("connected", subscription.nodeAddress);
      },
      onDelivery: (delivery) => {
        this.#stats.received++;
        if (this.#closing !== null) delivery.requeue({ delay: 0, backoff: false });
        else this.#handOut.push(delivery);
      },
      onRunEnd: () => this.#handOut.pump(),
      onAnswered: (outcome) => this.#onAnswered(outcome),
      onServerError: (error, isFatal) => {
        if (!isFatal) this.#report(error);
      },
      onClosed: (subscription, error) => this.#onGone(subscription, error),
    };
    this.#discovery = new Discovery(this.#options, topic, {
      onOpen: (link, connection) => {
        if (this.#closing !== null) return connection.destroy(null);
        const subscription = new Subscription<T>(link, connection, this.#host);
        this.#subscriptions.add(subscription);
        subscription.start();
      },
      onFailed: (_link, error) => this.#report(error),
      onLookupFailed: (error) => this.#report(error),
    });
  }

  /**
   * Adds a listener; returns the function that removes it.
   *
   *     consumer.on("error", (error) => console.error(error.message));
   */
  on<K extends keyof ConsumerEvents<T>>(
    event: K,
    listener: (...args: ConsumerEvents<T>[K]) => void,
  ): () => void {
    return this.#events.on(event, listener);
  }

  /**
   * Connects now. Resolves when each node that was named, and each that lookupds know, was tried once. Messages
   * come only when someone takes them.
   *
   * @throws {NsqError} when one of the nodes in `nsqd` cannot be reached; the consumer goes on trying
   */
  async ready(): Promise<void> {
    if (this.#closing !== null) return;
    const failures = await this.#start();
    if (failures.length > 0 && this.#closing === null) throw failures[0];
  }

  /**
   * Calls `handler` for each message. A message is finished when the handler returns, and requeued when it throws,
   * unless it was answered or detached. Resolves when the consumer is closed; what a handler throws is an `error`
   * event.
   *
   *     await consumer.run((message) => save(message.value), { concurrency: 10 });
   */
  run(handler: (message: Message<T>) => unknown, options: RunOptions = {}): Promise<void> {
    const concurrency = options.concurrency ?? Math.max(1, this.#maxInFlight);
    checkNumber("concurrency", concurrency, [1, 1, Number.MAX_SAFE_INTEGER]);
    if (this.#closing === null) {
      this.#handOut.employ((delivery) => this.#handling.handle(handler, delivery), concurrency);
      this.#take();
    }
    return this.#over;
  }

  /**
   * Takes messages in a loop. Leaving the loop closes the consumer: the message that was handed out last is given
   * back if it is not answered, and others in hand may be answered until the deadline.
   *
   *     for await (const message of consumer) message.finish();
   */
  [Symbol.asyncIterator](): AsyncIterator<Message<T>, undefined, undefined> {
    this.#take();
    let last: Delivery<T> | null = null;
    const result = (delivery: Delivery<T> | null): IteratorResult<Message<T>, undefined> => {
      last = delivery;
      if (delivery === null) return { value: undefined, done: true };
      if (processChannel.hasSubscribers) this.#handling.trace(delivery);
      return { value: delivery, done: false };
    };
    return {
      next: () => {
        const delivery = this.#handOut.take();
        return delivery === null ? this.#handOut.next().then(result) : Promise.resolve(result(delivery));
      },
      return: async () => {
        last?.requeue({ delay: 0, backoff: false });
        await this.close();
        return { value: undefined, done: true };
      },
    };
  }

  /**
   * The same as a stream, which holds no message itself. Cancelling it closes the consumer.
   *
   *     await consumer.readable.pipeTo(new WritableStream({ write: (message) => void message.finish() }));
   */
  get readable(): ReadableStream<Message<T>> {
    return new ReadableStream<Message<T>>({
      pull: async (controller) => {
        this.#take();
        const delivery = await this.#handOut.next();
        if (delivery === null) return controller.close();
        if (processChannel.hasSubscribers) this.#handling.trace(delivery);
        controller.enqueue(delivery);
      },
      cancel: () => this.close(),
    }, { highWaterMark: 0 });
  }

  /**
   * Messages in hand at a time, over all nodes; 0 pauses.
   *
   *     consumer.maxInFlight = 0; // and later 200 again
   */
  get maxInFlight(): number {
    return this.#maxInFlight;
  }

  /** @throws {OptionError} */
  set maxInFlight(count: number) {
    checkNumber("maxInFlight", count, CONSUMER_NUMBERS.maxInFlight);
    this.#maxInFlight = count;
    this.#share();
  }

  /** Whether a node has nearly as many messages out as it may, so that answers should not be held back. */
  get isStarved(): boolean {
    for (const { inFlight, rdy } of this.#subscriptions) {
      if (inFlight > 0 && inFlight >= Math.floor(rdy * STARVED_SHARE)) return true;
    }
    return false;
  }

  /** What was done so far. */
  stats(): ConsumerStats {
    let inFlight = 0, connections = 0;
    for (const subscription of this.#subscriptions) {
      inFlight += subscription.inFlight;
      if (subscription.isSubscribed) connections++;
    }
    return { connections, inFlight, ...this.#stats };
  }

  /**
   * Takes no more messages, gives back those that nobody has yet, waits until those in hand are answered, but
   * not longer than `timeoutMs` (default `closeTimeoutMs`), and ends the connections. May be called at any time and
   * again: it is the same promise. Never rejects.
   */
  close(options: { timeoutMs?: number } = {}): Promise<void> {
    return this.#closing ??= this.#close(options.timeoutMs ?? this.#options.closeTimeoutMs);
  }

  /** As `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(timeoutMs: number): Promise<void> {
    // What follows has to find `#closing` set.
    await null;
    this.#discovery.stop();
    this.#backoff.stop();
    this.#shares.stop();
    for (const delivery of this.#handOut.stop()) delivery.requeue({ delay: 0, backoff: false });
    for (const subscription of this.#subscriptions) subscription.close();
    const areGone = new Promise<void>((resolve) => {
      this.#onLastGone = () => this.#subscriptions.size === 0 && resolve();
      this.#onLastGone();
    });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const deadline = new Promise<void>((resolve) => timer = setTimeout(resolve, timeoutMs));
    await Promise.race([Promise.all([areGone, this.#handOut.idle()]), deadline]);
    clearTimeout(timer);
    for (const subscription of this.#subscriptions) subscription.abandon();
    await areGone;
    this.#setOver();
    this.#events.emit("closed");
    this.#events.clear();
  }

  #take(): void {
    if (this.#closing !== null) return;
    this.#start();
    if (this.#isTaken) return;
    this.#isTaken = true;
    this.#share();
  }

  #start(): Promise<NsqError[]> {
    return this.#started ??= this.#discovery.start();
  }

  #share(): void {
    const isOpen = this.#isTaken && this.#closing === null && !this.#backoff.isWaiting;
    const slots = this.#backoff.level > 0 ? Math.min(1, this.#maxInFlight) : this.#maxInFlight;
    this.#shares.setSlots(isOpen ? slots : 0, this.#maxInFlight);
  }

  #onBackoff(state: BackoffState): void {
    const { level, waitMs } = state;
    if (level === 0) this.#options.log("warning", "exiting backoff");
    else if (waitMs > 0) {
      this.#options.log("warning", `backing off for ${Math.round(waitMs)} ms (backoff level ${level})`);
    } else this.#options.log("warning", "backoff timeout expired, taking one message");
    this.#share();
    this.#events.emit("backoff", state);
  }

  #onGone(subscription: Subscription<T>, error: NsqError | null): void {
    this.#subscriptions.delete(subscription);
    this.#shares.remove(subscription);
    if (error !== null) this.#report(error);
    this.#events.emit("disconnected", subscription.nodeAddress, error);
    this.#discovery.lost(subscription.link);
    this.#onLastGone();
  }

  #onAnswered(outcome: Outcome): void {
    switch (outcome) {
      case "finished":
        this.#stats.finished++;
        this.#backoff.succeeded();
        break;
      case "requeued":
        this.#stats.requeued++;
        if (this.#closing === null) this.#backoff.failed();
        break;
      case "requeued_without_backoff":
        this.#stats.requeued++;
        if (this.#closing === null) this.#backoff.continued();
        break;
      case "lost":
        this.#stats.lost++;
        break;
    }
    if (this.#closing !== null) this.#handOut.onAnswered();
    if (!this.#shares.isShort || this.#isSharing) return;
    this.#isSharing = true;
    atEndOfTurn(() => {
      this.#isSharing = false;
      if (this.#closing === null) this.#shares.apply();
    });
  }

  #report(error: Error): void {
    this.#options.log(error instanceof DecodeError ? "warning" : "error", error.message);
    this.#events.emit("error", error);
  }
}
