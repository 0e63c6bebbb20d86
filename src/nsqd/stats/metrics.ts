/**
 * `GET /metrics` of nsqd in the Prometheus text format, version 0.0.4.
 *
 * The text is made in parts with turns of the event loop between them: of many thousand channels it is megabytes,
 * and clients should not feel a scrape. Values are those of the moment their part is made.
 */
import { setTimeout } from "node:timers/promises";
import type { Broker } from "../../broker/broker.ts";
import type { Channel } from "../../broker/channel.ts";
import { DEATH_REASONS, type DeathReason } from "../../broker/channel/dead_letters.ts";
import type { Persistence } from "../../durability/persistence.ts";
import type { Topic } from "../../broker/topic.ts";
import type { ProcessMonitor } from "../../metrics/process_monitor.ts";
import { labelsText, METRICS_TYPE, MetricsWriter } from "../../metrics/text_format.ts";
import { version } from "../../version.ts";
import type { LookupPeerStatus } from "../lookup/lookup_loop.ts";
import { writeClients } from "./client_metrics.ts";
import { LatencyReader } from "./latency_stats.ts";
import { channelBackendDepth, topicBackendDepth } from "./stats.ts";
import type { TcpServer } from "../tcp/tcp_server.ts";

/** What the metrics are read from. */
export interface MetricsSources {
  readonly broker: Broker;
  readonly persistence: Pick<Persistence, "figures">;
  readonly server: Pick<TcpServer, "acceptedCount" | "connections">;
  readonly monitor: ProcessMonitor;
  /** The lookupds that this nsqd is to be registered with. */
  lookupPeers?(): readonly LookupPeerStatus[];
  /** Why messages can currently not be kept, or null when all is well. */
  health(): string | null;
}

/** Characters of a part: some 700 samples, which take a third of a millisecond. */
const PART_LENGTH = 64 << 10;
/** Between parts others come first: 5000 topics with two channels each take 0.3 s, of which 50 ms are work. */
const PAUSE_MS = 1;
/** Topics whose channels are listed between two pauses. */
const LISTED_TOPICS = 500;
const NS_PER_SECOND = 1e9;

/** What a scrape is to hold beside what is measured of the node as a whole. */
export interface MetricsSelection {
  /** Topics and channels, one by one. */
  readonly includeTopics: boolean;
  /** There may be many, and they come and go. */
  readonly includeClients: boolean;
}

/** Answers a scrape. */
export async function metricsResponse(
  sources: MetricsSources,
  { includeTopics, includeClients }: MetricsSelection,
): Promise<Response> {
  const headers = { "Content-Type": METRICS_TYPE };
  const rows = includeTopics ? await listRows(sources.broker) : { topics: [], channels: [] };
  const parts = metricsParts(sources, rows, includeClients), first = parts.next().value ?? "";
  // Only the last part is short.
  return new Response(first.length < PART_LENGTH ? first : streamOf(first, parts), { headers });
}

function streamOf(begin: string, rest: Generator<string, void>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    start: (controller) => controller.enqueue(encoder.encode(begin)),
    async pull(controller) {
      await setTimeout(PAUSE_MS);
      const next = rest.next();
      if (next.done) controller.close();
      else controller.enqueue(encoder.encode(next.value));
    },
  });
}

/** The text in parts of `PART_LENGTH` characters and a little more, the last one shorter. */
function* metricsParts(
  sources: MetricsSources,
  { topics, channels }: Rows,
  includeClients: boolean,
): Generator<string, void> {
  const to = new MetricsWriter("nsq_");
  writeBroker(to, sources);
  writeLog(to, sources);
  sources.monitor.write(to);
  yield* writeRows(to, TOPIC_FAMILIES, topics);
  yield* writeRows(to, CHANNEL_FAMILIES, channels);
  yield* writeLatencies(to, sources.broker, channels);
  if (includeClients) yield* inParts(to, writeClients(to, sources.server.connections));
  yield to.take();
}

