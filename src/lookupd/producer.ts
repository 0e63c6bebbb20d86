/**
 * Producers and topics, which point at each other: what an nsqd announces about itself, how that reads in answers,
 * and who has which topic.
 *
 * `ProducerInfo` is a value that never changes after IDENTIFY. `Producer` is the peer as the registration database
 * knows it; only `registration_db.ts` changes one, or a `Topic`.
 *
 * Tested in test/lookupd/registration_db_test.ts.
 */
import { encodeJson } from "../protocol/json.ts";

/** What an nsqd announces in IDENTIFY. */
export interface ProducerInfo {
  /** Host that consumers connect to; not empty. */
  readonly broadcastAddress: string;
  /**
   * All hosts under which the node can be reached, `broadcastAddress` first; empty unless the node
   * announced more than one.
   */
  readonly broadcastAddresses: readonly string[];
  readonly hostname: string;
  readonly tcpPort: number;
  readonly httpPort: number;
  readonly version: string;
  readonly topologyZone: string;
  readonly topologyRegion: string;
}

/** One nsqd, from its IDENTIFY to the end of its connection. */
export class Producer {
  /** `ip:port` of the nsqd's end of its connection; the identity of a producer. */
  id: string;
  info: ProducerInfo;
  /** Last IDENTIFY or PING, ms since the epoch with a fraction. */
  lastUpdateMs: number;
  /** Topics that the producer is registered for. */
  readonly topics: Set<Topic> = new Set();
  /** Whether it is known from the snapshot alone: its nsqd has not connected since the restart. */
  isRestored = false;
  /**
   * Registrations that came from the snapshot and that its nsqd has not repeated since it connected:
   * for each topic the channels, and "" for the topic itself. Undefined when there are none.
   */
  unconfirmed: Map<string, Set<string>> | undefined;
  /** Changes when anything that `/nodes` shows of this producer changes. */
  revision = 0;

  #fields: string | undefined;

  constructor(id: string, info: ProducerInfo, lastUpdateMs: number) {
    this.id = id;
    this.info = info;
    this.lastUpdateMs = lastUpdateMs;
  }

  /** What `POST /topic/tombstone` calls a node; IPv6 addresses have no brackets. */
  get node(): string {
    return `${this.info.broadcastAddress}:${this.info.httpPort}`;
  }

  /** The JSON members that `/lookup` and `/nodes` show, without braces. */
  get jsonFields(): string {
    return this.#fields ??= producerFields(this.id, this.info);
  }

  /** Takes over the identity of a connection: a restored producer whose nsqd came back. */
  adopt(id: string, info: ProducerInfo, nowMs: number): void {
    this.id = id;
    this.info = info;
    this.lastUpdateMs = nowMs;
    this.isRestored = false;
    this.#fields = undefined;
  }
}

/** The time of a tombstone that was never set. */
export const NOT_TOMBSTONED = -1;

/** A topic, or what is left of it: at least one of its keys exists. */
export class Topic {
  readonly name: string;
  /** Whether the key of the topic itself exists; its channels may exist without. */
  isRegistered = false;
  /** Each producer with the time of its tombstone in ms since the epoch, or `NOT_TOMBSTONED`. */
  readonly producers: Map<Producer, number> = new Map();
  readonly channels: Map<string, Set<Producer>> = new Map();
  /** Changes when anything that `/lookup` shows of this topic changes; never repeats. */
  revision = 0;

  constructor(name: string) {
    this.name = name;
  }
}

/** The key under which a node that comes back is recognised. */
export function nodeKey(info: ProducerInfo): string {
  return `${info.broadcastAddress}:${info.tcpPort}:${info.httpPort}`;
}

function producerFields(id: string, info: ProducerInfo): string {
  const fields: Record<string, unknown> = {
    remote_address: id,
    hostname: info.hostname,
    broadcast_address: info.broadcastAddress,
    tcp_port: info.tcpPort,
    http_port: info.httpPort,
    version: info.version,
    topology_zone: info.topologyZone,
    topology_region: info.topologyRegion,
  };
  if (info.broadcastAddresses.length > 1) fields.broadcast_addresses = info.broadcastAddresses;
  return encodeJson(fields).slice(1, -1);
}
