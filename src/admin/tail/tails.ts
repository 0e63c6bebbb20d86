/**
 * Live tails: what is published to a topic while somebody looks, by an ephemeral channel of the console's own.
 *
 * One channel serves all who look at a topic, and goes some seconds after the last one has gone. It takes nothing
 * from other channels; but the first channel of a topic would get all that waits there, and throw it away, so a topic
 * without a channel is not tailed. A busy topic shows a part of its messages: the channel is read at a bounded pace.
 */
import { Consumer, type Message } from "../../client/mod.ts";
import type { Clock } from "../../clock/clock.ts";
import { joinHostPort } from "../../cluster/node_answers.ts";
import type { Logger } from "../../log/logger.ts";
import type { TailedMessage, TailView } from "../console.ts";
import type { NodeView, Snapshot } from "../model/snapshot.ts";

/** Of a topic, the latest. */
const MAX_KEPT = 100;
/** Of a body that is shown, bytes. */
const MAX_SHOWN_BYTES = 4096;
const MAX_PER_SECOND = 50;
/** Who looked is taken to look for so long. */
const LOOKING_MS = 10_000;
const SWEEP_MS = 1_000;
const CHANNEL_PREFIX = "console-tail-";

interface Tail {
  readonly consumer: Consumer;
  /** The nodes that it reads from. */
  readonly nodes: string;
  /** The newest first. */
  readonly messages: TailedMessage[];
  seenCount: number;
  error: string;
  lookedAtMs: number;
}

export class Tails {
  readonly #byTopic = new Map<string, Tail>();
  readonly #snapshot: () => Snapshot;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #authSecret: string;
  #timer: ReturnType<typeof setInterval> | undefined;
  #isStopped = false;

  /** @param authSecret for nodes that want one; empty for none */
  constructor(snapshot: () => Snapshot, clock: Clock, logger: Logger, authSecret = "") {
    this.#authSecret = authSecret;
    this.#snapshot = snapshot;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** What has come of `topic`; begins to tail it, and goes on while it is called every few seconds. */
  look(topic: string): TailView {
    const nothing = { messages: [], seenCount: 0 };
    const { topics, nodes } = this.#snapshot();
    const view = topics.get(topic);
    const readable = nodes.filter(({ id, isUp }) => isUp && view?.perNode.some(({ node }) => node === id));
    if (view === undefined || readable.length === 0) {
      return { ...nothing, problem: "No node that answers has this topic." };
    }
    const others = [...view.channels.keys()].filter((name) => !name.startsWith(CHANNEL_PREFIX));
    if (others.length === 0) {
      const text = "This topic has no channel yet: looking would take what waits in it from the first one.";
      return { ...nothing, problem: text };
    }
    const tail = this.#tailOf(topic, readable);
    if (tail === null) return { ...nothing, problem: "The console is stopping." };
    tail.lookedAtMs = this.#clock.monotonicMs();
    return { messages: tail.messages, seenCount: tail.seenCount, problem: tail.error };
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    await Promise.all([...this.#byTopic.keys()].map((topic) => this.#end(topic)));
  }

  #tailOf(topic: string, readable: readonly NodeView[]): Tail | null {
    const addresses = readable.map(({ broadcastAddress, tcpPort }) =>
      joinHostPort(broadcastAddress, tcpPort)
    );
    const nodes = addresses.sort().join();
    const before = this.#byTopic.get(topic);
    if (before?.nodes === nodes || this.#isStopped) return before ?? null;
    if (before !== undefined) this.#end(topic);
    const channel = `${CHANNEL_PREFIX}${crypto.randomUUID().slice(0, 8)}#ephemeral`;
    const consumer = new Consumer(topic, channel, {
      nsqd: addresses,
      maxInFlight: MAX_PER_SECOND,
      authSecret: this.#authSecret,
    });
    const tail: Tail = {
      consumer,
      nodes,
      messages: before?.messages ?? [],
      seenCount: before?.seenCount ?? 0,
      error: "",
      lookedAtMs: 0,
    };
    this.#byTopic.set(topic, tail);
    consumer.on(
      "error",
      (cause: unknown) => tail.error = cause instanceof Error ? cause.message : String(cause),
    );
    consumer.run((message) => this.#take(tail, message)).catch((cause) => {
      tail.error = (cause as Error).message;
    });
    this.#timer ??= setInterval(() => this.#sweep(), SWEEP_MS);
    return tail;
  }

  async #take(tail: Tail, message: Message): Promise<void> {
    tail.seenCount++;
    tail.error = "";
    const { id, body, attempts, publishedAtMs, nodeAddress } = message;
    tail.messages.unshift({
      id,
      publishedAtMs,
      node: nodeAddress,
      attempts,
      byteCount: body.length,
      text: shownText(body),
    });
    tail.messages.length = Math.min(tail.messages.length, MAX_KEPT);
    // As many are in flight as may come in a second: each is kept for that long.
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [topic, { lookedAtMs }] of this.#byTopic) {
      if (nowMs - lookedAtMs > LOOKING_MS) this.#end(topic);
    }
    if (this.#byTopic.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #end(topic: string): Promise<void> {
    const tail = this.#byTopic.get(topic);
    this.#byTopic.delete(topic);
    await tail?.consumer.close({ timeoutMs: 2_000 }).catch((cause) => {
      this.#logger.warn(`failed to end the tail of ${topic} - ${(cause as Error).message}`);
    });
  }
}

/** The text of a body, cut; what is no text in hexadecimal. */
function shownText(body: Uint8Array): string {
  const shown = body.subarray(0, MAX_SHOWN_BYTES);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(shown, { stream: body.length > shown.length });
  } catch {
    return [...shown.subarray(0, MAX_SHOWN_BYTES / 4)].map((byte) => byte.toString(16).padStart(2, "0")).join(
      " ",
    );
  }
}