function writeBroker(to: MetricsWriter, sources: MetricsSources): void {
  const { broker, server } = sources, { committer } = broker;
  let channelCount = 0;
  for (const topic of broker.topics.values()) channelCount += topic.channels.size;
  const { deno, v8 } = Deno.version;
  to.gauge("build_info", "Version of this nsqd", 1, labelsText({ version, deno, v8 }));
  to.gauge("healthy", "1 when messages can be kept, else 0", sources.health() === null ? 1 : 0);
  to.gauge("topics", "Topics", broker.topics.size);
  to.gauge("channels", "Channels of all topics", channelCount);
  to.gauge("tcp_connections", "Open TCP connections", server.connections.size);
  to.counter("tcp_connections_total", "TCP connections accepted", server.acceptedCount);
  const peers = sources.lookupPeers?.() ?? [];
  if (peers.length > 0) {
    to.head("lookupd_connected", "gauge", "1 while this nsqd is registered with the lookupd, else 0");
    for (const { address, isConnected } of peers) to.sample(isConnected ? 1 : 0, labelsText({ address }));
  }
  to.histogram(
    "commit_seconds",
    "Time from the first publish of a group until its answers could go out",
    committer.commitSeconds,
  );
  to.counter("commit_failures_total", "Groups of messages that were refused", committer.failedGroups);
}

function writeLog(to: MetricsWriter, { broker, persistence }: MetricsSources): void {
  const figures = persistence.figures(), { log } = figures;
  to.gauge("queue_memory_bytes", "Buffers that hold messages in memory", broker.pool.lentBytes);
  to.gauge("queue_memory_idle_bytes", "Such buffers that are kept for reuse", broker.pool.idleBytes);
  to.gauge("queue_disk_bytes", "Size of the log files, with what is finished in them", figures.fileBytes);
  to.gauge("queue_disk_wanted_bytes", "What may still be wanted of them", figures.liveBytes);
  if (figures.freeBytes !== null) {
    to.gauge(
      "queue_disk_free_bytes",
      "What can still be written to the disk of the log files",
      figures.freeBytes,
    );
  }
  to.counter("queue_reads_total", "Segments read back from log files", figures.loads);
  to.counter("queue_moves_total", "Messages that compaction moved to another file", figures.movedRecords);
  to.gauge("log_files", "Log files", figures.fileCount);
  to.gauge("log_unsynced_bytes", "Bytes written to the log since the last sync began", figures.unsyncedBytes);
  to.counter("log_groups_total", "Groups written to the log", log.groups);
  to.counter("log_written_bytes_total", "Bytes written to the log", log.bytes);
  to.histogram("log_write_seconds", "Time to write a group to the log", log.writeSeconds);
  to.gauge("log_longest_write_seconds", "Longest write since the start", log.writeSeconds.max);
  to.histogram("log_sync_seconds", "Time to put the log on the disk", log.syncSeconds);
  to.gauge("log_longest_sync_seconds", "Longest sync since the start", log.syncSeconds.max);
}

// ---- topics and channels ------------------------------------------------------------------------

/** Something that has a sample in each of several families; its labels are made once. */
interface Row<T> {
  readonly of: T;
  labels: string;
}

interface Family<T> {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  read(from: T): number;
}

const TOPIC_FAMILIES: readonly Family<Topic>[] = [
  {
    name: "topic_depth",
    type: "gauge",
    help: "Messages that no channel has been given yet",
    read: (topic) => topic.pendingCount,
  },
  {
    name: "topic_backend_depth",
    type: "gauge",
    help: "Of these, those beyond --mem-queue-size",
    read: topicBackendDepth,
  },
  {
    name: "topic_messages_total",
    type: "counter",
    help: "Messages published to the topic",
    read: (topic) => topic.messageCount,
  },
  {
    name: "topic_message_bytes_total",
    type: "counter",
    help: "Bytes of their bodies",
    read: (topic) => topic.messageBytes,
  },
  {
    name: "topic_paused",
    type: "gauge",
    help: "1 when the topic is paused",
    read: (topic) => topic.paused ? 1 : 0,
  },
];

const DEATH_HELP: Record<DeathReason, string> = {
  attempts: "Dead letters that were delivered too often",
  expired: "Dead letters that were too old",
  overflow: "Dead letters that were pushed out at a bound",
};

