/**
 * Polls the cluster, once for all who look: every second while somebody does, now and then for the charts when
 * nobody does, and never in between. One poll of each node serves everybody.
 */
import type { Clock } from "../../clock/clock.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import { nodeIdOf, type Producer } from "../../cluster/node_answers.ts";
import type { Upstream } from "../../cluster/upstream.ts";
import type { Logger } from "../../log/logger.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { Discovery } from "./discovery.ts";
import { type ClientWish, NodeProbe } from "./node_probe.ts";
import { channelKey, NO_FIGURES } from "./reading.ts";
import { SnapshotBuilder } from "./snapshot_builder.ts";

export interface PollerSettings {
  /** Who is asked who the nodes are; without lookupds the nsqds themselves. */
  addresses(): { lookupds: readonly string[]; nsqds: readonly string[] };
  /** How often nodes are asked while nobody looks; 0 for never. */
  readonly idleIntervalMs: number;
}

/** Whose consumers somebody looks at. */
export type Look =
  | { readonly clients: "none" }
  | { readonly clients: "all" }
  | { readonly clients: "channel"; readonly topic: string; readonly channel: string };

const INTERVAL_MS = 1000;
/** Who looked is taken to look for so long. */
const LOOKING_MS = 5000;
/** A snapshot is made after so long at the latest, without those that have not answered by then. */
const PATIENCE_MS = 700;
/** At the first poll it is waited so long for who lists the nodes. */
const DISCOVERY_PATIENCE_MS = 400;
/** A node that nobody lists any more is shown for so long. */
const REMEMBER_MS = 15 * 60_000;
/** A snapshot that is older is not shown to somebody who comes anew. */
const FRESH_MS = 1500;

const NOTHING: Snapshot = {
  atMs: 0,
  discovery: "lookupd",
  lookupds: [],
  nodes: [],
  topics: new Map(),
  attention: [],
  message: "",
  totals: {
    ...NO_FIGURES,
    topicCount: 0,
    channelCount: 0,
    nodesUp: 0,
    nodesKnown: 0,
    diskBytes: null,
  },
};

export class Poller {
  /** The last snapshot. */
  snapshot: Snapshot = NOTHING;
  readonly #settings: PollerSettings;
  readonly #cluster: Cluster;
  readonly #upstream: Upstream;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #discovery: Discovery;
  readonly #builder = new SnapshotBuilder();
  readonly #probes = new Map<string, NodeProbe>();
  readonly #listeners = new Set<(snapshot: Snapshot) => void>();
  /** Until when somebody is taken to look; then at which consumers, by channel. */
  #lookedUntilMs = -Infinity;
  #allClientsUntilMs = -Infinity;
  readonly #channelsUntilMs = new Map<string, { topic: string; channel: string; untilMs: number }>();
  #poll: Promise<void> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;
  #finishedAtMs = -Infinity;

  constructor(settings: PollerSettings, cluster: Cluster, upstream: Upstream, clock: Clock, logger: Logger) {
    this.#settings = settings;
    this.#cluster = cluster;
    // A line for each poll of each node would drown everything else.
    this.#upstream = upstream;
    this.#clock = clock;
    this.#logger = logger;
    this.#discovery = new Discovery(cluster, upstream, settings.addresses, clock);
  }

