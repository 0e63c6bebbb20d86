/** Puts what all nodes and lookupds last said together into one snapshot. Tested in test/admin/poller/poller_test.ts. */
import type { Producer } from "../../cluster/node_answers.ts";
import { compareNames } from "../../cluster/cluster.ts";
import { compareVersions } from "../../cluster/versions.ts";
import type {
  ChannelView,
  ClientView,
  Figures,
  LookupdView,
  NodeView,
  Snapshot,
  TopicOnNode,
  TopicView,
  Totals,
} from "../model/snapshot.ts";
import { Attention } from "./attention.ts";
import { capabilitiesOf } from "./capabilities.ts";
import { diagnose } from "./diagnosis.ts";
import type { NodeProbe } from "./node_probe.ts";
import { channelKey, NO_FIGURES, sumOfFigures, worstLatency } from "./reading.ts";

/** What a snapshot is made from. */
export interface SnapshotInput {
  readonly atMs: number;
  readonly hasLookupds: boolean;
  readonly lookupds: readonly LookupdView[];
  readonly lookupdTopics: ReadonlySet<string>;
  readonly probes: readonly NodeProbe[];
  /** Ids of the nodes that are listed by nobody any more. */
  readonly unlisted: ReadonlySet<string>;
  readonly errors: readonly string[];
}

/** What is known of a topic while it is put together. */
interface Gathered {
  readonly perNode: TopicOnNode[];
  readonly channels: Map<string, TopicOnNode[]>;
}

/** Of channels whose depth rises: since when, and how deep they were at most. */
type Rising = Map<string, { sinceMs: number; depth: number }>;

const EPHEMERAL = "#ephemeral";

export class SnapshotBuilder {
  readonly #attention = new Attention();
  #rising: Rising = new Map();

  build(input: SnapshotInput): Snapshot {
    const nodes = nodeViews(input);
    const topics = this.#topics(input, new Map(nodes.map((node) => [node.id, node])));
    const { atMs, hasLookupds, lookupds, probes, errors } = input;
    const failures = [...errors, ...probes.map(({ trouble }) => trouble).filter((trouble) => trouble !== "")];
    return {
      atMs,
      discovery: hasLookupds ? "lookupd" : "nsqd",
      lookupds,
      nodes,
      topics,
      totals: totalsOf(nodes, topics),
      attention: this.#attention.lines({ lookupds, nodes, topics }, atMs),
      message: failures.length === 0 ? "" : `WARNING: ${failures.join("\n")}`,
    };
  }

  #topics(input: SnapshotInput, nodes: ReadonlyMap<string, NodeView>): Map<string, TopicView> {
    const gathered = gather(input);
    for (const name of input.lookupdTopics) {
      if (!gathered.has(name)) gathered.set(name, { perNode: [], channels: new Map() });
    }
    const clients = gatherClients(input.probes);
    const rising: Rising = new Map();
    const topics = new Map<string, TopicView>();
    for (const name of [...gathered.keys()].sort(compareNames)) {
      const { perNode, channels } = gathered.get(name)!;
      const topic = sumOf(perNode);
      const views = new Map<string, ChannelView>();
      for (const channel of [...channels.keys()].sort(compareNames)) {
        const key = channelKey(name, channel);
        const onNodes = channels.get(channel)!, sum = sumOf(onNodes);
        const risingSeconds = this.#risingSeconds(rising, key, sum.figures.depth, input.atMs);
        views.set(channel, {
          topic: name,
          name: channel,
          isEphemeral: channel.endsWith(EPHEMERAL),
          ...sum,
          perNode: onNodes,
          clients: clients.get(key) ?? null,
          diagnosis: diagnose({
            figures: sum.figures,
            isPaused: sum.isPaused,
            isTopicPaused: topic.isPaused,
            topicDepth: topic.figures.depth,
            ...troubleOf(onNodes, nodes),
            clients: clients.get(key) ?? null,
            risingSeconds,
          }),
        });
      }
      topics.set(name, { name, isEphemeral: name.endsWith(EPHEMERAL), ...topic, perNode, channels: views });
    }
    this.#rising = rising;
    return topics;
  }

  /** A backlog that fell by a tenth does not rise any more. */
  #risingSeconds(rising: Rising, key: string, depth: number, atMs: number): number {
    if (depth === 0) return 0;
    const before = this.#rising.get(key);
    const isRising = before !== undefined && depth > before.depth * 0.9;
    const sinceMs = isRising ? before.sinceMs : atMs;
    rising.set(key, { sinceMs, depth: isRising ? Math.max(depth, before.depth) : depth });
    return (atMs - sinceMs) / 1000;
  }
}