const CHANNEL_FAMILIES: readonly Family<Channel>[] = [
  {
    name: "channel_depth",
    type: "gauge",
    help: "Messages that wait for a consumer",
    read: (channel) => channel.depth,
  },
  {
    name: "channel_backend_depth",
    type: "gauge",
    help: "Of these, those beyond --mem-queue-size",
    read: channelBackendDepth,
  },
  {
    name: "channel_in_flight",
    type: "gauge",
    help: "Messages that consumers work on",
    read: (channel) => channel.inFlightCount,
  },
  {
    name: "channel_deferred",
    type: "gauge",
    help: "Messages that become deliverable later",
    read: (channel) => channel.deferredCount,
  },
  {
    name: "channel_messages_total",
    type: "counter",
    help: "Messages that the channel was given",
    read: (channel) => channel.messageCount,
  },
  {
    name: "channel_deliveries_total",
    type: "counter",
    help: "Messages sent to consumers, again those sent before",
    read: (channel) => channel.deliveredCount,
  },
  {
    name: "channel_requeues_total",
    type: "counter",
    help: "Messages requeued by consumers",
    read: (channel) => channel.requeueCount,
  },
  {
    name: "channel_timeouts_total",
    type: "counter",
    help: "Messages not answered in time",
    read: (channel) => channel.timeoutCount,
  },
  ...DEATH_REASONS.map((reason): Family<Channel> => ({
    name: `channel_dead_${reason}`,
    type: "gauge",
    help: DEATH_HELP[reason],
    read: (channel) => channel.dead.countOf(reason),
  })),
  {
    name: "channel_expired_total",
    type: "counter",
    help: "Messages that the policy took off for their age",
    read: (channel) => channel.expiredCount,
  },
  {
    name: "channel_overflow_total",
    type: "counter",
    help: "Messages that the policy took off at a bound",
    read: (channel) => channel.overflowCount,
  },
  {
    name: "channel_clients",
    type: "gauge",
    help: "Consumers of the channel",
    read: (channel) => channel.subscriptions.length,
  },
  {
    name: "channel_paused",
    type: "gauge",
    help: "1 when the channel is paused",
    read: (channel) => channel.paused ? 1 : 0,
  },
];

interface Rows {
  readonly topics: Row<Topic>[];
  readonly channels: Row<Channel>[];
}

async function listRows(broker: Broker): Promise<Rows> {
  const topics: Row<Topic>[] = [], channels: Row<Channel>[] = [];
  for (const topic of [...broker.topics.values()]) {
    topics.push({ of: topic, labels: "" });
    for (const channel of topic.channels.values()) channels.push({ of: channel, labels: "" });
    if (topics.length % LISTED_TOPICS === 0) await setTimeout(PAUSE_MS);
  }
  return { topics, channels };
}

function* writeRows<T extends Topic | Channel>(
  to: MetricsWriter,
  families: readonly Family<T>[],
  rows: readonly Row<T>[],
): Generator<string, void> {
  for (const { name, type, help, read } of families) {
    to.head(name, type, help);
    for (const row of rows) {
      to.sample(read(row.of), row.labels ||= nameLabels(row.of));
      if (to.length >= PART_LENGTH) yield to.take();
    }
  }
}

function nameLabels(of: Topic | Channel): string {
  return labelsText("topic" in of ? { topic: of.topic.name, channel: of.name } : { topic: of.name });
}

/** Percentiles as gauges: they are of a window, where a summary would count from the start. */
function* writeLatencies(
  to: MetricsWriter,
  broker: Broker,
  rows: readonly Row<Channel>[],
): Generator<string, void> {
  if (broker.latencyPercentiles.length === 0) return;
  const latencies = new LatencyReader(broker);
  to.head("channel_processing_latency_seconds", "gauge", "Time from publish to FIN, percentiles of a window");
  for (const { of: channel } of rows) {
    for (const { quantile, value } of latencies.ofChannel(channel).percentiles ?? []) {
      const labels = { topic: channel.topic.name, channel: channel.name, quantile: String(quantile) };
      to.sample(value / NS_PER_SECOND, labelsText(labels));
    }
    if (to.length >= PART_LENGTH) yield to.take();
  }
}

/** Runs `work`, which writes to `to` and pauses after each sample. */
function* inParts(to: MetricsWriter, work: Iterable<void>): Generator<string, void> {
  for (const _ of work) if (to.length >= PART_LENGTH) yield to.take();
}
