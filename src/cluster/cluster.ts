/**
 * Finds the nodes of a cluster, by its lookupds or from a fixed list, and reads what they have.
 *
 * Every question goes to all who can answer it at the same time; those that fail leave a line of text, and only
 * when nobody answers is it an error. Tested in test/admin/http/api_test.ts.
 */
import {
  joinHostPort,
  nodeIdOf,
  type NodeStats,
  type Producer,
  readNames,
  readNodeStats,
  readProducer,
  readProducers,
} from "./node_answers.ts";
import { askAll, type Partial } from "./partial.ts";
import { type Upstream, UpstreamError } from "./upstream.ts";
import { compareVersions } from "./versions.ts";

/** Where to ask; `host:port` each. With lookupds the nsqds are not asked which they are. */
export interface ClusterAddresses {
  readonly lookupdHttpAddresses: readonly string[];
  readonly nsqdHttpAddresses: readonly string[];
}

/** Which statistics are wanted; "" for all. */
export interface StatsSelection {
  readonly topic?: string;
  readonly channel?: string;
  readonly includeClients: boolean;
  /** Of the process; true by default. For some nodes it costs more than all else. */
  readonly includeMemory?: boolean;
}

/** The statistics of a node. */
export interface NodeWithStats {
  readonly producer: Producer;
  readonly stats: NodeStats;
}

export class Cluster {
  readonly #upstream: Upstream;
  readonly #addresses: () => ClusterAddresses;

  /** @param addresses is asked each time, since they may change while a program runs */
  constructor(upstream: Upstream, addresses: () => ClusterAddresses) {
    this.#upstream = upstream;
    this.#addresses = addresses;
  }

  get lookupds(): readonly string[] {
    return this.#addresses().lookupdHttpAddresses;
  }

  get hasLookupds(): boolean {
    return this.lookupds.length > 0;
  }

  /** The names of all topics, sorted. @throws {NobodyAnsweredError} */
  async topics(): Promise<Partial<string>> {
    const { values, errors } = this.hasLookupds
      ? await this.#askLookupds("/topics", (json) => readNames(json, "topics"))
      : await this.#askNodes("/stats?format=json", (json) => readNodeStats(json).topics.map(topicName));
    return { values: sortedUnion(values), errors };
  }

  /** The names of the channels that lookupds know of `topic`, sorted. @throws {NobodyAnsweredError} */
  async lookupdChannels(topic: string): Promise<Partial<string>> {
    const path = `/channels?topic=${encodeURIComponent(topic)}`;
    const { values, errors } = await this.#askLookupds(path, (json) => readNames(json, "channels"));
    return { values: sortedUnion(values), errors };
  }

