/**
 * Measures a whole broker process over loopback sockets: one pass over the rows for each durability level.
 *
 * Bodies are 200 bytes. Every run starts a fresh process on an empty data path, so its warm-up counts. Rows:
 *
 *     pub_batch      2 producers, each with one MPUB of 200 messages at a time
 *     queued_memory  how much the broker's memory grew per message that pub_batch left in its channel; beyond
 *                    the broker's memory limit they are on disk only
 *     drain          2 consumers take that backlog
 *     both           2 producers as above and 2 consumers of one channel at once
 *     fanout_8       2 producers as above and 8 channels with a consumer each; counts deliveries
 *     pub_single_32  32 producers, each with one PUB at a time
 *     pub_single_1   one such producer
 *     both_text      as both, with bodies of text that compresses to about a third
 *     both_tls       the same on TLS
 *     both_deflate   the same on deflate, level 6
 *     both_snappy    the same on snappy
 *     latency_1k     one producer and one consumer at 1000 messages a second: from just before the write to
 *                    just after the read, on one clock
 */
import { LoadClient, type PublishCommand, publishCommand, publishTexts, Tally } from "./load_client.ts";
import { type Cost, type Level, ServerProcess } from "./server_process.ts";
import { STREAM_FLAGS, type StreamName } from "./stream.ts";

/** Numbers of one row: `rate` in messages a second, `cpuUs` per message of the server, and what their names say. */
export type Metrics = Partial<
  Record<
    "rate" | "cpuUs" | "p50Us" | "p99Us" | "p999Us" | "bytesPerMessage" | "messages" | "lost" | "redelivered",
    number
  >
>;
/** By row. */
export type Results = Record<string, Metrics>;

const TOPIC = "bench";
const BODY_BYTES = 200;
const BATCH = 200;
const FANOUT = 8;
const LATENCY_RATE = 1000;
const LATENCY_RDY = 100;
const LATENCY_WARM_UP_SECONDS = 1;
/** A consumer that got nothing for so long will get nothing more. */
const SILENCE_MS = 1000;
const POLL_MS = 10;

const batch = publishCommand(TOPIC, BATCH, BODY_BYTES);
const single = publishCommand(TOPIC, 1, BODY_BYTES);
const textBatch = publishTexts(TOPIC, BATCH, BODY_BYTES);

/** Rows that one run of a server measures together. */
interface Run {
  rows: readonly string[];
  channels: readonly string[];
  flags?: readonly string[];
  measure(server: ServerProcess, seconds: number): Promise<Results>;
}

const RUNS: readonly Run[] = [
  { rows: ["pub_batch", "queued_memory", "drain"], channels: ["ch_0"], measure: publishThenDrain },
  { rows: ["both"], channels: ["ch_0"], measure: publishAndConsume },
  { rows: ["fanout_8"], channels: Array.from({ length: FANOUT }, (_, i) => `ch_${i}`), measure: fanOut },
  {
    rows: ["pub_single_32"],
    channels: ["ch_0"],
    measure: async (server, seconds) => ({
      pub_single_32: (await publishOnly(server, 32, single, seconds)).metrics,
    }),
  },
  {
    rows: ["pub_single_1"],
    channels: ["ch_0"],
    measure: async (server, seconds) => ({
      pub_single_1: (await publishOnly(server, 1, single, seconds)).metrics,
    }),
  },
  streamRun("both_text", "plain"),
  streamRun("both_tls", "tls"),
  streamRun("both_deflate", "deflate"),
  streamRun("both_snappy", "snappy"),
  { rows: ["latency_1k"], channels: ["ch_0"], measure: measureLatency },
];

function streamRun(row: string, stream: StreamName): Run {
  return {
    rows: [row],
    channels: ["ch_0"],
    flags: STREAM_FLAGS,
    measure: async (server, seconds) => ({
      [row]: await consumeWhilePublishing(server, ["ch_0", "ch_0"], 1, seconds, stream, textBatch),
    }),
  };
}

/** All rows, in order. */
export const ROWS: readonly string[] = RUNS.flatMap((run) => run.rows);

/** The row of the sink that a row's rate is compared with. */
export const SINK_ROWS: Readonly<Record<string, string>> = {
  pub_batch: "pub_batch",
  drain: "pub_batch",
  both: "pub_batch",
  fanout_8: "pub_batch",
  pub_single_32: "pub_single_32",
  pub_single_1: "pub_single_1",
};

