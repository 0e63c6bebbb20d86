/**
 * One node of a consumer: SUB, what the node has out with us, the answers, and how it ends.
 *
 * The end has an order: CLS, then the node says CLOSE_WAIT and sends nothing more, then what is in hand is
 * answered, then the connection ends.
 *
 * Tested in test/client/consumer/consumer_test.ts.
 */
import type { Connection, ConnectionListener } from "../connection/connection.ts";
import type { MessageErrorCode, NsqError, ServerError } from "../errors.ts";
import type { Link } from "../nodes/link.ts";
import type { Consuming } from "../options/options.ts";
import { Delivery, type DeliverySource } from "./delivery.ts";
import { InFlight } from "./in_flight.ts";
import type { ReadyNode } from "./ready_shares.ts";

/** What an answer means for the consumer as a whole. */
export type Outcome = "finished" | "requeued" | "requeued_without_backoff" | "lost";

/** The consumer of a subscription. */
export interface SubscriptionHost<T> {
  readonly topic: string;
  readonly channel: string;
  readonly options: Consuming;
  /** The node will send messages once it is told how many. */
  onSubscribed(subscription: Subscription<T>): void;
  onDelivery(delivery: Delivery<T>): void;
  /** All messages of a piece were handed over. */
  onRunEnd(): void;
  onAnswered(outcome: Outcome): void;
  /** An error of the node: one that ends its connection, or one about a message that was answered too late. */
  onServerError(error: ServerError, isFatal: boolean): void;
  onClosed(subscription: Subscription<T>, error: NsqError | null): void;
}

/** After these the connection goes on. */
const NOT_FATAL = new Set(["E_FIN_FAILED", "E_REQ_FAILED", "E_TOUCH_FAILED"]);

/** One connection of a consumer. */
export class Subscription<T> implements ConnectionListener, DeliverySource<T>, ReadyNode {
  readonly link: Link;
  readonly connection: Connection;
  rdy = 0;
  rdyTarget = 0;
  rdySinceMs = 0;
  lastMessageMs = 0;
  readonly #host: SubscriptionHost<T>;
  readonly #inFlight: InFlight<T>;
  readonly #msgTimeoutMs: number;
  /** How long after it came or was touched a message is looked at. */
  readonly #lookAfterMs: number;
  #isSubscribed = false;
  #isClosing = false;
  #hasCloseWait = false;
  #refusal: ServerError | null = null;
  #nowMs = 0;

  constructor(link: Link, connection: Connection, host: SubscriptionHost<T>) {
    this.link = link;
    this.connection = connection;
    this.#host = host;
    this.#msgTimeoutMs = connection.agreement.msgTimeoutMs;
    this.#lookAfterMs = host.options.touch === "auto" ? this.#msgTimeoutMs / 2 : this.#msgTimeoutMs;
    this.#inFlight = new InFlight((delivery, nowMs) => this.#onDue(delivery, nowMs));
  }

  get topic(): string {
    return this.#host.topic;
  }

  get channel(): string {
    return this.#host.channel;
  }

