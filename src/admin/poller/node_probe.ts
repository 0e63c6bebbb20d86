/**
 * Polls one node: asks it, keeps its last answer whatever happens, and says since when it does not answer.
 *
 * Each question runs on its own, so that a node that hangs delays nobody. Tested in test/admin/poller/poller_test.ts.
 */
import type { Clock } from "../../clock/clock.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import { nodeIdOf, type NodeStats, type Producer } from "../../cluster/node_answers.ts";
import { type Upstream, UpstreamError } from "../../cluster/upstream.ts";
import type { ClientStats } from "../../api/stats.ts";
import type { ClientView, ProcessView } from "../model/snapshot.ts";
import { offeredBy, offeredByJobs } from "./capabilities.ts";
import { processViewOf } from "./process_metrics.ts";
import { channelKey, type ClientTrace, clientView, type NodeReading, readingOf } from "./reading.ts";

/** How long what a node says of its process is shown before it is asked again. */
const PROCESS_MS = 5_000;
/** A node that was not told to be new is asked again what it can do. */
const INFO_MS = 60_000;
/** A question that has no answer yet for so long makes its node a node that does not answer. */
const SILENT_MS = 2_000;

/** Whose consumers are wanted of a node. */
export interface ClientWish {
  readonly isAll: boolean;
  readonly channels: readonly { readonly topic: string; readonly channel: string }[];
}

export class NodeProbe {
  readonly id: string;
  producer: Producer;
  /** When a lookupd, or the list of nodes, last named it; on the clock that does not go back. */
  listedAtMs = 0;
  reading: NodeReading | null = null;
  answerMs: number | null = null;
  /** Why the last question failed; "" when it did not. */
  error = "";
  process: ProcessView | null = null;
  /** What it said it can do. */
  offered: ReadonlySet<string> = new Set();
  readonly clients = new Map<string, readonly ClientView[]>();
  readonly #cluster: Cluster;
  readonly #upstream: Upstream;
  readonly #clock: Clock;
  #traces = new Map<string, ClientTrace>();
  #askedAtMs: number | null = null;
  #processAtMs = -Infinity;
  #infoAtMs = -Infinity;
  #nextAtMs = -Infinity;

  constructor(producer: Producer, cluster: Cluster, upstream: Upstream, clock: Clock) {
    this.id = nodeIdOf(producer);
    this.producer = producer;
    this.#cluster = cluster;
    this.#upstream = upstream;
    this.#clock = clock;
  }

  /** Whether it answered the last question, and does not take too long for the one that runs. */
  get isUp(): boolean {
    return this.error === "" && !this.isSilent;
  }

  get isSilent(): boolean {
    return this.#askedAtMs !== null && this.#clock.monotonicMs() - this.#askedAtMs > SILENT_MS;
  }

  /** Why it is not up, "" when it is. */
  get trouble(): string {
    if (this.error !== "" || !this.isSilent) return this.error;
    return `no answer for ${Math.round((this.#clock.monotonicMs() - this.#askedAtMs!) / 1000)} s`;
  }

  /** Asks, unless a question runs or it is too early; resolves when that is answered, or failed. */
  async ask(wish: ClientWish): Promise<void> {
    const startMs = this.#clock.monotonicMs();
    if (this.#askedAtMs !== null || startMs < this.#nextAtMs) return;
    this.#askedAtMs = startMs;
    try {
      await this.#ask(wish, startMs);
      this.error = "";
    } catch (cause) {
      if (!(cause instanceof UpstreamError)) throw cause;
      this.error = cause.message;
      this.clients.clear();
    } finally {
      this.#askedAtMs = null;
    }
  }

  async #ask(wish: ClientWish, startMs: number): Promise<void> {
    const includeClients = wish.isAll;
    const stats = await this.#cluster.statsOf(this.producer, { includeClients, includeMemory: false });
    this.#take(stats, startMs, includeClients);
    const channels = wish.channels.filter(({ topic, channel }) =>
      this.reading?.topics.get(topic)?.channels.has(channel)
    );
    for (const { topic, channel } of includeClients ? [] : channels) {
      const { topics } = await this.#cluster.statsOf(this.producer, { topic, channel, includeClients: true });
      const found = topics[0]?.channels.find(({ channel_name }) => channel_name === channel);
      this.#takeClients([[channelKey(topic, channel), found?.clients ?? []]]);
    }
    if (!includeClients) {
      const wanted = new Set(channels.map(({ topic, channel }) => channelKey(topic, channel)));
      for (const key of this.clients.keys()) if (!wanted.has(key)) this.clients.delete(key);
    }
    await this.#askProcess();
  }

