/**
 * Rounds of starting nsqd, publishing, consuming, and ending it in the middle; then a check of what came.
 *
 * This file owns the rounds and their order. What must be true is in `model.ts`.
 */
import { Random } from "../support/random.ts";
import { Consumer, FINISH_ALL, type Manner, MIXED } from "./consumer.ts";
import { type ChannelHolding, holdings, isEmpty, post } from "./http.ts";
import { type ChannelModel, Model, type Totals } from "./model.ts";
import { NsqdProcess } from "./nsqd_process.ts";
import { Operator } from "./operator.ts";
import { Producer } from "./producer.ts";

/**
 * How a round ends: `kill` in the middle of everything, `long` the same after the compaction had time to work,
 * `stop` in order, `killed stop` and `forced stop` in the middle of that, `start` before it listens. With `leave`
 * the process lives on: only its clients go.
 */
export type Ending = "kill" | "long" | "stop" | "killed stop" | "forced stop" | "start" | "leave";

export interface CrashOptions {
  durability: "memory" | "os" | "disk";
  seed: number;
  /** An empty directory. */
  dataPath: string;
  endings: Iterable<Ending>;
  /** Rounds after which all is consumed and checked; it is at the end in any case. */
  drainEvery: number;
  /** Longest delay of a deferred message, ms: some should outlive several restarts. */
  maxDelayMs: number;
  /** Called with the process after everything was consumed. */
  drained?: (nsqd: NsqdProcess) => void;
  log: (text: string) => void;
}

export interface CrashReport {
  rounds: number;
  totals: Totals;
  /** Empty when all promises were kept. */
  violations: string[];
  /** What the last process logged. */
  log: string;
}

const TOPICS = ["orders", "mail", "audit.log"];
const FIRST_CHANNELS: [topic: number, channel: string][] = [
  [0, "billing"],
  [0, "archive"],
  [1, "send"],
  [2, "archive"],
  [2, "watch"],
];
const PRODUCERS = 3;
/** A channel that nobody consumes for a round has a backlog that leaves the memory. */
const CONSUMERS = [0, 1, 1, 2];
const MAX_BYTES_PER_FILE = 1 << 20;
const SYNC_TIMEOUT_MS = 200;
/** Of consumers that ask for no other. */
const MSG_TIMEOUT_MS = 400;
/** Positions are written every sync timeout; a busy machine may take some of them. */
const SYNC_ROUNDS = 5;
const DRAIN_DEADLINE_MS = 90_000;
const DISK_DEADLINE_MS = 15_000;
const POLL_MS = 50;
/** What may be left on the disk: two log files, the last group of each, and their index. */
const LEFT_BYTES = 2 * MAX_BYTES_PER_FILE + (1 << 20);
/** A passed segment is compacted after 5 s. */
const LONG_MS = 6500;
const LEAVE_MS = [300, 3000] as const;

/** The endings of `rounds` rounds, mixed. */
export function mixedEndings(rounds: number, random: Random): Ending[] {
  return Array.from({ length: rounds }, () => {
    const dice = random.next();
    if (dice < 0.1) return "stop";
    if (dice < 0.14) return "killed stop";
    if (dice < 0.16) return "forced stop";
    if (dice < 0.21) return "start";
    return dice < 0.25 ? "long" : "kill";
  });
}

/** Runs all rounds, or up to the first violation. */
export async function runCrashRounds(options: CrashOptions): Promise<CrashReport> {
  const run = new CrashRun(options);
  try {
    return await run.run();
  } finally {
    await run.end();
  }
}

class CrashRun {
  readonly #options: CrashOptions;
  readonly #random: Random;
  readonly #model = new Model(TOPICS);
  readonly #operator: Operator;
  #nsqd: NsqdProcess | null = null;
  #producers: Producer[] = [];
  #consumers: Consumer[] = [];
  #rounds = 0;

  constructor(options: CrashOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#operator = new Operator(this.#model, new Random(options.seed + 1));
  }

  async run(): Promise<CrashReport> {
    const { log } = this.#options, { violations } = this.#model;
    try {
      await this.#runRounds();
    } catch (cause) {
      this.#model.fail(`the round broke off: ${(cause as Error).stack}`);
    }
    const totals = this.#model.totals;
    log(`${this.#rounds} rounds, ${JSON.stringify(totals)}, ${violations.length} violations`);
    return { rounds: this.#rounds, totals, violations, log: this.#nsqd?.log ?? "" };
  }

  async #runRounds(): Promise<void> {
    const { endings, drainEvery } = this.#options, { violations } = this.#model;
    let isDrained = true;
    for (const ending of endings) {
      this.#rounds++;
      this.#model.moment = `round ${this.#rounds}`;
      await this.#round(ending);
      isDrained = violations.length === 0 && this.#rounds % drainEvery === 0;
      if (isDrained) await this.#drain(ending === "leave");
      if (violations.length > 0) return;
    }
    if (!isDrained) await this.#drain(false);
  }