  get nodeAddress(): string {
    return this.connection.address;
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  get maxRdyCount(): number {
    return this.connection.agreement.maxRdyCount;
  }

  /** Whether the node has taken the subscription. */
  get isSubscribed(): boolean {
    return this.#isSubscribed;
  }

  /** Subscribes. */
  start(): void {
    this.connection.writer.sub(this.topic, this.channel);
    this.connection.start(this);
    this.connection.flush();
  }

  sendRdy(count: number): void {
    if (this.#isClosing) return;
    this.connection.writer.rdy(count);
    this.connection.flushSoon();
  }

  /** Wants no more messages; the connection ends once those in hand are answered. */
  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    if (!this.#isSubscribed) return this.connection.end();
    this.connection.writer.cls();
    this.connection.flush();
    this.#endIfIdle();
  }

  /** Gives back what is in hand and ends the connection. */
  abandon(): void {
    for (const delivery of this.#inFlight.takeAll()) {
      this.connection.writer.req(delivery.run, delivery.idAt, 0);
      delivery.lose("ERR_NSQ_MESSAGE_CLOSED");
      this.#host.onAnswered("lost");
    }
    this.connection.end();
  }

  finish(delivery: Delivery<T>): void {
    this.connection.writer.fin(delivery.run, delivery.idAt);
    this.#answered(delivery, "finished");
  }

  requeue(delivery: Delivery<T>, delayMs: number | null, backoff: boolean): void {
    const { defaultRequeueDelayMs, maxRequeueDelayMs } = this.#host.options;
    const delay = delayMs ?? Math.min(defaultRequeueDelayMs * delivery.attempts, maxRequeueDelayMs);
    // A number that is none, or negative, means at once: an answer never throws.
    this.connection.writer.req(
      delivery.run,
      delivery.idAt,
      delay > 0 ? Math.round(Math.min(delay, 2 ** 53)) : 0,
    );
    this.#answered(delivery, backoff ? "requeued" : "requeued_without_backoff");
  }

  touch(delivery: Delivery<T>): void {
    this.connection.writer.touch(delivery.run, delivery.idAt);
    this.connection.flushSoon();
    const nowMs = performance.now();
    this.#inFlight.remove(delivery);
    const latestMs = delivery.deliveredMs + this.connection.agreement.maxMsgTimeoutMs;
    delivery.expiresMs = Math.min(nowMs + this.#msgTimeoutMs, latestMs);
    delivery.lookAtMs = Math.min(nowMs + this.#lookAfterMs, delivery.expiresMs);
    this.#inFlight.add(delivery);
  }

  #answered(delivery: Delivery<T>, outcome: Outcome): void {
    this.connection.flushSoon();
    this.#inFlight.remove(delivery);
    this.#host.onAnswered(outcome);
    if (this.#isClosing) this.#endIfIdle();
  }

  onMessage(run: Uint8Array, at: number, totalBytes: number): void {
    if (this.#nowMs === 0) this.#nowMs = this.lastMessageMs = performance.now();
    const delivery = new Delivery<T>(this, run, at, at + totalBytes, this.#nowMs);
    delivery.expiresMs = this.#nowMs + this.#msgTimeoutMs;
    delivery.lookAtMs = this.#nowMs + this.#lookAfterMs;
    this.#inFlight.add(delivery);
    this.#host.onDelivery(delivery);
  }

  onRunEnd(): void {
    this.#nowMs = 0;
    this.#host.onRunEnd();
  }

  onResponse(text: string): void {
    if (text === "CLOSE_WAIT") {
      this.#hasCloseWait = true;
      this.connection.expectEnd();
      this.#endIfIdle();
    } else if (text === "OK" && !this.#isSubscribed) {
      this.#isSubscribed = true;
      this.link.confirm();
      if (!this.#isClosing) this.#host.onSubscribed(this);
    }
  }

  onServerError(error: ServerError): void {
    const isFatal = !NOT_FATAL.has(error.code);
    if (isFatal) {
      this.#refusal = error;
      this.connection.expectEnd();
    }
    this.#host.onServerError(error, isFatal);
  }

  onDrain(): void {}

  onClosed(error: NsqError | null): void {
    for (const delivery of this.#inFlight.takeAll()) this.#lose(delivery, "ERR_NSQ_MESSAGE_LOST");
    this.#host.onClosed(this, error ?? this.#refusal);
  }

  #onDue(delivery: Delivery<T>, nowMs: number): void {
    if (nowMs >= delivery.expiresMs) {
      this.#inFlight.remove(delivery);
      this.#lose(delivery, "ERR_NSQ_MESSAGE_TIMEOUT");
      if (this.#isClosing) this.#endIfIdle();
    } else if (delivery.isHandled) this.touch(delivery);
    else {
      this.#inFlight.remove(delivery);
      delivery.lookAtMs = delivery.expiresMs;
      this.#inFlight.add(delivery);
    }
  }

  #lose(delivery: Delivery<T>, code: MessageErrorCode): void {
    delivery.lose(code);
    this.#host.onAnswered("lost");
  }

  #endIfIdle(): void {
    if (this.#hasCloseWait && this.#inFlight.size === 0) this.connection.end();
  }
}