  #take(stats: NodeStats, startMs: number, includesClients: boolean): void {
    const monotonicMs = this.#clock.monotonicMs();
    const isNewRun = this.reading?.startTime !== stats.startTime;
    this.answerMs = monotonicMs - startMs;
    this.reading = readingOf(stats, this.#clock.nowMs(), monotonicMs, this.reading, includesClients);
    this.#nextAtMs = startMs + restAfter(this.answerMs);
    if (isNewRun) this.#infoAtMs = -Infinity;
    if (this.reading.clients !== null) {
      this.clients.clear();
      this.#takeClients(this.reading.clients);
    }
  }

  #takeClients(lists: Iterable<readonly [string, readonly ClientStats[]]>): void {
    const atMs = this.#clock.nowMs(), monotonicMs = this.#clock.monotonicMs();
    for (const [key, clients] of lists) {
      const slash = key.indexOf("/"), topic = key.slice(0, slash), channel = key.slice(slash + 1);
      this.clients.set(
        key,
        clients.map((client) => {
          const traceKey = `${key} ${client.remote_address}`;
          const before = this.#traces.get(traceKey);
          const { view, trace } = clientView(
            client,
            topic,
            channel,
            this.producer,
            this.id,
            atMs,
            monotonicMs,
            before,
          );
          this.#traces.set(traceKey, trace);
          return view;
        }),
      );
    }
    this.#forgetTraces(monotonicMs);
  }

  /** Consumers that left, or that nobody looks at any more. */
  #forgetTraces(monotonicMs: number): void {
    const forgetBeforeMs = monotonicMs - 10 * 60_000;
    for (const [key, trace] of this.#traces) if (trace.monotonicMs < forgetBeforeMs) this.#traces.delete(key);
  }

  /** Nodes that have no metrics, or do not say what they can do, are as good as any. */
  async #askProcess(): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#infoAtMs >= INFO_MS) {
      this.#infoAtMs = nowMs;
      const offered = await this.#upstream.get("nsqd", this.id, "/info").then(offeredBy, orNothing);
      // Jobs came with lists of messages and dead letters.
      const jobs = await this.#upstream.get("nsqd", this.id, "/jobs").then(offeredByJobs, orNothing);
      this.offered = new Set([
        ...offered ?? [],
        ...jobs ?? [],
        ...(this.process === null ? [] : ["process"]),
      ]);
      this.#processAtMs = -Infinity;
    }
    const isOther = this.process === null && this.#processAtMs !== -Infinity;
    if (isOther || nowMs - this.#processAtMs < PROCESS_MS) return;
    this.#processAtMs = nowMs;
    const text = await this.#upstream.getText("nsqd", this.id, "/metrics?include_topics=false").catch(
      orNothing,
    );
    this.process = text === null ? null : processViewOf(text);
    if (this.process !== null) this.offered = new Set([...this.offered, "process"]);
  }
}

function orNothing(cause: unknown): null {
  if (cause instanceof UpstreamError) return null;
  throw cause;
}

/** A large node takes long to say what it has, and is left in peace for a multiple of that time, at most 10 s. */
function restAfter(answerMs: number): number {
  return Math.min(10_000, Math.max(0, (answerMs - 50) * 20));
}
