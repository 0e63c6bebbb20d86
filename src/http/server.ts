/** Listens for HTTP, and stops in order. */
import { StartupError } from "../log/startup_error.ts";
import { type Address, formatAddress, parseAddress } from "../options/address.ts";
import { internalError } from "./errors.ts";
import { respondError } from "./respond.ts";
import type { Handler } from "./router.ts";

/** How long requests that are being answered may take at a stop, ms. */
const GRACE_MS = 3000;

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
  const parsed = parseAddress(address);
  const server = listen(address, parsed, handler);
  const bound = server.addr as Deno.NetAddr | Deno.UnixAddr;
  const isTcp = "hostname" in bound;
  return {
    address: isTcp ? formatAddress(bound.hostname, bound.port) : address,
    port: isTcp ? bound.port : -1,
    async shutdown(graceMs = GRACE_MS) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      // Deno cannot cut off what still runs once a graceful shutdown has begun, so this stops waiting for it.
      const tooLong = new Promise<void>((resolve) => timer = setTimeout(resolve, graceMs));
      await Promise.race([server.shutdown(), tooLong]);
      clearTimeout(timer);
    },
  };
}

function listen(address: string, parsed: Address, handler: Handler): Deno.HttpServer {
  const common = {
    onListen() {/* The caller logs where it listens, in the words of its own log. */},
    // Handlers answer their own faults; this is for a fault in what is around them.
    onError: () => respondError("v1", internalError()),
  };
  try {
    return parsed.kind === "unix"
      ? Deno.serve({ ...common, path: parsed.path }, handler)
      : Deno.serve({ ...common, hostname: parsed.hostname, port: parsed.port }, handler);
  } catch (cause) {
    throw new StartupError(`listen (${address}) failed - ${bindError(address, parsed, cause as Error)}`, {
      cause,
    });
  }
}

/** Why an address could not be bound, in the words that operators know: `listen tcp 127.0.0.1:4151: bind: ...`. */
export function bindError(address: string, parsed: Address, cause: Error): string {
  const network = parsed.kind === "unix" ? "unix" : "tcp";
  const reason = cause instanceof Deno.errors.AddrInUse
    ? "address already in use"
    : cause instanceof Deno.errors.AddrNotAvailable
    ? "cannot assign requested address"
    : cause instanceof Deno.errors.PermissionDenied
    ? "permission denied"
    : cause.message;
  return `listen ${network} ${address}: bind: ${reason}`;
}
