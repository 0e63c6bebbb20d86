/**
 * A small client of NSQ's protocol V2, independent of the broker's own code: a frame parser and a connection.
 */

export const RESPONSE = 0, ERROR = 1, MESSAGE = 2;
const FRAME_HEADER_BYTES = 8;
const MESSAGE_HEADER_BYTES = 26;
const encoder = new TextEncoder(), decoder = new TextDecoder();

/** What a frame of type 2 holds. */
export interface ReceivedMessage {
  attempts: number;
  /** 16 hex digits. */
  id: string;
  /** Valid until the handler returns. */
  body: Uint8Array;
}

/** Takes what a connection receives. */
export interface FrameHandler {
  /** `OK`, `CLOSE_WAIT`, the JSON of an IDENTIFY; heartbeats are answered by the connection. */
  response(text: string): void;
  error(text: string): void;
  message(message: ReceivedMessage): void;
}

/** Cuts a byte stream into frames. */
export class FrameParser {
  readonly #onFrame: (type: number, body: Uint8Array) => void;
  #bytes = new Uint8Array(65_536);
  #filled = 0;

  /** @param onFrame gets each frame; the body is valid until it returns */
  constructor(onFrame: (type: number, body: Uint8Array) => void) {
    this.#onFrame = onFrame;
  }

  push(chunk: Uint8Array): void {
    this.#reserve(this.#filled + chunk.length);
    this.#bytes.set(chunk, this.#filled);
    this.#filled += chunk.length;
    const view = new DataView(this.#bytes.buffer);
    let at = 0;
    while (this.#filled - at >= FRAME_HEADER_BYTES) {
      const end = at + 4 + view.getUint32(at);
      if (end > this.#filled) break;
      this.#onFrame(view.getUint32(at + 4), this.#bytes.subarray(at + FRAME_HEADER_BYTES, end));
      at = end;
    }
    this.#bytes.copyWithin(0, at, this.#filled);
    this.#filled -= at;
  }

  #reserve(byteCount: number): void {
    if (byteCount <= this.#bytes.length) return;
    const grown = new Uint8Array(byteCount * 2);
    grown.set(this.#bytes.subarray(0, this.#filled));
    this.#bytes = grown;
  }
}

/** One connection; it ends when the broker ends it, when it is killed, or by `close`. */
export class Connection {
  /** Resolves when the connection is over and all that was received is handled. */
  readonly ended: Promise<void>;
  isOpen = true;
  readonly #socket: Deno.TcpConn;
  readonly #handler: FrameHandler;
  #queue: Uint8Array[] = [];
  #isWriting = false;

  private constructor(socket: Deno.TcpConn, handler: FrameHandler) {
    this.#socket = socket;
    this.#handler = handler;
    this.ended = this.#read();
    this.send("  V2");
  }

  /** @throws when nobody listens at the port */
  static async open(port: number, handler: FrameHandler): Promise<Connection> {
    const socket = await Deno.connect({ hostname: "127.0.0.1", port });
    socket.setNoDelay(true);
    return new Connection(socket, handler);
  }

  /** Sends parts as they are; what cannot be sent any more is dropped. */
  send(...parts: (string | Uint8Array)[]): void {
    if (!this.isOpen) return;
    for (const part of parts) this.#queue.push(typeof part === "string" ? encoder.encode(part) : part);
    if (!this.#isWriting) this.#write();
  }

  /** Sends a command that has a body: the line, its size, the body. */
  sendWithBody(line: string, body: Uint8Array): void {
    this.send(line, sizeBytes(body.length), body);
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#socket.close();
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    try {
      while (this.#queue.length > 0) {
        const bytes = concat(this.#queue);
        this.#queue = [];
        for (let at = 0; at < bytes.length;) at += await this.#socket.write(bytes.subarray(at));
      }
    } catch {
      // The broker was killed. What it answered before may still be unread, so reading goes on.
      this.#queue = [];
    }
    this.#isWriting = false;
  }

  async #read(): Promise<void> {
    const parser = new FrameParser((type, body) => this.#handle(type, body)), chunk = new Uint8Array(65_536);
    try {
      for (;;) {
        const read = await this.#socket.read(chunk);
        if (read === null) break;
        parser.push(chunk.subarray(0, read));
      }
    } catch (cause) {
      if (!isConnectionEnd(cause)) throw cause;
    } finally {
      this.close();
    }
  }

  #handle(type: number, body: Uint8Array): void {
    if (type === MESSAGE) {
      const view = new DataView(body.buffer, body.byteOffset, body.length);
      this.#handler.message({
        attempts: view.getUint16(8),
        id: decoder.decode(body.subarray(10, MESSAGE_HEADER_BYTES)),
        body: body.subarray(MESSAGE_HEADER_BYTES),
      });
      return;
    }
    const text = decoder.decode(body);
    if (type === ERROR) this.#handler.error(text);
    else if (text === "_heartbeat_") this.send("NOP\n");
    else this.#handler.response(text);
  }
}

/** True for the errors that a killed broker or a closed socket gives. */
export function isConnectionEnd(cause: unknown): boolean {
  return cause instanceof Deno.errors.ConnectionReset || cause instanceof Deno.errors.BrokenPipe ||
    cause instanceof Deno.errors.BadResource || cause instanceof Deno.errors.Interrupted ||
    cause instanceof Deno.errors.ConnectionRefused || cause instanceof Deno.errors.ConnectionAborted;
}

export function sizeBytes(size: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, size);
  return bytes;
}

/** The body of an MPUB: count, then size and body of each message. */
export function mpubBody(bodies: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return concat([sizeBytes(bodies.length), ...bodies.flatMap((body) => [sizeBytes(body.length), body])]);
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
