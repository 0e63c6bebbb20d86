/**
 * Listens for HTTP, and stops in order.
 *
 * HTTP/1.1 and 1.0 on a byte stream are spoken by `connection/`; the runtime's own servers answer no client that
 * closes its sending side behind its request, and take no head of the size that others take.
 */
import type { Logger } from "../log/logger.ts";
import { boundAddress, boundPort, listen } from "../net/listen.ts";
import { type Accepted, TcpListener } from "../net/tcp_listener.ts";
import type { Transport } from "../transport/transport.ts";
import { type Handler, HttpConnection } from "./connection/http_connection.ts";

export type { Handler } from "./connection/http_connection.ts";

/** How long requests that are being answered may take at a stop, ms. */
export const GRACE_MS = 3000;

/** How long clients are waited for; asked for again and again, since it may change. */
export interface HttpTimeouts {
  /** Without a byte, where one is awaited: of the next request, or of one that has begun. */
  readonly idleMs: number;
  /** From the first byte of a request to its last. */
  readonly requestMs: number;
}

export const DEFAULT_TIMEOUTS: HttpTimeouts = { idleMs: 180_000, requestMs: 600_000 };
/** The options that say so, which may change while the server runs. */
export interface HttpTimeoutOptions {
  readonly httpServerIdleTimeout: number;
  readonly httpServerRequestTimeout: number;
}

export function timeoutsOf(options: HttpTimeoutOptions): () => HttpTimeouts {
  return () => ({ idleMs: options.httpServerIdleTimeout, requestMs: options.httpServerRequestTimeout });
}

const EXPIRY_INTERVAL_MS = 1000;

/** A server that listens. */
export interface HttpServer {
  /** Where: `host:port` with the port that was really bound, or the path of a Unix socket. */
  readonly address: string;
  /** The port that was really bound; -1 on a Unix socket. */
  readonly port: number;
  /**
   * Accepts nothing more, closes idle connections and lets running requests finish. Resolves when that is
   * done, or after `graceMs` (3 seconds by default), when it has ended those that still ran.
   */
  shutdown(graceMs?: number): Promise<void>;
}

/** What a connection becomes before it speaks HTTP: what TLS gives, or null when there is nothing to serve. */
export type Opening = (conn: Deno.Conn) => Promise<Transport | null>;

/**
 * Listens on `address`, which is `host:port` or the path of a Unix socket.
 *
 * @throws {StartupError} when it cannot be bound
 */
export function serve(
  address: string,
  handler: Handler,
  logger: Logger,
  timeouts: () => HttpTimeouts = () => DEFAULT_TIMEOUTS,
): HttpServer {
  return new ListeningServer(address, { handler, logger, timeouts, name: "HTTP", opening: null });
}

/** What a server is made from, beside its address. */
export interface ServerParts {
  readonly handler: Handler;
  readonly logger: Logger;
  readonly timeouts: () => HttpTimeouts;
  /** Leads the lines of the log. */
  readonly name: string;
  /** Null for plain HTTP. */
  readonly opening: Opening | null;
}

/** One listener and its connections. */
export class ListeningServer implements HttpServer {
  readonly address: string;
  readonly port: number;
  readonly #parts: ServerParts;
  readonly #accepting: TcpListener<Client>;
  readonly #timer: ReturnType<typeof setInterval>;
  #allGone: (() => void) | null = null;

  /** @throws {StartupError} when `address` cannot be bound */
  constructor(address: string, parts: ServerParts) {
    this.#parts = parts;
    const listener = listen(address);
    this.address = boundAddress(listener.addr, address);
    this.port = boundPort(listener.addr);
    this.#accepting = new TcpListener<Client>(
      listener,
      (accepted) => this.#open(accepted),
      parts.logger,
      parts.name,
    );
    this.#timer = setInterval(() => this.#expire(), EXPIRY_INTERVAL_MS);
  }

  async shutdown(graceMs = GRACE_MS): Promise<void> {
    this.#accepting.close();
    // The path of a Unix socket goes with the last accept.
    await this.#accepting.ended;
    const { connections } = this.#accepting;
    for (const client of connections) client.stop();
    const gone = Promise.withResolvers<void>();
    this.#allGone = gone.resolve;
    if (connections.size === 0) gone.resolve();
    const timer = setTimeout(() => {
      for (const client of connections) client.end();
      // Handlers that still run find nobody to answer.
      gone.resolve();
    }, graceMs);
    await gone.promise;
    clearTimeout(timer);
    clearInterval(this.#timer);
  }

  #open({ conn, remoteAddress }: Accepted): Client {
    const client = new Client(conn, remoteAddress, this.#parts);
    client.done.then(() => {
      const { connections } = this.#accepting;
      connections.delete(client);
      if (connections.size === 0) this.#allGone?.();
    });
    return client;
  }

  #expire(): void {
    const { idleMs, requestMs } = this.#parts.timeouts();
    for (const { http } of this.#accepting.connections) http?.expire(EXPIRY_INTERVAL_MS, idleMs, requestMs);
  }
}

/** A connection from its beginning, which may be one of TLS. */
class Client {
  /** Null until HTTP is spoken. */
  http: HttpConnection | null = null;
  /** Never rejects. */
  readonly done: Promise<void>;
  readonly #conn: Deno.Conn;
  #isEnded = false;

  constructor(conn: Deno.Conn, remoteAddress: string, parts: ServerParts) {
    this.#conn = conn;
    this.done = this.#serve(remoteAddress, parts);
  }

  /** Ends when what is being answered has been. */
  stop(): void {
    if (this.http === null) this.end();
    else this.http.stop();
  }

  /** Ends at once. */
  end(): void {
    this.#isEnded = true;
    if (this.http !== null) return this.http.end();
    try {
      this.#conn.close();
    } catch {
      // TLS closed it already.
    }
  }

  async #serve(remoteAddress: string, { handler, opening }: ServerParts): Promise<void> {
    const transport = opening === null ? this.#conn : await opening(this.#conn);
    if (transport === null || this.#isEnded) return this.end();
    this.http = new HttpConnection(transport, { remoteAddress, isTls: opening !== null }, handler);
    await this.http.serve();
  }
}
