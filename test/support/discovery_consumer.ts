/**
 * A consumer that finds its brokers through lookupds, as clients do: polls `/lookup` of all of them, connects
 * to each node that any of them lists, and finishes what it gets. A broker that is silent for longer than
 * two heartbeats is given up, and connected to again by the next poll.
 */
import { ERROR, FrameParser, MESSAGE, sizeBytes } from "../crash/client.ts";

const HEARTBEAT_MS = 1_000;
/** The shortest that brokers grant, twice, and a little for a busy machine. */
const SILENCE_LIMIT_MS = 2_500;
const REQUEST_LIMIT_MS = 1_000;
const MAX_IN_FLIGHT = 50;
/** Where the id and the body of a message begin. */
const ID_AT = 10, BODY_AT = 26;
const encoder = new TextEncoder(), decoder = new TextDecoder();

export interface DiscoverySettings {
  /** `host:port` of the HTTP APIs. */
  lookupdHttpAddresses: readonly string[];
  topic: string;
  channel: string;
  /** Gets each body; the message is finished then. */
  onMessage(body: string): void;
  /** Without it only `poll()` polls. */
  pollIntervalMs?: number;
}

export class DiscoveryConsumer implements Disposable {
  readonly #settings: DiscoverySettings;
  readonly #brokers = new Map<string, BrokerConnection>();
  readonly #timer: ReturnType<typeof setInterval> | undefined;
  #isClosed = false;

  constructor(settings: DiscoverySettings) {
    this.#settings = settings;
    if (settings.pollIntervalMs === undefined) return;
    this.#timer = setInterval(() => void this.poll(), settings.pollIntervalMs);
  }

  /** `host:port` of the brokers that it is subscribed at, sorted. */
  get connectedTo(): string[] {
    return [...this.#brokers].filter(([, broker]) => broker.isSubscribed).map(([address]) => address).sort();
  }

  /** Asks each lookupd once and connects to what is new; resolves when that is done. Never rejects. */
  async poll(): Promise<void> {
    const { lookupdHttpAddresses, topic } = this.#settings;
    const answers = await Promise.all(lookupdHttpAddresses.map((address) => lookup(address, topic)));
    const wanted = new Set(answers.flatMap((nodes) => nodes ?? []));
    await Promise.all([...wanted].map((address) => this.#connect(address)));
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const broker of this.#brokers.values()) broker.close();
  }

  async #connect(address: string): Promise<void> {
    if (this.#isClosed || this.#brokers.has(address)) return;
    const broker = new BrokerConnection(this.#settings);
    this.#brokers.set(address, broker);
    void broker.run(address).finally(() => this.#brokers.delete(address));
    await broker.settled;
  }
}

/** The nodes that a lookupd lists for the topic, or undefined when it does not answer or knows no such topic. */
export async function lookup(httpAddress: string, topic: string): Promise<string[] | undefined> {
  try {
    const response = await fetch(`http://${httpAddress}/lookup?topic=${topic}`, {
      signal: AbortSignal.timeout(REQUEST_LIMIT_MS),
    });
    const { producers } = await response.json() as { producers?: Record<string, unknown>[] };
    return producers?.map((node) => `${node.broadcast_address}:${node.tcp_port}`).sort();
  } catch (error) {
    if (error instanceof TypeError || error instanceof DOMException) return undefined;
    throw error;
  }
}

/** One broker, from dialling to the end of the connection, which nothing but the next poll repairs. */
class BrokerConnection {
  /** Resolves when it is subscribed, or has failed to. */
  readonly settled: Promise<void>;
  isSubscribed = false;
  readonly #settings: DiscoverySettings;
  #settle: () => void = () => {};
  #socket: Deno.TcpConn | undefined;
  #writing: Promise<void> = Promise.resolve();
  #responseCount = 0;
  #lastHeardMs = performance.now();

  constructor(settings: DiscoverySettings) {
    this.#settings = settings;
    this.settled = new Promise((resolve) => this.#settle = resolve);
  }

  /** Resolves when the connection is over; never rejects, as a network may fail in any way. */
  async run(address: string): Promise<void> {
    const watch = setInterval(() => {
      if (performance.now() - this.#lastHeardMs > SILENCE_LIMIT_MS) this.close();
    }, 100);
    try {
      const [hostname, port] = address.split(":");
      const signal = AbortSignal.timeout(REQUEST_LIMIT_MS);
      const socket = this.#socket = await Deno.connect({ hostname, port: Number(port), signal });
      const { topic, channel } = this.#settings;
      const identity = encoder.encode(
        JSON.stringify({ client_id: channel, heartbeat_interval: HEARTBEAT_MS }),
      );
      await this.#send(encoder.encode("  V2IDENTIFY\n"), sizeBytes(identity.length), identity);
      await this.#send(encoder.encode(`SUB ${topic} ${channel}\nRDY ${MAX_IN_FLIGHT}\n`));
      const parser = new FrameParser((type, body) => this.#take(type, body)), chunk = new Uint8Array(65_536);
      for (let read = await socket.read(chunk); read !== null; read = await socket.read(chunk)) {
        parser.push(chunk.subarray(0, read));
      }
    } catch (error) {
      if (!(error instanceof Error)) throw error;
    } finally {
      clearInterval(watch);
      this.isSubscribed = false;
      this.close();
      this.#settle();
    }
  }

  close(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  #take(type: number, body: Uint8Array): void {
    this.#lastHeardMs = performance.now();
    const text = decoder.decode(body);
    if (type === MESSAGE) {
      this.#settings.onMessage(decoder.decode(body.subarray(BODY_AT)));
      void this.#send(encoder.encode(`FIN ${decoder.decode(body.subarray(ID_AT, BODY_AT))}\n`));
    } else if (text === "_heartbeat_") {
      void this.#send(encoder.encode("NOP\n"));
    } else if (type !== ERROR && !this.isSubscribed && ++this.#responseCount === 2) {
      this.isSubscribed = true;
      this.#settle();
    }
  }

  /** What cannot be sent any more is dropped: reading tells of the end. */
  async #send(...parts: Uint8Array[]): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      for (const part of parts) {
        for (let at = 0; at < part.length && this.#socket !== undefined;) {
          at += await this.#socket.write(part.subarray(at));
        }
      }
    }).catch(() => this.close());
    await this.#writing;
  }
}
