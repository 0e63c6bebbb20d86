/** `nsq to-file`: writes topics to files, one writer for each topic. */
import { hostname } from "node:os";
import { systemClock } from "../../clock/clock.ts";
import { HttpClient } from "../../http/client/http_client.ts";
import { Logger } from "../../log/logger.ts";
import { checkNames, createConsumer, readClientOptions } from "../client_settings.ts";
import { checkAddressPair, checkHostPort, checkPositive } from "../options/shared_options.ts";
import { compileExpression, type Matches } from "../regular_expression.ts";
import { defineTool, exitCode, reasonOf, type RunningTool, ToolError } from "../tool.ts";
import { FileFolder } from "./file_folder.ts";
import { FileName } from "./file_name.ts";
import { type ToFileOptions, toFileOptions } from "./to_file_options.ts";
import { TopicFiles } from "./topic_files.ts";
import { watchTopics } from "./topic_watch.ts";
import { TopicWriter } from "./topic_writer.ts";

const TOOL = "nsq_to_file";
/** For explicit topics whose writer could not be made. */
const RETRY_MS = 5_000;

export const toFileTool = defineTool({
  name: TOOL,
  command: "nsq to-file",
  summary: "writes topics to files, and finishes a message once it is on the disk",
  table: toFileOptions,
  hasHangup: true,
  check: checkToFileOptions,
  async start(options) {
    const matches = options.topicPattern === ""
      ? () => true
      : await compileExpression("topic-pattern", options.topicPattern);
    return new ToFile(options, matches);
  },
});

function checkToFileOptions(options: ToFileOptions): void {
  if (options.channel === "") throw new ToolError("--channel is required");
  checkPositive("--http-client-connect-timeout", options.httpClientConnectTimeout);
  checkPositive("--http-client-request-timeout", options.httpClientRequestTimeout);
  checkAddressPair(options.nsqdTcpAddress, options.lookupdHttpAddress, "tcp", ".");
  if (options.gzipLevel < 1 || options.gzipLevel > 9) {
    throw new ToolError(`invalid --gzip-level value (${options.gzipLevel}), should be 1-9`);
  }
  if (options.topic.length === 0 && options.topicPattern === "") {
    throw new ToolError("--topic or --topic-pattern required");
  }
  if (options.topic.length === 0 && options.lookupdHttpAddress.length === 0) {
    throw new ToolError("--lookupd-http-address must be specified when no --topic specified");
  }
  checkHostPort("nsqd-tcp-address", options.nsqdTcpAddress);
  checkHostPort("lookupd-http-address", options.lookupdHttpAddress, true);
  checkPositive("--sync-interval", options.syncInterval);
  checkPositive("--topic-refresh", options.topicRefresh);
  if (options.maxInFlight < 1) throw new ToolError("--max-in-flight should be positive");
  for (const topic of options.topic) checkNames(topic, options.channel);
  readClientOptions("consumer-opt", options.consumerOpt);
  // What makes a name impossible is the same for all topics, and known before any message comes.
  nameOf(options, "topic");
  checkDirectories(options);
}

/** @throws {ToolError} when a directory cannot be made, or files cannot be moved between the two */
function checkDirectories(options: ToFileOptions): void {
  const directories = [["output-dir", options.outputDir], ["work-dir", workDirOf(options)]] as const;
  const devices = directories.map(([flag, path]) => {
    try {
      Deno.mkdirSync(path, { recursive: true, mode: 0o770 });
      return Deno.statSync(path).dev;
    } catch (cause) {
      throw new ToolError(`--${flag} ${path} cannot be used: ${reasonOf(cause)}`, { cause });
    }
  });
  if (devices[0] !== devices[1]) {
    throw new ToolError("--work-dir and --output-dir must be on one file system");
  }
}

function workDirOf({ workDir, outputDir }: ToFileOptions): string {
  return workDir === "" ? outputDir : workDir;
}

function needsRevision(options: ToFileOptions): boolean {
  const { gzip, rotateSize, rotateInterval, outputDir } = options;
  return gzip || rotateSize > 0 || rotateInterval > 0 || workDirOf(options) !== outputDir;
}

/** @throws {ToolError} when the format does not do */
function nameOf(options: ToFileOptions, topic: string): FileName {
  return new FileName({
    topic,
    filenameFormat: options.filenameFormat,
    datetimeFormat: options.datetimeFormat,
    hostIdentifier: options.hostIdentifier,
    hostname: hostname(),
    pid: Deno.pid,
    isGzip: options.gzip,
    needsRevision: needsRevision(options),
  });
}

