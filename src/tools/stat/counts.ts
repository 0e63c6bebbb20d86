/**
 * What nsqds count of their channels, summed over the nodes, and what changed between two looks.
 *
 * Rates come from nodes that answered both times, so that one that is away for a moment makes no negative rate.
 */
import type { ChannelStats } from "../../api/stats.ts";
import { Cluster } from "../../cluster/cluster.ts";
import { nodeIdOf, readNodeStats } from "../../cluster/node_answers.ts";
import { NobodyAnsweredError } from "../../cluster/partial.ts";
import { Upstream, UpstreamError } from "../../cluster/upstream.ts";
import { HttpClient } from "../../http/client/http_client.ts";

/** Which channels, and whom to ask. Empty names mean all. */
export interface CountSettings {
  topic: string;
  channel: string;
  nsqdHttpAddresses: readonly string[];
  lookupdHttpAddresses: readonly string[];
  connectTimeoutMs: number;
  requestTimeoutMs: number;
}

/** Of one channel on one node, or summed over all. */
export interface ChannelCounts {
  topic: string;
  channel: string;
  depth: number;
  /** Of those, how many are in memory and how many on disk only. */
  memory: number;
  disk: number;
  inFlight: number;
  deferred: number;
  /** Since the nodes started, as the next two. */
  requeued: number;
  timedOut: number;
  messages: number;
  clients: number;
  isPaused: boolean;
  /** Nodes that have the channel. */
  nodes: number;
}

/** What one look found. */
export interface Look {
  atMs: number;
  /** By node, then by `topic/channel`. */
  byNode: Map<string, Map<string, ChannelCounts>>;
  /** Why a node or a lookupd could not be asked. */
  failures: string[];
}

/** A channel now, and how fast it moved since the look before, a second; whole numbers, as NSQ shows them. */
export interface ChannelRow extends ChannelCounts {
  ingress: number;
  egress: number;
}

/** Nobody could be asked; `message` is the line to end with. */
export class LookError extends Error {
  override name = "LookError";
}

export class Counter implements Disposable {
  readonly #settings: CountSettings;
  readonly #http: HttpClient;
  readonly #upstream: Upstream;
  readonly #cluster: Cluster;

  constructor(settings: CountSettings) {
    this.#settings = settings;
    const { connectTimeoutMs, requestTimeoutMs } = settings;
    this.#http = new HttpClient({
      connectTimeoutMs,
      requestTimeoutMs,
      maxReplyBytes: 256 << 20,
      maxIdleConnections: 1,
    });
    this.#upstream = new Upstream(this.#http, null);
    this.#cluster = new Cluster(this.#upstream, () => settings);
  }

  [Symbol.dispose](): void {
    this.#http.close();
  }

  /** Asks all nodes once. @throws {LookError} when none of them, or none of the lookupds, answers */
  async look(): Promise<Look> {
    const failures: string[] = [];
    const nodes = await this.#findNodes(failures);
    const byNode = new Map<string, Map<string, ChannelCounts>>();
    await Promise.all(nodes.map(async (node) => {
      try {
        byNode.set(node, await this.#ask(node));
      } catch (cause) {
        if (!(cause instanceof UpstreamError)) throw cause;
        failures.push(`${node}: ${cause.message}`);
      }
    }));
    if (byNode.size === 0 && failures.length > 0) {
      throw new LookError(`ERROR: failed to get nsqd stats - ${failures.join("; ")}`);
    }
    return { atMs: performance.now(), byNode, failures };
  }

  async #findNodes(failures: string[]): Promise<string[]> {
    const { nsqdHttpAddresses, topic } = this.#settings;
    if (!this.#cluster.hasLookupds) return [...nsqdHttpAddresses];
    try {
      const { values, errors } = topic === ""
        ? await this.#cluster.nodes()
        : await this.#cluster.lookupdProducersOf(topic);
      failures.push(...errors);
      return values.map(nodeIdOf).sort();
    } catch (cause) {
      if (!(cause instanceof NobodyAnsweredError)) throw cause;
      throw new LookError(`ERROR: failed to get topic producers - ${cause.message}`, { cause });
    }
  }

  async #ask(node: string): Promise<Map<string, ChannelCounts>> {
    const query = new URLSearchParams({ format: "json", include_clients: "false", include_mem: "false" });
    if (this.#settings.topic !== "") query.set("topic", this.#settings.topic);
    if (this.#settings.channel !== "") query.set("channel", this.#settings.channel);
    const { topics } = readNodeStats(await this.#upstream.get("nsqd", node, `/stats?${query}`));
    const counts = new Map<string, ChannelCounts>();
    for (const { topic_name: topic, channels } of topics) {
      for (const channel of channels) {
        counts.set(`${topic}/${channel.channel_name}`, countsOf(topic, channel));
      }
    }
    return counts;
  }
}

function countsOf(topic: string, channel: ChannelStats): ChannelCounts {
  return {
    topic,
    channel: channel.channel_name,
    depth: channel.depth,
    memory: channel.depth - channel.backend_depth,
    disk: channel.backend_depth,
    inFlight: channel.in_flight_count,
    deferred: channel.deferred_count,
    requeued: channel.requeue_count,
    timedOut: channel.timeout_count,
    messages: channel.message_count,
    clients: channel.client_count ?? channel.clients?.length ?? 0,
    isPaused: channel.paused,
    nodes: 1,
  };
}

/** The channels of `now`, summed over their nodes, in the order of their names. */
export function rowsOf(now: Look, before: Look | null): ChannelRow[] {
  const rows = new Map<string, ChannelRow>();
  const seconds = before === null ? 0 : (now.atMs - before.atMs) / 1000;
  for (const [node, channels] of now.byNode) {
    for (const [name, counts] of channels) {
      const row = rows.get(name);
      if (row === undefined) rows.set(name, { ...counts, ingress: 0, egress: 0 });
      else addTo(row, counts);
      const old = before?.byNode.get(node)?.get(name);
      // A node that was restarted counts from zero.
      if (old === undefined || counts.messages < old.messages) continue;
      const summed = rows.get(name)!;
      summed.ingress += (counts.messages - old.messages) / seconds;
      summed.egress += (counts.messages - old.messages - (counts.depth - old.depth)) / seconds;
    }
  }
  const sorted = [...rows].sort(([a], [b]) => a < b ? -1 : 1).map(([, row]) => row);
  for (const row of sorted) {
    row.ingress = Math.trunc(row.ingress);
    row.egress = Math.trunc(row.egress);
  }
  return sorted;
}

function addTo(sum: ChannelRow, more: ChannelCounts): void {
  sum.depth += more.depth;
  sum.memory += more.memory;
  sum.disk += more.disk;
  sum.inFlight += more.inFlight;
  sum.deferred += more.deferred;
  sum.requeued += more.requeued;
  sum.timedOut += more.timedOut;
  sum.messages += more.messages;
  sum.clients += more.clients;
  sum.isPaused = sum.isPaused && more.isPaused;
  sum.nodes++;
}
