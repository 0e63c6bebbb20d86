/**
 * A real broker for the tests of programs that use the client: a process of its own on ports that are free, with
 * data that goes when it goes.
 *
 * On Deno the broker of this package is run. Elsewhere `nsq` has to be installed, or `command` or the variable
 * `NSQ_COMMAND` has to name it.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { NsqError } from "../errors.ts";

/** How a broker is to be started. */
export interface BrokerOptions {
  /** Where messages are kept: `memory` (the default), or a temporary `folder`, which survives `kill()` and `restart()`. */
  data?: "memory" | "folder";
  /** More flags of `nsq nsqd`, such as `--msg-timeout=2s`. */
  flags?: readonly string[];
  /** The program and its first arguments, in place of what is found. */
  command?: readonly string[];
}

/** How long to wait. */
export interface SettledOptions {
  /** Only this topic. Default: all. */
  topic?: string;
  /** Ms, default 10,000. */
  timeoutMs?: number;
}

const START_MS = 30_000, STOP_MS = 20_000, SETTLED_MS = 10_000, POLL_MS = 10;
const LISTENING = /(TCP|HTTP): listening on (\S+:\d+)\n/g;
const MAX_LOG_LENGTH = 1 << 18;

/** The part of `/stats` that is looked at. */
interface Counts {
  depth: number;
  in_flight_count?: number;
  deferred_count?: number;
}
interface Stats {
  topics: (Counts & { topic_name: string; channels: (Counts & { channel_name: string })[] })[];
}

/**
 * Starts a broker. Resolves when it listens.
 *
 *     await using broker = await startBroker();
 *     await using producer = new Producer({ nsqd: broker.address });
 *     await producer.publish("orders", "one");
 *     assertEquals(await broker.depth("orders"), 1);
 *
 * @throws {NsqError} `ERR_NSQ_BROKER` when there is no such program, or it ends; the text has its log
 */
export async function startBroker(options: BrokerOptions = {}): Promise<TestBroker> {
  const dataPath = await mkdtemp(join(tmpdir(), "nsq-broker-"));
  const broker = new TestBroker(options, dataPath);
  try {
    await broker.start();
    return broker;
  } catch (error) {
    await broker.stop();
    throw error;
  }
}

/** A broker that runs until it is stopped. */
export class TestBroker implements AsyncDisposable {
  /** What it logged since it was started last. */
  log = "";
  readonly #options: BrokerOptions;
  readonly #dataPath: string;
  #child: ChildProcess | null = null;
  #ended: Promise<void> = Promise.resolve();
  #address = "127.0.0.1:0";
  #httpAddress = "127.0.0.1:0";

  /** Use `startBroker()`. `dataPath` is removed by `stop()`. */
  constructor(options: BrokerOptions, dataPath: string) {
    this.#options = options;
    this.#dataPath = dataPath;
  }

  /** Where clients connect, as `host:port`; it stays over restarts. */
  get address(): string {
    return this.#address;
  }

  /** Its HTTP API, as `host:port`; it stays over restarts. */
  get httpAddress(): string {
    return this.#httpAddress;
  }

