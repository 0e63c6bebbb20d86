/**
 * What one answer of a node says, with rates worked out against the answer before.
 *
 * Finished messages are not counted by nodes, but follow: what entered a channel and neither waits, nor is in
 * flight, nor is deferred, nor died. Tested in test/admin/poller/reading_test.ts.
 */
import type { ChannelStats, ClientStats, LatencyStats, TopicStats } from "../../api/stats.ts";
import type { NodeStats, Producer } from "../../cluster/node_answers.ts";
import type { ClientView, Figures, LatencyView } from "../model/snapshot.ts";

export interface NodeReading {
  readonly atMs: number;
  /** A clock that does not go back; for rates. */
  readonly monotonicMs: number;
  readonly version: string;
  readonly health: string;
  /** Unix seconds; 0 when the node does not say. */
  readonly startTime: number;
  readonly topics: ReadonlyMap<string, TopicReading>;
  readonly figures: Figures;
  /** Of all consumers, when they were asked for. */
  readonly clients: ReadonlyMap<string, readonly ClientStats[]> | null;
}

export interface TopicReading {
  readonly isPaused: boolean;
  readonly figures: Figures;
  readonly latency: LatencyView;
  readonly channels: ReadonlyMap<string, ChannelReading>;
}

export interface ChannelReading {
  readonly isPaused: boolean;
  readonly figures: Figures;
  readonly latency: LatencyView;
}

export const NO_FIGURES: Figures = {
  depth: 0,
  backendDepth: 0,
  inFlight: 0,
  deferred: 0,
  messageCount: 0,
  messageBytes: 0,
  requeueCount: 0,
  timeoutCount: 0,
  clientCount: 0,
  inPerSecond: 0,
  outPerSecond: 0,
  requeuesPerMinute: 0,
  timeoutsPerMinute: 0,
  oldestAgeMs: null,
  dead: null,
  deadOf: null,
  expiredCount: null,
  overflowCount: null,
};

const NO_LATENCY: LatencyView = { count: 0, percentiles: [] };
const NS_PER_MS = 1e6;

/** The name of a channel of a topic among all channels; names hold no slash. */
export function channelKey(topic: string, channel: string): string {
  return `${topic}/${channel}`;
}

/** @param before the answer before, of the same run of the node or an earlier one; null when there was none */
export function readingOf(
  stats: NodeStats,
  atMs: number,
  monotonicMs: number,
  before: NodeReading | null,
  includesClients: boolean,
): NodeReading {
  const isSameRun = before !== null && before.startTime === stats.startTime;
  const seconds = isSameRun ? (monotonicMs - before.monotonicMs) / 1000 : 0;
  const topics = new Map<string, TopicReading>();
  const clients = new Map<string, readonly ClientStats[]>();
  for (const topic of stats.topics) {
    topics.set(
      topic.topic_name,
      topicReading(topic, isSameRun ? before.topics.get(topic.topic_name) : undefined, seconds),
    );
    if (!includesClients) continue;
    for (const channel of topic.channels) {
      clients.set(channelKey(topic.topic_name, channel.channel_name), channel.clients ?? []);
    }
  }
  return {
    atMs,
    monotonicMs,
    version: stats.version,
    health: stats.health === "" ? "OK" : stats.health,
    startTime: stats.startTime,
    topics,
    figures: nodeFigures(topics),
    clients: includesClients ? clients : null,
  };
}

