/**
 * An nsqd in a process of its own for fuzzers that come through its sockets: what it holds is compared with what
 * it held at first, and it must log no fault.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Random } from "../support/random.ts";
import type { Session, Tally } from "./target.ts";

const CHECKOUT = fileURLToPath(new URL("../..", import.meta.url));
const LIMIT_MS = 20_000;
/** Connections at a time. */
const PARALLEL = 8;
/** What may stay after all was let go of: caches, compiled code, statistics. */
const HEAP_SLACK_BYTES = 24 << 20;
const EXTERNAL_SLACK_BYTES = 64 << 20;

/** What a server holds. */
export interface Held {
  heapBytes: number;
  externalBytes: number;
  connections: number;
  descriptors: number;
}

export class ServedNsqd {
  readonly tcpPort: number;
  readonly httpPort: number;
  /** Faults in its log. */
  readonly faults: string[];
  readonly #child: Deno.ChildProcess;
  readonly #directory: string;
  readonly #logged: Promise<void>;
  #ended: number | null = null;

  private constructor(
    child: Deno.ChildProcess,
    directory: string,
    ports: [number, number],
    faults: string[],
    logged: Promise<void>,
  ) {
    this.#child = child;
    this.#directory = directory;
    [this.tcpPort, this.httpPort] = ports;
    this.faults = faults;
    this.#logged = logged;
    child.status.then(({ code }) => this.#ended = code);
  }

  static async start(flags: readonly string[]): Promise<ServedNsqd> {
    const directory = await Deno.makeTempDir({ prefix: "nsqd-fuzz-" });
    const addresses = ["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0", `--data-path=${directory}`];
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "-A", "main.ts", "nsqd", ...addresses, ...flags],
      cwd: CHECKOUT,
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const faults: string[] = [], ports = new Map<string, number>();
    let onListening: () => void = () => {};
    const isListening = new Promise<boolean>((resolve) => onListening = () => resolve(true));
    const logged = followLog(child.stderr, (line) => {
      const listening = / (TCP|HTTP): listening on \S+:(\d+)$/.exec(line);
      if (listening !== null) ports.set(listening[1], Number(listening[2]));
      if (ports.size === 2) onListening();
      // A line that is none of the log's own is a crash on its way out.
      if (!/ (DEBUG|INFO|WARNING): /.test(line)) faults.push(line);
    });
    if (!await Promise.race([isListening, logged.then(() => false)])) {
      throw new Error(`nsqd did not start: ${faults.join("\n")}`);
    }
    return new ServedNsqd(child, directory, [ports.get("TCP")!, ports.get("HTTP")!], faults, logged);
  }

  async http(method: string, path: string, body?: BodyInit): Promise<string> {
    const signal = AbortSignal.timeout(LIMIT_MS);
    const response = await fetch(`http://127.0.0.1:${this.httpPort}${path}`, { method, body, signal });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} was answered with ${response.status} ${text}`);
    return text;
  }

  /** It runs, answers, and has logged no fault. */
  async checkServing(): Promise<void> {
    assert.equal(this.#ended, null, `nsqd ended: ${this.faults.join("\n")}`);
    assert.equal(await this.http("GET", "/ping"), "OK");
    assert.deepEqual(this.faults, [], "faults in the log");
  }

  /** Deletes all topics, waits for all connections to end, and says what is held then. */
  async settle(): Promise<Held> {
    const { topics } = JSON.parse(await this.http("GET", "/stats?format=json&include_clients=false"));
    for (const { topic_name } of topics) {
      await this.http("POST", `/topic/delete?topic=${encodeURIComponent(topic_name)}`);
    }
    const deadlineMs = performance.now() + LIMIT_MS;
    for (;;) {
      await this.http("POST", "/debug/freememory");
      const metrics = await this.http("GET", "/metrics");
      const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(metrics)?.[1]);
      const connections = value("nsq_tcp_connections");
      if (connections === 0) {
        return {
          heapBytes: value("nsq_heap_used_bytes"),
          externalBytes: value("nsq_heap_external_bytes"),
          connections,
          descriptors: this.#descriptors(),
        };
      }
      assert.ok(performance.now() < deadlineMs, `${connections} connections stay open`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Open files and sockets; 0 where the system does not tell. */
  #descriptors(): number {
    try {
      return [...Deno.readDirSync(`/proc/${this.#child.pid}/fd`)].length;
    } catch (cause) {
      if (cause instanceof Deno.errors.NotFound) return 0;
      throw cause;
    }
  }

  async stop(): Promise<void> {
    if (this.#ended === null) this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), LIMIT_MS);
    await this.#child.status;
    await this.#logged;
    clearTimeout(timer);
    await Deno.remove(this.#directory, { recursive: true });
  }
}

async function followLog(stderr: ReadableStream<Uint8Array>, onLine: (line: string) => void): Promise<void> {
  let rest = "";
  for await (const text of stderr.pipeThrough(new TextDecoderStream() as TransformStream)) {
    const lines: string[] = (rest + text).split("\n");
    rest = lines.pop()!;
    lines.forEach(onLine);
  }
}

/** Talks with a server on many connections at a time; after each batch the server holds nothing any more. */
export class ServedSession implements Session {
  readonly #server: ServedNsqd;
  readonly #counted: string;
  readonly #converse: (server: ServedNsqd, random: Random, tally: Tally) => Promise<void>;
  #base: Held | null = null;

  /** @param counted what the rounds of a batch are, in the tally that `converse` adds to for each connection */
  constructor(
    server: ServedNsqd,
    counted: string,
    converse: (server: ServedNsqd, random: Random, tally: Tally) => Promise<void>,
  ) {
    this.#server = server;
    this.#counted = counted;
    this.#converse = converse;
  }

  async batch(random: Random, rounds: number): Promise<Tally> {
    const tally: Tally = { [this.#counted]: 0 };
    const workers = Array.from({ length: PARALLEL }, async () => {
      const own = new Random(random.int(2 ** 32));
      while (tally[this.#counted] < rounds) await this.#converse(this.#server, own, tally);
    });
    const outcomes = await Promise.allSettled(workers);
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    await this.#server.checkServing();
    const held = await this.#server.settle();
    this.#base ??= held;
    return tally;
  }

  async check(): Promise<void> {
    checkNoLeak(this.#base!, await this.#server.settle());
    await this.#server.checkServing();
  }

  close(): Promise<void> {
    return this.#server.stop();
  }
}

/** Nothing of what came between `before` and `after` may have stayed. */
function checkNoLeak(before: Held, after: Held): void {
  const report = `${JSON.stringify(before)} before, ${JSON.stringify(after)} after`;
  assert.ok(after.heapBytes - before.heapBytes < HEAP_SLACK_BYTES, `the heap grew: ${report}`);
  assert.ok(after.externalBytes - before.externalBytes < EXTERNAL_SLACK_BYTES, `buffers stay: ${report}`);
  // A request to the HTTP API may hold one or two, and a log file may be open or not.
  assert.ok(after.descriptors - before.descriptors < 10, `descriptors stay open: ${report}`);
}