/** Measures the rows that `isWanted` says, and those of the same runs, at a durability level. */
export async function measureBroker(
  level: Level,
  isWanted: (row: string) => boolean,
  seconds: number,
): Promise<Results> {
  const results: Results = {};
  for (const run of RUNS) {
    if (!run.rows.some(isWanted)) continue;
    await using server = await ServerProcess.broker(level, run.flags);
    await server.post(`/topic/create?topic=${TOPIC}`);
    for (const channel of run.channels) {
      await server.post(`/channel/create?topic=${TOPIC}&channel=${channel}`);
    }
    Object.assign(results, await run.measure(server, seconds));
  }
  return results;
}

/** Measures the sink at the rows that the wanted ones are compared with. */
export async function measureSink(isWanted: (row: string) => boolean, seconds: number): Promise<Results> {
  const needed = new Set(ROWS.filter(isWanted).map((row) => SINK_ROWS[row]));
  const results: Results = {};
  for (
    const [row, producers, command] of [
      ["pub_batch", 2, batch],
      ["pub_single_32", 32, single],
      ["pub_single_1", 1, single],
    ] as const
  ) {
    if (!needed.has(row)) continue;
    await using server = await ServerProcess.sink(command.bytes.length);
    results[row] = (await publishOnly(server, producers, command, seconds)).metrics;
  }
  return results;
}

// ---- producers --------------------------------------------------------------------------------

class Producers implements Disposable {
  readonly #clients: LoadClient[];
  readonly #command: PublishCommand;

  private constructor(clients: LoadClient[], command: PublishCommand) {
    this.#clients = clients;
    this.#command = command;
  }

  static async connect(
    port: number,
    count: number,
    command: PublishCommand,
    stream?: StreamName,
  ): Promise<Producers> {
    const clients = await Promise.all(Array.from({ length: count }, () => openClient(port, stream)));
    return new Producers(clients, command);
  }

  /** Publishes on every connection, one command at a time, until `seconds` are over; resolves with the messages. */
  async publishFor(seconds: number): Promise<number> {
    const endMs = performance.now() + seconds * 1000;
    await Promise.all(this.#clients.map(async (client) => {
      while (performance.now() < endMs) await client.publish(this.#command);
    }));
    const commandCount = this.#clients.reduce((sum, client) => sum + client.okCount, 0);
    return commandCount * this.#command.messageCount;
  }

  [Symbol.dispose](): void {
    for (const client of this.#clients) client.close();
  }
}

async function publishOnly(
  server: ServerProcess,
  producerCount: number,
  command: PublishCommand,
  seconds: number,
): Promise<{ messages: number; metrics: Metrics }> {
  using producers = await Producers.connect(server.tcpPort, producerCount, command);
  let messages = 0;
  const cost = await server.measure(async () => {
    messages = await producers.publishFor(seconds);
  });
  return { messages, metrics: costMetrics(cost, messages) };
}

/** Without a stream named the connection negotiates nothing. */
function openClient(port: number, stream: StreamName | undefined, tally?: Tally): Promise<LoadClient> {
  return stream === undefined ? LoadClient.connect(port, tally) : LoadClient.connectOn(stream, port, tally);
}

// ---- consumers --------------------------------------------------------------------------------

class Consumers implements AsyncDisposable {
  readonly tally = new Tally();
  readonly #clients: LoadClient[] = [];
  #reading: Promise<unknown> = Promise.resolve();

  /** Subscribes one consumer to each of `channels`; they read from now on. Called once. */
  async subscribe(
    port: number,
    channels: readonly string[],
    rdyCount?: number,
    stream?: StreamName,
  ): Promise<void> {
    for (const channel of channels) {
      const client = await openClient(port, stream, this.tally);
      this.#clients.push(client);
      await client.subscribe(TOPIC, channel, rdyCount);
    }
    this.#reading = Promise.all(this.#clients.map((client) => client.keepReading()));
  }

