/**
 * A client's connection to lookupd in the registration protocol V1: requests and their replies.
 *
 *     client -> lookupd   "  V1", then lines `WORD param param\n`, after IDENTIFY int32 size | JSON
 *     lookupd -> client   for each command: int32 length | text
 *
 * A read is always outstanding, so that the end of the connection is noticed when it happens and not
 * at the next command. Several commands may go out at once; lookupd answers them in order.
 */
import { Buffer } from "node:buffer";

/** Dialling, writing a batch, and waiting for one reply may each take this long. */
export const LOOKUP_TIMEOUT_MS = 1000;

const MAGIC = "  V1";
const READ_BUFFER_BYTES = 4096;

/** Time and size bounds of a connection. */
export interface LookupConnectionLimits {
  timeoutMs: number;
  /** A longer reply ends the connection. */
  maxReplyBytes: number;
}

interface Waiter {
  remaining: number;
  replies: string[];
  timer: ReturnType<typeof setTimeout>;
  resolve: (replies: string[]) => void;
  reject: (error: Error) => void;
}

export class LookupConnection {
  /** Resolves with the reason when the connection has ended; never rejects. */
  readonly ended: Promise<Error>;

  readonly #conn: Deno.Conn;
  readonly #limits: LookupConnectionLimits;
  #waiter: Waiter | undefined;
  #endedWith: Error | undefined;
  #buffer: Uint8Array = new Uint8Array(READ_BUFFER_BYTES);
  #unread = 0;

  private constructor(conn: Deno.Conn, limits: LookupConnectionLimits) {
    this.#conn = conn;
    this.#limits = limits;
    this.ended = this.#read();
  }

  /**
   * Connects to `host:port` and sends the magic.
   *
   * @throws {Error} when nobody answers there in time, or `signal` aborts
   */
  static async dial(
    address: { hostname: string; port: number },
    limits: LookupConnectionLimits,
    signal?: AbortSignal,
  ): Promise<LookupConnection> {
    const dialling = new AbortController();
    const abort = () => dialling.abort(new Error("stopped"));
    signal?.addEventListener("abort", abort);
    const timer = setTimeout(
      () => dialling.abort(new Error(`no connection within ${limits.timeoutMs} ms`)),
      limits.timeoutMs,
    );
    try {
      signal?.throwIfAborted();
      const conn = await Deno.connect({ ...address, signal: dialling.signal });
      refuseOwnEnd(conn);
      const connection = new LookupConnection(conn, limits);
      await connection.#write(Buffer.from(MAGIC));
      return connection;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }

  get isEnded(): boolean {
    return this.#endedWith !== undefined;
  }

  /** Sends IDENTIFY with its JSON body and resolves with the reply. */
  async identify(body: string): Promise<string> {
    const json = Buffer.from(body);
    const size = Buffer.alloc(4);
    size.writeInt32BE(json.length);
    const [reply] = await this.#exchange(Buffer.concat([Buffer.from("IDENTIFY\n"), size, json]), 1);
    return reply;
  }

  /** Sends commands, each a line without its end, and resolves with one reply for each. */
  async execute(commands: readonly string[]): Promise<string[]> {
    return await this.#exchange(Buffer.from(commands.join("\n") + "\n"), commands.length);
  }

  /** Ends the connection; requests that wait are rejected with `reason`. */
  close(reason: Error): void {
    if (this.#endedWith !== undefined) return;
    this.#endedWith = reason;
    const waiter = this.#waiter;
    this.#waiter = undefined;
    clearTimeout(waiter?.timer);
    waiter?.reject(reason);
    this.#conn.close();
  }

  async #exchange(request: Uint8Array, replyCount: number): Promise<string[]> {
    if (this.#waiter !== undefined) throw new Error("a request is under way on this connection");
    if (this.#endedWith !== undefined) throw this.#endedWith;
    const replies = new Promise<string[]>((resolve, reject) => {
      const timer = this.#deadline("no reply");
      this.#waiter = { remaining: replyCount, replies: [], timer, resolve, reject };
    });
    // Whoever writes first fails first; the other one must not be an unhandled rejection.
    const [, result] = await Promise.all([this.#write(request), replies]);
    return result;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const timer = this.#deadline("write not finished");
    try {
      for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await this.#conn.write(rest));
    } catch (error) {
      this.close(asError(error));
      throw this.#endedWith ?? error;
    } finally {
      clearTimeout(timer);
    }
  }

  #deadline(what: string): ReturnType<typeof setTimeout> {
    const { timeoutMs } = this.#limits;
    return setTimeout(() => this.close(new Error(`${what} within ${timeoutMs} ms`)), timeoutMs);
  }

  async #read(): Promise<Error> {
    try {
      for (;;) {
        const byteCount = await this.#conn.read(this.#buffer.subarray(this.#unread));
        if (byteCount === null) throw new Error("lookupd closed the connection");
        this.#unread += byteCount;
        this.#takeReplies();
      }
    } catch (error) {
      this.close(asError(error));
      return this.#endedWith ?? asError(error);
    }
  }

  #takeReplies(): void {
    const view = new DataView(this.#buffer.buffer);
    let at = 0;
    while (this.#unread - at >= 4) {
      const length = view.getInt32(at);
      if (length < 0 || length > this.#limits.maxReplyBytes) {
        throw new Error(`reply of ${length} bytes, max is ${this.#limits.maxReplyBytes}`);
      }
      if (this.#unread - at < 4 + length) {
        this.#makeRoom(4 + length);
        break;
      }
      this.#deliver(new TextDecoder().decode(this.#buffer.subarray(at + 4, at + 4 + length)));
      at += 4 + length;
    }
    this.#buffer.copyWithin(0, at, this.#unread);
    this.#unread -= at;
  }

  /** Grows the buffer so that one reply of `byteCount` bytes, its length included, fits. */
  #makeRoom(byteCount: number): void {
    if (byteCount <= this.#buffer.length) return;
    const grown = new Uint8Array(byteCount);
    grown.set(this.#buffer);
    this.#buffer = grown;
  }

  #deliver(reply: string): void {
    const waiter = this.#waiter;
    if (waiter === undefined) {
      throw new Error(`reply that nobody asked for: ${JSON.stringify(reply.slice(0, 80))}`);
    }
    waiter.replies.push(reply);
    clearTimeout(waiter.timer);
    if (--waiter.remaining > 0) {
      waiter.timer = this.#deadline("no reply");
      return;
    }
    this.#waiter = undefined;
    waiter.resolve(waiter.replies);
  }
}

/**
 * On one host, dialling a port that nobody listens on can by chance connect to itself, when the kernel
 * picks that very port for our end. It would then also keep lookupd from listening there.
 */
function refuseOwnEnd(conn: Deno.TcpConn): void {
  const { localAddr, remoteAddr } = conn;
  if (localAddr.port !== remoteAddr.port || localAddr.hostname !== remoteAddr.hostname) return;
  conn.close();
  throw new Error(`nobody listens on port ${remoteAddr.port}`);
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
