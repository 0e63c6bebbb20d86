/** Listens for HTTP, and stops in order. */
import { internalError } from "./errors.ts";
import { boundAddress, boundPort, LISTEN_BACKLOG, open } from "../net/listen.ts";
import { respondError } from "./respond.ts";
import type { Handler } from "./router.ts";

/** How long requests that are being answered may take at a stop, ms. */
export const GRACE_MS = 3000;

/** A server that listens. */
export interface HttpServer {
  /** Where: `host:port` with the port that was really bound, or the path of a Unix socket. */
  readonly address: string;
  /** The port that was really bound; -1 on a Unix socket. */
  readonly port: number;
  /**
   * Accepts nothing more, closes idle connections and lets running requests finish. Resolves when that is
   * done, or after `graceMs` (3 seconds by default): requests that still run then end with the process.
   */
  shutdown(graceMs?: number): Promise<void>;
}

/**
 * Listens on `address`, which is `host:port` or the path of a Unix socket.
 *
 * @throws {StartupError} when it cannot be bound
 */
export function serve(address: string, handler: Handler): HttpServer {
  const server = listen(address, handler);
  return {
    address: boundAddress(server.addr, address),
    port: boundPort(server.addr),
    async shutdown(graceMs = GRACE_MS) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      // Deno cannot cut off what still runs once a graceful shutdown has begun, so this stops waiting for it.
      const tooLong = new Promise<void>((resolve) => timer = setTimeout(resolve, graceMs));
      await Promise.race([server.shutdown(), tooLong]);
      clearTimeout(timer);
    },
  };
}

function listen(address: string, handler: Handler): Deno.HttpServer {
  const common = {
    onListen() {/* The caller logs where it listens, in the words of its own log. */},
    // Handlers answer their own faults; this is for a fault in what is around them.
    onError: () => respondError("v1", internalError()),
  };
  return open<Deno.HttpServer>(
    address,
    (hostname, port) => Deno.serve({ ...common, hostname, port, tcpBacklog: LISTEN_BACKLOG }, handler),
    (path) => Deno.serve({ ...common, path }, handler),
  );
}