  /** Resolves when so many messages came in all, or nothing comes any more. @throws what a connection throws */
  async received(count: number): Promise<void> {
    const { tally } = this, startedMs = performance.now();
    while (tally.received < count) {
      await Promise.race([this.#reading, delay(POLL_MS)]);
      if (performance.now() - Math.max(tally.lastMs, startedMs) > SILENCE_MS) return;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.#reading;
  }
}

async function publishThenDrain(server: ServerProcess, seconds: number): Promise<Results> {
  const bytesBefore = server.residentBytes();
  const { messages, metrics } = await publishOnly(server, 2, batch, seconds);
  const results: Results = { pub_batch: metrics, queued_memory: { messages } };
  const bytesAfter = server.residentBytes();
  if (bytesBefore !== undefined && bytesAfter !== undefined) {
    results.queued_memory.bytesPerMessage = (bytesAfter - bytesBefore) / messages;
  }
  await using consumers = new Consumers();
  const cost = await server.measure(async () => {
    await consumers.subscribe(server.tcpPort, ["ch_0", "ch_0"]);
    await consumers.received(messages);
  }, consumers.tally);
  results.drain = deliveryMetrics(cost, consumers.tally, messages);
  return results;
}

async function publishAndConsume(server: ServerProcess, seconds: number): Promise<Results> {
  return { both: await consumeWhilePublishing(server, ["ch_0", "ch_0"], 1, seconds) };
}

async function fanOut(server: ServerProcess, seconds: number): Promise<Results> {
  const channels = Array.from({ length: FANOUT }, (_, i) => `ch_${i}`);
  return { fanout_8: await consumeWhilePublishing(server, channels, FANOUT, seconds) };
}

/** Consumers are subscribed first; each message is expected `copies` times. */
async function consumeWhilePublishing(
  server: ServerProcess,
  channels: readonly string[],
  copies: number,
  seconds: number,
  stream?: StreamName,
  command = batch,
): Promise<Metrics> {
  await using consumers = new Consumers();
  await consumers.subscribe(server.tcpPort, channels, undefined, stream);
  using producers = await Producers.connect(server.tcpPort, 2, command, stream);
  let expected = 0;
  const cost = await server.measure(async () => {
    expected = await producers.publishFor(seconds) * copies;
    await consumers.received(expected);
  }, consumers.tally);
  return deliveryMetrics(cost, consumers.tally, expected);
}

// ---- latency ----------------------------------------------------------------------------------

async function measureLatency(server: ServerProcess, seconds: number): Promise<Results> {
  await using consumers = new Consumers();
  await consumers.subscribe(server.tcpPort, ["ch_0"], LATENCY_RDY);
  const producer = await LoadClient.connect(server.tcpPort), { tally } = consumers;
  const answers = producer.keepReading();
  let sent = await sendPaced(producer, LATENCY_WARM_UP_SECONDS);
  await consumers.received(sent);
  const latenciesMs: number[] = tally.latenciesMs = [];
  sent += await sendPaced(producer, seconds);
  await consumers.received(sent);
  producer.close();
  await answers;
  latenciesMs.sort((a, b) => a - b);
  const quantileUs = (q: number) => latenciesMs[Math.floor(latenciesMs.length * q)] * 1000;
  return {
    latency_1k: {
      p50Us: quantileUs(0.5),
      p99Us: quantileUs(0.99),
      p999Us: quantileUs(0.999),
      lost: sent - tally.received,
      redelivered: tally.redelivered,
    },
  };
}

/** Sends at the fixed rate whatever the answers do; resolves with the number of messages. */
async function sendPaced(producer: LoadClient, seconds: number): Promise<number> {
  const startedMs = performance.now();
  let sent = 0;
  for (;;) {
    const passedMs = performance.now() - startedMs;
    if (passedMs >= seconds * 1000) return sent;
    for (const due = Math.floor(passedMs * LATENCY_RATE / 1000); sent < due; sent++) {
      await producer.send(single);
    }
    await delay(1);
  }
}

// ---- metrics ----------------------------------------------------------------------------------

function costMetrics({ elapsedMs, cpuUs }: Cost, messages: number): Metrics {
  const metrics: Metrics = { rate: messages / elapsedMs * 1000 };
  if (cpuUs !== undefined) metrics.cpuUs = cpuUs / messages;
  return metrics;
}

function deliveryMetrics(cost: Cost, tally: Tally, expected: number): Metrics {
  return {
    ...costMetrics(cost, tally.received),
    lost: expected - tally.received,
    redelivered: tally.redelivered,
  };
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
