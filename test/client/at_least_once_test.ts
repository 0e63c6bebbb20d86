/** Producers and consumers while nodes and lookupds are killed and come back: counted message by message. */
import assert from "node:assert/strict";
import { Consumer, Producer, PublishError } from "../../src/client/mod.ts";
import { ProgramProcess, until } from "../support/program_process.ts";

const LOOPBACK = "127.0.0.1:0";
const EAGER = { reconnectDelayMs: 10, lookupdPollIntervalMs: 100 };

/** A program that can be killed and started again where it was. */
class Revivable implements AsyncDisposable {
  readonly #command: "nsqd" | "lookupd";
  readonly #flags: readonly string[];
  readonly #directory: string;
  #program: ProgramProcess | null = null;
  tcp = LOOPBACK;
  http = LOOPBACK;

  private constructor(command: "nsqd" | "lookupd", flags: readonly string[], directory: string) {
    this.#command = command;
    this.#flags = flags;
    this.#directory = directory;
  }

  static async start(command: "nsqd" | "lookupd", flags: readonly string[] = []): Promise<Revivable> {
    const revivable = new Revivable(command, flags, await Deno.makeTempDir({ prefix: "nsq-client-test-" }));
    await revivable.start();
    return revivable;
  }

  async start(): Promise<void> {
    const program = await ProgramProcess.start({
      command: this.#command,
      flags: [
        `--tcp-address=${this.tcp}`,
        `--http-address=${this.http}`,
        `--data-path=${this.#directory}`,
        ...this.#flags,
      ],
    });
    const name = this.#command === "nsqd" ? "nsqd" : "nsqlookupd";
    this.#program = program;
    this.tcp = program.address(name, "TCP");
    this.http = program.address(name, "HTTP");
  }

  async kill(): Promise<void> {
    await this.#program?.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#directory, { recursive: true });
  }
}

/** Publishes `id`s one after the other until it is stopped, and keeps what became of each. */
class Publishing {
  readonly confirmed: string[] = [];
  readonly unconfirmed: string[] = [];
  readonly unsent: string[] = [];
  readonly #producer: Producer;
  #isStopped = false;
  readonly #running: Promise<void>[];

  constructor(producer: Producer, parallel: number) {
    this.#producer = producer;
    this.#running = Array.from({ length: parallel }, (_, worker) => this.#run(worker));
  }

  async #run(worker: number): Promise<void> {
    for (let i = 0; !this.#isStopped; i++) {
      const id = `${worker}-${i}`;
      try {
        await this.#producer.publish("orders", id);
        this.confirmed.push(id);
      } catch (error) {
        assert.ok(error instanceof PublishError, String(error));
        (error.isSent ? this.unconfirmed : this.unsent).push(id);
      }
      // A turn in between, so that kills fall into all states.
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
  }
}

Deno.test("Every confirmed message is delivered while one of two nodes is killed and comes back, again and again", async () => {
  await using lookupd = await Revivable.start("lookupd");
  const flags = [`--lookupd-tcp-address=${lookupd.tcp}`, "--broadcast-address=127.0.0.1", "--msg-timeout=2s"];
  await using first = await Revivable.start("nsqd", flags);
  await using second = await Revivable.start("nsqd", flags);
  await using producer = new Producer({ nsqd: [first.tcp, second.tcp], ...EAGER });
  await using consumer = new Consumer("orders", "mail", {
    lookupd: lookupd.http,
    maxInFlight: 100,
    maxBackoffMs: 0,
    ...EAGER,
  });
  const got = new Map<string, number>();
  consumer.run((message) => {
    got.set(message.text(), (got.get(message.text()) ?? 0) + 1);
  });
  const publishing = new Publishing(producer, 20);
  await until("messages of both nodes", () => got.size > 200 && consumer.stats().connections === 2);
  for (const node of [first, second, first]) {
    const before = publishing.confirmed.length;
    await node.kill();
    await until("publishes while a node is down", () => publishing.confirmed.length > before + 200);
    await node.start();
    await until("the consumer at both nodes", () => consumer.stats().connections === 2);
  }
  await publishing.stop();
  const missing = () => publishing.confirmed.filter((id) => !got.has(id));
  await until("every confirmed message", () => missing().length === 0, () => missing().slice(0, 5).join());
  // What was said to be nowhere is nowhere.
  assert.deepEqual(publishing.unsent.filter((id) => got.has(id)), []);
  assert.ok(publishing.confirmed.length > 600);
});

Deno.test("Consumers keep their nodes while lookupd is down, and find new ones when it is back", async () => {
  await using lookupd = await Revivable.start("lookupd");
  const flags = [`--lookupd-tcp-address=${lookupd.tcp}`, "--broadcast-address=127.0.0.1"];
  await using first = await Revivable.start("nsqd", flags);
  await using toFirst = new Producer({ nsqd: first.tcp, ...EAGER });
  await toFirst.publish("orders", "before");
  const got = new Set<string>();
  await using consumer = new Consumer("orders", "mail", { lookupd: lookupd.http, maxInFlight: 10, ...EAGER });
  consumer.run((message) => void got.add(message.text()));
  await until("the first message", () => got.has("before"));
  await lookupd.kill();
  await first.kill();
  await first.start();
  await toFirst.publish("orders", "while lookupd is down");
  await until("the node that came back", () => got.has("while lookupd is down"));
  await lookupd.start();
  await using second = await Revivable.start("nsqd", flags);
  await using toSecond = new Producer({ nsqd: second.tcp, ...EAGER });
  await toSecond.publish("orders", "from a new node");
  await until("the new node", () => got.has("from a new node"));
});

Deno.test("A consumer that is closed in the middle leaves every message to the next one", async () => {
  await using node = await Revivable.start("nsqd", ["--msg-timeout=2s"]);
  await using producer = new Producer({ nsqd: node.tcp });
  const ids = Array.from({ length: 3000 }, (_, i) => `${i}`);
  await producer.publishMany("orders", ids);
  const finished = new Map<string, number>();
  for (let round = 0; finished.size < ids.length; round++) {
    const consumer = new Consumer("orders", "mail", { nsqd: node.tcp, maxInFlight: 200, maxBackoffMs: 0 });
    let taken = 0;
    const over = consumer.run(async (message) => {
      await new Promise((resolve) => setTimeout(resolve, 0));
      if (++taken === 500 + round) consumer.close();
      if (message.finish()) finished.set(message.text(), (finished.get(message.text()) ?? 0) + 1);
      if (finished.size === ids.length) consumer.close();
    });
    await over;
  }
  assert.deepEqual([...finished.values()].filter((times) => times > 1), []);
});
