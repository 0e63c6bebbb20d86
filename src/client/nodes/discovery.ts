/**
 * Which nodes to be connected to: those that were named, and those that lookupds tell of, asked again and again
 * with a random share in the pauses. A node that no lookupd tells of any more keeps its connection; it is only
 * not connected to again once it is lost.
 */
import type { LookupError, NsqError } from "../errors.ts";
import type { Connecting } from "../options/options.ts";
import { Link, type LinkListener } from "./link.ts";
import { LookupdClient } from "./lookupd_client.ts";

/** Who wants the nodes. */
export interface DiscoveryListener extends LinkListener {
  /** A lookupd gave no answer; it is asked again. */
  onLookupFailed(error: LookupError): void;
}

/** Between two polls out of turn, ms. */
const MIN_EARLY_MS = 250;

/** Keeps a link to every node. */
export class Discovery {
  readonly links: Map<string, Link> = new Map();
  readonly #options: Connecting;
  readonly #topic: string | null;
  readonly #listener: DiscoveryListener;
  readonly #lookupd: LookupdClient;
  readonly #abort = new AbortController();
  /** Nodes that lookupds told of the last time, by key. */
  #told: ReadonlySet<string> = new Set();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #dueMs = Infinity;
  #isFirst = true;
  #isPolling = false;
  #isStopped = false;

  /** `topic` is that of a consumer; null asks for all nodes, to publish to. */
  constructor(options: Connecting, topic: string | null, listener: DiscoveryListener) {
    this.#options = options;
    this.#topic = topic;
    this.#listener = listener;
    this.#lookupd = new LookupdClient(options.lookupd, {
      timeoutMs: options.lookupdPollTimeoutMs,
      secret: options.lookupdAuthorization ? options.authSecret : "",
      userAgent: options.userAgent,
    });
  }

  /** Resolves when each node that was named and each that lookupds know was tried once; with what failed of the named. */
  async start(): Promise<NsqError[]> {
    const named = this.#options.nsqd.map((address) => this.#link(address, [address]).connect());
    const [failures] = await Promise.all([
      Promise.all(named),
      this.#options.lookupd.length === 0 ? null : this.#poll(),
    ]);
    return failures.filter((failure) => failure !== null);
  }

  /** The connection of `link` is gone. Whether it is made again is decided here. */
  lost(link: Link): void {
    if (this.#isStopped) return;
    const isNamed = this.#options.nsqd.includes(link.key);
    if (isNamed || this.#told.has(link.key)) link.lost();
    else {
      link.connection = null;
      this.#forget(link);
    }
    if (this.#options.lookupd.length > 0) this.#pollSoon();
  }

  /** Gives up all attempts. Connections that are open stay. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#abort.abort();
    for (const link of this.links.values()) link.stop();
  }

  #link(key: string, addresses: readonly string[]): Link {
    const existing = this.links.get(key);
    if (existing !== undefined) {
      existing.addresses = addresses;
      return existing;
    }
    const link = new Link(key, addresses, this.#options, this.#topic !== null, this.#listener);
    this.links.set(key, link);
    return link;
  }

  #forget(link: Link): void {
    link.stop();
    this.links.delete(link.key);
  }

  async #poll(): Promise<void> {
    this.#isPolling = true;
    clearTimeout(this.#timer);
    this.#dueMs = Infinity;
    const asked = this.#topic === null
      ? this.#lookupd.nodes(this.#abort.signal)
      : this.#lookupd.nodesOf(this.#topic, this.#abort.signal);
    const { value: nodes, errors } = await asked;
    this.#isPolling = false;
    if (this.#isStopped) return;
    for (const error of errors) this.#listener.onLookupFailed(error);
    this.#told = new Set(nodes.map((node) => node.key));
    for (const link of [...this.links.values()]) {
      const isWanted = link.connection !== null || this.#told.has(link.key) ||
        this.#options.nsqd.includes(link.key);
      if (!isWanted) this.#forget(link);
    }
    const { lookupdPollIntervalMs: intervalMs, lookupdPollJitter: jitter } = this.#options;
    this.#arm(intervalMs * (this.#isFirst ? 1 + jitter * Math.random() : 1 + jitter * (Math.random() - 0.5)));
    this.#isFirst = false;
    await Promise.all(nodes.map((node) => {
      const isNew = !this.links.has(node.key);
      const link = this.#link(node.key, node.addresses);
      // One that is there tries again by itself.
      return isNew ? link.connect() : null;
    }));
  }

  #pollSoon(): void {
    if (!this.#isPolling) this.#arm(MIN_EARLY_MS * (1 + Math.random()));
  }

  #arm(inMs: number): void {
    const dueMs = performance.now() + inMs;
    if (dueMs >= this.#dueMs) return;
    this.#dueMs = dueMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#poll(), inMs);
  }
}
