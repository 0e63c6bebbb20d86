/**
 * The lookupds that this nsqd is registered with: tells them what the broker has, and asks them for
 * the channels of a topic that is new here.
 *
 * The broker calls `topicCreated()` and its like from its own events; nothing here ever makes it wait,
 * except `lookupTopicChannels()`, whose purpose is to be waited for.
 *
 * Tested in test/nsqd/lookup/lookup_peer_test.ts.
 */
import { HttpClient } from "../../http/client/http_client.ts";
import { formatAddress } from "../../net/address.ts";
import { isEphemeral, isValidName } from "../../protocol/names.ts";
import type { Logger } from "../../log/logger.ts";
import { queryChannels } from "./lookup_channels.ts";
import { LookupPeer, type LookupPeerHost, type Registry } from "./lookup_peer.ts";

export type { Registry } from "./lookup_peer.ts";

/** How often each lookupd hears from us; it forgets nodes that are silent for 5 minutes. */
const PING_INTERVAL_MS = 15_000;

/** What this node announces; ports are those that clients connect to, 0 when there is none. */
export interface Announcement {
  /** One, or more when the node has several addresses; the first one is for all clients. */
  broadcastAddresses: readonly string[];
  hostname: string;
  tcpPort: number;
  httpPort: number;
  topologyRegion: string;
  topologyZone: string;
  version: string;
}

export interface LookupLoopSettings {
  announcement: Announcement;
  /** Bound of one reply of a lookupd, bytes; asked for at each connection and query, since it may change. */
  maxBodySize(): number;
  httpClientConnectTimeoutMs: number;
  httpClientRequestTimeoutMs: number;
}

/** One lookupd as `/metrics` and logs show it. */
export interface LookupPeerStatus {
  address: string;
  isConnected: boolean;
  /** "" until it was connected once. */
  version: string;
}

export class LookupLoop {
  readonly #settings: LookupLoopSettings;
  readonly #logger: Logger;
  readonly #peerHost: LookupPeerHost;
  readonly #peers = new Map<string, LookupPeer>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #isStopped = false;

  /** Connects to nobody until `setPeers()`. */
  constructor(settings: LookupLoopSettings, registry: Registry, logger: Logger) {
    this.#settings = settings;
    this.#logger = logger;
    this.#peerHost = {
      registry,
      logger,
      announcement: () => encodeAnnouncement(settings.announcement),
      maxReplyBytes: () => settings.maxBodySize(),
    };
  }

  /** The configured addresses, in the order in which they were added. */
  get addresses(): string[] {
    return [...this.#peers.keys()];
  }

  get peers(): LookupPeerStatus[] {
    return [...this.#peers.values()].map(({ address, state, info }) => ({
      address,
      isConnected: state === "connected",
      version: info?.version ?? "",
    }));
  }

  /**
   * Makes `addresses` (`host:port` each) the list of lookupds; those that stay keep their connection. Without
   * effect after `stop()`.
   */
  setPeers(addresses: readonly string[]): void {
    if (this.#isStopped) return;
    const wanted = new Set(addresses);
    for (const [address, peer] of this.#peers) {
      if (wanted.has(address)) continue;
      this.#logger.info(`LOOKUPD(${address}): removing peer`);
      this.#peers.delete(address);
      void peer.stop();
    }
    for (const address of wanted) {
      if (this.#peers.has(address)) continue;
      this.#logger.info(`LOOKUPD(${address}): adding peer`);
      this.#peers.set(address, new LookupPeer(address, this.#peerHost));
    }
    if (this.#peers.size > 0) this.#timer ??= setInterval(() => this.#send("PING"), PING_INTERVAL_MS);
  }

  topicCreated(topic: string): void {
    this.#send(`REGISTER ${topic}`);
  }

  /** Its channels go with it; there is no need to delete them first. */
  topicDeleted(topic: string): void {
    this.#send(`UNREGISTER ${topic}`);
  }

  channelCreated(topic: string, channel: string): void {
    this.#send(`REGISTER ${topic} ${channel}`);
  }

  channelDeleted(topic: string, channel: string): void {
    this.#send(`UNREGISTER ${topic} ${channel}`);
  }

  /**
   * Asks every known lookupd for the channels that `topic` has elsewhere, so that they exist here
   * before the first message is handed out.
   *
   * Resolves with valid, not ephemeral names, sorted and each once; with those of the lookupds that
   * answered in time when others did not. Never rejects. Soon after the start it waits until each
   * lookupd is connected or has failed to be, about two seconds at most: with the channels unknown,
   * the first messages would reach only the channel that is created first.
   */
  async lookupTopicChannels(topic: string): Promise<string[]> {
    await Promise.all([...this.#peers.values()].map((peer) => peer.introduced));
    if (this.#peers.size === 0) return [];
    const known = [...this.#peers.values()].filter((peer) => peer.info?.httpAddress !== undefined);
    if (known.length === 0) {
      this.#logger.error(
        `no lookupd has answered yet, the channels of topic ${topic} cannot be created ahead`,
      );
      return [];
    }
    const answers = await Promise.all(known.map((peer) => this.#channelsAt(peer, topic)));
    const names = answers.flat().filter((name) => isValidName(name) && !isEphemeral(name));
    return [...new Set(names)].sort();
  }

  /** Closes all connections, which unregisters the node. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    this.#timer = undefined;
    const peers = [...this.#peers.values()];
    this.#peers.clear();
    await Promise.all(peers.map((peer) => peer.stop()));
  }

  async #channelsAt(peer: LookupPeer, topic: string): Promise<string[]> {
    const address = peer.info?.httpAddress;
    if (address === undefined) return [];
    // Made for each query: topics are created rarely, and the bound may have changed.
    const client = new HttpClient({
      connectTimeoutMs: this.#settings.httpClientConnectTimeoutMs,
      requestTimeoutMs: this.#settings.httpClientRequestTimeoutMs,
      maxReplyBytes: this.#settings.maxBodySize(),
    });
    try {
      return await queryChannels(client, formatAddress(address.hostname, address.port), topic);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#logger.warn(`LOOKUPD(${peer.address}): failed to get the channels of topic ${topic} - ${reason}`);
      return [];
    }
  }

  #send(command: string): void {
    for (const peer of this.#peers.values()) peer.send(command);
  }
}

/** Keys in alphabetical order, as nsqd's are; `broadcast_addresses` is there only when it says more. */
function encodeAnnouncement(announcement: Announcement): string {
  const { broadcastAddresses } = announcement;
  return JSON.stringify({
    broadcast_address: broadcastAddresses[0],
    broadcast_addresses: broadcastAddresses.length > 1 ? broadcastAddresses : undefined,
    hostname: announcement.hostname,
    http_port: announcement.httpPort,
    tcp_port: announcement.tcpPort,
    topology_region: announcement.topologyRegion,
    topology_zone: announcement.topologyZone,
    version: announcement.version,
  });
}
