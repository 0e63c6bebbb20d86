/** `nsq pub`: publishes what it reads, a message for each line, to every nsqd that is given. */
import type { Producer } from "../../client/mod.ts";
import type { Logger } from "../../log/logger.ts";
import { createProducer, readClientOptions } from "../client_settings.ts";
import { checkHostPort } from "../options/shared_options.ts";
import { type Progress, startProgress } from "../terminal/progress.ts";
import { defineTool, exitCode, reasonOf, type RunningTool, ToolError } from "../tool.ts";
import { type PubOptions, pubOptions } from "./pub_options.ts";
import { RateLimit } from "./rate_limit.ts";
import { readRecords } from "./record_reader.ts";

const TOOL = "to_nsq";
/** Bodies that may wait for their answers, bytes. */
const MAX_UNANSWERED_BYTES = 8 << 20;

export const pubTool = defineTool({
  name: TOOL,
  command: "nsq pub",
  summary: "publishes what it reads from standard input or a file, a message for each line",
  table: pubOptions,
  check: checkPubOptions,
  start: startPub,
});

function checkPubOptions(options: PubOptions): void {
  if (options.topic === "") throw new ToolError("--topic required");
  if (new TextEncoder().encode(options.delimiter).length !== 1) {
    throw new ToolError("--delimiter must be a single byte");
  }
  if (options.nsqdTcpAddress.length === 0) throw new ToolError("--nsqd-tcp-address required");
  checkHostPort("nsqd-tcp-address", options.nsqdTcpAddress);
  readClientOptions("producer-opt", options.producerOpt);
}

interface Input {
  pieces: AsyncIterable<Uint8Array>;
  /** Bytes, where that is known. */
  size: number | null;
}

function openInput(path: string): Input {
  if (path === "") return { pieces: Deno.stdin.readable, size: null };
  try {
    const file = Deno.openSync(path, { read: true });
    const { size, isFile, isDirectory } = file.statSync();
    if (isDirectory) throw new Error("it is a directory");
    return { pieces: file.readable, size: isFile ? size : null };
  } catch (cause) {
    throw new ToolError(`--file ${path} cannot be read: ${reasonOf(cause)}`, { cause });
  }
}

async function startPub(options: PubOptions, logger: Logger): Promise<RunningTool> {
  const input = openInput(options.file);
  const producers = options.nsqdTcpAddress.map((address) =>
    createProducer(TOOL, address, options.producerOpt)
  );
  try {
    await Promise.all(producers.map((producer) => producer.connect()));
  } catch (cause) {
    await Promise.all(producers.map((producer) => producer.close()));
    throw new ToolError(reasonOf(cause), { cause });
  }
  if (options.rate >= 1) logger.info(`Throttling messages rate to max:${options.rate}/second`);
  const progress = input.size === null ? null : await startProgress("publishing", input.size);
  return new Publishing(options, input, producers, progress, logger);
}

class Publishing implements RunningTool {
  readonly done: Promise<number>;
  readonly #options: PubOptions;
  readonly #input: Input;
  readonly #producers: readonly Producer[];
  readonly #progress: Progress | null;
  readonly #limit: RateLimit | null;
  readonly #logger: Logger;
  readonly #exit = exitCode();
  readonly #startMs = performance.now();
  readonly #finished: Promise<void>;
  #isStopping = false;
  /** Messages that all nsqds confirmed, and their bytes with delimiters. */
  #messages = 0;
  #bytes = 0;
  #unansweredBytes = 0;
  #onAnswer: () => void = () => {};
  #failure: ToolError | null = null;

  constructor(
    options: PubOptions,
    input: Input,
    producers: readonly Producer[],
    progress: Progress | null,
    logger: Logger,
  ) {
    this.#options = options;
    this.#input = input;
    this.#producers = producers;
    this.#progress = progress;
    this.#limit = options.rate >= 1 ? new RateLimit(options.rate) : null;
    this.#logger = logger;
    this.done = this.#exit.done;
    this.#finished = this.#run().finally(() => Promise.all(producers.map((producer) => producer.close())));
    this.#finished.then(() => this.#exit.end(0), (cause) => this.#exit.fail(cause));
  }

  /** What was sent gets its answer; what was not read yet is left. */
  async stop(force = false): Promise<void> {
    this.#isStopping = true;
    this.#onAnswer();
    if (force) return;
    // The read that waits for input would wait for ever.
    await this.#settle();
    this.#progress?.stop();
    this.#exit.end(0);
  }

  async #run(): Promise<void> {
    const delimiter = new TextEncoder().encode(this.#options.delimiter)[0];
    try {
      for await (const records of readRecords(this.#input.pieces, delimiter)) {
        await this.#publishAll(records);
        if (this.#failure !== null) break;
        if (this.#isStopping) return;
      }
      await this.#settle();
    } catch (cause) {
      this.#failure ??= new ToolError(`ERROR: failed to read - ${reasonOf(cause)}`, { cause });
    }
    this.#progress?.stop();
    if (this.#failure !== null) {
      this.#logger.error(`${this.#messages} messages were confirmed before this`);
      throw this.#failure;
    }
    if (this.#progress !== null) this.#logger.info(`published ${this.#messages} messages, ${this.#rateText}`);
  }

  async #publishAll(records: readonly Uint8Array[]): Promise<void> {
    for (let at = 0; at < records.length && this.#failure === null && !this.#isStopping;) {
      const count = this.#limit === null ? records.length : await this.#limit.take(records.length - at);
      for (const record of records.slice(at, at + count)) this.#publish(record);
      at += count;
      while (this.#unansweredBytes > MAX_UNANSWERED_BYTES && this.#failure === null) {
        await new Promise<void>((resolve) => this.#onAnswer = resolve);
      }
    }
  }

  #publish(record: Uint8Array): void {
    const { topic, defer } = this.#options;
    const bytes = record.length + 1;
    this.#unansweredBytes += bytes;
    const publishes = this.#producers.map((producer) =>
      defer > 0 ? producer.publish(topic, record, { defer }) : producer.publish(topic, record)
    );
    (publishes.length === 1 ? publishes[0] : Promise.all(publishes)).then(() => {
      this.#messages++;
      this.#bytes += bytes;
      this.#progress?.update(this.#bytes, this.#rateText);
    }, (cause) => {
      this.#failure ??= new ToolError(reasonOf(cause), { cause });
    }).finally(() => {
      this.#unansweredBytes -= bytes;
      this.#onAnswer();
    });
  }

  async #settle(): Promise<void> {
    while (this.#unansweredBytes > 0) await new Promise<void>((resolve) => this.#onAnswer = resolve);
  }

  get #rateText(): string {
    const seconds = (performance.now() - this.#startMs) / 1000;
    const perSecond = (count: number) => Math.round(count / Math.max(seconds, 0.001));
    const mebibytes = Math.round(perSecond(this.#bytes) / 2 ** 20 * 10) / 10;
    return `${perSecond(this.#messages)}/s, ${mebibytes} MiB/s`;
  }
}
