/**
 * Listens for HTTPS: the handshake of `transport/`, and HTTP on what it gives.
 *
 * A client that speaks plain HTTP here is told so, in plain HTTP.
 */
import { parseAddress, remoteAddressOf } from "../net/address.ts";
import type { TlsSettings } from "../net/tls_settings.ts";
import type { Logger } from "../log/logger.ts";
import { StartupError } from "../log/startup_error.ts";
import { HANDSHAKE_MS, TlsHandshake } from "../transport/tls_transport.ts";
import { PrefixedTransport, type Transport, writeAll } from "../transport/transport.ts";
import {
  DEFAULT_TIMEOUTS,
  type Handler,
  type HttpServer,
  type HttpTimeouts,
  ListeningServer,
} from "./server.ts";

/** A server whose certificates can be renewed. */
export interface HttpsListener extends HttpServer {
  /** Takes certificate, key and roots for the connections from now on. */
  renew(settings: TlsSettings): void;
}

/** The first byte of a TLS connection. */
const HANDSHAKE = 0x16;
const FIRST_BYTES = 1024;
const NOT_TLS = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
/** Only the versions of HTTP that are spoken here are agreed on. */
const ALPN_PROTOCOLS = ["http/1.1", "http/1.0"];

/**
 * Listens on `address`, which is `host:port`.
 *
 * @throws {StartupError} when it cannot be bound, or is no `host:port`
 */
export function serveHttps(
  address: string,
  settings: TlsSettings,
  handler: Handler,
  logger: Logger,
  timeouts: () => HttpTimeouts = () => DEFAULT_TIMEOUTS,
): HttpsListener {
  if (parseAddress(address).kind === "unix") {
    const reason = `listen tcp: address ${address}: missing port in address`;
    throw new StartupError(`listen (${address}) failed - ${reason}`);
  }
  let current = settings;
  const opening = (conn: Deno.Conn) => secure(conn, current, logger);
  const server = new ListeningServer(address, { handler, logger, timeouts, name: "HTTPS", opening });
  return {
    address: server.address,
    port: server.port,
    renew: (renewed) => current = renewed,
    shutdown: (graceMs) => server.shutdown(graceMs),
  };
}

async function secure(conn: Deno.Conn, settings: TlsSettings, logger: Logger): Promise<Transport | null> {
  const timer = setTimeout(() => conn.close(), HANDSHAKE_MS);
  try {
    const first = new Uint8Array(FIRST_BYTES);
    const byteCount = await conn.read(first);
    if (byteCount === null) return null;
    if (first[0] !== HANDSHAKE) {
      await writeAll(conn, new TextEncoder().encode(NOT_TLS));
      await conn.closeWrite();
      // What it still sends must not have a reset overtake the answer.
      while (await conn.read(first) !== null);
      return null;
    }
    const transport = new PrefixedTransport(conn, first.subarray(0, byteCount));
    const server = { ...settings.server, ALPNProtocols: ALPN_PROTOCOLS };
    const session = await new TlsHandshake(transport, { ...settings, server }).session;
    return session.transport;
  } catch (cause) {
    logger.info(
      `HTTPS: handshake with ${remoteAddressOf(conn.remoteAddr)} failed - ${(cause as Error).message}`,
    );
    return null;
  } finally {
    clearTimeout(timer);
  }
}
