/**
 * The lines that are pushed to statsd: names as other implementations have them, values as of when a line is made.
 *
 * A counter is what was added since its last line, so the first has the full value.
 *
 * Tested in test/nsqd/stats/statsd_test.ts.
 */
import { formatAddress } from "../../net/address.ts";
import type { Broker } from "../../broker/broker.ts";
import { Channel } from "../../broker/channel.ts";
import type { Topic } from "../../broker/topic.ts";
import type { GarbageCollection } from "../../metrics/garbage_collection.ts";
import { LatencyReader } from "./latency_stats.ts";
import { channelBackendDepth, collectMemory, topicBackendDepth } from "./stats.ts";
import type { LatencyStats } from "../../api/stats.ts";

/** What has lines of its own. */
export type Subject = Topic | Channel | GarbageCollection;

export interface StatsdSources {
  readonly broker: Broker;
  readonly garbageCollection: GarbageCollection;
}

export interface StatsdLineSettings {
  /** In front of every name. */
  readonly prefix: string;
  readonly memStats: boolean;
  readonly excludeEphemeral: boolean;
}

/**
 * The prefix that the option asks for: `%s` stands for where this node is, without dots and colons, and a dot
 * ends it unless it is empty.
 */
export function expandPrefix(option: string, broadcastAddress: string, broadcastHttpPort: number): string {
  const node = formatAddress(broadcastAddress, broadcastHttpPort).replace(/[.:]/g, "_");
  const prefix = option.replaceAll("%s", () => node);
  return prefix === "" || prefix.endsWith(".") ? prefix : `${prefix}.`;
}

export class StatsdLines {
  readonly #sources: StatsdSources;
  readonly #settings: StatsdLineSettings;
  /** The counts of each subject when it had its last lines. */
  readonly #counts = new WeakMap<Subject, number[]>();
  #latencies: LatencyReader;

  constructor(sources: StatsdSources, settings: StatsdLineSettings) {
    this.#sources = sources;
    this.#settings = settings;
    this.#latencies = new LatencyReader(sources.broker);
  }

  /** What a push is about, in its order: topics by name, each with its channels by name, then memory. */
  subjects(): Subject[] {
    const { broker, garbageCollection } = this.#sources, { memStats, excludeEphemeral } = this.#settings;
    const isWanted = (of: Topic | Channel) => !(excludeEphemeral && of.ephemeral);
    const subjects: Subject[] = [];
    for (const topic of byName(broker.topics)) {
      if (!isWanted(topic)) continue;
      subjects.push(topic);
      for (const channel of byName(topic.channels)) if (isWanted(channel)) subjects.push(channel);
    }
    if (memStats) subjects.push(garbageCollection);
    return subjects;
  }

  /** The lines of one subject, each with its end; none for what was deleted meanwhile. */
  linesOf(subject: Subject): string[] {
    if (subject instanceof Channel) return subject.exiting ? [] : this.#channelLines(subject);
    if ("channels" in subject) return subject.exiting ? [] : this.#topicLines(subject);
    return this.#memoryLines(subject);
  }

  #topicLines(topic: Topic): string[] {
    const name = `topic.${topic.name}`;
    const [messages, bytes] = this.#added(topic, [topic.messageCount, topic.messageBytes]);
    this.#latencies = new LatencyReader(this.#sources.broker);
    return [
      this.#line(`${name}.message_count`, messages, "c"),
      this.#line(`${name}.message_bytes`, bytes, "c"),
      this.#line(`${name}.depth`, topic.pendingCount, "g"),
      this.#line(`${name}.backend_depth`, topicBackendDepth(topic), "g"),
      ...this.#latencyLines(name, this.#latencies.ofTopic(topic)),
    ];
  }

  #channelLines(channel: Channel): string[] {
    const name = `topic.${channel.topic.name}.channel.${channel.name}`;
    const { messageCount, requeueCount, timeoutCount, expiredCount, overflowCount } = channel;
    const [messages, requeues, timeouts, expired, overflow] = this.#added(channel, [
      messageCount,
      requeueCount,
      timeoutCount,
      expiredCount,
      overflowCount,
    ]);
    const policyLines = channel.isPoliced || channel.dead.size > 0
      ? [
        this.#line(`${name}.dead_count`, channel.dead.size, "g"),
        this.#line(`${name}.expired_count`, expired, "c"),
        this.#line(`${name}.overflow_count`, overflow, "c"),
      ]
      : [];
    return [
      this.#line(`${name}.message_count`, messages, "c"),
      this.#line(`${name}.depth`, channel.depth, "g"),
      this.#line(`${name}.backend_depth`, channelBackendDepth(channel), "g"),
      this.#line(`${name}.in_flight_count`, channel.inFlightCount, "g"),
      this.#line(`${name}.deferred_count`, channel.deferredCount, "g"),
      this.#line(`${name}.requeue_count`, requeues, "c"),
      this.#line(`${name}.timeout_count`, timeouts, "c"),
      this.#line(`${name}.clients`, channel.subscriptions.length, "g"),
      ...policyLines,
      ...this.#latencyLines(name, this.#latencies.ofChannel(channel)),
    ];
  }

  #memoryLines(collection: GarbageCollection): string[] {
    const { gc_total_runs: total, ...gauges } = collectMemory(collection);
    const [runs] = this.#added(collection, [total]);
    return [
      ...Object.entries(gauges).map(([name, value]) => this.#line(`mem.${name}`, value, "g")),
      this.#line("mem.gc_runs", runs, "c"),
    ];
  }

  #latencyLines(name: string, { percentiles }: LatencyStats): string[] {
    return (percentiles ?? []).map(({ quantile, value }) =>
      this.#line(`${name}.e2e_processing_latency_${percentText(quantile)}`, Math.trunc(value), "g")
    );
  }

  /** What was added to `counts` since the last call for `subject`. A publish that failed is taken back. */
  #added(subject: Subject, counts: number[]): number[] {
    const before = this.#counts.get(subject);
    this.#counts.set(subject, counts);
    return counts.map((count, i) => Math.max(0, count - (before?.[i] ?? 0)));
  }

  #line(name: string, value: number, kind: "c" | "g"): string {
    return `${this.#settings.prefix}${name}:${value}|${kind}\n`;
  }
}

/** Whole percent; halves go to the even side, as in other implementations, whose names dashboards know. */
function percentText(quantile: number): string {
  const percent = quantile * 100;
  return String(percent % 1 === 0.5 ? 2 * Math.round(percent / 2) : Math.round(percent));
}

function byName<T extends { name: string }>(map: ReadonlyMap<string, T>): T[] {
  return [...map.values()].sort((a, b) => a.name < b.name ? -1 : 1);
}
