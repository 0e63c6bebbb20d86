/**
 * Listens for HTTPS, with `node:https`: `Deno.serve()` neither asks for certificates of clients, nor takes a
 * lowest version, nor does without HTTP/2.
 */
import { createServer, type Server as HttpsServer } from "node:https";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { formatAddress } from "../net/address.ts";
import { listenNode } from "../net/listen.ts";
import type { TlsServerOptions } from "../net/tls_settings.ts";
import { exchange } from "./node_exchange.ts";
import type { Handler } from "./router.ts";
import { GRACE_MS, type HttpServer } from "./server.ts";

/** A server whose certificates can be renewed. */
export interface HttpsListener extends HttpServer {
  /** Takes certificate, key and roots for the connections from now on. */
  renew(settings: TlsServerOptions): void;
}

/** The first byte of a TLS connection. */
const HANDSHAKE = 0x16;
const NOT_HTTP = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
const NOT_TLS = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/**
 * Listens on `address`, which is `host:port`.
 *
 * @param admits whether a client may stay, once its handshake is done
 * @throws {StartupError} when it cannot be bound, or is no `host:port`
 */
export async function serveHttps(
  address: string,
  settings: TlsServerOptions,
  admits: (socket: TLSSocket) => boolean,
  handler: Handler,
): Promise<HttpsListener> {
  const sockets = new Set<Socket>();
  /** Of the connections on which a request is being answered, by the TLS over them. */
  const busy = new Map<TLSSocket, number>();
  let isStopping = false;
  const server = createSecured(settings, admits, async (socket, answer) => {
    busy.set(socket, (busy.get(socket) ?? 0) + 1);
    await answer(handler);
    const left = busy.get(socket)! - 1;
    if (left > 0) busy.set(socket, left);
    else busy.delete(socket);
    if (isStopping && left === 0) socket.destroySoon();
  });
  interpose(server, (socket, secure) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    distinguish(socket, secure);
  });
  await listenNode(server, address);
  const { address: hostname, port } = server.address() as { address: string; port: number };
  return {
    address: formatAddress(hostname, port),
    port,
    renew: ({ cert, key, ca, minVersion }) => server.setSecureContext({ cert, key, ca, minVersion }),
    async shutdown(graceMs = GRACE_MS) {
      isStopping = true;
      const closed = new Promise((resolve) => server.close(resolve));
      const kept = new Set([...busy.keys()].map(peerOf));
      for (const socket of sockets) {
        if (!kept.has(peerOf(socket))) socket.destroy();
      }
      const timer = setTimeout(() => sockets.forEach((socket) => socket.destroy()), graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

/** What TLS and the socket below it have in common. */
function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** Answers a request by a handler, and resolves when that is done. */
type Answer = (handler: Handler) => Promise<void>;

function createSecured(
  settings: TlsServerOptions,
  admits: (socket: TLSSocket) => boolean,
  onRequest: (socket: TLSSocket, answer: Answer) => Promise<void>,
): HttpsServer {
  // Only the versions of HTTP that are spoken here are agreed on.
  const server = createServer({ ...settings, ALPNProtocols: ["http/1.1", "http/1.0"] });
  // Connections are kept for as long as their clients like, as on the plain listener.
  Object.assign(server, { timeout: 0, requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 });
  server.on("request", (incoming, outgoing) => {
    onRequest(incoming.socket as TLSSocket, (handler) => exchange(handler, incoming, outgoing, false));
  });
  server.on("checkContinue", (incoming, outgoing) => {
    onRequest(incoming.socket as TLSSocket, (handler) => exchange(handler, incoming, outgoing, true));
  });
  server.on("secureConnection", (socket: TLSSocket) => {
    if (!admits(socket)) socket.destroy();
  });
  // Not for a failed handshake, whose socket can be written to no more.
  server.on("clientError", (_cause, socket) => {
    if (socket.writable) socket.end(NOT_HTTP);
    else socket.destroy();
  });
  server.on("tlsClientError", (_cause, socket) => socket.destroy());
  return server;
}

/** Puts `first` before what the server does with a new connection, which is to begin TLS. */
function interpose(server: HttpsServer, first: (socket: Socket, secure: () => void) => void): void {
  const listeners = server.listeners("connection");
  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) => {
    first(socket, () => listeners.forEach((listener) => listener.call(server, socket)));
  });
}

/** Waits for the first byte of a client, which tells TLS from a plain request. */
function distinguish(socket: Socket, secure: () => void): void {
  // Clients come and go as they like.
  socket.on("error", () => {});
  socket.once("data", (chunk) => {
    socket.pause();
    if (chunk[0] !== HANDSHAKE) {
      socket.end(NOT_TLS);
      socket.resume();
      return;
    }
    socket.unshift(chunk);
    secure();
  });
}
