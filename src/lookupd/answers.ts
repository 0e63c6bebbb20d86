/**
 * The JSON bodies of the HTTP API's queries, kept ready until something in them changes.
 *
 * A poll of every consumer asks for the same few topics, and the answer changes only when somebody
 * registers, leaves or dies. So a body is kept with the `revision` of what it shows and the time at
 * which a producer in it would turn inactive or a tombstone would end; until then a `/lookup` is a
 * map access. A PING leaves bodies valid: it only moves that time further away.
 *
 * Bodies of `/lookup` together hold at most `MAX_LOOKUP_CACHE_LENGTH`; the topics asked for longest
 * ago go first. They are text, because a server copies a body of bytes on the heap for each answer, and
 * that garbage was the most of lookupd's memory. A large one is also compressed, in the background, once
 * a client that takes gzip has asked for it: producers of a topic look alike, so it shrinks some 20 times.
 */
import { promisify } from "node:util";
import { constants, gzip, type ZlibOptions } from "node:zlib";
import { encodeJson } from "../protocol/json.ts";
import type { Producer } from "./producer.ts";
import type { RegistrationDb } from "./registration_db.ts";
import type { Topic } from "./producer.ts";

/** Bound of the kept bodies of `/lookup`, characters. 100,000 registrations of nsqd take about 25 MB. */
export const MAX_LOOKUP_CACHE_LENGTH = 48 * 1024 * 1024;

/** The tombstone time that `/debug` shows when there was none; ns, Go's zero time. */
const NO_TOMBSTONE_NS = "-6795364578871345152";

/** Producers in one piece of `/debug`, so that building one takes about a millisecond. */
const DEBUG_PRODUCERS_PER_PIECE = 2_000;

/** Shorter bodies are not worth compressing, characters. */
const MIN_GZIP_LENGTH = 64 * 1024;

const compress = promisify(gzip) as (text: string, options: ZlibOptions) => Promise<Uint8Array<ArrayBuffer>>;

interface KeptBody {
  body: string;
  /** The body compressed; null while it is being made, absent when nobody asked for it. */
  gzip?: Uint8Array<ArrayBuffer> | null;
  /** Of the topic or database that it shows. */
  revision: number;
  /** From this time on, ms since the epoch, it may no longer be true. */
  staleFromMs: number;
}

interface KeptNode {
  json: string;
  revision: number;
  staleFromMs: number;
}

/** Answers the queries about one registration database. */
export class Answers {
  #db: RegistrationDb;
  #maxLookupCacheLength: number;
  /** In the order in which they were last built or asked for. */
  #lookups = new Map<string, KeptBody>();
  #lookupLength = 0;
  #nodes: KeptBody | undefined;
  #nodeJson = new WeakMap<Producer, KeptNode>();
  #topics: KeptBody | undefined;

  constructor(db: RegistrationDb, maxLookupCacheLength = MAX_LOOKUP_CACHE_LENGTH) {
    this.#db = db;
    this.#maxLookupCacheLength = maxLookupCacheLength;
  }

  /** Bytes of the kept `/lookup` bodies, taking a character for one. */
  get lookupCacheLength(): number {
    return this.#lookupLength;
  }

  /** The body of `/lookup`, or undefined when there is no such topic. `name` need not be valid. */
  lookup(name: string): string | undefined {
    return this.#lookup(name)?.body;
  }

  /** The same for a client that takes gzip; undefined also when it is small or not ready, which nobody waits for. */
  compressedLookup(name: string): Uint8Array<ArrayBuffer> | undefined {
    const kept = this.#lookup(name);
    if (kept === undefined || kept.body.length < MIN_GZIP_LENGTH) return undefined;
    if (kept.gzip === undefined) this.#compress(name, kept);
    return kept.gzip ?? undefined;
  }

  #lookup(name: string): KeptBody | undefined {
    const topic = this.#db.topic(name);
    if (topic === undefined || !topic.isRegistered) return undefined;
    const nowMs = this.#db.nowMs;
    const kept = this.#lookups.get(name);
    if (kept !== undefined) {
      this.#lookups.delete(name);
      if (kept.revision === topic.revision && nowMs < kept.staleFromMs) {
        this.#lookups.set(name, kept);
        return kept;
      }
      this.#lookupLength -= lengthOf(kept);
    }
    const built = buildLookup(this.#db, topic, nowMs);
    this.#keepLookup(name, built);
    return built;
  }

