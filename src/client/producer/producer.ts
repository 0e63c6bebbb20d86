/**
 * The producer: publishes over one or several nodes, in turn, and leaves those out that are down.
 *
 * What is published in one turn of the event loop to one topic leaves as one MPUB at the end of the turn. While
 * no node can take it, it waits; after its deadline it fails, and the error says whether it was sent.
 */
import type { Codec } from "../codec.ts";
import { ClosedError, ConnectionError, NsqError, OptionError, PublishError } from "../errors.ts";
import { Events } from "../events.ts";
import { Discovery } from "../nodes/discovery.ts";
import type { Link } from "../nodes/link.ts";
import { checkName, type ProducerOptions, type Producing, resolveProducing } from "../options/options.ts";
import { atEndOfTurn } from "../runtime.ts";
import { publishChannel } from "../tracing.ts";
import { type Batch, Publish } from "./publish.ts";
import { PublishingNode } from "./publishing_node.ts";
import { PublishQueue } from "./publish_queue.ts";

/** What a producer tells. */
export interface ProducerEvents {
  /** Something failed that no call reports: an attempt to connect, a connection, a lookupd. */
  error: [error: NsqError];
  /** A node can be published to. */
  connected: [address: string];
  /** A node cannot be published to any more. */
  disconnected: [address: string, error: NsqError | null];
}

/** How one publish differs from the others. */
export interface PublishOptions {
  /** How long nodes hold the message back, ms, a whole number from 0 up to the node's maximum (1 hour by default). */
  defer?: number;
  /** In place of `publishTimeoutMs`. */
  timeoutMs?: number;
}

/** Of looking for deadlines that passed, ms. */
const MIN_SWEEP_MS = 5, MAX_SWEEP_MS = 500;
const encoder = new TextEncoder();

/**
 * Publishes messages.
 *
 *     await using producer = new Producer({ nsqd: ["10.0.0.1:4150", "10.0.0.2:4150"] });
 *     await producer.publish("orders", "one");
 */
export class Producer<T = Uint8Array | string> implements AsyncDisposable {
  readonly #options: Producing;
  readonly #codec: Codec<T> | null;
  readonly #events: Events<ProducerEvents>;
  readonly #queue: PublishQueue;
  readonly #nodes: PublishingNode[] = [];
  readonly #discovery: Discovery;
  #next = 0;
  /** Publishes that are not decided, and the bytes of their bodies. */
  #pending = 0;
  #pendingBytes = 0;
  #isFlushing = false;
  #sweepTimer: ReturnType<typeof setTimeout> | undefined;
  #started: Promise<NsqError[]> | null = null;
  #lastError: NsqError | null = null;
  #closing: Promise<void> | null = null;
  #isClosed = false;
  #onSettled: () => void = () => {};
  #onNodeGone: () => void = () => {};

