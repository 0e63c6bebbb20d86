/** `nsq bench`: how much an nsqd carries, ours or another, as its clients see it. */
import { HttpClient } from "../../http/client/http_client.ts";
import { urlOf } from "../../http/client/url.ts";
import type { Consumer, ConsumerOptions, Producer } from "../../client/mod.ts";
import type { Logger } from "../../log/logger.ts";
import { checkNames, createConsumer, createProducer, readClientOptions } from "../client_settings.ts";
import { checkHostPort } from "../options/shared_options.ts";
import { startProgress } from "../terminal/progress.ts";
import { isColoured } from "../terminal/screen.ts";
import { writeOut } from "../terminal/output.ts";
import { defineTool, exitCode, reasonOf, type RunningTool, ToolError } from "../tool.ts";
import {
  type BenchOptions,
  benchOptions,
  type TransportName,
  transports,
  type Work,
  works,
} from "./bench_options.ts";
import { consumeAll, publishAtRate, publishFast, Tally } from "./load.ts";
import { type BenchResult, type BenchSubject, formatResults, formatResultsJson } from "./report.ts";

const TOOL = "nsq_bench";
const CHANNEL = "bench";
/** Messages that do not arrive within this time after the last one are missing. */
const ARRIVAL_MS = 30_000;
const LOOK_MS = 100;

export const benchTool = defineTool({
  name: TOOL,
  command: "nsq bench",
  summary: "measures how much an nsqd carries",
  table: benchOptions,
  check: checkBenchOptions,
  start: (options, logger) => Promise.resolve(new Bench(options, logger)),
});

function checkBenchOptions(options: BenchOptions): void {
  chosen("work", options.work, works);
  chosen("over", options.over, transports);
  checkHostPort("nsqd-tcp-address", [options.nsqdTcpAddress]);
  if (options.nsqdHttpAddress !== "") checkHostPort("nsqd-http-address", [options.nsqdHttpAddress], true);
  if (options.topic !== "") checkNames(options.topic, CHANNEL);
  readClientOptions("client-opt", options.clientOpt);
}

/** @throws {ToolError} naming what there is to choose from */
function chosen<T extends string>(flag: string, values: readonly string[], all: readonly T[]): T[] {
  const words = values.flatMap((value) => value.split(",")).map((word) => word.trim());
  for (const word of words) {
    if (word !== "all" && !all.includes(word as T)) {
      throw new ToolError(`--${flag} ${JSON.stringify(word)}: use ${all.join(", ")} or all`);
    }
  }
  return words.includes("all") ? [...all] : all.filter((word) => words.includes(word));
}

class Bench implements RunningTool {
  readonly done: Promise<number>;
  readonly #options: BenchOptions;
  readonly #logger: Logger;
  readonly #http = new HttpClient({ connectTimeoutMs: 2_000, requestTimeoutMs: 10_000 });
  readonly #stopped = new AbortController();
  readonly #exit = exitCode();
  readonly #finished: Promise<void>;

  constructor(options: BenchOptions, logger: Logger) {
    this.#options = options;
    this.#logger = logger;
    this.done = this.#exit.done;
    this.#finished = this.#run();
    this.#finished.then(() => this.#exit.end(0), (cause) => this.#exit.fail(cause));
  }

  async stop(force = false): Promise<void> {
    this.#stopped.abort();
    if (!force) await this.#finished.catch(() => {});
    this.#exit.end(0);
  }

