/** Asks lookupds, each of which may be down: what one of them said last stands until it says otherwise. */
import { LookupError } from "../errors.ts";

/** A node as lookupds tell of it. */
export interface LookedUpNode {
  /** `broadcast_address:tcp_port`, which tells nodes apart. */
  readonly key: string;
  /** Where to connect, as `host:port`; the first that can be reached is used. */
  readonly addresses: readonly string[];
  /** Its HTTP API, as `host:port`. */
  readonly httpAddress: string;
  /** Its machine's name, as it says. */
  readonly hostname: string;
  /** Its version of NSQ, as it says. */
  readonly version: string;
}

/** How to ask. */
export interface LookupdSettings {
  /** For one answer, ms. */
  timeoutMs: number;
  /** Sent as `Authorization: Bearer`; "" for none. */
  secret: string;
  /** Sent as `User-Agent`. */
  userAgent: string;
}

/** What a question to all lookupds gave. */
export interface LookupAnswer<T> {
  /** What the lookupds that answered say together. */
  readonly value: T;
  /** Of lookupds that gave no answer this time. */
  readonly errors: readonly LookupError[];
}

/**
 * Asks lookupds which nodes and topics there are.
 *
 *     const lookupd = new LookupdClient(["10.0.0.1:4161"], { timeoutMs: 5_000, secret: "", userAgent: "me" });
 *     const { value: nodes, errors } = await lookupd.nodesOf("orders");
 */
export class LookupdClient {
  readonly #addresses: readonly string[];
  readonly #settings: LookupdSettings;
  /** By question and lookupd, the last answer. */
  readonly #known = new Map<string, LookedUpNode[]>();

  /** `addresses` are `host:port` or URLs, whose path is kept for lookups. */
  constructor(addresses: readonly string[], settings: LookupdSettings) {
    this.#addresses = addresses;
    this.#settings = settings;
  }

  /** The nodes that have `topic`, each once. */
  nodesOf(topic: string, signal?: AbortSignal): Promise<LookupAnswer<LookedUpNode[]>> {
    return this.#nodes("/lookup", `topic=${encodeURIComponent(topic)}`, signal);
  }

  /** All nodes, each once. */
  nodes(signal?: AbortSignal): Promise<LookupAnswer<LookedUpNode[]>> {
    return this.#nodes("/nodes", "", signal);
  }

  /** The names of all topics, sorted. */
  async topics(signal?: AbortSignal): Promise<LookupAnswer<string[]>> {
    const { answers, errors } = await this.#askAll("/topics", "", signal);
    const names = answers.flatMap(({ body }) => Array.isArray(body?.topics) ? body.topics as unknown[] : []);
    const topics = names.filter((name): name is string => typeof name === "string");
    return { value: [...new Set(topics)].sort(), errors };
  }

  async #nodes(path: string, query: string, signal?: AbortSignal): Promise<LookupAnswer<LookedUpNode[]>> {
    const { answers, errors } = await this.#askAll(path, query, signal);
    for (const { address, body } of answers) {
      const nodes = Array.isArray(body?.producers) ? body.producers.flatMap(readNode) : [];
      this.#known.set(`${path}?${query} ${address}`, nodes);
    }
    const union = new Map<string, LookedUpNode>();
    for (const address of this.#addresses) {
      for (const node of this.#known.get(`${path}?${query} ${address}`) ?? []) {
        if (!union.has(node.key)) union.set(node.key, node);
      }
    }
    return { value: [...union.values()], errors };
  }

  async #askAll(path: string, query: string, signal?: AbortSignal): Promise<{
    answers: { address: string; body: Record<string, unknown> | null }[];
    errors: LookupError[];
  }> {
    const errors: LookupError[] = [];
    const asked = await Promise.all(this.#addresses.map(async (address) => {
      try {
        return [{ address, body: await this.#ask(address, path, query, signal) }];
      } catch (cause) {
        errors.push(
          cause instanceof LookupError
            ? cause
            : new LookupError(address, `lookupd ${address}: ${(cause as Error).message}`, { cause }),
        );
        return [];
      }
    }));
    return { answers: asked.flat(), errors };
  }

  /** Null when the lookupd does not know the topic. */
  async #ask(
    address: string,
    path: string,
    query: string,
    outer?: AbortSignal,
  ): Promise<Record<string, unknown> | null> {
    const { timeoutMs, secret, userAgent } = this.#settings;
    const url = lookupUrl(address, path, query);
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    const onAbort = () => abort.abort(outer?.reason);
    outer?.addEventListener("abort", onAbort);
    if (outer?.aborted) onAbort();
    try {
      const response = await fetch(url, {
        signal: abort.signal,
        headers: {
          accept: "application/vnd.nsq; version=1.0",
          "user-agent": userAgent,
          ...(secret === "" ? {} : { authorization: `Bearer ${secret}` }),
        },
      });
      const text = await response.text();
      if (response.status === 404) return null;
      if (!response.ok) {
        throw new LookupError(
          address,
          `lookupd ${address} answered ${response.status}: ${text.slice(0, 200)}`,
        );
      }
      return readBody(address, text);
    } finally {
      clearTimeout(timer);
      outer?.removeEventListener("abort", onAbort);
    }
  }
}

/** A path of its own in `address` stays where a topic is looked up, as behind a proxy. */
function lookupUrl(address: string, path: string, query: string): URL {
  const url = new URL(address.includes("://") ? address : `http://${address}`);
  if (url.pathname === "/" || url.pathname === "" || path !== "/lookup") url.pathname = path;
  if (query !== "") url.search = url.search === "" ? `?${query}` : `${url.search}&${query}`;
  return url;
}

function readBody(address: string, text: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch { /* Said below. */ }
  if (typeof parsed !== "object" || parsed === null) {
    throw new LookupError(address, `lookupd ${address} answered no JSON object: ${text.slice(0, 200)}`);
  }
  // Lookupds before 1.0 wrap their answers.
  const { data } = parsed as { data?: unknown };
  return (typeof data === "object" && data !== null ? data : parsed) as Record<string, unknown>;
}

function readNode(given: unknown): LookedUpNode[] {
  const { broadcast_address: host, broadcast_addresses: hosts, tcp_port, http_port, hostname, version } =
    (given ?? {}) as Record<string, unknown>;
  if (typeof host !== "string" || host === "" || typeof tcp_port !== "number" || tcp_port <= 0) return [];
  const others = Array.isArray(hosts)
    ? hosts.filter((other): other is string => typeof other === "string")
    : [];
  const join = (name: string, port: number) => name.includes(":") ? `[${name}]:${port}` : `${name}:${port}`;
  return [{
    key: join(host, tcp_port),
    addresses: [...new Set([host, ...others])].map((name) => join(name, tcp_port)),
    httpAddress: join(host, typeof http_port === "number" ? http_port : 0),
    hostname: typeof hostname === "string" ? hostname : "",
    version: typeof version === "string" ? version : "",
  }];
}
