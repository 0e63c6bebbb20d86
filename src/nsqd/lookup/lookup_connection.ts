/**
 * A client's connection to lookupd in the registration protocol V1: requests and their replies.
 *
 *     client -> lookupd   "  V1", then lines `WORD param param\n`, after IDENTIFY int32 size | JSON
 *     lookupd -> client   for each command: int32 length | text
 *
 * A read is always outstanding, so that the end of the connection is noticed when it happens and not
 * at the next command. Several commands may go out at once; lookupd answers them in order.
 *
 * Tested in test/nsqd/lookup/lookup_peer_test.ts.
 */
import { ReplyReader } from "../../protocol/lookup/replies.ts";
import { encodeIdentify, encodeLines, MAGIC_V1 } from "../../protocol/lookup/requests.ts";

/** Dialling, writing a batch, and waiting for one reply may each take this long. */
export const LOOKUP_TIMEOUT_MS = 1000;

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
  readonly #reader: ReplyReader;
  #waiter: Waiter | undefined;
  #endedWith: Error | undefined;

  private constructor(conn: Deno.Conn, limits: LookupConnectionLimits) {
    this.#conn = conn;
    this.#limits = limits;
    this.#reader = new ReplyReader(limits.maxReplyBytes);
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
      await connection.#write(new TextEncoder().encode(MAGIC_V1));
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
    const [reply] = await this.#exchange(encodeIdentify(body), 1);
    return reply;
  }

  /** Sends commands, each a line without its end, and resolves with one reply for each. */
  async execute(commands: readonly string[]): Promise<string[]> {
    return await this.#exchange(encodeLines(commands), commands.length);
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
        const byteCount = await this.#conn.read(this.#reader.space());
        if (byteCount === null) throw new Error("lookupd closed the connection");
        this.#reader.received(byteCount);
        for (let reply = this.#reader.next(); reply !== null; reply = this.#reader.next()) {
          this.#deliver(reply);
        }
      }
    } catch (error) {
      this.close(asError(error));
      return this.#endedWith ?? asError(error);
    }
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
