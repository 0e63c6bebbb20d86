/**
 * Reads what nodes answer: statistics of an nsqd, lists of a lookupd. Lenient towards age, since a member that an
 * older or newer node leaves out is 0, "" or empty, and strict towards kind: nothing but what a type says goes on.
 *
 * Tested in test/cluster/node_answers_test.ts.
 */
import type { ChannelStats, ClientStats, LatencyStats, MemoryStats, TopicStats } from "../api/stats.ts";

type Json = Readonly<Record<string, unknown>>;

/** An nsqd as a lookupd lists it, or as it describes itself. */
export interface Producer {
  /** `lookupd address/remote address` of each lookupd that listed it; null where lookupds are not asked. */
  remoteAddresses: string[] | null;
  remoteAddress: string;
  hostname: string;
  broadcastAddress: string;
  tcpPort: number;
  httpPort: number;
  version: string;
  /** "" when it has none. */
  region: string;
  zone: string;
  topics: { topic: string; isTombstoned: boolean }[];
  /** Whether its version is below the highest of all. */
  isOutOfDate: boolean;
}

/** What `/stats` of an nsqd says. */
export interface NodeStats {
  version: string;
  /** `OK`, or `NOK - ` and the error; "" of a node that does not say. */
  health: string;
  /** Unix seconds; 0 when it does not say. */
  startTime: number;
  topics: TopicStats[];
  producers: ClientStats[];
  memory: MemoryStats | null;
}

/** `broadcast_address:http_port`, by which a node is known everywhere. */
export function nodeIdOf({ broadcastAddress, httpPort }: Producer): string {
  return joinHostPort(broadcastAddress, httpPort);
}

export function joinHostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The names under `key` of an answer, such as the topics of a lookupd. */
export function readNames(json: unknown, key: string): string[] {
  return listOf(objectOf(json)[key]).filter((name) => typeof name === "string");
}

/** The list `producers` of `/nodes` and `/lookup`, or of one node its `/info`. */
export function readProducers(json: unknown): Producer[] {
  return listOf(objectOf(json).producers).map(readProducer);
}

export function readProducer(json: unknown): Producer {
  const from = objectOf(json);
  const tombstones = listOf(from.tombstones);
  const names = listOf(from.topics).filter((name) => typeof name === "string");
  return {
    remoteAddresses: null,
    remoteAddress: text(from.remote_address),
    hostname: text(from.hostname),
    // Before version 0.2.21 there was one address for both.
    broadcastAddress: text(from.broadcast_address) || text(from.address),
    tcpPort: count(from.tcp_port),
    httpPort: count(from.http_port),
    version: text(from.version),
    region: text(from.topology_region),
    zone: text(from.topology_zone),
    topics: names.map((topic, index) => ({ topic, isTombstoned: tombstones[index] === true })),
    isOutOfDate: false,
  };
}

export function readNodeStats(json: unknown): NodeStats {
  const from = objectOf(json);
  return {
    version: text(from.version),
    health: text(from.health),
    startTime: count(from.start_time),
    topics: listOf(from.topics).map(readTopic),
    producers: listOf(from.producers).map(readClient),
    memory: typeof from.memory === "object" && from.memory !== null ? readMemory(from.memory as Json) : null,
  };
}

function readTopic(json: unknown): TopicStats {
  const from = objectOf(json);
  return {
    topic_name: text(from.topic_name),
    channels: listOf(from.channels).map(readChannel),
    depth: count(from.depth),
    backend_depth: count(from.backend_depth),
    message_count: count(from.message_count),
    message_bytes: count(from.message_bytes),
    paused: from.paused === true,
    e2e_processing_latency: readLatency(from.e2e_processing_latency),
  };
}