function topicReading(topic: TopicStats, before: TopicReading | undefined, seconds: number): TopicReading {
  const channels = new Map<string, ChannelReading>();
  let inFlight = 0, deferred = 0, requeueCount = 0, timeoutCount = 0, clientCount = 0;
  let outPerSecond = 0, requeuesPerMinute = 0, timeoutsPerMinute = 0;
  let deadOf: Figures["deadOf"] = null;
  let dead: number | null = null, expiredCount: number | null = null, overflowCount: number | null = null;
  for (const channel of topic.channels) {
    const reading = channelReading(channel, before?.channels.get(channel.channel_name), seconds);
    channels.set(channel.channel_name, reading);
    const { figures } = reading;
    inFlight += figures.inFlight;
    deferred += figures.deferred;
    requeueCount += figures.requeueCount;
    timeoutCount += figures.timeoutCount;
    clientCount += figures.clientCount;
    outPerSecond += figures.outPerSecond;
    requeuesPerMinute += figures.requeuesPerMinute;
    timeoutsPerMinute += figures.timeoutsPerMinute;
    dead = plus(dead, figures.dead);
    deadOf = plusEach(deadOf, figures.deadOf);
    expiredCount = plus(expiredCount, figures.expiredCount);
    overflowCount = plus(overflowCount, figures.overflowCount);
  }
  return {
    isPaused: topic.paused,
    latency: latencyView(topic.e2e_processing_latency),
    channels,
    figures: {
      depth: topic.depth,
      backendDepth: topic.backend_depth,
      inFlight,
      deferred,
      messageCount: topic.message_count,
      messageBytes: topic.message_bytes,
      requeueCount,
      timeoutCount,
      clientCount,
      inPerSecond: rate(topic.message_count, before?.figures.messageCount, seconds),
      outPerSecond,
      requeuesPerMinute,
      timeoutsPerMinute,
      oldestAgeMs: null,
      dead,
      deadOf,
      expiredCount,
      overflowCount,
    },
  };
}

function channelReading(
  channel: ChannelStats,
  before: ChannelReading | undefined,
  seconds: number,
): ChannelReading {
  const was = before?.figures;
  const finished = channel.message_count - channel.depth - channel.in_flight_count -
    channel.deferred_count - (channel.dead_count ?? 0);
  const finishedBefore = was &&
    was.messageCount - was.depth - was.inFlight - was.deferred - (was.dead ?? 0);
  return {
    isPaused: channel.paused,
    latency: latencyView(channel.e2e_processing_latency),
    figures: {
      depth: channel.depth,
      backendDepth: channel.backend_depth,
      inFlight: channel.in_flight_count,
      deferred: channel.deferred_count,
      messageCount: channel.message_count,
      messageBytes: 0,
      requeueCount: channel.requeue_count,
      timeoutCount: channel.timeout_count,
      clientCount: channel.client_count,
      inPerSecond: rate(channel.message_count, was?.messageCount, seconds),
      outPerSecond: rate(finished, finishedBefore, seconds),
      requeuesPerMinute: 60 * rate(channel.requeue_count, was?.requeueCount, seconds),
      timeoutsPerMinute: 60 * rate(channel.timeout_count, was?.timeoutCount, seconds),
      oldestAgeMs: null,
      dead: channel.dead_count ?? null,
      deadOf: channel.dead_reasons ?? null,
      expiredCount: channel.expired_count ?? null,
      overflowCount: channel.overflow_count ?? null,
    },
  };
}

/** A counter that fell was begun anew, and what is missing before is unknown. */
function rate(now: number, before: number | undefined, seconds: number): number {
  if (before === undefined || seconds <= 0 || now <= before) return 0;
  return (now - before) / seconds;
}

function latencyView({ count, percentiles }: LatencyStats): LatencyView {
  if (percentiles === null) return NO_LATENCY;
  return {
    count,
    percentiles: percentiles.map(({ quantile, value }) => ({ quantile, ms: value / NS_PER_MS })),
  };
}

function nodeFigures(topics: ReadonlyMap<string, TopicReading>): Figures {
  const all: Figures[] = [];
  for (const { figures, channels } of topics.values()) {
    let depth = figures.depth, backendDepth = figures.backendDepth;
    for (const channel of channels.values()) {
      depth += channel.figures.depth;
      backendDepth += channel.figures.backendDepth;
    }
    all.push({ ...figures, depth, backendDepth });
  }
  return sumOfFigures(all);
}

/** The sum of what is known; null when nothing is. */
function plus(a: number | null, b: number | null): number | null {
  return a === null ? b : a + (b ?? 0);
}

function plusEach(a: Figures["deadOf"], b: Figures["deadOf"]): Figures["deadOf"] {
  if (a === null || b === null) return a ?? b;
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries([...names].map((name) => [name, (a[name] ?? 0) + (b[name] ?? 0)]));
}

