/**
 * The load of a benchmark: connections that publish as fast as they are answered or at a rate, and connections that
 * consume. Each message carries the time of its publish, so that what arrives tells how long it took.
 *
 * Tested in test/tools/bench/bench_test.ts.
 */
import { Buffer } from "node:buffer";
import type { Consumer, Message, Producer } from "../../client/mod.ts";
import { RateLimit } from "../pub/rate_limit.ts";

/** Publishes under way at a time on each connection. */
const WINDOW = 4;
/** Samples that are kept; a longer run keeps a random choice of them. */
const MAX_SAMPLES = 1 << 20;
const STAMP_BYTES = 8;

/** Counts what happens. */
export class Tally {
  published = 0;
  consumed = 0;
  /** When the last message came, `performance.now()`. */
  lastConsumedAtMs = 0;
  readonly #samples: number[] = [];
  #sampled = 0;

  /** Notes a message and the time on its way. */
  arrived(body: Uint8Array): void {
    const nowMs = performance.now();
    this.consumed++;
    this.lastConsumedAtMs = nowMs;
    if (body.length < STAMP_BYTES) return;
    this.#sample(nowMs - new DataView(body.buffer, body.byteOffset, STAMP_BYTES).getFloat64(0));
  }

  /** Ms that messages took, at these parts of the sorted times; null when none came. */
  percentiles(parts: readonly number[]): number[] | null {
    if (this.#samples.length === 0) return null;
    const sorted = Float64Array.from(this.#samples).sort();
    return parts.map((part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]);
  }

  #sample(elapsedMs: number): void {
    this.#sampled++;
    if (this.#samples.length < MAX_SAMPLES) {
      this.#samples.push(elapsedMs);
      return;
    }
    const place = Math.floor(Math.random() * this.#sampled);
    if (place < MAX_SAMPLES) this.#samples[place] = elapsedMs;
  }
}

/** Messages of `sizeBytes`, text of words and numbers that compresses as usual messages do. */
export class Bodies {
  readonly views: Uint8Array[];
  readonly #stamps: DataView;
  readonly #sizeBytes: number;

  constructor(count: number, sizeBytes: number, random: () => number = Math.random) {
    const bytes = Buffer.alloc(count * sizeBytes);
    this.#stamps = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#sizeBytes = sizeBytes;
    this.views = [];
    for (let i = 0; i < count; i++) {
      const view = bytes.subarray(i * sizeBytes, (i + 1) * sizeBytes);
      view.write(textOf(sizeBytes, random).slice(0, sizeBytes), "latin1");
      this.views.push(view);
    }
  }

  /** Writes the time into all of them. */
  stamp(): void {
    const nowMs = performance.now();
    for (let i = 0; i < this.views.length; i++) this.#stamps.setFloat64(i * this.#sizeBytes, nowMs);
  }
}

function textOf(length: number, random: () => number): string {
  let text = "        ";
  while (text.length < length) {
    const id = Math.floor(random() * 1e9);
    text += `{"id":${id},"user":"u${id % 9973}","amount":${(random() * 1000).toFixed(2)},"state":"paid"},`;
  }
  return text;
}

/** Publishes batches until the time is over or `signal` says so. Each message is counted when it is confirmed. */
export async function publishFast(
  producer: Producer,
  topic: string,
  batch: number,
  sizeBytes: number,
  untilMs: number,
  tally: Tally,
  signal: AbortSignal,
): Promise<void> {
  const lane = async () => {
    const bodies = new Bodies(batch, sizeBytes);
    while (performance.now() < untilMs && !signal.aborted) {
      bodies.stamp();
      await producer.publishMany(topic, bodies.views);
      tally.published += batch;
    }
  };
  await Promise.all(Array.from({ length: WINDOW }, lane));
}

/** Publishes single messages at a rate. */
export async function publishAtRate(
  producer: Producer,
  topic: string,
  perSecond: number,
  sizeBytes: number,
  untilMs: number,
  tally: Tally,
  signal: AbortSignal,
): Promise<void> {
  const limit = new RateLimit(perSecond);
  const pending = new Set<Promise<void>>();
  let failure: unknown = null;
  while (performance.now() < untilMs && !signal.aborted && failure === null) {
    const count = await limit.take(Math.max(1, Math.ceil(perSecond / 1000)));
    for (let i = 0; i < count; i++) {
      const bodies = new Bodies(1, sizeBytes);
      bodies.stamp();
      const sent: Promise<void> = producer.publish(topic, bodies.views[0])
        .then(() => void tally.published++, (cause) => failure = cause)
        .finally(() => pending.delete(sent));
      pending.add(sent);
    }
  }
  await Promise.all(pending);
  if (failure !== null) throw failure;
}

/** Has a consumer count what comes until it is closed. */
export function consumeAll(consumer: Consumer, tally: Tally): Promise<void> {
  return consumer.run((message: Message) => tally.arrived(message.body));
}
