/** A raw connection to nsqd for transcripts: bytes out, frames in. */
import { PrefixedTransport } from "../../src/transport/transport.ts";

export interface Frame {
  type: number;
  data: Uint8Array;
  /** The data as text. */
  text: string;
}

/** A message frame taken apart. */
export interface ReceivedMessage {
  id: string;
  attempts: number;
  timestampNs: bigint;
  body: string;
}

const LIMIT_MS = 20_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The bytes of text; characters stand for themselves up to 0x7f. */
export function bytes(...parts: (string | number | Uint8Array)[]): Uint8Array {
  const chunks = parts.map((part) => {
    if (typeof part === "string") return encoder.encode(part);
    if (part instanceof Uint8Array) return part;
    const size = new Uint8Array(4);
    new DataView(size.buffer).setInt32(0, part);
    return size;
  });
  const joined = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.length;
  }
  return joined;
}

/** A command with a sized body. */
export function withBody(line: string, body: string | Uint8Array): Uint8Array {
  const content = typeof body === "string" ? encoder.encode(body) : body;
  return bytes(`${line}\n`, content.length, content);
}

/** MPUB as clients send it. */
export function mpub(topic: string, bodies: string[]): Uint8Array {
  const messages = bytes(...bodies.flatMap((body) => [encoder.encode(body).length, body]));
  return bytes(`MPUB ${topic}\n`, messages.length + 4, bodies.length, messages);
}

/** What a client reads from and writes to. */
export type Stream = Pick<Deno.Conn, "read" | "write" | "closeWrite" | "close">;

export class WireClient implements Disposable {
  #conn: Stream;
  /** What was received and is no frame yet: [start, end). */
  #buffer = new Uint8Array(4096);
  #start = 0;
  #end = 0;

  private constructor(conn: Stream) {
    this.#conn = conn;
  }

  /** Connects; sends the protocol magic unless told otherwise. */
  static async open(port: number, magic = "  V2"): Promise<WireClient> {
    const client = new WireClient(await Deno.connect({ hostname: "127.0.0.1", port }));
    if (magic !== "") await client.send(magic);
    return client;
  }

  /** Goes on with the stream that `wrap` puts around the present one; what came behind the last frame is its start. */
  async change(wrap: (conn: Stream) => Stream | Promise<Stream>): Promise<void> {
    const unread = this.#buffer.slice(this.#start, this.#end);
    this.#start = this.#end = 0;
    this.#conn = await wrap(unread.length > 0 ? new PrefixedTransport(this.#conn, unread) : this.#conn);
  }

  async send(data: string | Uint8Array): Promise<void> {
    const content = typeof data === "string" ? encoder.encode(data) : data;
    for (let at = 0; at < content.length;) at += await this.#conn.write(content.subarray(at));
  }

  /** The next frame; null when the server closed the connection. */
  async frame(): Promise<Frame | null> {
    for (;;) {
      const held = this.#end - this.#start;
      const view = new DataView(this.#buffer.buffer, this.#start, held);
      if (held >= 8 && held >= 4 + view.getInt32(0)) {
        const end = this.#start + 4 + view.getInt32(0), data = this.#buffer.slice(this.#start + 8, end);
        this.#start = end;
        return { type: view.getInt32(4), data, text: decoder.decode(data) };
      }
      if (!await this.#fill()) return null;
    }
  }

  #space(): Uint8Array {
    const held = this.#end - this.#start;
    if (held > this.#buffer.length >> 1) {
      const grown = new Uint8Array(this.#buffer.length * 2);
      grown.set(this.#buffer.subarray(this.#start, this.#end));
      this.#buffer = grown;
    } else this.#buffer.copyWithin(0, this.#start, this.#end);
    this.#start = 0;
    this.#end = held;
    return this.#buffer.subarray(held);
  }

  async #fill(): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${LIMIT_MS} ms`)), LIMIT_MS);
    });
    try {
      const read = await Promise.race([this.#conn.read(this.#space()), late]);
      if (read === null) return false;
      this.#end += read;
      return true;
    } catch (error) {
      // Bytes that the server did not read turn its close into a reset.
      if (error instanceof Deno.errors.ConnectionReset) return false;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The next frame that is no heartbeat, as `type text`; `closed` at the end. */
  async answer(): Promise<string> {
    for (;;) {
      const frame = await this.frame();
      if (frame === null) return "closed";
      if (frame.text === "_heartbeat_") continue;
      return `${["response", "error", "message"][frame.type]} ${frame.text}`;
    }
  }

  /** Sends `data` and gives the answer to it. */
  async ask(data: string | Uint8Array): Promise<string> {
    await this.send(data);
    return await this.answer();
  }

  /** The next message; fails on anything else but heartbeats. */
  async message(): Promise<ReceivedMessage> {
    for (;;) {
      const frame = await this.frame();
      if (frame === null) throw new Error("closed while waiting for a message");
      if (frame.text === "_heartbeat_") continue;
      if (frame.type !== 2) throw new Error(`not a message: ${frame.text}`);
      const view = new DataView(frame.data.buffer);
      return {
        timestampNs: view.getBigInt64(0),
        attempts: view.getUint16(8),
        id: decoder.decode(frame.data.subarray(10, 26)),
        body: decoder.decode(frame.data.subarray(26)),
      };
    }
  }

  /** Subscribes with a RDY count. */
  async subscribe(topic: string, channel: string, rdy: number): Promise<void> {
    const answer = await this.ask(`SUB ${topic} ${channel}\nRDY ${rdy}\n`);
    if (answer !== "response OK") throw new Error(answer);
  }

  /** Ends the sending half only. */
  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  [Symbol.dispose](): void {
    try {
      this.#conn.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }
}