  async #run(): Promise<void> {
    const { work, over, json } = this.#options;
    const results: BenchResult[] = [];
    let version = "";
    try {
      version = await this.#askVersion();
      for (const transport of chosen("over", over, transports)) {
        for (const kind of chosen("work", work, works)) {
          if (this.#stopped.signal.aborted) break;
          results.push(await this.#measure(kind, transport));
        }
      }
    } catch (cause) {
      if (results.length === 0 || !(cause instanceof Error)) throw asToolError(cause);
      this.#logger.error(`ERROR: ${reasonOf(cause)}`);
      this.#print(version, results, json);
      throw new ToolError("the benchmark did not come to its end; what is above was measured before that");
    } finally {
      this.#http.close();
    }
    this.#print(version, results, json);
  }

  #print(version: string, results: BenchResult[], isJson: boolean): void {
    const { nsqdTcpAddress, publishers, consumers, batch, maxInFlight } = this.#options;
    const subject: BenchSubject = {
      nsqd: nsqdTcpAddress,
      nsqd_version: version,
      publishers,
      consumers,
      batch,
      max_in_flight: maxInFlight,
      runtime: `deno ${Deno.version.deno}`,
    };
    const text = isJson
      ? formatResultsJson(subject, results)
      : formatResults(subject, results, isColoured("stdout"));
    writeOut(`${text}\n`);
  }

  /** One row of the table, on a topic of its own. */
  async #measure(work: Work, over: TransportName): Promise<BenchResult> {
    const own = `nsq_bench_${crypto.randomUUID().slice(0, 8)}`;
    const topic = this.#options.topic === "" ? own : this.#options.topic;
    const row = new Row(topic, work, over, this.#options, this.#stopped.signal);
    try {
      return await row.measure();
    } finally {
      await row.close();
      if (this.#options.topic === "") await this.#deleteTopic(topic);
    }
  }

  get #httpAddress(): string {
    const { nsqdTcpAddress, nsqdHttpAddress } = this.#options;
    if (nsqdHttpAddress !== "") return nsqdHttpAddress;
    return nsqdTcpAddress.replace(/\d+$/, (port) => String(Number(port) + 1));
  }

  async #deleteTopic(topic: string): Promise<void> {
    try {
      const url = urlOf(this.#httpAddress, `/topic/delete?topic=${topic}`);
      const { status } = await this.#http.request(url, { method: "POST" });
      if (status !== 200 && status !== 404) throw new Error(`answered ${status}`);
    } catch (cause) {
      this.#logger.warn(
        `WARNING: the topic ${topic} stays, ${this.#httpAddress}: ${reasonOf(cause)}; ` +
          "set --nsqd-http-address to have it deleted",
      );
    }
  }

  async #askVersion(): Promise<string> {
    try {
      const info = await this.#http.getJson(urlOf(this.#httpAddress, "/info")) as { version?: string };
      return info.version ?? "";
    } catch {
      // Its HTTP API may be out of reach, which the deletion of the topic tells.
      return "";
    }
  }
}

/** The connections of one row. */
class Row {
  readonly #topic: string;
  readonly #work: Work;
  readonly #over: TransportName;
  readonly #options: BenchOptions;
  readonly #signal: AbortSignal;
  readonly #producers: Producer[] = [];
  readonly #consumers: Consumer[] = [];

  constructor(topic: string, work: Work, over: TransportName, options: BenchOptions, signal: AbortSignal) {
    this.#topic = topic;
    this.#work = work;
    this.#over = over;
    this.#options = options;
    this.#signal = signal;
  }

