/** Publishes numbered messages with PUB, MPUB and DPUB, several commands ahead of their answers. */
import type { Random } from "../support/random.ts";
import { makeBody, MIN_BODY_BYTES } from "./bodies.ts";
import { Connection, type FrameHandler, mpubBody } from "./client.ts";
import type { Model } from "./model.ts";

/** Commands without an answer, at most. */
const WINDOW = 6;
const PACE_MS = 4;
const MAX_BATCH = 40;
const LARGE_BODY_BYTES = 60_000;
/** Most delays end within a round. */
const SHORT_DELAY_MS = 600;

export class Producer implements FrameHandler {
  readonly #model: Model;
  readonly #random: Random;
  readonly #maxDelayMs: number;
  #connection: Connection | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Numbers of the messages of each command without an answer. */
  #unanswered: number[][] = [];
  /** Set once the broker is told to stop: it may refuse then. */
  mayBeRefused = false;

  constructor(model: Model, random: Random, maxDelayMs: number) {
    this.#model = model;
    this.#random = random;
    this.#maxDelayMs = maxDelayMs;
  }

  async start(port: number): Promise<void> {
    this.#connection = await Connection.open(port, this);
    this.#publish();
  }

  /** Publishes nothing more; answers still count. */
  pause(): void {
    clearTimeout(this.#timer);
  }

  get isAnswered(): boolean {
    return this.#unanswered.length === 0;
  }

  /** Resolves when the connection is over. */
  async end(): Promise<void> {
    this.pause();
    await this.#connection?.ended;
  }

  close(): Promise<void> {
    this.#connection?.close();
    return this.end();
  }

  #publish(): void {
    const random = this.#random, connection = this.#connection!;
    if (!connection.isOpen) return;
    while (this.#unanswered.length < WINDOW && random.chance(0.7)) this.#publishOne(connection);
    this.#timer = setTimeout(() => this.#publish(), random.int(PACE_MS * 2));
  }

  #publishOne(connection: Connection): void {
    const random = this.#random, model = this.#model;
    const topic = random.int(model.topics.length), name = model.topics[topic];
    const delayMs = random.chance(0.2) ? this.#delay() : -1;
    if (delayMs >= 0) {
      const number = model.sending(topic, delayMs);
      this.#unanswered.push([number]);
      connection.sendWithBody(`DPUB ${name} ${delayMs}\n`, makeBody(number, topic, this.#size()));
      return;
    }
    const count = random.chance(0.5) ? 1 : random.between(2, MAX_BATCH);
    const numbers = Array.from({ length: count }, () => model.sending(topic, 0));
    const bodies = numbers.map((number) => makeBody(number, topic, this.#size()));
    this.#unanswered.push(numbers);
    if (count === 1) connection.sendWithBody(`PUB ${name}\n`, bodies[0]);
    else connection.sendWithBody(`MPUB ${name}\n`, mpubBody(bodies));
  }

  #delay(): number {
    const random = this.#random;
    return random.chance(0.1) ? 0 : random.between(1, random.chance(0.1) ? this.#maxDelayMs : SHORT_DELAY_MS);
  }

  #size(): number {
    const random = this.#random;
    if (random.chance(0.01)) return random.between(1000, LARGE_BODY_BYTES);
    return random.between(MIN_BODY_BYTES, 400);
  }

  response(text: string): void {
    const numbers = this.#unanswered.shift();
    if (text !== "OK" || numbers === undefined) {
      this.#model.fail(`a producer was answered ${JSON.stringify(text)} instead of OK`);
      return;
    }
    for (const number of numbers) this.#model.answeredOk(number);
  }

  error(text: string): void {
    this.#unanswered.shift();
    if (!this.mayBeRefused) this.#model.fail(`a producer was answered ${JSON.stringify(text)}`);
  }

  message(): void {
    this.#model.fail("a producer was sent a message");
  }
}
