/** The client's side of TLS, deflate and snappy, step by step. */
import assert from "node:assert/strict";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";
import { DeflateTransport } from "../../src/transport/deflate_transport.ts";
import { PulledStream } from "../../src/transport/pulled_stream.ts";
import { SnappyTransport } from "../../src/transport/snappy_transport.ts";
import { TransportDuplex } from "../../src/transport/transport_duplex.ts";
import { type Stream, WireClient, withBody } from "./wire_client.ts";

const folder = fileURLToPath(new URL("../support/certificates/", import.meta.url));

/** The path of a PEM file of the tests. */
export function pemPath(name: string): string {
  return `${folder}${name}.pem`;
}

/** The text of a PEM file of the tests. */
export function pem(name: string): string {
  return Deno.readTextFileSync(pemPath(name));
}

/** Flags for an nsqd with a certificate. */
export const TLS_FLAGS: readonly string[] = [
  `--tls-cert=${pemPath("server")}`,
  `--tls-key=${pemPath("server_key")}`,
  "--https-address=127.0.0.1:0",
];

/** What a client of the tests may ask for. */
export interface Wishes {
  tls_v1?: boolean;
  deflate?: boolean;
  deflate_level?: number;
  snappy?: boolean;
  [field: string]: unknown;
}

export interface IdentifyAnswer {
  tls_v1: boolean;
  deflate: boolean;
  deflate_level: number;
  snappy: boolean;
  [field: string]: unknown;
}

export function identify(wishes: Wishes): Uint8Array {
  return withBody("IDENTIFY", JSON.stringify({ feature_negotiation: true, ...wishes }));
}

/** Sends IDENTIFY and gives the JSON that answers it. */
export async function negotiate(client: WireClient, wishes: Wishes): Promise<IdentifyAnswer> {
  const answer = await client.ask(identify(wishes));
  assert.match(answer, /^response \{/);
  return JSON.parse(answer.slice("response ".length));
}

/** TLS as a client; rejects when the handshake fails. */
export function startTls(conn: Stream, options: ConnectionOptions = {}): Promise<Stream> {
  const duplex = new TransportDuplex(conn);
  const socket = connect({
    socket: duplex,
    ca: pem("ca"),
    servername: "localhost",
    ...options,
  });
  return new Promise((resolve, reject) => {
    socket.once("secureConnect", () => resolve(asStream(socket, duplex, conn)));
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed during the handshake")));
  });
}

function asStream(socket: TLSSocket, duplex: TransportDuplex, below: Stream): Stream {
  const input = new PulledStream(socket);
  duplex.isFull = () => socket.readableLength >= socket.readableHighWaterMark;
  return {
    read(into) {
      const reading = input.read(into);
      duplex.goOn();
      return reading;
    },
    write: (bytes) =>
      new Promise((resolve, reject) => {
        socket.write(bytes, (cause) => cause ? reject(cause) : resolve(bytes.length));
      }),
    closeWrite: () => new Promise((resolve) => socket.end(() => resolve())),
    close() {
      socket.destroy();
      below.close();
    },
  };
}

/** Connects and goes through all upgrades that the server grants, with their OKs. */
export async function openUpgraded(
  port: number,
  wishes: Wishes,
  tls: ConnectionOptions = {},
): Promise<WireClient> {
  const client = await WireClient.open(port);
  const answer = await negotiate(client, wishes);
  if (answer.tls_v1) {
    await client.change((conn) => startTls(conn, tls));
    assert.equal(await client.answer(), "response OK");
  }
  if (answer.snappy) await client.change((conn) => new SnappyTransport(conn));
  if (answer.deflate) await client.change((conn) => new DeflateTransport(conn, answer.deflate_level));
  if (answer.snappy || answer.deflate) assert.equal(await client.answer(), "response OK");
  return client;
}
