/**
 * Takes the statistics of the broker at one moment, for `/stats` and for whatever reports them elsewhere.
 *
 * It only reads. The cost is one pass over the topics, channels and connections.
 */
import { getHeapStatistics } from "node:v8";
import type { Broker } from "../../broker/broker.ts";
import type { Channel } from "../../broker/channel.ts";
import { DEATH_REASONS } from "../../broker/channel/dead_letters.ts";
import type { SubscribedChannel } from "../../broker/consumer/subscription.ts";
import type { Topic } from "../../broker/topic.ts";
import type { GarbageCollection } from "../../metrics/garbage_collection.ts";
import type { Connection } from "../tcp/connection.ts";
import type { ClientState } from "../tcp/legal_commands.ts";
import { LatencyReader } from "./latency_stats.ts";
import type { ChannelStats, ClientStats, MemoryStats, TopicStats } from "../../api/stats.ts";

/** What statistics read of a connection. */
export type StatsClient = Pick<
  Connection,
  "auth" | "connectedAtMs" | "publishCounts" | "remoteAddress" | "settings" | "state" | "subscription" | "tls"
>;

/** Which statistics are wanted. */
export interface StatsFilter {
  /** Only this topic; "" for all. Need not be valid. */
  readonly topic: string;
  /** Only channels of this name, and topics that have one; "" for all. */
  readonly channel: string;
  readonly includeClients: boolean;
}

/** Of all topics and clients. */
export const EVERYTHING: StatsFilter = { topic: "", channel: "", includeClients: true };

const US_PER_SECOND = 1e6;
const STATE_NUMBERS: Readonly<Record<ClientState, number>> = {
  plain: 0,
  init: 0,
  subscribed: 3,
  closing: 4,
};

/** The topics and producers that `filter` asks for, sorted by name; null for what `/stats` shows as null. */
export function collectStats(
  broker: Broker,
  connections: Iterable<StatsClient>,
  filter: StatsFilter = EVERYTHING,
): { topics: TopicStats[] | null; producers: ClientStats[] | null } {
  if (filter.topic !== "" && !broker.topics.has(filter.topic)) return { topics: null, producers: null };
  const clients = filter.includeClients ? groupByChannel(connections) : null;
  const latencies = new LatencyReader(broker);
  const topics: TopicStats[] = [];
  for (const topic of byName(broker.topics)) {
    if (filter.topic !== "" && topic.name !== filter.topic) continue;
    if (filter.channel !== "" && !topic.channels.has(filter.channel)) continue;
    topics.push(topicStats(topic, clients, latencies, filter));
  }
  const producers: ClientStats[] = [];
  if (filter.includeClients) {
    for (const client of connections) {
      if (client.publishCounts !== null) producers.push(clientStats(client, filter));
    }
  }
  return { topics, producers: producers.length > 0 ? producers : null };
}

/** Names are ASCII, so that this is byte order. */
function byName<T extends { name: string }>(map: ReadonlyMap<string, T>): T[] {
  return [...map.values()].sort((a, b) => a.name < b.name ? -1 : 1);
}

type Clients = Map<SubscribedChannel, StatsClient[]>;

function groupByChannel(connections: Iterable<StatsClient>): Clients {
  const clients: Clients = new Map();
  for (const client of connections) {
    const channel = client.subscription?.channel;
    if (channel === undefined) continue;
    const others = clients.get(channel);
    if (others === undefined) clients.set(channel, [client]);
    else others.push(client);
  }
  return clients;
}

function topicStats(
  topic: Topic,
  clients: Clients | null,
  latencies: LatencyReader,
  filter: StatsFilter,
): TopicStats {
  const channels: ChannelStats[] = [];
  for (const channel of byName(topic.channels)) {
    if (filter.channel === "" || channel.name === filter.channel) {
      channels.push(channelStats(channel, clients, latencies, filter));
    }
  }
  return {
    topic_name: topic.name,
    channels,
    depth: topic.pendingCount,
    backend_depth: topicBackendDepth(topic),
    message_count: topic.messageCount,
    message_bytes: topic.messageBytes,
    paused: topic.paused,
    e2e_processing_latency: latencies.ofTopic(topic),
  };
}

function policyStats(channel: Channel): Partial<ChannelStats> {
  return {
    dead_count: channel.dead.size,
    dead_reasons: Object.fromEntries(
      DEATH_REASONS.map((reason) => [reason, channel.dead.countOf(reason)]),
    ),
    expired_count: channel.expiredCount,
    overflow_count: channel.overflowCount,
    is_near_bound: channel.isNearBound,
  };
}

