/**
 * A message in hand, and its way from a frame to an answer. It keeps the run of frames that it came in and takes
 * fields out of it when they are asked for, so that a message costs one object.
 *
 * Tested in test/client/consumer/consumer_test.ts.
 */
import {
  ATTEMPTS_OFFSET,
  ID_LENGTH,
  ID_OFFSET,
  RECORD_OVERHEAD,
  TIMESTAMP_OFFSET,
} from "../../protocol/message.ts";
import { MessageError, type MessageErrorCode } from "../errors.ts";
import type { Message, RequeueOptions } from "./message.ts";

/** The node's side of a message. */
export interface DeliverySource<T> {
  readonly topic: string;
  readonly channel: string;
  readonly nodeAddress: string;
  finish(delivery: Delivery<T>): void;
  requeue(delivery: Delivery<T>, delayMs: number | null, backoff: boolean): void;
  touch(delivery: Delivery<T>): void;
}

const LOST_REASONS: Readonly<Record<MessageErrorCode, string>> = {
  ERR_NSQ_MESSAGE_TIMEOUT: "was not answered within its timeout, so its node gives it to another consumer",
  ERR_NSQ_MESSAGE_LOST: "is lost to this consumer with the connection it came over",
  ERR_NSQ_MESSAGE_CLOSED: "was not answered before the consumer was closed",
};
const decoder = new TextDecoder();

/** One delivery of a message. */
export class Delivery<T> implements Message<T> {
  /** Neighbours among what its node has out, by when they are to be looked at. */
  previous: Delivery<T> | null = null;
  next: Delivery<T> | null = null;
  /** When it is looked at next, and when it is no longer ours; on the clock of `performance.now()`. */
  lookAtMs = 0;
  expiresMs = 0;
  readonly deliveredMs: number;
  /** Whether a handler has it. */
  isHandled = false;
  isDetached = false;
  isAnswered = false;
  value!: T;
  readonly #run: Uint8Array;
  readonly #at: number;
  readonly #end: number;
  readonly #source: DeliverySource<T>;
  #abort: AbortController | null = null;
  #lostBy: MessageErrorCode | null = null;
  #onAnswered: (() => void) | null = null;

  /** The frame is [at, end) of `run`. */
  constructor(source: DeliverySource<T>, run: Uint8Array, at: number, end: number, nowMs: number) {
    this.#source = source;
    this.#run = run;
    this.#at = at;
    this.#end = end;
    this.deliveredMs = nowMs;
  }

  get topic(): string {
    return this.#source.topic;
  }

  get channel(): string {
    return this.#source.channel;
  }

  get nodeAddress(): string {
    return this.#source.nodeAddress;
  }

  get id(): string {
    return decoder.decode(this.idBytes);
  }

  get idBytes(): Uint8Array {
    const from = this.#at + ID_OFFSET;
    return this.#run.subarray(from, from + ID_LENGTH);
  }

  get body(): Uint8Array {
    return this.#run.subarray(this.#at + RECORD_OVERHEAD, this.#end);
  }

  get attempts(): number {
    const from = this.#at + ATTEMPTS_OFFSET;
    return this.#run[from] << 8 | this.#run[from + 1];
  }

  get timestampNs(): bigint {
    return this.#view().getBigInt64(TIMESTAMP_OFFSET);
  }

  get publishedAtMs(): number {
    return Number(this.timestampNs) / 1e6;
  }

  text(): string {
    return decoder.decode(this.body);
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#lostBy !== null && !this.#abort.signal.aborted) {
      this.#abort.abort(this.#lossError(this.#lostBy));
    }
    return this.#abort.signal;
  }

  finish(): boolean {
    if (this.isAnswered) return false;
    this.#answered();
    this.#source.finish(this);
    return true;
  }

  requeue(options: RequeueOptions = {}): boolean {
    if (this.isAnswered) return false;
    this.#answered();
    this.#source.requeue(this, options.delay ?? null, options.backoff ?? true);
    return true;
  }

  touch(): boolean {
    if (this.isAnswered) return false;
    this.#source.touch(this);
    return true;
  }

  detach(): void {
    this.isDetached = true;
  }

  /** The run and the place of its id in it, for commands. */
  get run(): Uint8Array {
    return this.#run;
  }

  get idAt(): number {
    return this.#at + ID_OFFSET;
  }

  /** Whether it stopped being ours before it was answered. */
  get isLost(): boolean {
    return this.#lostBy !== null;
  }

  /** It is no longer ours. */
  lose(code: MessageErrorCode): void {
    if (this.isAnswered) return;
    this.#lostBy = code;
    this.#answered();
    this.#abort?.abort(this.#lossError(code));
  }

  /** Resolves when it is answered; rejects when it is lost. */
  answered(): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = () => this.#lostBy === null ? resolve() : reject(this.#lossError(this.#lostBy));
      if (this.isAnswered) settle();
      else this.#onAnswered = settle;
    });
  }

  #answered(): void {
    this.isAnswered = true;
    this.#onAnswered?.();
  }

  #lossError(code: MessageErrorCode): MessageError {
    const { topic, channel, nodeAddress, id } = this;
    return new MessageError(
      code,
      id,
      `message ${id} of ${topic}/${channel} from ${nodeAddress} ${LOST_REASONS[code]}`,
    );
  }

  #view(): DataView {
    return new DataView(this.#run.buffer, this.#run.byteOffset + this.#at);
  }
}
