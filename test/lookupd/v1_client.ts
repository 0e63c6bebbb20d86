/** A client of V1 for tests: sends any bytes, reads replies, and sees the end of the connection. */
import { Buffer } from "node:buffer";

export class V1Client {
  readonly #conn: Deno.TcpConn;
  #unread = Buffer.alloc(0);

  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  static async connect(port: number, magic = "  V1"): Promise<V1Client> {
    const client = new V1Client(await Deno.connect({ hostname: "127.0.0.1", port }));
    await client.send(magic);
    return client;
  }

  /** `ip:port` of this end, which is the identity of the producer. */
  get id(): string {
    return `127.0.0.1:${(this.#conn.localAddr as Deno.NetAddr).port}`;
  }

  async send(...parts: (string | Uint8Array)[]): Promise<void> {
    const bytes = Buffer.concat(parts.map((part) => Buffer.from(part as Uint8Array)));
    for (let rest: Uint8Array = bytes; rest.length > 0;) rest = rest.subarray(await this.#conn.write(rest));
  }

  /** Resolves with the next reply, or null when the connection ended instead. */
  async reply(): Promise<string | null> {
    while (this.#unread.length < 4 || this.#unread.length < 4 + this.#unread.readInt32BE(0)) {
      if (!await this.#read()) return null;
    }
    const length = this.#unread.readInt32BE(0);
    const text = this.#unread.subarray(4, 4 + length).toString("latin1");
    this.#unread = this.#unread.subarray(4 + length);
    return text;
  }

  async request(...parts: (string | Uint8Array)[]): Promise<string | null> {
    await this.send(...parts);
    return await this.reply();
  }

  async identify(body: Record<string, unknown> = {}): Promise<string | null> {
    const node = {
      broadcast_address: "10.0.0.1",
      tcp_port: 4150,
      http_port: 4151,
      version: "1.0",
      hostname: "h1",
    };
    return await this.request("IDENTIFY\n", sized(JSON.stringify({ ...node, ...body })));
  }

  async closeWrite(): Promise<void> {
    await this.#conn.closeWrite();
  }

  close(): void {
    this.#conn.close();
  }

  async #read(): Promise<boolean> {
    const chunk = new Uint8Array(65_536);
    const byteCount = await this.#conn.read(chunk);
    if (byteCount === null) return false;
    this.#unread = Buffer.concat([this.#unread, chunk.subarray(0, byteCount)]);
    return true;
  }
}

/** The body with its size before it. */
export function sized(body: string | Uint8Array): Uint8Array {
  const bytes = Buffer.from(body as Uint8Array);
  return Buffer.concat([int32(bytes.length), bytes]);
}

export function int32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