/** Adds up; ages are the oldest of all. */
export function sumOfFigures(list: readonly Figures[]): Figures {
  if (list.length === 1) return list[0];
  const sum = { ...NO_FIGURES };
  for (const figures of list) {
    sum.depth += figures.depth;
    sum.backendDepth += figures.backendDepth;
    sum.inFlight += figures.inFlight;
    sum.deferred += figures.deferred;
    sum.messageCount += figures.messageCount;
    sum.messageBytes += figures.messageBytes;
    sum.requeueCount += figures.requeueCount;
    sum.timeoutCount += figures.timeoutCount;
    sum.clientCount += figures.clientCount;
    sum.inPerSecond += figures.inPerSecond;
    sum.outPerSecond += figures.outPerSecond;
    sum.requeuesPerMinute += figures.requeuesPerMinute;
    sum.timeoutsPerMinute += figures.timeoutsPerMinute;
    sum.dead = plus(sum.dead, figures.dead);
    sum.deadOf = plusEach(sum.deadOf, figures.deadOf);
    sum.expiredCount = plus(sum.expiredCount, figures.expiredCount);
    sum.overflowCount = plus(sum.overflowCount, figures.overflowCount);
    if (figures.oldestAgeMs !== null) sum.oldestAgeMs = Math.max(sum.oldestAgeMs ?? 0, figures.oldestAgeMs);
  }
  return sum;
}

/** For each quantile the worst. */
export function worstLatency(list: readonly LatencyView[]): LatencyView {
  if (list.length === 1) return list[0];
  const worst = new Map<number, number>();
  let count = 0;
  for (const each of list) {
    count += each.count;
    for (const { quantile, ms } of each.percentiles) {
      worst.set(quantile, Math.max(worst.get(quantile) ?? 0, ms));
    }
  }
  return { count, percentiles: [...worst].map(([quantile, ms]) => ({ quantile, ms })) };
}

/** What was seen of a consumer before. */
export interface ClientTrace {
  readonly monotonicMs: number;
  readonly finishCount: number;
  readonly requeueCount: number;
  readonly lastFinishMs: number | null;
}

/** @param before what was seen of it before, if it was */
export function clientView(
  client: ClientStats,
  topic: string,
  channel: string,
  node: Producer,
  nodeId: string,
  atMs: number,
  monotonicMs: number,
  before: ClientTrace | undefined,
): { view: ClientView; trace: ClientTrace } {
  const seconds = before === undefined ? 0 : (monotonicMs - before.monotonicMs) / 1000;
  const perMinute = (now: number, was: number | undefined) =>
    seconds <= 0 ? null : 60 * rate(now, was, seconds);
  const hasFinished = before !== undefined && client.finish_count > before.finishCount;
  const lastFinishMs = hasFinished ? atMs : before?.lastFinishMs ?? null;
  const trace = {
    monotonicMs,
    finishCount: client.finish_count,
    requeueCount: client.requeue_count,
    lastFinishMs,
  };
  const view: ClientView = {
    node: nodeId,
    topic,
    channel,
    clientId: client.client_id,
    hostname: client.hostname,
    remoteAddress: client.remote_address,
    version: client.version,
    userAgent: client.user_agent,
    connectedAtMs: client.connect_ts * 1000,
    inFlight: client.in_flight_count,
    ready: client.ready_count,
    finishCount: client.finish_count,
    requeueCount: client.requeue_count,
    messageCount: client.message_count,
    finishedPerMinute: perMinute(client.finish_count, before?.finishCount),
    requeuedPerMinute: perMinute(client.requeue_count, before?.requeueCount),
    lastFinishMs,
    sampleRate: client.sample_rate,
    isTls: client.tls,
    tlsVersion: client.tls_version,
    tlsCipherSuite: client.tls_cipher_suite,
    isDeflate: client.deflate,
    isSnappy: client.snappy,
    isAuthed: client.authed ?? false,
    authIdentity: client.auth_identity ?? "",
    authIdentityUrl: client.auth_identity_url ?? "",
    region: client.topology_region,
    zone: client.topology_zone,
    nodeRegion: node.region,
    nodeZone: node.zone,
  };
  return { view, trace };
}
