/**
 * Kills a utility again and again at random moments while messages are published, and then counts message by message:
 * each has to have come through at least once, and nothing that was never published.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { constants, gunzipSync } from "node:zlib";
import { until } from "../../support/program_process.ts";
import type { Random } from "../../support/random.ts";
import { HttpTarget } from "../to_http/http_target.ts";
import { TestBroker } from "../test_broker.ts";
import { ToolProcess } from "../tool_process.ts";

const TOPIC = "orders";
const CHANNEL = "crashed";
const MAX_ALIVE_MS = 400;
const BATCH = 50;
/** Between two batches of messages; a server that is asked for each message gets fewer. */
const PAUSE_MS: Partial<Record<SinkKind, number>> = { "to-http": 50 };
const USUAL_PAUSE_MS = 10;
/** The last run ends when everything has come through. */
const QUICK_RETRY = ["--consumer-opt=default_requeue_delay,10ms", "--consumer-opt=max_backoff_duration,0"];

/** Where the messages of one kind of run end up. */
export interface Sink extends AsyncDisposable {
  command: string;
  flags: readonly string[];
  /** Called with each process of the utility, before it is killed. */
  attach?(tool: ToolProcess): void;
  /** What came through so far, each as often as it did; pieces of messages may be among it. */
  arrived(): Promise<string[]> | string[];
}

export type SinkKind = "to-file" | "to-file gzip" | "to-http" | "to-nsq" | "tail";

export const sinkKinds: readonly SinkKind[] = ["to-file", "to-file gzip", "to-http", "to-nsq", "tail"];

/** What a run found. */
export interface CrashReport {
  published: number;
  /** More than once is allowed, but is worth knowing. */
  arrived: number;
  kills: number;
}

/** A body that no cut of another one equals. */
function bodyOf(index: number): string {
  return `message ${String(index).padStart(8, "0")}.`;
}

/** Kills the utility `rounds` times. @throws when a message is missing, or one came that was never published */
export async function crashRun(kind: SinkKind, rounds: number, random: Random): Promise<CrashReport> {
  await using broker = await TestBroker.start();
  await using sink = await sinkOf(kind);
  await broker.createChannel(TOPIC, CHANNEL);
  let published = 0;
  let isOver = false;
  const publishing = (async () => {
    while (!isOver) {
      const bodies = Array.from({ length: BATCH }, () => bodyOf(published++));
      await broker.publish(TOPIC, ...bodies);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS[kind] ?? USUAL_PAUSE_MS));
    }
  })();
  const flags = [
    ...sink.flags,
    `--topic=${TOPIC}`,
    `--channel=${CHANNEL}`,
    `--nsqd-tcp-address=${broker.tcp}`,
  ];
  try {
    for (let round = 0; round < rounds; round++) {
      await using tool = new ToolProcess(sink.command, flags);
      sink.attach?.(tool);
      await broker.untilChannel(TOPIC, CHANNEL, "the utility", ({ client_count: count }) => count === 1);
      await new Promise((resolve) => setTimeout(resolve, random.int(MAX_ALIVE_MS)));
      await tool.kill();
      await broker.untilChannel(TOPIC, CHANNEL, "its end", ({ client_count: count }) => count === 0);
    }
  } finally {
    isOver = true;
    await publishing;
  }
  await using last = new ToolProcess(sink.command, flags);
  sink.attach?.(last);
  await broker.untilChannel(TOPIC, CHANNEL, "the last run", ({ client_count: count }) => count === 1);
  await untilDrained(broker, published);
  assert.equal((await last.stop()).code, 0, last.stderr);
  return count(published, await sink.arrived(), rounds);
}

/** However long it takes, as long as it goes on. */
async function untilDrained(broker: TestBroker, published: number): Promise<void> {
  for (let left = Infinity; left > 0;) {
    const before = left;
    await broker.untilChannel(TOPIC, CHANNEL, `fewer than ${before} messages`, (counts) => {
      left = counts.depth + counts.in_flight_count + counts.deferred_count + published - counts.message_count;
      return left < before;
    });
  }
}

function count(published: number, arrived: string[], kills: number): CrashReport {
  const whole = new Map<string, number>();
  for (const body of arrived) whole.set(body, (whole.get(body) ?? 0) + 1);
  const missing: string[] = [];
  for (let i = 0; i < published; i++) {
    if (!whole.delete(bodyOf(i))) missing.push(bodyOf(i));
  }
  assert.deepEqual(missing.slice(0, 10), [], `${missing.length} of ${published} messages are missing`);
  const foreign = [...whole.keys()].filter((body) => !bodyOf(0).startsWith(body.slice(0, 8)));
  assert.deepEqual(foreign, [], "nobody published these");
  return { published, arrived: arrived.length, kills };
}

