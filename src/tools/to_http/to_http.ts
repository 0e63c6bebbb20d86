/** `nsq to-http`: sends each message of a topic to HTTP servers. */
import { HttpClient } from "../../http/client/http_client.ts";
import type { Consumer, Message } from "../../client/mod.ts";
import type { Logger } from "../../log/logger.ts";
import { version } from "../../version.ts";
import { attempt, maxAttemptsOf, withoutMaxAttempts } from "../attempts.ts";
import { checkNames, createConsumer, readClientOptions } from "../client_settings.ts";
import { Consumers } from "../consumers.ts";
import { checkAddressPair, checkHostPort } from "../options/shared_options.ts";
import { createPool, type HostPool, type PoolMode, poolModes } from "../spread/host_pool.ts";
import { StatusLog } from "../spread/status_log.ts";
import { defineTool, type RunningTool, ToolError } from "../tool.ts";
import { type Destination, getDestination, hasOnePlace, parseHeaders, postDestination } from "./request.ts";
import { type ToHttpOptions, toHttpOptions } from "./to_http_options.ts";

const TOOL = "nsq_to_http";
const MAX_REDIRECTS = 10;
/** The longest that a timer takes, about 25 days. */
const NO_LIMIT_MS = 2 ** 31 - 1;

export const toHttpTool = defineTool({
  name: TOOL,
  command: "nsq to-http",
  summary: "sends each message of a topic to HTTP servers",
  table: toHttpOptions,
  check: checkToHttpOptions,
  start: startToHttp,
});

function checkToHttpOptions(options: ToHttpOptions): void {
  const { topic, channel, post, get, contentType, sample } = options;
  parseHeaders(options.header);
  if (topic === "" || channel === "") throw new ToolError("--topic and --channel are required");
  const isContentTypeGiven = contentType !== "application/octet-stream";
  if (isContentTypeGiven && post.length === 0) throw new ToolError("--content-type only used with --post");
  if (contentType === "") throw new ToolError("--content-type requires a value when used");
  checkAddressPair(options.nsqdTcpAddress, options.lookupdHttpAddress);
  if (get.length === 0 && post.length === 0) throw new ToolError("--get or --post required");
  if (get.length > 0 && post.length > 0) throw new ToolError("use --get or --post not both");
  if (!get.every(hasOnePlace)) throw new ToolError("invalid GET address - must be a printf string");
  if (!(sample >= 0 && sample <= 1)) throw new ToolError("ERROR: --sample must be between 0.0 and 1.0");
  for (const [flag, addresses] of [["get", get], ["post", post]] as const) {
    for (const address of addresses) checkUrl(flag, address.replaceAll("%s", "").replaceAll("%%", ""));
  }
  for (
    const [flag, ms] of [
      ["connect", options.httpClientConnectTimeout],
      ["request", options.httpClientRequestTimeout],
    ] as const
  ) {
    if (ms < 0) throw new ToolError(`--http-client-${flag}-timeout should not be negative`);
  }
  if (options.n < 1) throw new ToolError("-n should be positive");
  if (options.maxInFlight < 1) throw new ToolError("--max-in-flight should be positive");
  checkHostPort("nsqd-tcp-address", options.nsqdTcpAddress);
  checkHostPort("lookupd-http-address", options.lookupdHttpAddress, true);
  checkNames(topic, channel);
  readClientOptions("consumer-opt", options.consumerOpt);
}

function checkUrl(flag: string, address: string): void {
  const isUrl = URL.canParse(address) && /^https?:$/.test(new URL(address).protocol);
  if (!isUrl) {
    throw new ToolError(
      `--${flag} ${JSON.stringify(address)} is no URL that begins with http:// or https://`,
    );
  }
}

async function startToHttp(options: ToHttpOptions, logger: Logger): Promise<RunningTool> {
  const headers = parseHeaders(options.header);
  const destinations = options.post.length > 0
    ? options.post.map((address) => postDestination(address, headers, options.contentType))
    : options.get.map((address) => getDestination(address, headers));
  const sender = new Sender(destinations, options, logger);
  const { topic, channel, sample, n: concurrency } = options;
  const maxAttempts = maxAttemptsOf(options.consumerOpt);
  const consumer: Consumer = createConsumer(TOOL, topic, channel, {
    ...options,
    consumerOpt: withoutMaxAttempts(options.consumerOpt),
  }, { touch: "auto" });
  const consumers = new Consumers([consumer], () => sender.close());
  consumers.run(consumer, concurrency, async (message: Message) => {
    if (sample < 1 && Math.random() > sample) return;
    await attempt(message, maxAttempts, logger, () => sender.send(message.body));
  });
  await consumers.ready();
  return consumers;
}

/** Sends bodies to one destination of several, or to all of them. */
class Sender {
  readonly #destinations: readonly Destination[];
  readonly #http: HttpClient;
  /** Null when all of them get everything. */
  readonly #pool: HostPool | null;
  readonly #status: StatusLog;

  constructor(destinations: readonly Destination[], options: ToHttpOptions, logger: Logger) {
    this.#destinations = destinations;
    const isOneOf = poolModes.includes(options.mode as PoolMode);
    this.#pool = isOneOf ? createPool(options.mode as PoolMode, destinations.length) : null;
    this.#status = new StatusLog(options.statusEvery, destinations.map(({ address }) => address), logger);
    this.#http = new HttpClient({
      connectTimeoutMs: options.httpClientConnectTimeout || NO_LIMIT_MS,
      requestTimeoutMs: options.httpClientRequestTimeout || NO_LIMIT_MS,
      userAgent: `${TOOL} v${version}`,
      maxIdleConnections: options.n,
      maxRedirects: MAX_REDIRECTS,
    });
  }

  /** @throws when the message was not taken by whoever should */
  async send(body: Uint8Array): Promise<void> {
    if (this.#pool !== null) {
      await this.#sendTo(this.#pool.next(), body);
      return;
    }
    for (let index = 0; index < this.#destinations.length; index++) await this.#sendTo(index, body);
  }

  close(): void {
    this.#http.close();
  }

  async #sendTo(index: number, body: Uint8Array): Promise<void> {
    const destination = this.#destinations[index];
    const { url, request } = destination.request(body);
    const startMs = performance.now();
    let isOk = false;
    try {
      const { status } = await this.#http.request(url, request);
      isOk = destination.isTaken(status);
      if (!isOk) throw new Error(`got status code ${status}`);
    } finally {
      const elapsedMs = performance.now() - startMs;
      this.#pool?.report(index, isOk, elapsedMs);
      if (isOk) this.#status.add(index, elapsedMs);
    }
  }
}
