/**
 * Accepts the connections of a protocol, over TCP or a Unix socket, and knows those that are open.
 *
 * Accepting goes on whatever happens to one connection, and when descriptors are used up for a while; only a
 * listener that the system took away ends it.
 */
import { type Clock, systemClock } from "../clock/clock.ts";
import { refillSpareDescriptors } from "../descriptors/spare_descriptors.ts";
import type { Logger } from "../log/logger.ts";
import { AcceptFailures } from "./accept_failures.ts";
import { remoteAddressOf } from "./address.ts";
import { boundPort } from "./listen.ts";

/** A connection that was just accepted. */
export interface Accepted {
  readonly conn: Deno.Conn;
  /** `ip:port`, or `@` on a Unix socket. */
  readonly remoteAddress: string;
  readonly localAddress: string;
}

export class TcpListener<C> {
  readonly connections: Set<C> = new Set<C>();
  /** Connections since the start. */
  acceptedCount = 0;
  /** Resolves when accepting has ended: with null after `close()`, else with the failure. */
  readonly ended: Promise<Error | null>;

  readonly #listener: Deno.Listener;
  readonly #logger: Logger;
  readonly #name: string;
  readonly #failures: AcceptFailures;
  readonly #open: (accepted: Accepted) => C;
  readonly #closing = Promise.withResolvers<void>();
  #isClosed = false;

  /**
   * @param open takes a connection over; `connections` has what it returns, until its owner deletes it there
   * @param name leads the lines of the log
   */
  constructor(
    listener: Deno.Listener,
    open: (accepted: Accepted) => C,
    logger: Logger,
    name = "TCP",
    clock: Clock = systemClock,
  ) {
    this.#listener = listener;
    this.#open = open;
    this.#logger = logger;
    this.#name = name;
    this.#failures = new AcceptFailures(logger, name, clock);
    this.ended = this.#accept();
  }

  /** The port that is listened on; -1 on a Unix socket. */
  get port(): number {
    return boundPort(this.#listener.addr);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Accepts nothing more; open connections stay. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closing.resolve();
    this.#listener.close();
  }

  async #accept(): Promise<Error | null> {
    while (!this.#isClosed) {
      let conn: Deno.Conn;
      try {
        conn = await this.#listener.accept();
      } catch (cause) {
        if (this.#isClosed) break;
        const pauseMs = this.#failures.failed(cause);
        if (cause instanceof Deno.errors.BadResource) return cause;
        await this.#pause(pauseMs);
        // The log comes first.
        while (!this.#isClosed && !refillSpareDescriptors()) await this.#pause(this.#failures.failed(cause));
        continue;
      }
      this.#failures.worked();
      this.#admit(conn);
    }
    return null;
  }

  #admit(conn: Deno.Conn): void {
    this.acceptedCount++;
    try {
      if ("setNoDelay" in conn) prepare(conn as Deno.TcpConn);
      const remoteAddress = remoteAddressOf(conn.remoteAddr), localAddress = remoteAddressOf(conn.localAddr);
      this.connections.add(this.#open({ conn, remoteAddress, localAddress }));
    } catch (cause) {
      // It may be gone before it was looked at.
      this.#logger.warn(`${this.#name}: a connection was lost - ${(cause as Error).message}`);
      conn.close();
    }
  }

  /** Ends early when the listener is closed. */
  async #pause(pauseMs: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const over = new Promise<void>((resolve) => timer = setTimeout(resolve, pauseMs));
    await Promise.race([over, this.#closing.promise]);
    clearTimeout(timer);
  }
}

/** Small answers go out at once, and the system looks after peers whose machine is gone. */
function prepare(conn: Deno.TcpConn): void {
  conn.setNoDelay(true);
  conn.setKeepAlive(true);
}
