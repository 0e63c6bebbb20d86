/**
 * Consumes a channel the way a mixed crowd does: finishes most messages, requeues, touches or holds some,
 * and now and then leaves without a word.
 *
 * FIN, REQ and TOUCH are answered only when they fail. To know what was processed, a consumer sends a
 * FIN of a message that never was behind them from time to time, a fence: its refusal says so.
 */
import type { Random } from "../support/random.ts";
import { Connection, type FrameHandler, type ReceivedMessage } from "./client.ts";
import type { ChannelModel, Model } from "./model.ts";

const FENCE_ID = "ffffffffffffffff";
const FENCE_INTERVAL_MS = 40;
const LONG_TIMEOUT_MS = 60_000;
const MAX_REQUEUE_MS = 700;
const RDY_COUNTS = [1, 5, 50, 500, 2500];

/** How a consumer treats messages; probabilities, the rest is finished. */
export interface Manner {
  requeue: number;
  touch: number;
  hold: number;
  /** Of leaving, at each message. */
  leave: number;
  /** Milliseconds between a message and its finish. */
  workMs: number;
}

export const FINISH_ALL: Manner = { requeue: 0, touch: 0, hold: 0, leave: 0, workMs: 0 };
export const MIXED: Manner = { requeue: 0.06, touch: 0.05, hold: 0.05, leave: 0.0005, workMs: 20 };

/** A FIN or REQ that is not known to be processed. */
interface Unfenced {
  command: "FIN" | "REQ";
  id: string;
  number: number;
  notBeforeMs: number;
  isRefused: boolean;
}

export class Consumer implements FrameHandler {
  readonly #model: Model;
  readonly #channel: ChannelModel;
  readonly #random: Random;
  readonly #manner: Manner;
  readonly #timesOut: boolean;
  #port = 0;
  #connection: Connection | null = null;
  #generation = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #unfenced: Unfenced[] = [];
  /** For each fence without an answer, how many of the unfenced were sent before it. */
  #fences: number[] = [];
  #isEnding = false;

  constructor(model: Model, channel: ChannelModel, random: Random, manner: Manner) {
    this.#model = model;
    this.#channel = channel;
    this.#random = random;
    this.#manner = manner;
    this.#timesOut = manner.hold > 0 && random.chance(0.5);
  }

  async start(port: number): Promise<void> {
    this.#port = port;
    this.#unfenced = [];
    this.#fences = [];
    this.#generation++;
    const connection = this.#connection = await Connection.open(port, this);
    const identify = JSON.stringify({
      client_id: "crash",
      heartbeat_interval: 10_000,
      // Only the flag of nsqd can make it shorter than a second.
      ...(this.#timesOut ? {} : { msg_timeout: LONG_TIMEOUT_MS }),
    });
    connection.sendWithBody("IDENTIFY\n", new TextEncoder().encode(identify));
    connection.send(`SUB ${this.#model.topics[this.#channel.topic]} ${this.#channel.name}\n`);
    connection.send(`RDY ${this.#manner === FINISH_ALL ? 2500 : this.#random.pick(RDY_COUNTS)}\n`);
    this.#scheduleFence();
  }

  /** Resolves when the connection is over. */
  async end(): Promise<void> {
    this.#isEnding = true;
    clearTimeout(this.#timer);
    await this.#connection?.ended;
  }

  close(): Promise<void> {
    this.#connection?.close();
    return this.end();
  }

  #scheduleFence(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.#connection!.isOpen) return;
      this.#fence();
      this.#scheduleFence();
    }, FENCE_INTERVAL_MS);
  }

  #fence(): void {
    const fenced = this.#fences.reduce((sum, count) => sum + count, 0);
    this.#fences.push(this.#unfenced.length - fenced);
    this.#connection!.send(`FIN ${FENCE_ID}\n`);
  }

  message(message: ReceivedMessage): void {
    // What was under way when it left is for others: nothing that it sends now arrives.
    if (!this.#connection!.isOpen) return;
    const number = this.#model.delivered(this.#channel, message, this.#timesOut);
    if (number === 0) return;
    const { id } = message, random = this.#random, manner = this.#manner;
    if (manner.leave > 0 && random.chance(manner.leave)) {
      this.#leave();
      return;
    }
    const dice = random.next();
    if (dice < manner.requeue) this.#requeue(id, number);
    else if (dice < manner.requeue + manner.touch) {
      this.#connection!.send(`TOUCH ${id}\n`);
      this.#finishLater(id, number, manner.workMs * 2);
    } else if (dice >= manner.requeue + manner.touch + manner.hold) {
      if (manner.workMs > 0 && random.chance(0.3)) this.#finishLater(id, number, manner.workMs);
      else this.#finish(id, number);
    }
  }

  #finishLater(id: string, number: number, maxMs: number): void {
    const generation = this.#generation;
    setTimeout(() => {
      if (generation === this.#generation && this.#connection!.isOpen) this.#finish(id, number);
    }, this.#random.int(maxMs));
  }

  #finish(id: string, number: number): void {
    this.#model.finishSent(this.#channel, number);
    this.#unfenced.push({ command: "FIN", id, number, notBeforeMs: 0, isRefused: false });
    this.#connection!.send(`FIN ${id}\n`);
  }

  #requeue(id: string, number: number): void {
    const delayMs = this.#random.chance(0.5) ? 0 : this.#random.between(1, MAX_REQUEUE_MS);
    this.#unfenced.push({ command: "REQ", id, number, notBeforeMs: Date.now() + delayMs, isRefused: false });
    this.#connection!.send(`REQ ${id} ${delayMs}\n`);
  }

  /** Disconnects with messages in its hands, and comes back. */
  #leave(): void {
    this.#connection!.close();
    clearTimeout(this.#timer);
    this.#connection!.ended.then(() => this.#isEnding ? undefined : this.start(this.#port)).catch(() => {
      // The broker is gone by now; the next round connects anew.
    });
  }

  response(text: string): void {
    if (text !== "OK" && !text.startsWith("{")) {
      this.#model.fail(`a consumer was answered ${JSON.stringify(text)}`);
    }
  }

  error(text: string): void {
    const refusal = /^E_(FIN|REQ|TOUCH)_FAILED \1 ([0-9a-f]{16}) /.exec(text);
    if (refusal === null) {
      this.#model.fail(`a consumer was answered ${JSON.stringify(text)}`);
      return;
    }
    const [, command, id] = refusal;
    if (id === FENCE_ID) this.#fencePassed();
    else if (!this.#timesOut) {
      this.#model.fail(`a consumer that is in time was answered ${JSON.stringify(text)}`);
    } else this.#refused(command, id);
  }

  #refused(command: string, id: string): void {
    const refused = this.#unfenced.find((u) => u.id === id && u.command === command && !u.isRefused);
    if (refused === undefined) return;
    refused.isRefused = true;
    if (command === "FIN") this.#model.finishRefused(this.#channel, refused.number);
  }

  #fencePassed(): void {
    for (const unfenced of this.#unfenced.splice(0, this.#fences.shift()!)) {
      const { command, number, notBeforeMs, isRefused } = unfenced;
      if (isRefused) continue;
      if (command === "FIN") this.#model.finishProcessed(this.#channel, number);
      else this.#model.requeueProcessed(this.#channel, number, notBeforeMs);
    }
  }
}
