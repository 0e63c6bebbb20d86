/**
 * TLS on an open connection, as the server.
 *
 * Only `tls.createServer()` can begin TLS on a stream that is open; so each handshake has a server of its own,
 * which never listens.
 *
 * Tested in test/transport/transport_test.ts and test/wire/upgrade_test.ts.
 */
import { createServer, type Server, type TLSSocket } from "node:tls";
import { clientRefusal, type TlsSettings } from "../net/tls_settings.ts";
import { PulledStream } from "./pulled_stream.ts";
import { type Transport, writeAll } from "./transport.ts";
import { TransportDuplex } from "./transport_duplex.ts";

/**
 * How long a handshake may take; specified by nsqd. The owner looks after it, since it words the error; the
 * server's own limit is only for its memory: it holds on to a handshake that failed until then.
 */
export const HANDSHAKE_MS = 5000;
/**
 * The most that is encrypted at once. A write counts as progress when it is done, so a large one would make a
 * slow client look like one that takes nothing.
 */
const MAX_WRITE_BYTES = 65_536;

/** What the handshake settled. */
export interface TlsSession {
  readonly transport: Transport;
  /** Such as `TLS1.3`. */
  readonly version: string;
  /** The name of the registry, such as `TLS_AES_128_GCM_SHA256`. */
  readonly cipherSuite: string;
  /** Of the subject of the client's certificate; "" when it shows none. */
  readonly commonName: string;
}

/** A handshake that is under way. */
export class TlsHandshake {
  /** Rejects when the handshake fails. */
  readonly session: Promise<TlsSession>;
  readonly #duplex: TransportDuplex;
  #fail: (cause: Error) => void = () => {};

  constructor(transport: Transport, settings: TlsSettings) {
    this.#duplex = new TransportDuplex(transport);
    const server = createServer({ ...settings.server, handshakeTimeout: 2 * HANDSHAKE_MS });
    this.session = new Promise((resolve, reject) => {
      this.#fail = reject;
      this.#listen(server, (socket) => {
        const refusal = clientRefusal(socket, settings);
        if (refusal === null) return resolve(describe(socket, this.#duplex, transport));
        // The client is told on the stream below why; TLS is only said to be over, unless the client left meanwhile.
        this.#duplex.keepsOpen = true;
        socket.on("error", () => reject(refusal));
        socket.once("close", () => reject(refusal));
        socket.end(() => reject(refusal));
      }, (cause) => {
        const alert = alertFor(cause);
        if (alert === null) reject(cause);
        else writeAll(transport, alert).then(() => reject(cause), () => reject(cause));
      });
    });
    server.emit("connection", this.#duplex);
  }

  #listen(server: Server, secured: (socket: TLSSocket) => void, failed: (cause: Error) => void): void {
    server.once("secureConnection", secured);
    server.on("tlsClientError", (cause: Error) => failed(cause));
    server.on("error", (cause: Error) => failed(cause));
    this.#duplex.on("error", (cause: Error) => failed(cause));
    // TLS itself says nothing when a client leaves in the middle.
    this.#duplex.once("end", () => failed(new Error("EOF")));
  }

  /** Gives up: `session` rejects with `cause`. */
  abort(cause: Error): void {
    this.#fail(cause);
  }

  /** Leaves the transport to others after a failure; resolves when it may be read. */
  async release(): Promise<void> {
    this.#duplex.destroy();
    await this.#duplex.idle();
  }
}

const PROTOCOL_VERSION = 70, HANDSHAKE_FAILURE = 40;

/**
 * The alert with which a client is told that there is no version or cipher for both, which the runtime leaves out.
 * Null for other failures: of those that come before there are keys, Go's TLS tells of none either.
 *
 * Layout: record type 21, version 3.1, length 2 | level 2 (fatal), what it is.
 */
function alertFor({ message }: Error): Uint8Array | null {
  if (!message.startsWith("peer is incompatible")) return null;
  const description = /Tls1\dNotOffered/.test(message) ? PROTOCOL_VERSION : HANDSHAKE_FAILURE;
  return Uint8Array.of(21, 3, 1, 0, 2, 2, description);
}

function describe(socket: TLSSocket, duplex: TransportDuplex, below: Transport): TlsSession {
  const certificate = socket.getPeerCertificate() as { subject?: { CN?: string | string[] } } | null;
  const commonName = certificate?.subject?.CN ?? "";
  return {
    transport: new TlsTransport(socket, duplex, below),
    version: (socket.getProtocol() ?? "").replace(/^TLSv/, "TLS"),
    cipherSuite: socket.getCipher().standardName,
    commonName: Array.isArray(commonName) ? commonName[0] : commonName,
  };
}

class TlsTransport implements Transport {
  readonly #socket: TLSSocket;
  readonly #duplex: TransportDuplex;
  readonly #below: Transport;
  readonly #input: PulledStream;
  #failWrite: (cause: Error) => void = () => {};

  constructor(socket: TLSSocket, duplex: TransportDuplex, below: Transport) {
    this.#socket = socket;
    this.#duplex = duplex;
    duplex.isFull = () => socket.readableLength >= socket.readableHighWaterMark;
    this.#below = below;
    this.#input = new PulledStream(socket);
    // A write that is out when the connection breaks is never called back.
    const fail = () => this.#failWrite(new Error("the connection was closed"));
    socket.once("close", fail);
    socket.once("error", fail);
    duplex.once("close", fail);
  }

  read(into: Uint8Array): Promise<number | null> {
    const reading = this.#input.read(into);
    this.#duplex.goOn();
    return reading;
  }

  write(bytes: Uint8Array): Promise<number> {
    const part = bytes.length > MAX_WRITE_BYTES ? bytes.subarray(0, MAX_WRITE_BYTES) : bytes;
    return new Promise((resolve, reject) => {
      this.#failWrite = reject;
      this.#socket.write(part, (cause) => cause ? reject(cause) : resolve(part.length));
    });
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve) => this.#socket.end(() => resolve()));
  }

  close(): void {
    this.#input.abandon();
    this.#socket.destroy();
    this.#below.close();
  }
}
