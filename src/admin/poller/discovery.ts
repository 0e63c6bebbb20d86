/**
 * Keeps the list of nodes current: asks each lookupd on its own, so that one that hangs delays nobody, and keeps
 * what it last said while it fails. Without lookupds the list is fixed, and each node says once who it is.
 *
 * Tested in test/admin/poller/poller_test.ts.
 */
import type { Clock } from "../../clock/clock.ts";
import { type Cluster, mergeNodes } from "../../cluster/cluster.ts";
import { type Producer, readNames, readProducers } from "../../cluster/node_answers.ts";
import { type Upstream, UpstreamError } from "../../cluster/upstream.ts";
import type { LookupdView } from "../model/snapshot.ts";

/** How often lookupds are asked. */
const LOOKUPD_MS = 2_000;

interface Source {
  readonly address: string;
  isAsking: boolean;
  askedAtMs: number;
  isUp: boolean;
  error: string;
  sinceMs: number;
  producers: Producer[];
  topics: string[];
}

export class Discovery {
  readonly #cluster: Cluster;
  readonly #upstream: Upstream;
  readonly #addresses: () => { lookupds: readonly string[]; nsqds: readonly string[] };
  readonly #clock: Clock;
  #sources = new Map<string, Source>();

  constructor(
    cluster: Cluster,
    upstream: Upstream,
    addresses: () => { lookupds: readonly string[]; nsqds: readonly string[] },
    clock: Clock,
  ) {
    this.#cluster = cluster;
    this.#upstream = upstream;
    this.#addresses = addresses;
    this.#clock = clock;
  }

  get hasLookupds(): boolean {
    return this.#addresses().lookupds.length > 0;
  }

  /** Asks whom it is time to ask; resolves when all of these have answered or failed. */
  async ask(): Promise<void> {
    const { lookupds, nsqds } = this.#addresses();
    const addresses = lookupds.length > 0 ? lookupds : nsqds;
    const kept = this.#sources;
    this.#sources = new Map(
      addresses.map((address) => [address, kept.get(address) ?? this.#newSource(address)]),
    );
    const nowMs = this.#clock.monotonicMs();
    const due = [...this.#sources.values()].filter((source) =>
      !source.isAsking && nowMs - source.askedAtMs >= LOOKUPD_MS &&
      // An nsqd that said who it is stays that.
      (lookupds.length > 0 || source.producers.length === 0)
    );
    await Promise.all(due.map((source) => this.#askSource(source, lookupds.length > 0)));
  }

  /** All nodes that are listed now, each once. */
  nodes(): Producer[] {
    const sources = [...this.#sources.values()];
    if (!this.hasLookupds) return sources.flatMap(({ producers }) => producers);
    // Merging changes what it merges.
    return mergeNodes(sources.map(({ address, producers }) => ({
      address,
      producers: producers.map((producer) => ({
        ...producer,
        topics: [...producer.topics],
        remoteAddresses: null,
      })),
    })));
  }

  /** The topics that lookupds know. */
  topics(): ReadonlySet<string> {
    return new Set([...this.#sources.values()].flatMap(({ topics }) => topics));
  }

  lookupds(): LookupdView[] {
    if (!this.hasLookupds) return [];
    return [...this.#sources.values()].map(({ address, isUp, error, sinceMs }) => ({
      address,
      isUp,
      error,
      sinceMs,
    }));
  }

  /** What failed, a line each. */
  errors(): string[] {
    return [...this.#sources.values()].map(({ error }) => error).filter((error) => error !== "");
  }

  #newSource(address: string): Source {
    return {
      address,
      isAsking: false,
      askedAtMs: -Infinity,
      isUp: true,
      error: "",
      sinceMs: this.#clock.nowMs(),
      producers: [],
      topics: [],
    };
  }

  async #askSource(source: Source, isLookupd: boolean): Promise<void> {
    const { address } = source;
    source.isAsking = true;
    source.askedAtMs = this.#clock.monotonicMs();
    try {
      if (isLookupd) {
        const [nodes, topics] = await Promise.all([
          this.#upstream.get("nsqlookupd", address, "/nodes"),
          this.#upstream.get("nsqlookupd", address, "/topics"),
        ]);
        source.producers = readProducers(nodes);
        source.topics = readNames(topics, "topics");
      } else {
        source.producers = [await this.#cluster.describe(address)];
      }
      this.#set(source, true, "");
    } catch (cause) {
      if (!(cause instanceof UpstreamError)) throw cause;
      this.#set(source, false, cause.message);
    } finally {
      source.isAsking = false;
    }
  }

  #set(source: Source, isUp: boolean, error: string): void {
    if (source.isUp !== isUp) source.sinceMs = this.#clock.nowMs();
    source.isUp = isUp;
    source.error = error;
  }
}
