/**
 * Adds up what several nodes say of a topic, a channel or a node, in the shapes of nsqadmin's HTTP API, member by
 * member in the order in which they are written.
 *
 * Aggregates and the objects of single nodes are kept apart: Go nsqadmin hands one object out for both in one place.
 * The `min` of a latency is the least value of all nodes; Go nsqadmin has the last node's there.
 * Tested in test/cluster/aggregate_test.ts.
 */
import type { ChannelStats, ClientStats, LatencyStats, TopicStats } from "../api/stats.ts";
import { compareNames, type NodeWithStats } from "./cluster.ts";
import { nodeIdOf, type Producer } from "./node_answers.ts";

/** Members in alphabetical order. Nanoseconds, but for count and quantile. */
export interface LatencyPercentile {
  average: number;
  count: number;
  max: number;
  min: number;
  quantile: number;
  /** Left out of aggregates. */
  value?: number;
}

export interface AggregateLatency {
  count: number;
  percentiles: LatencyPercentile[] | null;
  topic: string;
  channel: string;
  host: string;
}

export interface TopicAnswer {
  /** Id of the node, or `*`. */
  node: string;
  /** Of the node, or "". */
  hostname: string;
  topic_name: string;
  depth: number;
  memory_depth: number;
  backend_depth: number;
  message_count: number;
  delivery_msg_count: number;
  /** Null inside the object of one node. */
  nodes: TopicAnswer[] | null;
  channels: ChannelAnswer[];
  paused: boolean;
  e2e_processing_latency: AggregateLatency;
}

export interface ChannelAnswer {
  node: string;
  hostname: string;
  topic_name: string;
  channel_name: string;
  depth: number;
  memory_depth: number;
  backend_depth: number;
  in_flight_count: number;
  deferred_count: number;
  requeue_count: number;
  timeout_count: number;
  message_count: number;
  /** Left out when 0, as the next three, of which it is the sum. */
  delivery_msg_count?: number;
  zone_local_msg_count?: number;
  region_local_msg_count?: number;
  global_msg_count?: number;
  client_count: number;
  nodes: ChannelAnswer[] | null;
  /** Null when clients were not asked for. */
  clients: ClientAnswer[] | null;
  paused: boolean;
  e2e_processing_latency: AggregateLatency;
}

export interface ClientAnswer {
  node: string;
  remote_address: string;
  version: string;
  client_id: string;
  hostname: string;
  user_agent: string;
  connect_ts: number;
  /** Nanoseconds since it connected. */
  connected: number;
  in_flight_count: number;
  ready_count: number;
  finish_count: number;
  requeue_count: number;
  message_count: number;
  sample_rate: number;
  deflate: boolean;
  snappy: boolean;
  authed: boolean;
  auth_identity: string;
  auth_identity_url: string;
  tls: boolean;
  tls_cipher_suite: string;
  tls_version: string;
  tls_negotiated_protocol: string;
  tls_negotiated_protocol_is_mutual: boolean;
  /** Of the node; left out when empty, as the next three. */
  node_topology_region?: string;
  node_topology_zone?: string;
  topology_region?: string;
  topology_zone?: string;
}

const NS_PER_SECOND = 1e9;

/** Adds up a topic over the nodes that have it; undefined when none does. */
export function aggregateTopic(
  name: string,
  nodes: readonly NodeWithStats[],
  nowMs: number,
): TopicAnswer | undefined {
  const perNode = nodes.flatMap((node) =>
    node.stats.topics.filter((topic) => topic.topic_name === name)
      .map((topic) => topicOfNode(topic, node.producer, nowMs))
  );
  if (perNode.length === 0) return undefined;
  perNode.sort((a, b) => compareNames(a.hostname, b.hostname));
  const total = emptyTopic(name);
  const channels = new Map<string, ChannelAnswer[]>();
  for (const topic of perNode) {
    total.depth += topic.depth;
    total.memory_depth += topic.memory_depth;
    total.backend_depth += topic.backend_depth;
    total.message_count += topic.message_count;
    total.paused ||= topic.paused;
    mergeLatency(total.e2e_processing_latency, topic.e2e_processing_latency, name, "");
    for (const channel of topic.channels) {
      const others = channels.get(channel.channel_name);
      if (others === undefined) channels.set(channel.channel_name, [channel]);
      else others.push(channel);
    }
  }
  total.nodes = perNode;
  total.channels = [...channels.values()].map(sumOfChannels);
  return total;
}