  async measure(): Promise<BenchResult> {
    const { duration, size } = this.#options;
    const tally = new Tally();
    const isBacklog = this.#work === "consume";
    if (this.#work !== "publish" && !isBacklog) await this.#consume(tally);
    await this.#connectPublishers();
    const publishStartMs = performance.now();
    await this.#publish(isBacklog ? "preparing" : this.#work, tally, publishStartMs + duration);
    const publishedAtMs = performance.now();
    if (isBacklog) await this.#consume(tally);
    if (this.#work !== "publish") await this.#arrive(tally);
    const startMs = isBacklog ? publishedAtMs : publishStartMs;
    const endMs = this.#work === "publish" ? publishedAtMs : tally.lastConsumedAtMs;
    const messages = this.#work === "publish" ? tally.published : tally.consumed;
    const seconds = Math.max(endMs - startMs, 0.001) / 1000;
    const percentiles = isBacklog ? null : tally.percentiles([0.5, 0.95, 0.99, 1]);
    return {
      work: this.#work,
      over: this.#over,
      messages,
      size_bytes: size,
      seconds,
      messages_per_second: messages / seconds,
      mebibytes_per_second: messages * size / seconds / 2 ** 20,
      latency_ms: percentiles === null
        ? null
        : { p50: percentiles[0], p95: percentiles[1], p99: percentiles[2], max: percentiles[3] },
    };
  }

  async close(): Promise<void> {
    await Promise.all([
      ...this.#producers.map((producer) => producer.close()),
      ...this.#consumers.map((consumer) => consumer.close({ timeoutMs: 1_000 })),
    ]);
  }

  get #connection(): ConsumerOptions {
    const options: ConsumerOptions = {};
    if (this.#over === "tls") options.tls = { rejectUnauthorized: false };
    if (this.#over === "deflate") options.deflate = true;
    if (this.#over === "snappy") options.snappy = true;
    return options;
  }

  async #consume(tally: Tally): Promise<void> {
    const { nsqdTcpAddress, consumers, maxInFlight, clientOpt } = this.#options;
    const flags = {
      nsqdTcpAddress: [nsqdTcpAddress],
      lookupdHttpAddress: [],
      maxInFlight,
      consumerOpt: clientOpt,
    };
    for (let i = 0; i < consumers; i++) {
      const consumer = createConsumer(TOOL, this.#topic, CHANNEL, flags, this.#connection, "warning");
      this.#consumers.push(consumer);
      void consumeAll(consumer, tally);
    }
    await Promise.all(this.#consumers.map((consumer) => consumer.ready()));
  }

  async #connectPublishers(): Promise<void> {
    const { nsqdTcpAddress, publishers, clientOpt } = this.#options;
    const count = this.#work === "latency" ? 1 : publishers;
    for (let i = 0; i < count; i++) {
      this.#producers.push(createProducer(TOOL, nsqdTcpAddress, clientOpt, this.#connection, "warning"));
    }
    await Promise.all(this.#producers.map((producer) => producer.connect()));
  }

  async #publish(label: string, tally: Tally, untilMs: number): Promise<void> {
    const { batch, size, rate, duration } = this.#options;
    const isPaced = this.#work === "latency";
    const progress = await startProgress(`${label} ${this.#over}`.padEnd(17), duration);
    const startMs = untilMs - duration;
    const timer = setInterval(() => {
      const elapsedMs = performance.now() - startMs;
      progress.update(
        elapsedMs,
        `${Math.round(tally.published / elapsedMs * 1000).toLocaleString("en-US")}/s`,
      );
    }, LOOK_MS);
    try {
      await Promise.all(
        this.#producers.map((producer) =>
          isPaced
            ? publishAtRate(producer, this.#topic, rate, size, untilMs, tally, this.#signal)
            : publishFast(producer, this.#topic, batch, size, untilMs, tally, this.#signal)
        ),
      );
      progress.update(duration);
    } finally {
      clearInterval(timer);
      progress.stop();
    }
  }

  /** Waits for what was published. @throws when some of it does not come */
  async #arrive(tally: Tally): Promise<void> {
    const { published } = tally;
    const progress = await startProgress(`draining ${this.#over}`.padEnd(17), published);
    let lastCount = -1, changedAtMs = performance.now();
    try {
      while (tally.consumed < published && !this.#signal.aborted) {
        if (tally.consumed !== lastCount) changedAtMs = performance.now();
        lastCount = tally.consumed;
        if (performance.now() - changedAtMs > ARRIVAL_MS) {
          throw new Error(`${published - tally.consumed} of ${published} messages did not arrive`);
        }
        progress.update(tally.consumed);
        await new Promise((resolve) => setTimeout(resolve, Math.min(LOOK_MS, 20)));
      }
      progress.update(published);
    } finally {
      progress.stop();
    }
  }
}

function asToolError(cause: unknown): ToolError {
  return cause instanceof ToolError ? cause : new ToolError(reasonOf(cause), { cause });
}