  /** Starts it again after `kill()`, on the same addresses. @throws {NsqError} */
  async start(): Promise<void> {
    const [program, ...first] = this.#options.command ?? defaultCommand();
    const args = [
      ...first,
      "nsqd",
      `--tcp-address=${this.#address}`,
      `--http-address=${this.#httpAddress}`,
      `--data-path=${this.#dataPath}`,
      `--durability=${this.#options.data === "folder" ? "os" : "memory"}`,
      ...this.#options.flags ?? [],
    ];
    this.log = "";
    const child = this.#child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
    this.#ended = new Promise((resolve) => {
      child.once("error", (cause) => {
        this.log += `${program} cannot be run: ${cause.message}\n`;
        resolve();
      });
      child.once("close", () => resolve());
    });
    const listening = new Promise<boolean>((resolve) => {
      child.stderr!.setEncoding("utf8").on("data", (text: string) => {
        this.log = (this.log + text).slice(-MAX_LOG_LENGTH);
        if (this.#readAddresses()) resolve(true);
      });
    });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<boolean>((resolve) => timer = setTimeout(() => resolve(false), START_MS));
    const isListening = await Promise.race([listening, late, this.#ended.then(() => false)]);
    clearTimeout(timer);
    if (isListening) return;
    throw new NsqError(
      "ERR_NSQ_BROKER",
      `the broker did not start (${[program, ...args].join(" ")}):\n${this.log}`,
    );
  }

  #readAddresses(): boolean {
    const found = new Map([...this.log.matchAll(LISTENING)].map(([, name, address]) => [name, address]));
    const tcp = found.get("TCP"), http = found.get("HTTP");
    if (tcp === undefined || http === undefined) return false;
    this.#address = tcp;
    this.#httpAddress = http;
    return true;
  }

  /**
   * Messages that wait in a channel, or, without one, in the topic itself, where they are until it has a channel.
   * 0 when there is no such topic or channel.
   */
  async depth(topic: string, channel?: string): Promise<number> {
    const { topics } = await this.#stats();
    const found = topics.find(({ topic_name }) => topic_name === topic);
    if (channel === undefined) return found?.depth ?? 0;
    return found?.channels.find(({ channel_name }) => channel_name === channel)?.depth ?? 0;
  }

  /**
   * Resolves when no message waits, is out with a consumer, or is deferred.
   *
   * @throws {NsqError} `ERR_NSQ_NOT_SETTLED` when that takes longer than `timeoutMs`; the text says what is left
   */
  async settled(options: SettledOptions = {}): Promise<void> {
    const { topic, timeoutMs = SETTLED_MS } = options;
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const left = leftIn(await this.#stats(), topic);
      if (left.length === 0) return;
      if (performance.now() >= deadlineMs) {
        throw new NsqError("ERR_NSQ_NOT_SETTLED", `not settled within ${timeoutMs} ms: ${left.join("; ")}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async #stats(): Promise<Stats> {
    const response = await fetch(`http://${this.#httpAddress}/stats?format=json&include_clients=false`);
    const text = await response.text();
    if (!response.ok) throw new NsqError("ERR_NSQ_BROKER", `/stats answered ${response.status}: ${text}`);
    return JSON.parse(text) as Stats;
  }

  /** Ends it as a crash does (kill -9). Resolves when it is gone; `start()` brings it back. */
  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#ended;
  }

  /** Ends it as an operator does, and starts it again on the same addresses. @throws {NsqError} */
  async restart(): Promise<void> {
    await this.#end();
    await this.start();
  }

  /** Ends it and removes its data. */
  async stop(): Promise<void> {
    await this.#end();
    await rm(this.#dataPath, { recursive: true, force: true });
  }

  /** As `stop()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #end(): Promise<void> {
    this.#child?.kill("SIGTERM");
    const timer = setTimeout(() => this.#child?.kill("SIGKILL"), STOP_MS);
    await this.#ended;
    clearTimeout(timer);
  }
}

function defaultCommand(): string[] {
  const { NSQ_COMMAND } = process.env;
  if (NSQ_COMMAND !== undefined && NSQ_COMMAND !== "") return NSQ_COMMAND.split(" ");
  const main = new URL("../../../main.ts", import.meta.url);
  if (!("deno" in process.versions)) return ["nsq"];
  return [
    process.execPath,
    "run",
    "--no-prompt",
    "-A",
    main.protocol === "file:" ? fileURLToPath(main) : main.href,
  ];
}

function leftIn({ topics }: Stats, only: string | undefined): string[] {
  return topics.filter(({ topic_name }) => only === undefined || topic_name === only).flatMap((topic) => {
    const places = [{ name: topic.topic_name, counts: topic as Counts }];
    for (const channel of topic.channels) {
      places.push({ name: `${topic.topic_name}/${channel.channel_name}`, counts: channel });
    }
    return places.flatMap(({ name, counts: { depth, in_flight_count = 0, deferred_count = 0 } }) =>
      depth + in_flight_count + deferred_count === 0
        ? []
        : [`${name} has ${depth} waiting, ${in_flight_count} in flight, ${deferred_count} deferred`]
    );
  });
}