  /** The compressor works on another thread, and its result is for those who ask later. */
  #compress(name: string, kept: KeptBody): void {
    kept.gzip = null;
    const keep = (bytes: Uint8Array<ArrayBuffer>) => {
      kept.gzip = bytes;
      if (this.#lookups.get(name) === kept) this.#addLength(bytes.length);
    };
    // A body that cannot be compressed, for want of memory, goes out as it is.
    compress(kept.body, { level: constants.Z_BEST_SPEED }).then(keep, () => {});
  }

  /** The body of `/nodes`. */
  nodes(): string {
    const db = this.#db;
    const nowMs = db.nowMs;
    if (isFresh(this.#nodes, db.revision, nowMs)) return this.#nodes.body;
    const nodes: string[] = [];
    let staleFromMs = Infinity;
    for (const producer of db.producers) {
      if (!db.isActive(producer, nowMs)) continue;
      const node = this.#node(producer, nowMs);
      nodes.push(node.json);
      staleFromMs = Math.min(staleFromMs, node.staleFromMs, inactiveFromMs(db, producer));
    }
    const body = encodeList(`{"producers":[`, nodes);
    this.#nodes = { body, revision: db.revision, staleFromMs };
    return body;
  }

  /** The body of `/topics`. */
  topics(): string {
    const db = this.#db;
    if (isFresh(this.#topics, db.revision, 0)) return this.#topics.body;
    const names: string[] = [];
    for (const topic of db.topics()) if (topic.isRegistered) names.push(topic.name);
    const body = encodeJson({ topics: names });
    this.#topics = { body, revision: db.revision, staleFromMs: Infinity };
    return body;
  }

  /** The body of `/channels`; a topic that does not exist has none. `name` need not be valid. */
  channels(name: string): string {
    const names = [...this.#db.topic(name)?.channels.keys() ?? []];
    return encodeJson({ channels: names });
  }

  /**
   * The body of `/debug` in pieces, so that the caller can let others work in between: with 100,000
   * registrations it is some 60 MB. Each piece is true at the time at which it is taken.
   */
  *debug(): Generator<string> {
    let piece = "{";
    let producers = 0;
    let isFirst = true;
    for (const [key, list] of debugKeys(this.#db)) {
      const entries = debugEntries(this.#db, key, list);
      if (entries === "") continue;
      piece += `${isFirst ? "" : ","}${encodeJson(key)}:[${entries}]`;
      isFirst = false;
      producers += list.length;
      if (producers < DEBUG_PRODUCERS_PER_PIECE) continue;
      yield piece;
      piece = "";
      producers = 0;
    }
    yield piece + "}";
  }

  #keepLookup(name: string, built: KeptBody): void {
    if (built.body.length > this.#maxLookupCacheLength) return;
    this.#lookups.set(name, built);
    this.#addLength(built.body.length);
  }

  #addLength(length: number): void {
    this.#lookupLength += length;
    for (const [oldest, kept] of this.#lookups) {
      if (this.#lookupLength <= this.#maxLookupCacheLength) return;
      this.#lookups.delete(oldest);
      this.#lookupLength -= lengthOf(kept);
    }
  }

  #node(producer: Producer, nowMs: number): KeptNode {
    const kept = this.#nodeJson.get(producer);
    if (kept !== undefined && kept.revision === producer.revision && nowMs < kept.staleFromMs) return kept;
    const built = buildNode(this.#db, producer, nowMs);
    this.#nodeJson.set(producer, built);
    return built;
  }
}

function lengthOf(kept: KeptBody): number {
  return kept.body.length + (kept.gzip?.length ?? 0);
}

function isFresh(kept: KeptBody | undefined, revision: number, nowMs: number): kept is KeptBody {
  return kept !== undefined && kept.revision === revision && nowMs < kept.staleFromMs;
}

/** A producer is still active when exactly the timeout has passed, hence the extra millisecond. */
function inactiveFromMs(db: RegistrationDb, producer: Producer): number {
  return producer.lastUpdateMs + db.limits.inactiveProducerTimeoutMs + 1;
}

function buildLookup(db: RegistrationDb, topic: Topic, nowMs: number): KeptBody {
  const elements: string[] = [];
  let staleFromMs = Infinity;
  for (const [producer, tombstonedAtMs] of topic.producers) {
    if (!db.isActive(producer, nowMs)) continue;
    if (db.isTombstoned(tombstonedAtMs, nowMs)) {
      staleFromMs = Math.min(staleFromMs, tombstonedAtMs + db.limits.tombstoneLifetimeMs);
      continue;
    }
    staleFromMs = Math.min(staleFromMs, inactiveFromMs(db, producer));
    elements.push(`{${producer.jsonFields}}`);
  }
  const channels = encodeJson([...topic.channels.keys()]);
  const body = encodeList(`{"channels":${channels},"producers":[`, elements);
  return { body, revision: topic.revision, staleFromMs };
}

/** One join makes one flat string; joining and adding would leave a second copy. */
function encodeList(opening: string, elements: string[]): string {
  if (elements.length === 0) return `${opening}]}`;
  elements[0] = opening + elements[0];
  elements[elements.length - 1] += "]}";
  return elements.join(",");
}

function buildNode(db: RegistrationDb, producer: Producer, nowMs: number): KeptNode {
  const topics: string[] = [];
  const tombstones: boolean[] = [];
  let staleFromMs = Infinity;
  for (const topic of producer.topics) {
    const tombstonedAtMs = topic.producers.get(producer) ?? 0;
    const isTombstoned = db.isTombstoned(tombstonedAtMs, nowMs);
    if (isTombstoned) staleFromMs = Math.min(staleFromMs, tombstonedAtMs + db.limits.tombstoneLifetimeMs);
    topics.push(topic.name);
    tombstones.push(isTombstoned);
  }
  const lists = `"tombstones":${JSON.stringify(tombstones)},"topics":${encodeJson(topics)}`;
  return { json: `{${producer.jsonFields},${lists}}`, revision: producer.revision, staleFromMs };
}

/** The keys of the database in alphabetical order, each with its producers. */
function* debugKeys(db: RegistrationDb): Generator<[key: string, producers: Producer[]]> {
  const names = [...db.topics()].map((topic) => topic.name).sort();
  const channelKeys: { key: string; topic: string; channel: string }[] = [];
  for (const topic of names) {
    for (const channel of db.topic(topic)?.channels.keys() ?? []) {
      channelKeys.push({ key: `channel:${topic}:${channel}`, topic, channel });
    }
  }
  channelKeys.sort((a, b) => a.key < b.key ? -1 : 1);
  for (const { key, topic, channel } of channelKeys) {
    yield [key, [...db.topic(topic)?.channels.get(channel) ?? []]];
  }
  yield ["client::", [...db.producers]];
  const topicKeys = names.map((topic) => ({ key: `topic:${topic}:`, topic }));
  topicKeys.sort((a, b) => a.key < b.key ? -1 : 1);
  for (const { key, topic } of topicKeys) yield [key, [...db.topic(topic)?.producers.keys() ?? []]];
}

function debugEntries(db: RegistrationDb, key: string, producers: Producer[]): string {
  const topic = key.startsWith("topic:") ? db.topic(key.slice("topic:".length, -1)) : undefined;
  return producers.map((producer) => debugEntry(producer, topic?.producers.get(producer))).join(",");
}

/** Members in alphabetical order; only entries of topics have tombstones. */
function debugEntry(producer: Producer, tombstonedAtMs = -1): string {
  const info = producer.info;
  const isTombstoned = tombstonedAtMs >= 0;
  const { id, lastUpdateMs } = producer;
  const addresses = info.broadcastAddresses.length > 1
    ? `,"broadcast_addresses":${encodeJson(info.broadcastAddresses)}`
    : "";
  return `{"broadcast_address":${encodeJson(info.broadcastAddress)}${addresses}` +
    `,"hostname":${encodeJson(info.hostname)},"http_port":${info.httpPort},"id":${encodeJson(id)}` +
    `,"last_update":${nanoseconds(lastUpdateMs)},"tcp_port":${info.tcpPort}` +
    `,"tombstoned":${isTombstoned}` +
    `,"tombstoned_at":${isTombstoned ? nanoseconds(tombstonedAtMs) : NO_TOMBSTONE_NS}` +
    `,"topology_region":${encodeJson(info.topologyRegion)}` +
    `,"topology_zone":${encodeJson(info.topologyZone)},"version":${encodeJson(info.version)}}`;
}

/** Whole microseconds are exact in a `number`, nanoseconds of our time are not. */
function nanoseconds(timeMs: number): string {
  return `${Math.trunc(timeMs * 1000)}000`;
}