  start(): void {
    if (this.#settings.idleIntervalMs > 0) this.#schedule(0);
  }

  /** Nobody is asked any more; resolves when the last poll is over. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#poll;
  }

  /** Calls `listener` with each new snapshot, until the returned function is called. */
  listen(listener: (snapshot: Snapshot) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** How a node of the snapshot is asked. */
  producer(id: string): Producer | undefined {
    return this.#probes.get(id)?.producer;
  }

  /** Keeps the poll going for some seconds; resolves with a snapshot that is fresh. */
  async look(look: Look): Promise<Snapshot> {
    const nowMs = this.#clock.monotonicMs(), untilMs = nowMs + LOOKING_MS;
    const hadClients = this.#hasClientsOf(look, nowMs);
    this.#lookedUntilMs = untilMs;
    if (look.clients === "all") this.#allClientsUntilMs = untilMs;
    if (look.clients === "channel") {
      const { topic, channel } = look;
      this.#channelsUntilMs.set(channelKey(topic, channel), { topic, channel, untilMs });
    }
    if (nowMs - this.#finishedAtMs < FRESH_MS && hadClients) return this.snapshot;
    // A poll that runs already does not know whose consumers are wanted now.
    if (!hadClients) await this.#poll;
    await this.pollNow();
    return this.snapshot;
  }

  /** Polls at once, unless that is under way already; resolves when it is done. */
  async pollNow(): Promise<void> {
    if (this.#isStopped) return;
    clearTimeout(this.#timer);
    this.#poll ??= this.#pollOnce().catch((cause) => {
      this.#logger.error(`failed to poll - ${cause instanceof Error ? cause.stack : cause}`);
    }).finally(() => {
      this.#poll = null;
      if (!this.#isStopped) this.#scheduleNext();
    });
    await this.#poll;
  }

  #hasClientsOf(look: Look, nowMs: number): boolean {
    if (look.clients === "none" || this.#allClientsUntilMs > nowMs) return true;
    if (look.clients !== "channel") return false;
    return (this.#channelsUntilMs.get(channelKey(look.topic, look.channel))?.untilMs ?? -Infinity) > nowMs;
  }

  #scheduleNext(): void {
    const { idleIntervalMs } = this.#settings;
    if (this.#lookedUntilMs > this.#clock.monotonicMs()) this.#schedule(INTERVAL_MS);
    else if (idleIntervalMs > 0) this.#schedule(Math.max(INTERVAL_MS, idleIntervalMs));
  }

  /** @param sinceStartMs from the beginning of the poll that ended last */
  #schedule(sinceStartMs: number): void {
    const delayMs = Math.max(0, this.#startedAtMs + sinceStartMs - this.#clock.monotonicMs());
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.pollNow(), delayMs);
  }

  #startedAtMs = -Infinity;

  async #pollOnce(): Promise<void> {
    this.#startedAtMs = this.#clock.monotonicMs();
    const isFirst = this.snapshot.atMs === 0;
    const discovered = this.#discovery.ask();
    // Known nodes need not wait for those who list them.
    if (this.#probes.size === 0 || isFirst) {
      const first = pause(DISCOVERY_PATIENCE_MS);
      await Promise.race([discovered, first.promise]);
      first.cancel();
    }
    this.#updateProbes();
    const patience = pause(PATIENCE_MS);
    const wish = this.#clientWish();
    const asked = [...this.#probes.values()].map((probe) => probe.ask(wish));
    await Promise.race([Promise.all([discovered, ...asked]), patience.promise]);
    patience.cancel();
    if (this.#updateProbes()) {
      const late = pause(PATIENCE_MS);
      const others = [...this.#probes.values()].filter(({ reading }) => reading === null);
      await Promise.race([Promise.all(others.map((probe) => probe.ask(wish))), late.promise]);
      late.cancel();
    }
    this.#finish();
  }

  #finish(): void {
    const listed = new Set(this.#discovery.nodes().map(nodeIdOf));
    const probes = [...this.#probes.values()];
    this.snapshot = this.#builder.build({
      atMs: this.#clock.nowMs(),
      hasLookupds: this.#discovery.hasLookupds,
      lookupds: this.#discovery.lookupds(),
      lookupdTopics: this.#discovery.topics(),
      probes,
      unlisted: new Set(probes.map(({ id }) => id).filter((id) => !listed.has(id))),
      errors: this.#discovery.errors(),
    });
    this.#finishedAtMs = this.#clock.monotonicMs();
    for (const listener of this.#listeners) listener(this.snapshot);
  }

  /** Returns whether there are new ones. */
  #updateProbes(): boolean {
    const nowMs = this.#clock.monotonicMs();
    let hasNew = false;
    for (const producer of this.#discovery.nodes()) {
      const id = nodeIdOf(producer);
      let probe = this.#probes.get(id);
      if (probe === undefined) {
        probe = new NodeProbe(producer, this.#cluster, this.#upstream, this.#clock);
        this.#probes.set(id, probe);
        hasNew = true;
      }
      probe.producer = producer;
      probe.listedAtMs = nowMs;
    }
    for (const [id, { listedAtMs, isUp }] of this.#probes) {
      if (!isUp && nowMs - listedAtMs > REMEMBER_MS) this.#probes.delete(id);
    }
    return hasNew;
  }

  #clientWish(): ClientWish {
    const nowMs = this.#clock.monotonicMs();
    for (const [key, { untilMs }] of this.#channelsUntilMs) {
      if (untilMs <= nowMs) this.#channelsUntilMs.delete(key);
    }
    return { isAll: this.#allClientsUntilMs > nowMs, channels: [...this.#channelsUntilMs.values()] };
  }
}

/** A pause that need not be waited for. */
function pause(ms: number): { promise: Promise<void>; cancel(): void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const promise = new Promise<void>((resolve) => timer = setTimeout(resolve, ms));
  return { promise, cancel: () => clearTimeout(timer) };
}
