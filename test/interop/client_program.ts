/** An official client in a process of its own: commands go in and events come out as lines of JSON. */

/** How the client connects; the names are those that its program reads. */
export interface ClientSettings {
  /** `host:port` of nsqd, to publish to and, without `lookupd`, to consume from. */
  nsqd?: string;
  /** `host:port` of the HTTP API of lookupd. */
  lookupd?: string;
  /** Paths of PEM files. */
  tls_ca?: string;
  tls_cert?: string;
  tls_key?: string;
  deflate?: boolean;
  snappy?: boolean;
  auth?: string;
}

/** What a client program tells. */
export interface ClientEvent {
  event: "published" | "consuming" | "message" | "finished";
  error?: string | null;
  /** The start of the body, with all that tells what to do. */
  body?: string;
  /** Bytes of the body, and their CRC-32. */
  length?: number;
  sum?: number;
  attempts?: number;
  id?: string;
}

/** A client that can be started, or the reason why it cannot. */
export type BuiltClient = { command: string; args: string[] } | { reason: string };

const LIMIT_MS = 20_000;
const MAX_LOG_LENGTH = 20_000;

export class ClientProgram implements AsyncDisposable {
  readonly events: ClientEvent[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #read: Promise<unknown>;
  #log = "";
  #isOver = false;
  #onEvent: () => void = () => {};

  constructor(client: Exclude<BuiltClient, { reason: string }>, settings: ClientSettings) {
    this.#child = new Deno.Command(client.command, {
      args: [...client.args, JSON.stringify(settings)],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#read = Promise.all([
      forEachLine(this.#child.stdout, (line) => this.#take(JSON.parse(line))),
      forEachLine(this.#child.stderr, (line) => this.#log = `${this.#log}${line}\n`.slice(-MAX_LOG_LENGTH)),
    ]).finally(() => {
      this.#isOver = true;
      this.#onEvent();
    });
  }

  #take(event: ClientEvent): void {
    this.events.push(event);
    this.#onEvent();
  }

  async #send(command: object): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${JSON.stringify(command)}\n`));
  }

  /** Publishes, and resolves with the error that the client got; null for none. */
  async publish(
    topic: string,
    bodies: string[],
    options: { delay_ms?: number; repeat?: number } = {},
  ): Promise<string | null> {
    const before = this.events.length;
    await this.#send({ do: "publish", topic, bodies, ...options });
    await this.until("the answer to a publish", () => this.#after(before, "published") !== undefined);
    return this.#after(before, "published")!.error ?? null;
  }

  /** Begins to consume; bodies say what is done with messages. */
  async consume(
    topic: string,
    channel: string,
    options: { max_in_flight?: number; msg_timeout_ms?: number } = {},
  ): Promise<void> {
    const before = this.events.length;
    await this.#send({ do: "consume", topic, channel, ...options });
    await this.until("the consumer", () => this.#after(before, "consuming") !== undefined);
    const { error } = this.#after(before, "consuming")!;
    if (error) throw new Error(`the client cannot consume: ${error}`);
  }

  #after(index: number, kind: ClientEvent["event"]): ClientEvent | undefined {
    return this.events.find(({ event }, i) => i >= index && event === kind);
  }

  /** The events of one kind so far. */
  of(kind: ClientEvent["event"]): ClientEvent[] {
    return this.events.filter(({ event }) => event === kind);
  }

  /** Resolves when `isTrue` holds, which is asked again at each event. @throws when that takes too long */
  async until(what: string, isTrue: () => boolean): Promise<void> {
    const fail = (why: string) => {
      const events = JSON.stringify(this.events.slice(-10));
      return new Error(`${why} while waiting for ${what}; last events: ${events}; its log: ${this.#log}`);
    };
    let timer: ReturnType<typeof setTimeout> | undefined;
    const isLate = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(fail(`${LIMIT_MS} ms passed`)), LIMIT_MS);
    });
    try {
      while (!isTrue()) {
        if (this.#isOver) throw fail("the client ended");
        await Promise.race([new Promise<void>((resolve) => this.#onEvent = resolve), isLate]);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A client that ended by itself has closed its input.
    await this.#input.close().catch(() => this.#isOver = true);
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), LIMIT_MS);
    await this.#child.status;
    clearTimeout(timer);
    await this.#read;
  }
}

async function forEachLine(
  stream: ReadableStream<Uint8Array>,
  onLine: (line: string) => void,
): Promise<void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream() as TransformStream)) {
    const lines: string[] = (rest + text).split("\n");
    rest = lines.pop()!;
    lines.forEach(onLine);
  }
}