  /** Nothing is connected before the first publish, or `connect()`. @throws {OptionError} */
  constructor(options: ProducerOptions<T>) {
    this.#options = resolveProducing(options);
    this.#codec = options.codec ?? null;
    this.#events = new Events((fault) => this.#options.log("error", `a listener threw: ${String(fault)}`));
    this.#queue = new PublishQueue(this.#options);
    this.#discovery = new Discovery(this.#options, null, {
      onOpen: (link, connection) => this.#onOpen(link, new PublishingNode(link, connection, this.#host)),
      onFailed: (_link, error) => this.#report(error),
      onLookupFailed: (error) => this.#report(error),
    });
  }

  /**
   * Adds a listener; returns the function that removes it.
   *
   *     producer.on("error", (error) => console.error(error.code, error.message));
   */
  on<K extends keyof ProducerEvents>(event: K, listener: (...args: ProducerEvents[K]) => void): () => void {
    return this.#events.on(event, listener);
  }

  /** The nodes that can be published to now, as `host:port`. */
  get connected(): string[] {
    return this.#nodes.map((node) => node.connection.address);
  }

  /**
   * Connects now instead of at the first publish. Resolves when each node was tried, and one is connected.
   *
   * @throws {ConnectionError} when none can be reached; the producer goes on trying
   * @throws {ClosedError}
   */
  async connect(): Promise<void> {
    this.#checkOpen();
    const failures = await this.#start();
    this.#checkOpen();
    if (this.#nodes.length > 0) return;
    throw failures[0] ?? this.#lastError ??
      new ConnectionError("ERR_NSQ_CONNECT", "", `no node to publish to: ${this.#where()} told of none`);
  }

  /**
   * Publishes `value` to `topic`. Resolves when a node has confirmed it.
   *
   *     await producer.publish("orders", "in a minute", { defer: 60_000 });
   *
   * @throws {PublishError} `isSent` tells whether publishing again may make a duplicate
   * @throws {OptionError} for a bad topic, an empty body, a value that the codec cannot encode, or bad options
   * @throws {ClosedError}
   */
  publish(topic: string, value: T, options: PublishOptions = {}): Promise<void> {
    if (!publishChannel.hasSubscribers) return this.#publish(topic, [value], options);
    const context = { topic, count: 1 };
    return publishChannel.tracePromise(() => this.#publish(topic, [value], options), context);
  }

  /**
   * Publishes several messages to `topic`, in as few commands as the limits allow. Resolves when all are
   * confirmed.
   *
   *     await producer.publishMany("orders", ["one", "two"]);
   *
   * @throws as `publish()`, with the first failure; the other messages may have been published
   */
  publishMany(topic: string, values: readonly T[], options: PublishOptions = {}): Promise<void> {
    if (values.length === 0) return Promise.resolve();
    if (!publishChannel.hasSubscribers) return this.#publish(topic, values, options);
    const context = { topic, count: values.length };
    return publishChannel.tracePromise(() => this.#publish(topic, values, options), context);
  }

  #publish(topic: string, values: readonly T[], options: PublishOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      // What is thrown in here rejects the promise.
      this.#checkOpen();
      checkName("topic", topic);
      const deferMs = options.defer ?? 0;
      if (!Number.isInteger(deferMs) || deferMs < 0) {
        throw new OptionError(`defer is ${deferMs}, must be a whole number of milliseconds from 0`);
      }
      const timeoutMs = options.timeoutMs ?? this.#options.publishTimeoutMs;
      if (!(timeoutMs > 0)) throw new OptionError(`timeoutMs is ${timeoutMs}, must be above 0`);
      const bodies = values.map((value) => this.#encode(topic, value));
      const bytes = bodies.reduce((sum, body) => sum + body.length, 0);
      if (this.#pendingBytes > 0 && this.#pendingBytes + bytes > this.#options.maxPendingBytes) {
        const message = `publish to topic ${topic}: ${this.#pendingBytes} bytes wait for an answer, ` +
          `and maxPendingBytes is ${this.#options.maxPendingBytes}`;
        throw new PublishError("ERR_NSQ_NOT_SENT", topic, message);
      }
      const deadlineMs = performance.now() + timeoutMs;
      let confirmed = resolve;
      if (bodies.length > 1) {
        let left = bodies.length;
        confirmed = () => --left === 0 && resolve();
      }
      for (const body of bodies) {
        this.#queue.push(new Publish(this.#host, topic, body, deferMs, deadlineMs, confirmed, reject));
      }
      this.#pending += bodies.length;
      this.#pendingBytes += bytes;
      this.#armSweep(timeoutMs);
      this.#flushSoon();
    });
  }

  #encode(topic: string, value: T): Uint8Array {
    let body: unknown = value;
    if (this.#codec !== null) {
      try {
        body = this.#codec.encode(value);
      } catch (cause) {
        const message = `publish to topic ${topic}: the codec cannot encode it: ${(cause as Error).message}`;
        throw new OptionError(message, { cause });
      }
    } else if (typeof value === "string") body = encoder.encode(value);
    if (!(body instanceof Uint8Array)) {
      throw new OptionError(
        `publish to topic ${topic}: a ${typeof body} is no body; give bytes, text, or a codec`,
      );
    }
    if (body.length === 0) {
      throw new OptionError(`publish to topic ${topic}: the body is empty, min is 1 byte`);
    }
    return body;
  }

  /**
   * Confirms what was published, for `closeTimeoutMs` at most, and ends the connections. Publishes that are
   * still open then fail. May be called again: it is the same promise.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** As `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    if (this.#pending > 0) {
      const isDone = new Promise<void>((resolve) => this.#onSettled = () => this.#pending === 0 && resolve());
      await within(isDone, this.#options.closeTimeoutMs);
    }
    this.#isClosed = true;
    clearTimeout(this.#sweepTimer);
    this.#discovery.stop();
    this.#failAll(new ClosedError(`the producer to ${this.#where()} was closed`));
    if (this.#nodes.length > 0) {
      const areGone = new Promise<void>((resolve) =>
        this.#onNodeGone = () => this.#nodes.length === 0 && resolve()
      );
      for (const node of [...this.#nodes]) node.connection.end();
      await areGone;
    }
    this.#events.clear();
  }

  #failAll(reason: ClosedError): void {
    this.#queue.forEach((publish) => this.#fail(publish, "ERR_NSQ_NOT_SENT", reason.message, reason));
    for (const node of this.#nodes) {
      for (const batch of node.sent()) {
        for (const publish of batch) this.#fail(publish, "ERR_NSQ_UNCONFIRMED", reason.message, reason);
      }
    }
  }

  #checkOpen(): void {
    if (this.#closing !== null) throw new ClosedError(`the producer to ${this.#where()} is closed`);
  }

  #where(): string {
    return [...this.#options.nsqd, ...this.#options.lookupd].join(", ");
  }

  #start(): Promise<NsqError[]> {
    return this.#started ??= this.#discovery.start();
  }

  #onOpen(link: Link, node: PublishingNode): void {
    if (this.#isClosed) return node.connection.destroy(null);
    this.#nodes.push(node);
    link.confirm();
    node.connection.start(node);
    this.#options.log("info", `(${link.key}) connected`);
    this.#events.emit("connected", node.connection.address);
    this.#flushSoon();
  }

  readonly #host = {
    putBack: (batches: readonly Batch[]): void => {
      for (const batch of batches.toReversed()) this.#queue.putBack(batch);
      this.#flushSoon();
    },
    onUnconfirmed: (batches: readonly Batch[], error: NsqError): void => {
      if (this.#options.resendUnconfirmed && !this.#isClosed) return this.#host.putBack(batches);
      for (const batch of batches) {
        for (const publish of batch) this.#fail(publish, "ERR_NSQ_UNCONFIRMED", error.message, error);
      }
    },
    onSettled: (publish: Publish): void => {
      this.#pendingBytes -= publish.body.length;
      this.#pending--;
      this.#onSettled();
    },
    onDrain: (): void => this.#flushSoon(),
    onClosed: (node: PublishingNode, error: NsqError | null): void => {
      this.#nodes.splice(this.#nodes.indexOf(node), 1);
      this.#options.log(
        error === null ? "info" : "error",
        `(${node.link.key}) ${error?.message ?? "closed"}`,
      );
      this.#events.emit("disconnected", node.connection.address, error);
      if (error !== null) this.#report(error);
      this.#discovery.lost(node.link);
      this.#onNodeGone();
    },
  };

  #report(error: NsqError): void {
    this.#lastError = error;
    this.#options.log("warning", error.message);
    this.#events.emit("error", error);
  }

  #flushSoon(): void {
    if (this.#isFlushing || this.#queue.size === 0) return;
    this.#isFlushing = true;
    atEndOfTurn(() => {
      this.#isFlushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#isClosed) return;
    if (this.#started === null) this.#start();
    while (this.#queue.size > 0) {
      const node = this.#nextNode();
      if (node === null) break;
      const batch = this.#queue.nextBatch();
      if (batch !== null) node.send(batch);
    }
    for (const node of this.#nodes) node.connection.flush();
  }

  /** The next node in turn that can take something. */
  #nextNode(): PublishingNode | null {
    const count = this.#nodes.length;
    for (let tried = 0; tried < count; tried++) {
      const node = this.#nodes[this.#next++ % count];
      if (node.isReady) return node;
    }
    return null;
  }

  /** Deadlines are looked at together, from time to time. */
  #armSweep(timeoutMs: number): void {
    const inMs = Math.max(MIN_SWEEP_MS, Math.min(MAX_SWEEP_MS, timeoutMs / 4));
    if (this.#sweepTimer !== undefined && inMs >= this.#sweepMs) return;
    clearTimeout(this.#sweepTimer);
    this.#sweepMs = inMs;
    this.#sweepTimer = setTimeout(() => {
      this.#sweepTimer = undefined;
      this.#sweep();
      if (this.#pending > 0) this.#armSweep(inMs * 4);
    }, inMs);
  }

  #sweepMs = MAX_SWEEP_MS;

  #sweep(): void {
    const now = performance.now();
    this.#queue.forEach((publish) => {
      if (now < publish.deadlineMs) return;
      const reason = this.#lastError === null ? "" : `: ${this.#lastError.message}`;
      this.#fail(publish, "ERR_NSQ_NOT_SENT", `no node of ${this.#where()} could take it in time${reason}`);
    });
    for (const node of this.#nodes) {
      for (const batch of node.sent()) {
        for (const publish of batch) {
          if (publish.isSettled || now < publish.deadlineMs) continue;
          this.#fail(publish, "ERR_NSQ_UNCONFIRMED", `${node.connection.address} did not answer in time`);
        }
      }
    }
  }

  #fail(
    publish: Publish,
    code: "ERR_NSQ_NOT_SENT" | "ERR_NSQ_UNCONFIRMED",
    reason: string,
    cause: NsqError | null = this.#lastError,
  ): void {
    const what = code === "ERR_NSQ_NOT_SENT" ? "was not sent" : "was sent and not confirmed";
    const message = `publish to topic ${publish.topic} ${what}: ${reason}`;
    publish.fail(new PublishError(code, publish.topic, message, cause === null ? undefined : { cause }));
  }
}

/** Resolves with `promise`, or after `timeoutMs`. */
async function within(promise: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => timer = setTimeout(resolve, timeoutMs));
  await Promise.race([promise, late]);
  clearTimeout(timer);
}