async function sinkOf(kind: SinkKind): Promise<Sink> {
  switch (kind) {
    case "to-file":
      return fileSink([]);
    case "to-file gzip":
      return fileSink(["--gzip", "--rotate-size=20000"]);
    case "to-http":
      return httpSink();
    case "to-nsq":
      return await nsqSink();
    case "tail":
      return tailSink();
  }
}

function fileSink(more: string[]): Sink {
  const directory = Deno.makeTempDirSync({ prefix: "nsq-crash-" });
  const outputDir = join(directory, "out"), workDir = join(directory, "work");
  return {
    command: "to-file",
    flags: [
      `--output-dir=${outputDir}`,
      `--work-dir=${workDir}`,
      "--filename-format=<TOPIC><REV>.<DATETIME>",
      "--datetime-format=%H%M%S",
      "--sync-interval=20ms",
      ...more,
    ],
    arrived() {
      assert.deepEqual([...Deno.readDirSync(workDir)], [], "everything is moved at the end");
      return [...Deno.readDirSync(outputDir)].flatMap(({ name }) => linesOf(join(outputDir, name)));
    },
    [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
  };
}

/** The lines of a file, whose end a crash may have cut. */
function linesOf(path: string): string[] {
  const bytes = Deno.readFileSync(path);
  const isGzip = path.endsWith(".gz") && bytes.length > 0;
  const plain = isGzip ? gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }) : bytes;
  return new TextDecoder().decode(plain).split("\n").filter((line) => line !== "");
}

function httpSink(): Sink {
  const target = new HttpTarget();
  return {
    command: "to-http",
    flags: [`--post=${target.url}`, ...QUICK_RETRY],
    arrived: () => target.bodies,
    [Symbol.asyncDispose]: () => target[Symbol.asyncDispose](),
  };
}

async function nsqSink(): Promise<Sink> {
  const destination = await TestBroker.start();
  await destination.createChannel("copy", "look");
  return {
    command: "to-nsq",
    flags: [`--destination-nsqd-tcp-address=${destination.tcp}`, "--destination-topic=copy", ...QUICK_RETRY],
    async arrived() {
      await using tail = new ToolProcess("tail", [
        "--topic=copy",
        "--channel=look",
        `--nsqd-tcp-address=${destination.tcp}`,
      ]);
      await destination.untilEmpty("copy", "look", 0);
      return (await tail.stop()).stdout.split("\n").filter((line) => line !== "");
    },
    [Symbol.asyncDispose]: () => destination[Symbol.asyncDispose](),
  };
}

function tailSink(): Sink {
  const tools: ToolProcess[] = [];
  return {
    command: "tail",
    flags: [],
    attach: (tool) => void tools.push(tool),
    arrived: () => tools.flatMap(({ stdout }) => stdout.split("\n").filter((line) => line !== "")),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Kills `nsq pub` in the middle of a file `rounds` times, then lets it publish all of it. */
export async function pubCrashRun(rounds: number, random: Random): Promise<CrashReport> {
  await using broker = await TestBroker.start();
  await broker.createChannel(TOPIC, CHANNEL);
  const path = await Deno.makeTempFile({ prefix: "nsq-crash-" });
  try {
    const published = 50_000;
    await Deno.writeTextFile(path, `${Array.from({ length: published }, (_, i) => bodyOf(i)).join("\n")}\n`);
    const flags = [`--topic=${TOPIC}`, `--nsqd-tcp-address=${broker.tcp}`, `--file=${path}`];
    const messages = async () => (await broker.channel(TOPIC, CHANNEL))!.message_count;
    for (let round = 0; round < rounds; round++) {
      const before = await messages();
      await using pub = new ToolProcess("pub", [...flags, "--rate=50000"]);
      const enough = before + 1 + random.int(5_000);
      await until("some messages", async () => await messages() >= enough);
      await pub.kill();
    }
    await using pub = new ToolProcess("pub", flags);
    assert.equal((await pub.ended()).code, 0, pub.stderr);
    const total = await messages();
    await using tail = new ToolProcess("tail", [
      `--topic=${TOPIC}`,
      `--channel=${CHANNEL}`,
      `--nsqd-tcp-address=${broker.tcp}`,
      "--max-in-flight=2500",
    ]);
    await broker.untilEmpty(TOPIC, CHANNEL, total);
    const { stdout } = await tail.stop();
    return count(published, stdout.split("\n").filter((line) => line !== ""), rounds);
  } finally {
    await Deno.remove(path);
  }
}
