/** The bytes of a connection to nsqd, plain or upgraded, from the side of a client. */
import { once } from "node:events";
import { constants, createInflateRaw, deflateRawSync, type InflateRaw } from "node:zlib";
import { SnappyFrameReader, SnappyFrameWriter } from "../../src/protocol/snappy_frames.ts";

export interface Wire {
  send(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Resolves with what came, which may be nothing yet; null at the end. */
  receive(): Promise<Uint8Array[] | null>;
  closeWrite(): Promise<void>;
  close(): void;
}

const READ_BYTES = 65_536;

/** A connection as it is. */
export class PlainWire implements Wire {
  readonly #conn: Deno.Conn;
  readonly #buffer = new Uint8Array(READ_BYTES);

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  async send(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
  }

  async receive(): Promise<Uint8Array[] | null> {
    const count = await this.#conn.read(this.#buffer);
    return count === null ? null : [this.#buffer.subarray(0, count)];
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  close(): void {
    this.#conn.close();
  }
}

/** A connection of which some bytes came already. */
export class WireBehind implements Wire {
  readonly #inner: Wire;
  #first: Uint8Array | null;

  constructor(first: Uint8Array, inner: Wire) {
    this.#inner = inner;
    this.#first = first.length > 0 ? first : null;
  }

  send(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.#inner.send(bytes);
  }

  receive(): Promise<Uint8Array[] | null> {
    if (this.#first === null) return this.#inner.receive();
    const first = this.#first;
    this.#first = null;
    return Promise.resolve([first]);
  }

  closeWrite(): Promise<void> {
    return this.#inner.closeWrite();
  }

  close(): void {
    this.#inner.close();
  }
}

/** Raw deflate in both directions. */
export class DeflateWire implements Wire {
  readonly #inner: Wire;
  readonly #inflate: InflateRaw = createInflateRaw();
  #inflated: Uint8Array[] = [];

  constructor(inner: Wire) {
    this.#inner = inner;
    this.#inflate.on("data", (data: Uint8Array) => this.#inflated.push(data));
  }

  send(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    // Pieces that end in a sync flush make one stream when they are put in a row.
    return this.#inner.send(deflated(bytes));
  }

  async receive(): Promise<Uint8Array[] | null> {
    const received = await this.#inner.receive();
    if (received === null) return null;
    for (const bytes of received) {
      const written = new Promise((resolve) => this.#inflate.write(bytes.slice(), resolve));
      await Promise.race([written, once(this.#inflate, "error").then(([cause]) => Promise.reject(cause))]);
    }
    const data = this.#inflated;
    this.#inflated = [];
    return data;
  }

  closeWrite(): Promise<void> {
    return this.#inner.closeWrite();
  }

  close(): void {
    this.#inflate.destroy();
    this.#inner.close();
  }
}

/** Bytes as a client sends them over deflate. */
export function deflated(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }));
}

/** Snappy frames in both directions. */
export class SnappyWire implements Wire {
  readonly #inner: Wire;
  readonly #reader = new SnappyFrameReader();
  readonly #writer = new SnappyFrameWriter();

  constructor(inner: Wire) {
    this.#inner = inner;
  }

  send(bytes: Uint8Array): Promise<void> {
    return this.#inner.send(this.#writer.encode(bytes));
  }

  async receive(): Promise<Uint8Array[] | null> {
    const received = await this.#inner.receive();
    if (received === null) return null;
    const chunks: Uint8Array[] = [];
    for (const bytes of received) {
      for (let at = 0; at < bytes.length;) {
        const space = this.#reader.space(), size = Math.min(space.length, bytes.length - at);
        space.set(bytes.subarray(at, at + size));
        this.#reader.filled(size);
        at += size;
        for (let data = this.#reader.next(); data !== null; data = this.#reader.next()) {
          chunks.push(data.slice());
        }
      }
    }
    return chunks;
  }

  closeWrite(): Promise<void> {
    return this.#inner.closeWrite();
  }

  close(): void {
    this.#inner.close();
  }
}