  /** All nodes; those of lookupds by hostname. @throws {NobodyAnsweredError} */
  async nodes(): Promise<Partial<Producer>> {
    if (!this.hasLookupds) return await askAll("nsqd", this.#nsqds, (address) => this.describe(address));
    const { values, errors } = await askAll("nsqlookupd", this.lookupds, async (address) => ({
      address,
      producers: readProducers(await this.#upstream.get("nsqlookupd", address, "/nodes")),
    }));
    return { values: mergeNodes(values), errors };
  }

  /** The nodes that have `topic`. @throws {NobodyAnsweredError} when nobody answers, or nobody knows the topic */
  async producersOf(topic: string): Promise<Partial<Producer>> {
    if (this.hasLookupds) return await this.lookupdProducersOf(topic);
    const name = encodeURIComponent(topic);
    const { values, errors } = await askAll("nsqd", this.#nsqds, async (address) => {
      const path = `/stats?format=json&topic=${name}&include_clients=false`;
      const stats = readNodeStats(await this.#upstream.get("nsqd", address, path));
      const hasTopic = stats.topics.some((each) => each.topic_name === topic);
      return hasTopic
        ? withTopics(readInfo(await this.#upstream.get("nsqd", address, "/info"), address), stats)
        : null;
    });
    return { values: values.filter((producer) => producer !== null), errors };
  }

  /** The nodes that lookupds say have `topic`. @throws {NobodyAnsweredError} also when there is no lookupd */
  async lookupdProducersOf(topic: string): Promise<Partial<Producer>> {
    const path = `/lookup?topic=${encodeURIComponent(topic)}`;
    const { values, errors } = await this.#askLookupds(path, readProducers);
    return { values: uniqueBy(values.flat(), nodeIdOf), errors };
  }

  /**
   * Describes the nsqd at `address` by what it says of itself, and the topics that it has.
   *
   * @throws {UpstreamError}
   */
  async describe(address: string): Promise<Producer> {
    const producer = readInfo(await this.#upstream.get("nsqd", address, "/info"), address);
    const path = "/stats?format=json&include_clients=false";
    return withTopics(producer, readNodeStats(await this.#upstream.get("nsqd", address, path)));
  }

  /** What `producers` say of themselves. @throws {NobodyAnsweredError} also when there is no producer */
  async stats(producers: readonly Producer[], selection: StatsSelection): Promise<Partial<NodeWithStats>> {
    return await askAll("nsqd", producers, async (producer) => ({
      producer,
      stats: await this.statsOf(producer, selection),
    }));
  }

  /** @throws {UpstreamError} */
  async statsOf(producer: Producer, selection: StatsSelection): Promise<NodeStats> {
    const address = joinHostPort(producer.broadcastAddress, producer.httpPort);
    const stats = readNodeStats(await this.#upstream.get("nsqd", address, statsPath(selection)));
    // A node of before version 0.3.6 sends all topics, whatever it is asked.
    const { topic = "" } = selection;
    if (topic !== "") stats.topics = stats.topics.filter((each) => each.topic_name === topic);
    return stats;
  }

  get #nsqds(): readonly string[] {
    return this.#addresses().nsqdHttpAddresses;
  }

  async #askLookupds<T>(path: string, read: (json: unknown) => T): Promise<Partial<T>> {
    return await askAll(
      "nsqlookupd",
      this.lookupds,
      async (address) => read(await this.#upstream.get("nsqlookupd", address, path)),
    );
  }

  async #askNodes<T>(path: string, read: (json: unknown) => T): Promise<Partial<T>> {
    return await askAll(
      "nsqd",
      this.#nsqds,
      async (address) => read(await this.#upstream.get("nsqd", address, path)),
    );
  }
}

function statsPath(selection: StatsSelection): string {
  const { topic = "", channel = "", includeClients, includeMemory = true } = selection;
  const parts = ["/stats?format=json"];
  if (topic !== "") parts.push(`topic=${encodeURIComponent(topic)}`);
  if (topic !== "" && channel !== "") parts.push(`channel=${encodeURIComponent(channel)}`);
  if (!includeClients) parts.push("include_clients=false");
  if (!includeMemory) parts.push("include_mem=false");
  return parts.join("&");
}

function topicName({ topic_name }: { topic_name: string }): string {
  return topic_name;
}

function sortedUnion(lists: readonly string[][]): string[] {
  return [...new Set(lists.flat())].sort(compareNames);
}

/** Byte order, which for names of topics and channels is that of code units. */
export function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function uniqueBy<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  const kept = new Map<string, T>();
  for (const item of items) if (!kept.has(keyOf(item))) kept.set(keyOf(item), item);
  return [...kept.values()];
}

/**
 * One entry for each node that any lookupd lists, with all lookupds that list it.
 *
 * @param answers of each lookupd; their producers are changed
 */
export function mergeNodes(answers: readonly { address: string; producers: Producer[] }[]): Producer[] {
  const nodes = new Map<string, Producer>();
  for (const { address, producers } of answers) {
    for (const producer of producers) {
      const key = joinHostPort(producer.broadcastAddress, producer.tcpPort);
      const node = nodes.get(key) ?? producer;
      nodes.set(key, node);
      node.remoteAddresses ??= [];
      node.remoteAddresses.push(`${address}/${producer.remoteAddress || "N/A"}`);
    }
  }
  const merged = [...nodes.values()];
  const highest = merged.map(({ version }) => version).reduce(
    (a, b) => compareVersions(a, b) < 0 ? b : a,
    "0.0.0",
  );
  for (const node of merged) {
    node.topics.sort((a, b) => compareNames(a.topic, b.topic));
    node.isOutOfDate = compareVersions(node.version, highest) < 0;
  }
  return merged.sort((a, b) => compareNames(a.hostname, b.hostname));
}

/** An nsqd that does not say where it is reached is at the address where it was asked. */
function readInfo(json: unknown, address: string): Producer {
  const producer = readProducer(json);
  const { host, port } = splitAddress(address);
  if (producer.broadcastAddress === "") {
    producer.broadcastAddress = host;
    producer.httpPort = port;
  }
  if (producer.hostname === "") producer.hostname = host;
  return producer;
}

function splitAddress(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(":");
  const host = address.slice(0, at).replace(/^.*[@/]/, "").replace(/^\[|\]$/g, "");
  const port = Number(address.slice(at + 1).replace(/\/.*$/, ""));
  if (!Number.isInteger(port)) throw new UpstreamError(`the address ${address} has no port`, null);
  return { host, port };
}

function withTopics(producer: Producer, stats: NodeStats): Producer {
  producer.topics = stats.topics.map(({ topic_name }) => ({ topic: topic_name, isTombstoned: false }));
  return producer;
}