function readChannel(json: unknown): ChannelStats {
  const from = objectOf(json);
  const clients = Array.isArray(from.clients) ? from.clients.map(readClient) : null;
  return {
    channel_name: text(from.channel_name),
    depth: count(from.depth),
    backend_depth: count(from.backend_depth),
    in_flight_count: count(from.in_flight_count),
    deferred_count: count(from.deferred_count),
    message_count: count(from.message_count),
    ...("dead_count" in from
      ? {
        dead_count: count(from.dead_count),
        ...("dead_reasons" in from ? { dead_reasons: readCounts(from.dead_reasons) } : {}),
        expired_count: count(from.expired_count),
        overflow_count: count(from.overflow_count),
      }
      : {}),
    zone_local_msg_count: count(from.zone_local_msg_count),
    region_local_msg_count: count(from.region_local_msg_count),
    global_msg_count: count(from.global_msg_count),
    requeue_count: count(from.requeue_count),
    timeout_count: count(from.timeout_count),
    // Before version 1.0 there were only the clients themselves.
    client_count: "client_count" in from ? count(from.client_count) : clients?.length ?? 0,
    clients,
    paused: from.paused === true,
    e2e_processing_latency: readLatency(from.e2e_processing_latency),
  };
}

function readClient(json: unknown): ClientStats {
  const from = objectOf(json);
  // Before version 0.3 a client had a name instead of an id and a host.
  const name = text(from.name);
  return {
    client_id: text(from.client_id) || name,
    hostname: text(from.hostname) || name,
    version: text(from.version),
    remote_address: text(from.remote_address),
    state: count(from.state),
    ready_count: count(from.ready_count),
    in_flight_count: count(from.in_flight_count),
    message_count: count(from.message_count),
    finish_count: count(from.finish_count),
    requeue_count: count(from.requeue_count),
    connect_ts: count(from.connect_ts),
    sample_rate: count(from.sample_rate),
    deflate: from.deflate === true,
    snappy: from.snappy === true,
    user_agent: text(from.user_agent),
    authed: from.authed === true,
    auth_identity: text(from.auth_identity),
    auth_identity_url: text(from.auth_identity_url),
    topology_zone: text(from.topology_zone),
    topology_region: text(from.topology_region),
    pub_counts: listOf(from.pub_counts).map(objectOf).map((each) => ({
      topic: text(each.topic),
      count: count(each.count),
    })),
    tls: from.tls === true,
    tls_cipher_suite: text(from.tls_cipher_suite),
    tls_version: text(from.tls_version),
    tls_negotiated_protocol: text(from.tls_negotiated_protocol),
    tls_negotiated_protocol_is_mutual: from.tls_negotiated_protocol_is_mutual === true,
  };
}

function readCounts(json: unknown): Record<string, number> {
  return Object.fromEntries(Object.entries(objectOf(json)).map(([name, value]) => [name, count(value)]));
}

function readLatency(json: unknown): LatencyStats {
  if (typeof json !== "object" || json === null) return { count: 0, percentiles: null };
  const from = json as Json;
  if (!Array.isArray(from.percentiles)) return { count: count(from.count), percentiles: null };
  const percentiles = from.percentiles.map(objectOf).map((each) => ({
    quantile: number(each.quantile),
    value: number(each.value),
  }));
  return { count: count(from.count), percentiles };
}

function readMemory(from: Json): MemoryStats {
  return {
    heap_objects: count(from.heap_objects),
    heap_idle_bytes: count(from.heap_idle_bytes),
    heap_in_use_bytes: count(from.heap_in_use_bytes),
    heap_released_bytes: count(from.heap_released_bytes),
    gc_pause_usec_100: count(from.gc_pause_usec_100),
    gc_pause_usec_99: count(from.gc_pause_usec_99),
    gc_pause_usec_95: count(from.gc_pause_usec_95),
    next_gc_bytes: count(from.next_gc_bytes),
    gc_total_runs: count(from.gc_total_runs),
  };
}

function objectOf(json: unknown): Json {
  return typeof json === "object" && json !== null ? json as Json : {};
}

function listOf(json: unknown): unknown[] {
  return Array.isArray(json) ? json : [];
}

function text(json: unknown): string {
  return typeof json === "string" ? json : "";
}

function number(json: unknown): number {
  return typeof json === "number" && Number.isFinite(json) ? json : 0;
}

function count(json: unknown): number {
  const value = number(json);
  return value > 0 ? Math.trunc(value) : 0;
}