function channelStats(
  channel: Channel,
  clients: Clients | null,
  latencies: LatencyReader,
  filter: StatsFilter,
): ChannelStats {
  const zoneLocal = channel.ready.delivered("zone", channel.subscriptions);
  const regionLocal = channel.ready.delivered("region", channel.subscriptions);
  const others = channel.deliveredCount - zoneLocal - regionLocal;
  return {
    channel_name: channel.name,
    depth: channel.depth,
    backend_depth: channelBackendDepth(channel),
    in_flight_count: channel.inFlightCount,
    deferred_count: channel.deferredCount,
    message_count: channel.messageCount,
    ...(channel.isPoliced || channel.dead.size > 0 ? policyStats(channel) : {}),
    ...(zoneLocal > 0 ? { zone_local_msg_count: zoneLocal } : {}),
    ...(regionLocal > 0 ? { region_local_msg_count: regionLocal } : {}),
    ...(others > 0 ? { global_msg_count: others } : {}),
    requeue_count: channel.requeueCount,
    timeout_count: channel.timeoutCount,
    client_count: channel.subscriptions.length,
    clients: clients === null
      ? null
      : (clients.get(channel) ?? []).map((client) => clientStats(client, filter)),
    paused: channel.paused,
    e2e_processing_latency: latencies.ofChannel(channel),
  };
}

/**
 * Of the messages that wait in `topic`, those that Go nsqd would have on disk: what is beyond its memory queue.
 * Where they really are is told by the memory budget, not by a number per queue.
 */
export function topicBackendDepth(topic: Topic): number {
  return topic.ephemeral ? 0 : Math.max(0, topic.pendingCount - topic.host.memQueueSize);
}

/** The same of a channel. */
export function channelBackendDepth(channel: Channel): number {
  return channel.ephemeral ? 0 : Math.max(0, channel.depth - channel.topic.host.memQueueSize);
}

function clientStats(client: StatsClient, filter: StatsFilter): ClientStats {
  const { settings, subscription, tls } = client;
  const published = publishCount(client.publishCounts, filter.topic);
  return {
    client_id: settings.clientId,
    hostname: settings.hostname,
    version: "V2",
    remote_address: client.remoteAddress,
    state: STATE_NUMBERS[client.state],
    ready_count: subscription?.rdy ?? 0,
    in_flight_count: subscription?.inFlight ?? 0,
    message_count: subscription?.messageCount ?? 0,
    finish_count: subscription?.finishCount ?? 0,
    requeue_count: subscription?.requeueCount ?? 0,
    connect_ts: Math.floor(client.connectedAtMs / 1000),
    sample_rate: settings.sampleRate,
    deflate: settings.deflate,
    snappy: settings.snappy,
    user_agent: settings.userAgent,
    ...authStats(client),
    topology_zone: settings.topologyZone,
    topology_region: settings.topologyRegion,
    ...(published === null ? {} : { pub_counts: [published] }),
    tls: tls !== null,
    tls_cipher_suite: tls?.cipherSuite ?? "",
    tls_version: tls?.version ?? "",
    // No protocol is offered for negotiation; Go nsqd calls every handshake mutual then.
    tls_negotiated_protocol: "",
    tls_negotiated_protocol_is_mutual: tls !== null,
  };
}

function authStats(
  { auth }: StatsClient,
): Pick<ClientStats, "authed" | "auth_identity" | "auth_identity_url"> {
  const authorization = auth?.authorization ?? null;
  if (authorization === null) return {};
  const { identity, identityUrl, permissionCount } = authorization;
  return {
    ...(permissionCount > 0 ? { authed: true } : {}),
    ...(identity !== "" ? { auth_identity: identity } : {}),
    ...(identityUrl !== "" ? { auth_identity_url: identityUrl } : {}),
  };
}

/** The count of `topic`, or, for all, that of the topic published to most: there is room for only one. */
function publishCount(
  counts: ReadonlyMap<string, number> | null,
  topic: string,
): { topic: string; count: number } | null {
  let most: { topic: string; count: number } | null = null;
  for (const [name, count] of counts ?? []) {
    if (topic !== "" && name !== topic) continue;
    if (most === null || count > most.count) most = { topic: name, count };
  }
  return most;
}

/** The memory of the process, in the terms of V8 that come closest to the names. */
export function collectMemory(collection: GarbageCollection): MemoryStats {
  const heap = getHeapStatistics(), { runs } = collection.figures();
  const pauseUs = (quantile: number) => Math.round(collection.pauseSeconds(quantile) * US_PER_SECOND);
  return {
    heap_objects: 0,
    heap_idle_bytes: Math.max(0, heap.total_heap_size - heap.used_heap_size),
    // Message buffers live outside of V8's heap.
    heap_in_use_bytes: heap.used_heap_size + heap.external_memory,
    heap_released_bytes: Math.max(0, heap.total_heap_size - heap.total_physical_size),
    gc_pause_usec_100: pauseUs(1),
    gc_pause_usec_99: pauseUs(0.99),
    gc_pause_usec_95: pauseUs(0.95),
    next_gc_bytes: heap.total_heap_size,
    gc_total_runs: runs,
  };
}
