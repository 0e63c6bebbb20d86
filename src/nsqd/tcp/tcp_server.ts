/**
 * The TCP listener: accepts connections, and looks after their heartbeats and deadlines.
 *
 * One timer serves all connections (see `check_times.ts`).
 */
import type { Broker } from "../../broker/broker.ts";
import { remoteAddressOf } from "../../http/request_log.ts";
import { BufferPool } from "../../buffers/buffer_pool.ts";
import { CheckTimes, NO_SLOT } from "./check_times.ts";
import { Connection } from "./connection.ts";
import type { ConnectionHost } from "./connection_host.ts";

/** How often heartbeats and deadlines are looked at; they are that exact. */
const TICK_MS = 100;
/** Bytes of read and write buffers kept for reuse. */
const MAX_IDLE_BUFFER_BYTES = 16 << 20;

export type TcpServerSettings = Omit<ConnectionHost, "broker" | "pool" | "checkBy" | "connectionEnded">;

/** What may change while connections are open. */
export type ConnectionLimits = Pick<
  ConnectionHost,
  | "identifyLimits"
  | "maxMsgSize"
  | "maxBodySize"
  | "maxMsgTimeoutMs"
  | "maxReqTimeoutMs"
  | "maxRdyCount"
  | "maxChannelConsumers"
>;

/** What may be renewed besides: the certificates of later handshakes. */
export type Renewable = ConnectionLimits & Pick<ConnectionHost, "tls">;

export class TcpServer {
  readonly connections = new Set<Connection>();
  /** Connections since the start. */
  acceptedCount = 0;
  readonly #host: ConnectionHost;
  readonly #checkTimes = new CheckTimes<Connection>();
  readonly #listener: Deno.Listener;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  /** Resolves when accepting has ended: with null after `close()`, else with the failure. */
  readonly ended: Promise<Error | null>;

  constructor(broker: Broker, listener: Deno.Listener, settings: TcpServerSettings) {
    this.#listener = listener;
    this.#host = {
      ...settings,
      broker,
      pool: new BufferPool(MAX_IDLE_BUFFER_BYTES),
      checkBy: (slot, timeMs) => this.#checkTimes.lower(slot, timeMs),
      connectionEnded: (connection) => {
        if (!this.connections.delete(connection)) return;
        this.#checkTimes.remove(connection.checkSlot);
        // It may still be in the middle of a command; its slot is another's from now on.
        connection.checkSlot = NO_SLOT;
      },
    };
    this.ended = this.#accept();
  }

  /** The port that is listened on; -1 on a Unix socket. */
  get port(): number {
    const { addr } = this.#listener;
    return "port" in addr ? addr.port : -1;
  }

  async #accept(): Promise<Error | null> {
    while (!this.#closed) {
      try {
        this.#open(await this.#listener.accept());
      } catch (cause) {
        if (this.#closed) break;
        // One connection may fail between its arrival and our accept, or descriptors may run out for a moment.
        this.#host.logger.warn(`TCP: accept failed - ${(cause as Error).message}`);
        if (cause instanceof Deno.errors.BadResource) return cause;
        await new Promise((resolve) => setTimeout(resolve, TICK_MS));
      }
    }
    return null;
  }

  #open(conn: Deno.Conn): void {
    const address = remoteAddressOf(conn.remoteAddr);
    if ("setNoDelay" in conn) (conn as Deno.TcpConn).setNoDelay(true);
    const connection = new Connection(this.#host, conn, address, remoteAddressOf(conn.localAddr));
    this.connections.add(connection);
    connection.checkSlot = this.#checkTimes.add(connection);
    this.acceptedCount++;
    connection.start();
    if (this.#timer === undefined) this.#schedule();
  }

  #schedule(): void {
    this.#timer = setTimeout(() => this.#tick(), TICK_MS);
  }

  #tick(): void {
    this.#timer = undefined;
    this.#host.broker.beginTurn();
    const nowMs = performance.now();
    this.#checkTimes.run(nowMs);
    if (this.connections.size > 0 && !this.#closed) this.#schedule();
  }

  /** Puts limits in force for commands at once, and for what clients negotiate with their next IDENTIFY. */
  renew(settings: Renewable): void {
    Object.assign(this.#host, settings);
  }

  /** Stops accepting. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
  }

  /** Lets go of buffers that no connection uses. */
  trimBuffers(): void {
    this.#host.pool.trim();
  }

  /** Ends every connection. */
  endAll(): void {
    clearTimeout(this.#timer);
    for (const connection of this.connections) connection.end("the broker stops");
  }
}