  /** Ends what may still run, after a failure. */
  async end(): Promise<void> {
    await this.#nsqd?.kill();
    await this.#endClients(true);
  }

  // ---- a life of the process ----------------------------------------------------------------

  #spawn(): NsqdProcess {
    return this.#nsqd = NsqdProcess.spawn([
      "--tcp-address=127.0.0.1:0",
      "--http-address=127.0.0.1:0",
      `--data-path=${this.#options.dataPath}`,
      `--durability=${this.#options.durability}`,
      `--sync-timeout=${SYNC_TIMEOUT_MS}ms`,
      `--max-bytes-per-file=${MAX_BYTES_PER_FILE}`,
      "--mem-limit=1MiB",
      `--msg-timeout=${MSG_TIMEOUT_MS}ms`,
      "--node-id=7",
    ]);
  }

  /** Starts a process, or goes on with the one that lives. */
  async #start(): Promise<NsqdProcess> {
    if (this.#nsqd?.isAlive) return this.#nsqd;
    const nsqd = this.#spawn();
    await nsqd.listening();
    if (this.#model.channels.length === 0) {
      for (const topic of TOPICS) await post(nsqd.httpPort, `/topic/create?topic=${topic}`);
      for (const [topic, name] of FIRST_CHANNELS) await this.#addChannel(topic, name);
    } else await this.#checkHoldings(nsqd);
    return nsqd;
  }

  async #addChannel(topic: number, name: string): Promise<void> {
    await post(this.#nsqd!.httpPort, `/channel/create?topic=${TOPICS[topic]}&channel=${name}`);
    this.#model.addChannel(topic, name);
  }

  /** Before anything is consumed: are there as many messages as there must be, and no more than there can be? */
  async #checkHoldings(nsqd: NsqdProcess): Promise<void> {
    const topics = await holdings(nsqd.httpPort), model = this.#model;
    this.#operator.check(topics);
    for (const channel of model.channels) {
      const topic = topics.get(TOPICS[channel.topic]), holding = topic?.channels.get(channel.name);
      if (topic === undefined || holding === undefined) {
        model.fail(`${model.nameOf(channel)} is gone after a restart`);
        continue;
      }
      const held = topic.depth + countOf(holding),
        owed = model.owed(channel),
        possible = model.possible(channel);
      if (held < owed.length) {
        model.fail(
          `LOST: ${
            model.nameOf(channel)
          } holds ${held} messages after a restart, of ${owed.length} that it owes: ` +
            owed.slice(0, 20).join(" "),
        );
      }
      if (held > possible) {
        model.fail(
          `${model.nameOf(channel)} holds ${held} messages after a restart, of ${possible} possible`,
        );
      }
    }
  }

  async #startClients(nsqd: NsqdProcess): Promise<void> {
    const random = this.#random, fork = () => new Random(random.int(2 ** 31));
    const starts: Promise<void>[] = [];
    for (let i = 0; i < PRODUCERS; i++) {
      const producer = new Producer(this.#model, fork(), this.#options.maxDelayMs);
      this.#producers.push(producer);
      starts.push(producer.start(nsqd.tcpPort));
    }
    const idle = new Set<ChannelModel>();
    for (const channel of this.#model.channels) {
      const count = random.pick(CONSUMERS);
      for (let i = 0; i < count; i++) starts.push(this.#startConsumer(nsqd, channel, fork(), MIXED));
      if (count === 0) idle.add(channel);
    }
    await Promise.all(starts);
    this.#operator.start(nsqd.httpPort, idle);
  }

  #startConsumer(nsqd: NsqdProcess, channel: ChannelModel, random: Random, manner: Manner): Promise<void> {
    const consumer = new Consumer(this.#model, channel, random, manner);
    this.#consumers.push(consumer);
    return consumer.start(nsqd.tcpPort);
  }

  /** Waits for the end of the connections, whose last answers still count; `now` ends them. */
  async #endClients(now: boolean): Promise<void> {
    const clients = [...this.#producers, ...this.#consumers];
    this.#producers = [];
    this.#consumers = [];
    await Promise.all([
      this.#operator.end(),
      ...clients.map((client) => now ? client.close() : client.end()),
    ]);
  }

  // ---- rounds -------------------------------------------------------------------------------

  async #round(ending: Ending): Promise<void> {
    const random = this.#random, startedMs = performance.now();
    if (ending === "start") {
      const nsqd = this.#spawn();
      await pause(random.between(20, 400));
      await this.#kill(nsqd);
    } else {
      const nsqd = await this.#start();
      await this.#startClients(nsqd);
      await pause(
        ending === "long"
          ? LONG_MS
          : ending === "leave"
          ? random.between(...LEAVE_MS)
          : random.between(50, 800),
      );
      await this.#endRound(nsqd, ending);
    }
    await this.#checkFiles();
    const { sent, answered, deliveries } = this.#model.totals;
    this.#options.log(
      `round ${this.#rounds} (${ending}, ${Math.round(performance.now() - startedMs)} ms): ` +
        `${sent} sent, ${answered} answered OK, ${deliveries} delivered`,
    );
  }

  async #endRound(nsqd: NsqdProcess, ending: Ending): Promise<void> {
    const random = this.#random;
    if (ending === "leave") return await this.#leave(nsqd);
    if (ending === "kill" || ending === "long") return await this.#kill(nsqd);
    this.#operator.mayBeRefused = true;
    for (const producer of this.#producers) producer.mayBeRefused = true;
    if (ending === "stop") return await this.#stop(nsqd);
    nsqd.signal("SIGTERM");
    await pause(random.int(25));
    if (ending === "forced stop") nsqd.signal("SIGTERM");
    await this.#kill(nsqd);
  }

  /** All clients go, in the middle of everything. */
  async #leave(nsqd: NsqdProcess): Promise<void> {
    await this.#endClients(true);
    this.#checkLog(nsqd);
  }

  async #kill(nsqd: NsqdProcess): Promise<void> {
    this.#operator.mayBeRefused = true;
    await nsqd.kill();
    await this.#endClients(false);
    this.#checkLog(nsqd);
    this.#model.killed(this.#options.durability !== "memory");
  }

  async #stop(nsqd: NsqdProcess): Promise<void> {
    const code = await nsqd.stop();
    await this.#endClients(false);
    this.#checkLog(nsqd);
    if (code !== 0) this.#model.fail(`SIGTERM ended it with exit code ${code}`);
    this.#model.saved();
  }

  // ---- checks -------------------------------------------------------------------------------

  /** Consumes everything, and checks that it was everything and that the disk is free again. */
  async #drain(livesOn: boolean): Promise<void> {
    const nsqd = await this.#start(), model = this.#model, startedMs = performance.now();
    await this.#operator.settle(nsqd.httpPort, await holdings(nsqd.httpPort));
    await Promise.all(model.channels.flatMap((channel) => [
      this.#startConsumer(nsqd, channel, this.#random, FINISH_ALL),
      this.#startConsumer(nsqd, channel, this.#random, FINISH_ALL),
    ]));
    const isDrained = await until(async () => isEmpty(await holdings(nsqd.httpPort)), DRAIN_DEADLINE_MS);
    if (!isDrained) {
      const left = [...await holdings(nsqd.httpPort)].filter(([name, topic]) =>
        !isEmpty(new Map([[name, topic]]))
      )
        .map(([name, { depth, channels }]) => `${name} ${depth} ${JSON.stringify([...channels])}`);
      model.fail(`not drained after ${DRAIN_DEADLINE_MS} ms: ${left.join(", ")}`);
    }
    model.checkDrained();
    let leftBytes = 0;
    const isFree = await until(
      async () => (leftBytes = await this.#diskBytes()) <= LEFT_BYTES,
      DISK_DEADLINE_MS,
    );
    if (!isFree) {
      model.fail(`${leftBytes} bytes are left on the disk with nothing wanted, of ${LEFT_BYTES} allowed`);
    }
    await pause(SYNC_ROUNDS * SYNC_TIMEOUT_MS);
    model.closeBooks();
    this.#options.log(
      `drained in ${Math.round(performance.now() - startedMs)} ms, ${leftBytes} bytes left on the disk`,
    );
    this.#options.drained?.(nsqd);
    if (livesOn) await this.#leave(nsqd);
    else if (this.#random.chance(0.5)) await this.#stop(nsqd);
    else await this.#kill(nsqd);
  }

  #checkLog(nsqd: NsqdProcess): void {
    for (const line of nsqd.troubles) {
      // Consumers that are too late are part of the test, and so is what a kill takes from the memory.
      const isExpected = /E_(FIN|REQ|TOUCH)_FAILED/.test(line) ||
        this.#options.durability === "memory" && line.includes("are not in the log any more");
      if (!isExpected) this.#model.fail(`it logged ${JSON.stringify(line)}`);
    }
  }

  async #checkFiles(): Promise<void> {
    for await (const { name } of Deno.readDir(this.#options.dataPath)) {
      if (name.includes(".damaged.")) this.#model.fail(`it left ${name}`);
    }
  }

  async #diskBytes(): Promise<number> {
    let bytes = 0;
    for await (const { name } of Deno.readDir(this.#options.dataPath)) {
      bytes += await sizeOf(`${this.#options.dataPath}/${name}`);
    }
    return bytes;
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await Deno.stat(path)).size;
  } catch (cause) {
    // It was removed since the directory was read.
    if (cause instanceof Deno.errors.NotFound) return 0;
    throw cause;
  }
}

function countOf({ depth, inFlight, deferred }: ChannelHolding): number {
  return depth + inFlight + deferred;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function until(condition: () => Promise<boolean>, deadlineMs: number): Promise<boolean> {
  for (const endMs = performance.now() + deadlineMs; performance.now() < endMs;) {
    if (await condition()) return true;
    await pause(POLL_MS);
  }
  return false;
}