/** Adds up a channel over the nodes that have it; undefined when none does. */
export function aggregateChannel(
  topic: string,
  channel: string,
  nodes: readonly NodeWithStats[],
  nowMs: number,
): ChannelAnswer | undefined {
  const perNode = nodes.flatMap(({ producer, stats }) =>
    stats.topics.filter((each) => each.topic_name === topic)
      .flatMap(({ channels }) => channels.filter((each) => each.channel_name === channel))
      .map((each) => channelOfNode(topic, each, producer, nowMs))
  );
  if (perNode.length === 0) return undefined;
  perNode.sort((a, b) => compareNames(a.hostname, b.hostname));
  return sumOfChannels(perNode);
}

/** What one node says of a topic. */
export function topicOfNode(topic: TopicStats, producer: Producer, nowMs: number): TopicAnswer {
  return {
    node: nodeIdOf(producer),
    hostname: producer.hostname,
    topic_name: topic.topic_name,
    depth: topic.depth,
    memory_depth: topic.depth - topic.backend_depth,
    backend_depth: topic.backend_depth,
    message_count: topic.message_count,
    // Nodes count deliveries by zone for channels only.
    delivery_msg_count: 0,
    nodes: null,
    channels: topic.channels.map((channel) => channelOfNode(topic.topic_name, channel, producer, nowMs)),
    paused: topic.paused,
    e2e_processing_latency: latencyOfNode(topic.e2e_processing_latency),
  };
}

function channelOfNode(
  topic: string,
  channel: ChannelStats,
  producer: Producer,
  nowMs: number,
): ChannelAnswer {
  return {
    node: nodeIdOf(producer),
    hostname: producer.hostname,
    topic_name: topic,
    channel_name: channel.channel_name,
    depth: channel.depth,
    memory_depth: channel.depth - channel.backend_depth,
    backend_depth: channel.backend_depth,
    in_flight_count: channel.in_flight_count,
    deferred_count: channel.deferred_count,
    requeue_count: channel.requeue_count,
    timeout_count: channel.timeout_count,
    message_count: channel.message_count,
    ...deliveries(
      channel.zone_local_msg_count ?? 0,
      channel.region_local_msg_count ?? 0,
      channel.global_msg_count ?? 0,
    ),
    client_count: channel.client_count,
    nodes: null,
    clients: channel.clients?.map((client) => clientOfNode(client, producer, nowMs)) ?? null,
    paused: channel.paused,
    e2e_processing_latency: latencyOfNode(channel.e2e_processing_latency),
  };
}

function deliveries(zone: number, region: number, others: number) {
  return {
    ...(zone + region + others > 0 ? { delivery_msg_count: zone + region + others } : {}),
    ...(zone > 0 ? { zone_local_msg_count: zone } : {}),
    ...(region > 0 ? { region_local_msg_count: region } : {}),
    ...(others > 0 ? { global_msg_count: others } : {}),
  };
}

function clientOfNode(client: ClientStats, producer: Producer, nowMs: number): ClientAnswer {
  return {
    node: nodeIdOf(producer),
    remote_address: client.remote_address,
    version: client.version,
    client_id: client.client_id,
    hostname: client.hostname,
    user_agent: client.user_agent,
    connect_ts: client.connect_ts,
    connected: (Math.floor(nowMs / 1000) - client.connect_ts) * NS_PER_SECOND,
    in_flight_count: client.in_flight_count,
    ready_count: client.ready_count,
    finish_count: client.finish_count,
    requeue_count: client.requeue_count,
    message_count: client.message_count,
    sample_rate: client.sample_rate,
    deflate: client.deflate,
    snappy: client.snappy,
    authed: client.authed ?? false,
    auth_identity: client.auth_identity ?? "",
    auth_identity_url: client.auth_identity_url ?? "",
    tls: client.tls,
    tls_cipher_suite: client.tls_cipher_suite,
    tls_version: client.tls_version,
    tls_negotiated_protocol: client.tls_negotiated_protocol,
    tls_negotiated_protocol_is_mutual: client.tls_negotiated_protocol_is_mutual,
    ...(producer.region === "" ? {} : { node_topology_region: producer.region }),
    ...(producer.zone === "" ? {} : { node_topology_zone: producer.zone }),
    ...(client.topology_region === "" ? {} : { topology_region: client.topology_region }),
    ...(client.topology_zone === "" ? {} : { topology_zone: client.topology_zone }),
  };
}