function nodeViews({ probes, unlisted }: SnapshotInput): NodeView[] {
  const versionOf = ({ reading, producer }: NodeProbe) => reading?.version || producer.version;
  const highest = probes.map(versionOf).reduce((a, b) => compareVersions(a, b) < 0 ? b : a, "0.0.0");
  const views = probes.map((probe): NodeView => {
    const { id, producer, reading } = probe, version = versionOf(probe);
    return {
      id,
      hostname: producer.hostname,
      broadcastAddress: producer.broadcastAddress,
      tcpPort: producer.tcpPort,
      httpPort: producer.httpPort,
      version,
      region: producer.region,
      zone: producer.zone,
      isOutOfDate: compareVersions(version, highest) < 0,
      capabilities: capabilitiesOf(probe.offered, `nsqd ${version} on ${producer.hostname || id}`),
      isUp: probe.isUp,
      error: probe.trouble,
      lastAnswerMs: reading?.atMs ?? null,
      answerMs: probe.answerMs,
      startMs: reading === null || reading.startTime === 0 ? null : reading.startTime * 1000,
      health: reading?.health ?? "OK",
      remoteAddresses: unlisted.has(id) ? [] : producer.remoteAddresses ?? [],
      topics: topicsOf(producer, probe),
      figures: stillIfDown(reading?.figures ?? NO_FIGURES, probe.isUp),
      process: probe.process,
    };
  });
  return views.sort((a, b) => compareNames(a.hostname, b.hostname) || compareNames(a.id, b.id));
}

/** What the node says it has, and what lookupds still hide. */
function topicsOf(producer: Producer, { reading }: NodeProbe): NodeView["topics"] {
  const tombstoned = new Set(producer.topics.filter((each) => each.isTombstoned).map(({ topic }) => topic));
  const names = reading === null ? producer.topics.map(({ topic }) => topic) : [...reading.topics.keys()];
  return [...new Set([...names, ...tombstoned])].sort(compareNames)
    .map((name) => ({ name, isTombstoned: tombstoned.has(name) }));
}

function gather({ probes }: SnapshotInput): Map<string, Gathered> {
  const gathered = new Map<string, Gathered>();
  for (const { id: node, reading, isUp } of probes) {
    if (reading === null) continue;
    for (const [name, topic] of reading.topics) {
      let entry = gathered.get(name);
      if (entry === undefined) gathered.set(name, entry = { perNode: [], channels: new Map() });
      const { isPaused, latency } = topic;
      entry.perNode.push({ node, isPaused, figures: stillIfDown(topic.figures, isUp), latency });
      for (const [channelName, { isPaused, figures, latency }] of topic.channels) {
        const onNode = { node, isPaused, figures: stillIfDown(figures, isUp), latency };
        const others = entry.channels.get(channelName);
        if (others === undefined) entry.channels.set(channelName, [onNode]);
        else others.push(onNode);
      }
    }
  }
  return gathered;
}

/** Of a node that does not answer the counts are the last known, and nothing moves. */
function stillIfDown(figures: Figures, isUp: boolean): Figures {
  if (isUp) return figures;
  return { ...figures, inPerSecond: 0, outPerSecond: 0, requeuesPerMinute: 0, timeoutsPerMinute: 0 };
}

function gatherClients(probes: readonly NodeProbe[]): Map<string, ClientView[]> {
  const gathered = new Map<string, ClientView[]>();
  for (const { clients } of probes) {
    for (const [key, list] of clients) gathered.set(key, [...gathered.get(key) ?? [], ...list]);
  }
  return gathered;
}

function sumOf(perNode: readonly TopicOnNode[]) {
  return {
    isPaused: perNode.some(({ isPaused }) => isPaused),
    figures: sumOfFigures(perNode.map(({ figures }) => figures)),
    latency: worstLatency(perNode.map(({ latency }) => latency)),
  };
}

function troubleOf(perNode: readonly TopicOnNode[], nodes: ReadonlyMap<string, NodeView>) {
  const nodesDown: string[] = [];
  let sick: { node: string; health: string } | null = null;
  for (const { node } of perNode) {
    const { isUp, health } = nodes.get(node)!;
    if (!isUp) nodesDown.push(node);
    else if (health.startsWith("NOK")) sick = { node, health };
  }
  return { nodesDown, nodeCount: perNode.length, sick };
}

function totalsOf(nodes: readonly NodeView[], topics: ReadonlyMap<string, TopicView>): Totals {
  const figures = sumOfFigures(nodes.map((node) => node.figures));
  const disks = nodes.map(({ process }) => process?.diskBytes ?? null).filter((bytes) => bytes !== null);
  let channelCount = 0;
  for (const { channels } of topics.values()) channelCount += channels.size;
  return {
    ...figures,
    topicCount: topics.size,
    channelCount,
    nodesUp: nodes.filter(({ isUp }) => isUp).length,
    nodesKnown: nodes.length,
    diskBytes: disks.length === 0 ? null : disks.reduce((total, bytes) => total + bytes, 0),
  };
}
