/**
 * The TCP side of lookupd: accepts nsqds and speaks the registration protocol V1 with them.
 *
 *     client -> server   magic "  V1", then lines `WORD param param\n`, after IDENTIFY a body
 *     server -> client   for each command: int32 length | text, without a frame type
 *
 * A connection reads, executes all complete commands in what it read, writes their answers together,
 * and reads on only when they are written: a client that does not read its answers stops itself, and
 * memory per connection is bounded by its read buffer. Idle connections are never closed; the kernel's
 * keep-alive finds those whose host is gone.
 */
import { type Accepted, TcpListener } from "../net/tcp_listener.ts";
import { LookupProtocolError, unreadableIdentify } from "../protocol/lookup/errors.ts";
import { encodeReplies } from "../protocol/lookup/replies.ts";
import { MAGIC_V1 } from "../protocol/lookup/requests.ts";
import { type Part, V1Reader } from "../protocol/lookup/v1_reader.ts";
import type { ByteText } from "../protocol/quote.ts";
import type { Logger } from "../log/logger.ts";
import { type LookupdIdentity, LookupSession } from "./commands.ts";
import type { RegistrationDb } from "./registration_db.ts";

/** After an error the client's remaining bytes are read for this long, or a reset could overtake it. */
const LINGER_MS = 1000;

/** What the connections of one server share. */
export interface LookupTcpHost {
  readonly db: RegistrationDb;
  readonly identity: LookupdIdentity;
  readonly logger: Logger;
}

export class LookupTcpServer {
  /** Commands executed since the start, those that failed included. */
  commandCount = 0;
  /** Resolves when accepting has ended: with null after `close()`, else with the failure. */
  readonly ended: Promise<Error | null>;

  readonly #host: LookupTcpHost;
  readonly #listener: TcpListener<LookupConnection>;

  constructor(listener: Deno.Listener, host: LookupTcpHost) {
    this.#host = host;
    this.#listener = new TcpListener(listener, (accepted) => this.#open(accepted), host.logger);
    this.ended = this.#listener.ended;
  }

  /** Connections accepted since the start. */
  get acceptedCount(): number {
    return this.#listener.acceptedCount;
  }

  get connectionCount(): number {
    return this.#listener.connections.size;
  }

  /** Stops accepting and ends every connection; resolves when all are gone. */
  async close(): Promise<void> {
    this.#listener.close();
    const { connections } = this.#listener;
    for (const connection of connections) connection.close();
    await Promise.all([...connections].map((connection) => connection.done));
  }

  #open(accepted: Accepted): LookupConnection {
    const connection = new LookupConnection(accepted, this.#host, () => this.commandCount++);
    connection.done.then(() => this.#listener.connections.delete(connection));
    return connection;
  }
}

/** One client; it serves itself until its end. */
class LookupConnection {
  /** Resolves when the connection is closed and its producer removed; never rejects. */
  readonly done: Promise<void>;

  readonly #conn: Deno.Conn;
  readonly #logger: Logger;
  readonly #id: string;
  readonly #session: LookupSession;
  readonly #reader = new V1Reader();
  readonly #onCommand: () => void;
  #isClosed = false;

  constructor({ conn, remoteAddress }: Accepted, host: LookupTcpHost, onCommand: () => void) {
    this.#conn = conn;
    this.#logger = host.logger;
    this.#id = remoteAddress;
    this.#session = new LookupSession(host.db, host.identity, this.#id);
    this.#onCommand = onCommand;
    this.done = this.#serve();
  }

  /** Closes the socket; `done` follows. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#conn.close();
  }

  async #serve(): Promise<void> {
    this.#logger.info(`TCP: new client(${this.#id})`);
    try {
      await this.#exchange();
    } catch (cause) {
      if (!this.#isClosed) this.#logger.error(`V1: client(${this.#id}) failed - ${messageOf(cause)}`);
    } finally {
      const producer = this.#session.producer;
      this.#session.close();
      this.close();
      const left = producer === undefined ? "" : `, producer ${JSON.stringify(producer.node)} removed`;
      this.#logger.info(`V1: client(${this.#id}) closed${left}`);
    }
  }

  /** Answers commands until the client ends the connection or makes an error. */
  async #exchange(): Promise<void> {
    for (;;) {
      const { answers, error } = this.#executeAll();
      if (error !== undefined) return await this.#refuse(answers, error);
      if (answers.length > 0) await this.#write(answers);
      const byteCount = await this.#conn.read(this.#reader.space());
      if (byteCount === null) {
        const truncated = this.#truncation();
        return truncated === undefined ? undefined : await this.#refuse([], truncated);
      }
      this.#reader.received(byteCount);
    }
  }

  /** Executes every complete command that has been read, up to the first error. */
  #executeAll(): { answers: ByteText[]; error?: LookupProtocolError } {
    const answers: ByteText[] = [];
    try {
      for (let part = this.#reader.next(); part !== undefined; part = this.#reader.next()) {
        const answer = this.#execute(part);
        if (answer !== undefined) answers.push(answer);
      }
      return { answers };
    } catch (error) {
      if (!(error instanceof LookupProtocolError)) throw error;
      return { answers, error };
    }
  }

  #execute(part: Part): ByteText | undefined {
    if (part.kind === "magic") {
      if (part.text !== MAGIC_V1) throw new LookupProtocolError("E_BAD_PROTOCOL");
      return undefined;
    }
    this.#onCommand();
    if (part.kind === "body") {
      const answer = this.#session.executeIdentify(part.body);
      this.#logger.info(`V1: client(${this.#id}) is ${JSON.stringify(this.#session.producer?.node)}`);
      return answer;
    }
    const result = this.#session.executeLine(part.text);
    this.#logger.debug(`V1: client(${this.#id}) ${JSON.stringify(part.text)}`);
    if (result.kind === "answer") return result.text;
    this.#reader.expectBody();
    return undefined;
  }

  /** The error of a connection that ended inside an IDENTIFY; the client may still be reading. */
  #truncation(): LookupProtocolError | undefined {
    if (this.#reader.expected === "body-size") return unreadableIdentify("body size");
    if (this.#reader.expected === "body") return unreadableIdentify("body");
    return undefined;
  }

  /** Sends the error behind the answers before it, drops the registrations, and ends the connection. */
  async #refuse(answers: ByteText[], error: LookupProtocolError): Promise<void> {
    this.#logger.error(`V1: client(${this.#id}) refused - ${JSON.stringify(error.text)}`);
    this.#session.close();
    await this.#write([...answers, error.text]);
    await this.#conn.closeWrite();
    const timer = setTimeout(() => this.close(), LINGER_MS);
    try {
      const scrap = new Uint8Array(4096);
      while (await this.#conn.read(scrap) !== null);
    } finally {
      clearTimeout(timer);
    }
  }

  async #write(answers: ByteText[]): Promise<void> {
    let bytes: Uint8Array = encodeReplies(answers);
    while (bytes.length > 0) bytes = bytes.subarray(await this.#conn.write(bytes));
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
