/**
 * The queue between nodes and whoever takes messages: handlers of `run()`, loops and streams. All of them take
 * from the same queue, which never holds more than the nodes may have out.
 *
 * Tested in test/client/consumer/consumer_test.ts.
 */
import { Fifo } from "../fifo.ts";
import type { Delivery } from "./delivery.ts";

/** Decides over a message before it is handed out: false when it takes another way. */
export type Admit<T> = (delivery: Delivery<T>) => boolean;

/** Handles one message; what it throws or rejects with is up to it. */
export type Work<T> = (delivery: Delivery<T>) => void | Promise<void>;

interface Crew<T> {
  readonly work: Work<T>;
  readonly concurrency: number;
  /** What each of those that work has in hand. */
  readonly workers: Set<{ delivery: Delivery<T> }>;
}

/** Messages that wait, and who waits for messages. */
export class HandOut<T> {
  readonly #queue = new Fifo<Delivery<T>>();
  readonly #admit: Admit<T>;
  readonly #waiting = new Fifo<(delivery: Delivery<T> | null) => void>();
  readonly #crews: Crew<T>[] = [];
  #isOver = false;
  #onChange: () => void = () => {};

  constructor(admit: Admit<T>) {
    this.#admit = admit;
  }

  push(delivery: Delivery<T>): void {
    this.#queue.push(delivery);
  }

  /** Gives what waits to those who wait. */
  pump(): void {
    while (this.#waiting.size > 0) {
      const delivery = this.take();
      if (delivery === null) break;
      this.#waiting.shift()!(delivery);
    }
    for (const crew of this.#crews) {
      while (crew.workers.size < crew.concurrency && this.#queue.size > 0) this.#hire(crew);
    }
  }

  /** The next message, or null when none is there. */
  take(): Delivery<T> | null {
    if (this.#isOver) return null;
    for (let delivery; (delivery = this.#queue.shift()) !== undefined;) {
      // One whose time is over while it waits is another consumer's by now.
      if (delivery.isAnswered || !this.#admit(delivery)) continue;
      delivery.isHandled = true;
      return delivery;
    }
    return null;
  }

  /** Resolves with the next message; null when there will be none. */
  next(): Promise<Delivery<T> | null> {
    const delivery = this.take();
    if (delivery !== null || this.#isOver) return Promise.resolve(delivery);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** `concurrency` messages at a time go to `work`. */
  employ(work: Work<T>, concurrency: number): void {
    this.#crews.push({ work, concurrency, workers: new Set() });
    this.pump();
  }

  /** Hands out nothing more; gives back what waits. */
  stop(): Delivery<T>[] {
    this.#isOver = true;
    for (const resolve of this.#waiting.takeAll()) resolve(null);
    return this.#queue.takeAll();
  }

  /**
   * Resolves when no handler of `run()` works at a message any more. One that has answered its message is not waited
   * for, so that it may wait for the consumer's end; one whose message was lost is.
   */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onChange = () => {
        const isBusy = ({ delivery }: { delivery: Delivery<T> }) => !delivery.isAnswered || delivery.isLost;
        if (!this.#crews.some((crew) => [...crew.workers].some(isBusy))) resolve();
      };
      this.#onChange();
    });
  }

  /** A message was answered: perhaps it was the last that `idle()` waits for. */
  onAnswered(): void {
    this.#onChange();
  }

  /** One worker: takes messages until there are none, without a turn in between where the work is done at once. */
  async #hire(crew: Crew<T>): Promise<void> {
    const first = this.take();
    if (first === null) return;
    const worker = { delivery: first };
    crew.workers.add(worker);
    for (let next: Delivery<T> | null = first; next !== null; next = this.take()) {
      worker.delivery = next;
      const working = crew.work(next);
      if (working !== undefined) await working;
    }
    crew.workers.delete(worker);
    this.#onChange();
  }
}