class ToFile implements RunningTool {
  readonly done: Promise<number>;
  readonly #options: ToFileOptions;
  readonly #logger: Logger;
  readonly #matches: Matches;
  readonly #http: HttpClient;
  readonly #writers = new Map<string, TopicWriter>();
  readonly #exit = exitCode();
  #stopWatching: () => void = () => {};
  #isStopping = false;

  constructor(options: ToFileOptions, matches: Matches) {
    this.#options = options;
    this.#logger = new Logger(options.logLevel, options.logPrefix);
    this.#matches = matches;
    this.#http = new HttpClient({
      connectTimeoutMs: options.httpClientConnectTimeout,
      requestTimeoutMs: options.httpClientRequestTimeout,
    });
    this.done = this.#exit.done;
    if (options.topic.length > 0) void this.#addExplicit(options.topic);
    else this.#watch();
  }

  readonly hangup = (): void => {
    for (const writer of this.#writers.values()) writer.hangup();
  };

  async stop(force = false): Promise<void> {
    this.#isStopping = true;
    this.#stopWatching();
    const writers = [...this.#writers.values()];
    for (const writer of writers) {
      if (force) writer.abandon();
      else writer.stop();
    }
    const ends = await Promise.allSettled(writers.map((writer) => writer.done));
    const failed = ends.find((end) => end.status === "rejected");
    this.#http.close();
    if (failed !== undefined) this.#exit.fail(failed.reason);
    else this.#exit.end(0);
  }

  #watch(): void {
    const { lookupdHttpAddress, topicRefresh } = this.#options;
    const settings = { lookupdHttpAddresses: lookupdHttpAddress, refreshMs: topicRefresh };
    this.#stopWatching = watchTopics(this.#http, settings, this.#logger, async (topics) => {
      for (const topic of topics) if (this.#matches(topic)) await this.#add(topic);
    });
  }

  /** One that cannot be written now is tried again until it can. */
  async #addExplicit(topics: readonly string[]): Promise<void> {
    let left = topics.filter((topic) => {
      const isWanted = this.#matches(topic);
      const pattern = this.#options.topicPattern;
      if (!isWanted) this.#logger.warn(`skipping topic ${topic} (doesn't match pattern ${pattern})`);
      return isWanted;
    });
    while (left.length > 0 && !this.#isStopping) {
      const failed: string[] = [];
      for (const topic of left) if (!await this.#add(topic)) failed.push(topic);
      left = failed;
      if (left.length === 0) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, RETRY_MS);
        this.#stopWatching = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Resolves with whether the topic is being written now. */
  async #add(topic: string): Promise<boolean> {
    if (this.#writers.has(topic)) return true;
    const { channel, maxInFlight, syncInterval } = this.#options;
    try {
      checkNames(topic, channel);
      const files = await this.#openFiles(topic);
      if (this.#isStopping) return false;
      // Files take any message: whatever keeps one from being written is no fault of its own, and none is given up.
      const consumer = createConsumer(TOOL, topic, channel, this.#options);
      const settings = { label: `${topic}/${channel}`, maxInFlight, syncIntervalMs: syncInterval };
      const writer = new TopicWriter(consumer, files, settings, this.#logger);
      this.#writers.set(topic, writer);
      writer.done.catch((cause) => this.#exit.fail(cause));
      return true;
    } catch (cause) {
      this.#logger.error(`couldn't create logger for new topic ${topic}: ${reasonOf(cause)}`);
      return false;
    }
  }

  async #openFiles(topic: string): Promise<TopicFiles> {
    const options = this.#options;
    const name = nameOf(options, topic);
    const folder = new FileFolder({
      outputDir: options.outputDir,
      workDir: workDirOf(options),
      isExclusive: options.gzip || options.rotateInterval > 0,
      rotateSize: options.rotateSize,
    }, this.#logger);
    await folder.takeLeftovers(name.pattern);
    const settings = {
      isGzip: options.gzip,
      gzipLevel: options.gzipLevel,
      rotateSize: options.rotateSize,
      rotateIntervalMs: options.rotateInterval,
      skipEmptyFiles: options.skipEmptyFiles,
    };
    return new TopicFiles(name, folder, settings, this.#logger, systemClock);
  }
}
