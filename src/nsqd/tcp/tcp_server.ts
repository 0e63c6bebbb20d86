/**
 * The TCP side of nsqd: its connections, and their heartbeats and deadlines.
 *
 * One timer serves all connections (see `check_times.ts`).
 *
 * Tested in test/fuzz/fuzz_test.ts and test/wire/opening_test.ts.
 */
import { BufferPool } from "../../buffers/buffer_pool.ts";
import { type Accepted, TcpListener } from "../../net/tcp_listener.ts";
import type { TlsSettings } from "../../net/tls_settings.ts";
import { CheckTimes, NO_SLOT } from "./check_times.ts";
import { Connection } from "./connection.ts";
import type { ConnectionHost } from "./connection_host.ts";

/** How often heartbeats and deadlines are looked at; they are that exact. */
const TICK_MS = 100;
/** Bytes of read and write buffers kept for reuse. */
const MAX_IDLE_BUFFER_BYTES = 16 << 20;

export interface TcpServerParts extends Omit<ConnectionHost, "pool" | "checkBy" | "connectionEnded"> {
  /** Has one connection after the other look for defects of ours: see `Output.invariants()`. */
  readonly checksInvariants?: boolean;
}

export class TcpServer {
  /** Resolves when accepting has ended: with null after `close()`, else with the failure. */
  readonly ended: Promise<Error | null>;
  readonly #host: ConnectionHost;
  readonly #checkTimes = new CheckTimes<Connection>();
  readonly #listener: TcpListener<Connection>;
  readonly #checksInvariants: boolean;
  #unchecked: Connection[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(listener: Deno.Listener, parts: TcpServerParts) {
    const { checksInvariants = false, ...shared } = parts;
    this.#checksInvariants = checksInvariants;
    this.#host = {
      ...shared,
      pool: new BufferPool(MAX_IDLE_BUFFER_BYTES),
      checkBy: (slot, timeMs) => this.#checkTimes.lower(slot, timeMs),
      connectionEnded: (connection) => this.#forget(connection as Connection),
    };
    this.#listener = new TcpListener(listener, (accepted) => this.#open(accepted), parts.logger);
    this.ended = this.#listener.ended;
  }

  /** The open ones. */
  get connections(): ReadonlySet<Connection> {
    return this.#listener.connections;
  }

  /** Connections since the start. */
  get acceptedCount(): number {
    return this.#listener.acceptedCount;
  }

  /** The port that is listened on; -1 on a Unix socket. */
  get port(): number {
    return this.#listener.port;
  }

  #open({ conn, remoteAddress, localAddress }: Accepted): Connection {
    const connection = new Connection(this.#host, conn, remoteAddress, localAddress);
    connection.checkSlot = this.#checkTimes.add(connection);
    connection.start();
    if (this.#timer === undefined) this.#schedule();
    return connection;
  }

  #forget(connection: Connection): void {
    if (!this.#listener.connections.delete(connection)) return;
    this.#checkTimes.remove(connection.checkSlot);
    // It may still be in the middle of a command; its slot is another's from now on.
    connection.checkSlot = NO_SLOT;
  }

  #schedule(): void {
    this.#timer = setTimeout(() => this.#tick(), TICK_MS);
  }

  #tick(): void {
    this.#timer = undefined;
    const { broker } = this.#host;
    broker.beginTurn();
    this.#checkTimes.run(broker.monotonicMs());
    if (this.#checksInvariants) this.#checkNext();
    if (this.connections.size > 0 && !this.#listener.isClosed) this.#schedule();
  }

  /** Checks the invariants of the connection whose turn it is. @throws {Error} when one is broken */
  #checkNext(): void {
    if (this.#unchecked.length === 0) this.#unchecked = [...this.connections];
    this.#unchecked.pop()?.output.invariants();
  }

  /** Takes the certificates for handshakes from now on. */
  renewTls(tls: TlsSettings): void {
    Object.assign(this.#host, { tls });
  }

  /** Stops accepting. */
  close(): void {
    this.#listener.close();
  }

  /** Lets go of buffers that no connection uses. */
  trimBuffers(): void {
    this.#host.pool.trim();
  }

  /** Accepts nothing more, and ends every connection. */
  endAll(): void {
    this.close();
    clearTimeout(this.#timer);
    for (const connection of this.connections) connection.end("the broker stops");
  }
}