function emptyTopic(name: string): TopicAnswer {
  return {
    node: "*",
    hostname: "",
    topic_name: name,
    depth: 0,
    memory_depth: 0,
    backend_depth: 0,
    message_count: 0,
    delivery_msg_count: 0,
    nodes: [],
    channels: [],
    paused: false,
    e2e_processing_latency: emptyLatency(),
  };
}

/** @param perNode at least one, all of the same channel */
function sumOfChannels(perNode: readonly ChannelAnswer[]): ChannelAnswer {
  const { topic_name, channel_name } = perNode[0];
  const sum = (read: (channel: ChannelAnswer) => number | undefined) =>
    perNode.reduce((total, channel) => total + (read(channel) ?? 0), 0);
  const latency = emptyLatency();
  for (const each of perNode) {
    mergeLatency(latency, each.e2e_processing_latency, topic_name, channel_name);
  }
  const withClients = perNode.filter(({ clients }) => clients !== null);
  return {
    node: "*",
    hostname: "",
    topic_name,
    channel_name,
    depth: sum(({ depth }) => depth),
    memory_depth: sum(({ memory_depth }) => memory_depth),
    backend_depth: sum(({ backend_depth }) => backend_depth),
    in_flight_count: sum(({ in_flight_count }) => in_flight_count),
    deferred_count: sum(({ deferred_count }) => deferred_count),
    requeue_count: sum(({ requeue_count }) => requeue_count),
    timeout_count: sum(({ timeout_count }) => timeout_count),
    message_count: sum(({ message_count }) => message_count),
    ...deliveries(
      sum(({ zone_local_msg_count }) => zone_local_msg_count),
      sum(({ region_local_msg_count }) => region_local_msg_count),
      sum(({ global_msg_count }) => global_msg_count),
    ),
    client_count: sum(({ client_count }) => client_count),
    nodes: [...perNode],
    clients: withClients.length === 0
      ? null
      : withClients.flatMap(({ clients }) => clients ?? []).sort(compareClients),
    paused: perNode.some(({ paused }) => paused),
    e2e_processing_latency: latency,
  };
}

/** By node; within a node those near it come first, and then by where they are. */
function compareClients(a: ClientAnswer, b: ClientAnswer): number {
  return compareNames(a.node, b.node) ||
    nearness(b) - nearness(a) ||
    compareNames(a.topology_region ?? "", b.topology_region ?? "") ||
    compareNames(a.topology_zone ?? "", b.topology_zone ?? "") ||
    compareNames(a.hostname, b.hostname);
}

/** 2 in the region and zone of its node, 1 in its region, else 0. */
function nearness(client: ClientAnswer): 0 | 1 | 2 {
  if (client.topology_region !== client.node_topology_region) return 0;
  return client.topology_zone === client.node_topology_zone ? 2 : 1;
}

function emptyLatency(): AggregateLatency {
  return { count: 0, percentiles: null, topic: "", channel: "", host: "" };
}

function latencyOfNode({ count, percentiles }: LatencyStats): AggregateLatency {
  const entries = percentiles?.map(({ quantile, value }) => ({
    average: value,
    count,
    max: value,
    min: value,
    quantile,
    value,
  })) ?? null;
  return { count, percentiles: entries, topic: "", channel: "", host: "" };
}

/** Adds `from` to `into`: averages are weighted by how many messages each node saw. */
function mergeLatency(into: AggregateLatency, from: AggregateLatency, topic: string, channel: string): void {
  into.topic = topic;
  into.channel = channel;
  into.host = "*";
  into.count += from.count;
  for (const entry of from.percentiles ?? []) {
    into.percentiles ??= [];
    const merged = into.percentiles.find(({ quantile }) => quantile === entry.quantile);
    if (merged === undefined) {
      const { average, count, max, min, quantile } = entry;
      into.percentiles.push({ average, count, max, min, quantile });
      continue;
    }
    const count = merged.count + entry.count;
    merged.average = count === 0 ? 0 : (merged.average * merged.count + entry.average * entry.count) / count;
    merged.count = count;
    merged.max = Math.max(merged.max, entry.max);
    merged.min = Math.min(merged.min, entry.min);
  }
}
