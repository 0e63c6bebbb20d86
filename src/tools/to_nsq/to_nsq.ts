/** `nsq to-nsq`: forwards topics to other nsqds. */
import type { Message, Producer } from "../../client/mod.ts";
import type { Logger } from "../../log/logger.ts";
import { isValidName } from "../../protocol/names.ts";
import { attempt, maxAttemptsOf, withoutMaxAttempts } from "../attempts.ts";
import { createConsumer, createProducer, readClientOptions } from "../client_settings.ts";
import { Consumers } from "../consumers.ts";
import { checkAddressPair, checkHostPort } from "../options/shared_options.ts";
import { createPool, type HostPool, type PoolMode, poolModes } from "../spread/host_pool.ts";
import { StatusLog } from "../spread/status_log.ts";
import { defineTool, type RunningTool, ToolError } from "../tool.ts";
import { type JsonRequirements, judge } from "./json_filter.ts";
import { type ToNsqOptions, toNsqOptions } from "./to_nsq_options.ts";

const TOOL = "nsq_to_nsq";
/** The longest pause between two attempts to reach a destination. */
const RECONNECT_MS = 1_000;

export const toNsqTool = defineTool({
  name: TOOL,
  command: "nsq to-nsq",
  summary: "forwards topics to other nsqds",
  table: toNsqOptions,
  check: checkToNsqOptions,
  start: startToNsq,
});

function checkToNsqOptions(options: ToNsqOptions): void {
  const { topic, channel, destinationTopic, destinationNsqdTcpAddress } = options;
  if (topic.length === 0 || channel === "") throw new ToolError("--topic and --channel are required");
  if (!topic.every(isValidName)) throw new ToolError("--topic is invalid");
  if (destinationTopic !== "" && !isValidName(destinationTopic)) {
    throw new ToolError("--destination-topic is invalid");
  }
  if (!isValidName(channel)) throw new ToolError("--channel is invalid");
  checkAddressPair(options.nsqdTcpAddress, options.lookupdHttpAddress);
  if (destinationNsqdTcpAddress.length === 0) throw new ToolError("--destination-nsqd-tcp-address required");
  if (options.maxInFlight < 1) throw new ToolError("--max-in-flight should be positive");
  checkHostPort("nsqd-tcp-address", options.nsqdTcpAddress);
  checkHostPort("destination-nsqd-tcp-address", destinationNsqdTcpAddress);
  checkHostPort("lookupd-http-address", options.lookupdHttpAddress, true);
  readClientOptions("consumer-opt", options.consumerOpt);
  readClientOptions("producer-opt", options.producerOpt);
}

async function startToNsq(options: ToNsqOptions, logger: Logger): Promise<RunningTool> {
  const { topic: topics, channel, destinationTopic, maxInFlight } = options;
  const maxAttempts = maxAttemptsOf(options.consumerOpt);
  const forwarder = new Forwarder(options, logger);
  const consumers = topics.map((topic) =>
    createConsumer(
      TOOL,
      topic,
      channel,
      { ...options, consumerOpt: withoutMaxAttempts(options.consumerOpt) },
      {
        touch: "auto",
      },
    )
  );
  const running = new Consumers(consumers, () => forwarder.close());
  for (const [index, consumer] of consumers.entries()) {
    const target = destinationTopic === "" ? topics[index] : destinationTopic;
    running.run(
      consumer,
      maxInFlight,
      (message) => attempt(message, maxAttempts, logger, () => forwarder.forward(target, message)),
    );
  }
  await running.ready();
  return running;
}

/** Publishes messages, or what of them is wanted, each to one of several nsqds. */
class Forwarder {
  readonly #producers: Producer[];
  readonly #pool: HostPool;
  readonly #status: StatusLog;
  readonly #requirements: JsonRequirements;
  readonly #logger: Logger;

  constructor(options: ToNsqOptions, logger: Logger) {
    const addresses = options.destinationNsqdTcpAddress;
    const more = { lookupdPollIntervalMs: RECONNECT_MS };
    this.#producers = addresses.map((address) => createProducer(TOOL, address, options.producerOpt, more));
    const mode = poolModes.includes(options.mode as PoolMode) ? options.mode as PoolMode : "round-robin";
    this.#pool = createPool(mode, addresses.length);
    this.#status = new StatusLog(options.statusEvery, addresses, logger);
    this.#requirements = {
      requireField: options.requireJsonField,
      requireValue: options.requireJsonValue,
      whitelist: options.whitelistJsonField,
    };
    this.#logger = logger;
  }

  /** @throws when the message has to come again */
  async forward(topic: string, message: Message): Promise<void> {
    const verdict = judge(message.body, this.#requirements);
    if (verdict.kind === "requeue") {
      this.#logger.error(verdict.text);
      throw new Error("backoff");
    }
    if (verdict.kind === "drop") {
      if (verdict.text !== null) this.#logger.error(verdict.text);
      return;
    }
    const host = this.#pool.next();
    const startMs = performance.now();
    let isOk = false;
    try {
      const producer = this.#producers[host];
      // One that is away fails at once, so that another can be asked: a publish would wait for it.
      if (producer.connected.length === 0) await producer.connect();
      await producer.publish(topic, verdict.body);
      isOk = true;
    } finally {
      const elapsedMs = performance.now() - startMs;
      this.#pool.report(host, isOk, elapsedMs);
      this.#status.add(host, elapsedMs);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#producers.map((producer) => producer.close()));
  }
}
