/** The client's side of what a connection is upgraded to, for the load generator. */
import { fileURLToPath } from "node:url";
import { constants, deflateRawSync } from "node:zlib";
import { DeflateTransport } from "../../src/transport/deflate_transport.ts";
import { SnappyFrameWriter } from "../../src/protocol/snappy_frames.ts";
import { SnappyTransport } from "../../src/transport/snappy_transport.ts";
import { type Transport, writeAll } from "../../src/transport/transport.ts";

/** What a client asks for in IDENTIFY, by the name of the stream. */
const WISHES = {
  plain: {},
  tls: { tls_v1: true },
  deflate: { deflate: true, deflate_level: 6 },
  snappy: { snappy: true },
};

export type StreamName = keyof typeof WISHES;

const CERTIFICATES = fileURLToPath(new URL("../support/certificates/", import.meta.url));
/** What a broker needs to serve all of them. */
export const STREAM_FLAGS: readonly string[] = [
  `--tls-cert=${CERTIFICATES}server.pem`,
  `--tls-key=${CERTIFICATES}server_key.pem`,
  "--https-address=",
];
/** An OK as a frame. */
const OK_BYTES = 10;
const encoder = new TextEncoder();

/** Connects to `port` of this machine, identifies and upgrades; all answers to that are taken. */
export async function openStream(port: number, name: StreamName): Promise<Transport> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  conn.setNoDelay(true);
  const wishes = {
    client_id: "bench",
    heartbeat_interval: 60_000,
    feature_negotiation: true,
    ...WISHES[name],
  };
  const body = encoder.encode(JSON.stringify(wishes)), size = new Uint8Array(4);
  new DataView(size.buffer).setUint32(0, body.length);
  await writeAll(conn, encoder.encode("  V2IDENTIFY\n"));
  await writeAll(conn, size);
  await writeAll(conn, body);
  const answer = await readExactly(conn, 4);
  await readExactly(conn, new DataView(answer.buffer).getUint32(0));
  if (name === "plain") return conn;
  const stream = await wrap(conn, name);
  await readExactly(stream, OK_BYTES);
  return stream;
}

async function wrap(conn: Deno.TcpConn, name: StreamName): Promise<Transport> {
  switch (name) {
    case "tls": {
      const caCerts = [Deno.readTextFileSync(`${CERTIFICATES}ca.pem`)];
      return await Deno.startTls(conn, { hostname: "localhost", caCerts });
    }
    case "deflate":
      return new PreparedWrites(conn, new DeflateTransport(conn, 1), deflateBlocks);
    case "snappy":
      return new PreparedWrites(conn, new SnappyTransport(conn), snappyChunks(new SnappyFrameWriter()));
    default:
      return conn;
  }
}

/** Blocks that refer to nothing before them, so that they fit behind each other any number of times. */
function deflateBlocks(bytes: Uint8Array): Uint8Array {
  return deflateRawSync(bytes, { level: 1, finishFlush: constants.Z_SYNC_FLUSH });
}

function snappyChunks(writer: SnappyFrameWriter): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => writer.encode(bytes);
}

/**
 * A client that sends the same command over and over compresses it twice: what the second time gives fits
 * anywhere in the stream. So the load generator, which shares the machine, costs less than the broker.
 */
class PreparedWrites implements Transport {
  readonly #below: Transport;
  readonly #reads: Transport;
  readonly #encode: (bytes: Uint8Array) => Uint8Array;
  readonly #seen = new WeakSet<Uint8Array>();
  readonly #prepared = new WeakMap<Uint8Array, Uint8Array>();

  constructor(below: Transport, reads: Transport, encode: (bytes: Uint8Array) => Uint8Array) {
    this.#below = below;
    this.#reads = reads;
    this.#encode = encode;
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#reads.read(into);
  }

  async write(bytes: Uint8Array): Promise<number> {
    let encoded = this.#prepared.get(bytes);
    if (encoded === undefined) {
      encoded = this.#encode(bytes);
      if (this.#seen.has(bytes)) this.#prepared.set(bytes, encoded);
      this.#seen.add(bytes);
    }
    await writeAll(this.#below, encoded);
    return bytes.length;
  }

  closeWrite(): Promise<void> {
    return this.#below.closeWrite();
  }

  close(): void {
    this.#reads.close();
  }
}

async function readExactly(stream: Transport, byteCount: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(byteCount);
  for (let at = 0; at < byteCount;) {
    const read = await stream.read(bytes.subarray(at));
    if (read === null) throw new Error("Cannot upgrade: the server closed the connection");
    at += read;
  }
  return bytes;
}
