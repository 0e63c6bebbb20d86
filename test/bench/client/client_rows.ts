/**
 * Measures our client beside the official JavaScript client, against a broker process at level `os`. Bodies are
 * 200 bytes. Rows, each for every stream (`publish_one_plain`, `publish_one_tls`, ...):
 *
 *     publish_one        one publish at a time
 *     publish_parallel   1000 publishes at a time, each a call of its own
 *     consume_run        a handler finishes each message of a backlog, RDY 2500
 *     consume_for_await  the same in a loop; only ours has it
 *
 * Both clients run in this process by turns, so that a ratio holds when the machine gets slower or faster; the
 * time and CPU are those of this process, which is the client.
 */
import process from "node:process";
import { ServerProcess } from "../server_process.ts";
import { STREAM_FLAGS, type StreamName } from "../stream.ts";
import { type BenchClient, type Face, ours, theirs } from "./clients.ts";

const TOPIC = "bench";
const BODY_BYTES = 200;
const PARALLEL = 1000;
/** More than is taken in one row, but for a machine with nothing else to do. */
const BACKLOG_PER_SECOND = 400_000;
const BATCH = 200;
const WARM_UP_SHARE = 0.25;
/** Of a producer: with fewer calls its code is not compiled yet. */
const MIN_WARM_UP_SECONDS = 1.5;
/** Of each producer in a row; the middle one counts. */
const TURNS = 5;
const STREAMS: readonly StreamName[] = ["plain", "tls", "deflate", "snappy"];
const KINDS = ["publish_one", "publish_parallel", "consume_run", "consume_for_await"] as const;

/** What one client did in a row. */
export interface ClientFigures {
  /** Messages a second. */
  rate: number;
  /** CPU of the client's process per message, µs. */
  cpuUs: number;
}

/** By row, then by client. */
export type ClientResults = Record<string, Record<string, ClientFigures>>;

/** All rows, in order. */
export const CLIENT_ROWS: readonly string[] = STREAMS.flatMap((stream) =>
  KINDS.map((kind) => `${kind}_${stream}`)
);

/** Text that compresses to about a third, as records of programs do. */
function makeBody(): Uint8Array {
  const text =
    '{"id":"8d1f0c","user":{"name":"Ada","city":"Zurich"},"items":[{"sku":"A-17","count":3},{"sku":"B-4","count":1}],"total":129.95,"paid":true,"at":"2026-11-25T14:00:00Z","note":"leave it at the door"}';
  return new TextEncoder().encode(text.padEnd(BODY_BYTES).slice(0, BODY_BYTES));
}

class Stopwatch {
  readonly #startedMs = performance.now();
  readonly #cpu = process.cpuUsage();

  get ms(): number {
    return performance.now() - this.#startedMs;
  }

  figures(count: number): ClientFigures {
    const { user, system } = process.cpuUsage(this.#cpu);
    return { rate: count / this.ms * 1000, cpuUs: (user + system) / count };
  }
}

/** Measures the rows that are wanted once. */
export async function measureClients(
  isWanted: (row: string) => boolean,
  seconds: number,
): Promise<ClientResults> {
  const results: ClientResults = {};
  for (const stream of STREAMS) {
    for (const kind of KINDS) {
      const row = `${kind}_${stream}`;
      if (!isWanted(row)) continue;
      switch (kind) {
        case "publish_one":
          results[row] = await measurePublishing(stream, 1, seconds);
          break;
        case "publish_parallel":
          results[row] = await measurePublishing(stream, PARALLEL, seconds);
          break;
        default:
          results[row] = await measureConsuming(
            stream,
            kind === "consume_run" ? "run" : "for_await",
            seconds,
          );
      }
    }
  }
  return results;
}

/** Both clients publish to one broker by turns. */
async function measurePublishing(
  stream: StreamName,
  parallel: number,
  seconds: number,
): Promise<Record<string, ClientFigures>> {
  await using server = await ServerProcess.broker("os", STREAM_FLAGS);
  const body = makeBody(), warmUpSeconds = Math.max(MIN_WARM_UP_SECONDS, seconds * WARM_UP_SHARE);
  const measured = await Promise.all([ours, theirs].map(async (client) => ({
    name: client.name,
    producer: await client.openProducer(server.tcpPort, stream, TOPIC, body),
    turns: [] as ClientFigures[],
  })));
  for (const { producer } of measured) {
    await publishFor(() => producer.publish(), parallel, warmUpSeconds);
  }
  for (let turn = 0; turn < TURNS; turn++) {
    for (const { producer, turns } of measured) {
      turns.push(await publishFor(() => producer.publish(), parallel, seconds / TURNS));
    }
  }
  for (const { producer } of measured) await producer.close();
  return Object.fromEntries(measured.map(({ name, turns }) => {
    turns.sort((a, b) => a.rate - b.rate);
    return [name, turns[TURNS >> 1]];
  }));
}

async function publishFor(
  publish: () => Promise<void>,
  parallel: number,
  seconds: number,
): Promise<ClientFigures> {
  const watch = new Stopwatch();
  let count = 0;
  while (watch.ms < seconds * 1000) {
    if (parallel === 1) await publish();
    else await Promise.all(Array.from({ length: parallel }, publish));
    count += parallel;
  }
  return watch.figures(count);
}

/** Each client takes the backlog of a broker of its own. */
async function measureConsuming(
  stream: StreamName,
  face: Face,
  seconds: number,
): Promise<Record<string, ClientFigures>> {
  const results: Record<string, ClientFigures> = {};
  for (const client of [ours, theirs]) {
    if (client.faces.includes(face)) results[client.name] = await takeBacklog(client, stream, face, seconds);
  }
  return results;
}

async function takeBacklog(
  client: BenchClient,
  stream: StreamName,
  face: Face,
  seconds: number,
): Promise<ClientFigures> {
  await using server = await ServerProcess.broker("os", STREAM_FLAGS);
  await server.post(`/topic/create?topic=${TOPIC}`);
  await server.post(`/channel/create?topic=${TOPIC}&channel=ch`);
  const backlog = Math.ceil(BACKLOG_PER_SECOND * seconds * (1 + WARM_UP_SHARE) / BATCH) * BATCH;
  await fill(server.tcpPort, backlog);
  let count = 0, watch = new Stopwatch(), warmUp = 0, figures: ClientFigures | undefined;
  await client.consume(server.tcpPort, stream, TOPIC, "ch", face, () => {
    count++;
    if (count === 1) watch = new Stopwatch();
    else if (warmUp === 0 && watch.ms >= seconds * 1000 * WARM_UP_SHARE) {
      warmUp = count;
      watch = new Stopwatch();
    }
    if (count === backlog || (warmUp > 0 && (count & 255) === 0 && watch.ms >= seconds * 1000)) {
      figures = watch.figures(count - warmUp);
      return false;
    }
    return true;
  });
  return figures!;
}

/** Leaves `count` messages in the channel. */
async function fill(port: number, count: number): Promise<void> {
  const producer = await ours.openProducer(port, "plain", TOPIC, makeBody());
  for (let left = count; left > 0; left -= BATCH * 10) {
    await Promise.all(Array.from({ length: Math.min(left, BATCH * 10) }, () => producer.publish()));
  }
  await producer.close();
}
