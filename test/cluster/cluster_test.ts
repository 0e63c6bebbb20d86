/**
 * Three nsqds and two lookupds as processes, with consumers that know the lookupds only. Lookupds are killed
 * and come back, an nsqd joins, another is cut off for a while: no message that was answered OK is lost.
 */
import assert from "node:assert/strict";
import { DiscoveryConsumer, lookup } from "../support/discovery_consumer.ts";
import { ProgramProcess, until } from "../support/program_process.ts";
import { createPartition, type Partition } from "./partition.ts";
import { Publisher } from "./publisher.ts";

const TOPIC = "orders";
const CHANNELS = ["audit", "billing"];
const POLL_INTERVAL_MS = 300;
/** More messages than are on their way at any moment. */
const PROGRESS_MESSAGES = 20;
/** A message deferred that long becomes due behind the partition. */
const HELD_MS = 1_500;

/** A lookupd that is killed and started again on the same ports. */
class Lookupd implements AsyncDisposable {
  readonly #partition: Partition;
  readonly #flags: readonly string[];
  #program!: ProgramProcess;
  tcpPort = 0;
  httpPort = 0;

  private constructor(partition: Partition, flags: readonly string[]) {
    this.#partition = partition;
    this.#flags = flags;
  }

  static async start(partition: Partition, ...flags: string[]): Promise<Lookupd> {
    const lookupd = new Lookupd(partition, flags);
    await lookupd.start();
    return lookupd;
  }

  get httpAddress(): string {
    return `127.0.0.1:${this.httpPort}`;
  }

  async start(): Promise<void> {
    const { namespace, outsideHost } = this.#partition;
    const host = namespace === undefined ? "127.0.0.1" : "0.0.0.0";
    const flags = [
      `--tcp-address=${host}:${this.tcpPort}`,
      `--http-address=${host}:${this.httpPort}`,
      `--broadcast-address=${outsideHost}`,
      ...this.#flags,
    ];
    this.#program = await ProgramProcess.start({ command: "lookupd", flags });
    this.tcpPort = this.#program.port("nsqlookupd", "TCP");
    this.httpPort = this.#program.port("nsqlookupd", "HTTP");
  }

  kill(): Promise<void> {
    return this.#program.kill();
  }

  lookup(): Promise<string[] | undefined> {
    return lookup(this.httpAddress, TOPIC);
  }

  async lists(...nodes: Nsqd[]): Promise<boolean> {
    const listed = await this.lookup() ?? [];
    return nodes.every((node) => listed.includes(node.tcpAddress));
  }

  async nodeCount(): Promise<number> {
    const { producers } = await (await fetch(`http://${this.httpAddress}/nodes`)).json();
    return producers.length;
  }

  async createChannel(channel: string): Promise<void> {
    const url = `http://${this.httpAddress}/channel/create?topic=${TOPIC}&channel=${channel}`;
    const response = await fetch(url, { method: "POST" });
    assert.equal(response.status, 200, await response.text());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

interface Nsqd {
  program: ProgramProcess;
  tcpAddress: string;
  httpAddress: string;
}

/** All that runs, and what it is asked. */
class Cluster {
  readonly resources = new AsyncDisposableStack();
  readonly partition: Partition;
  /** The bodies that each channel has delivered, to whichever consumer. */
  readonly consumed = new Map(CHANNELS.map((channel) => [channel, new Set<string>()]));
  readonly consumers: DiscoveryConsumer[] = [];
  readonly publishers: Publisher[] = [];

  constructor(partition: Partition) {
    this.partition = partition;
    this.resources.defer(() => partition.remove());
  }

  async startLookupd(...flags: string[]): Promise<Lookupd> {
    return this.resources.use(await Lookupd.start(this.partition, ...flags));
  }

  async startNsqd(lookupds: readonly Lookupd[], where: "inside" | "outside"): Promise<Nsqd> {
    const { namespace, insideHost, outsideHost } = this.partition;
    const host = where === "inside" ? insideHost : "127.0.0.1";
    const lookupdHost = where === "inside" ? outsideHost : "127.0.0.1";
    const flags = [
      `--data-path=${await this.directory()}`,
      `--tcp-address=${host}:0`,
      `--http-address=${host}:0`,
      `--broadcast-address=${host}`,
      ...lookupds.map(({ tcpPort }) => `--lookupd-tcp-address=${lookupdHost}:${tcpPort}`),
    ];
    const program = await ProgramProcess.start({
      command: "nsqd",
      flags,
      namespace: where === "inside" ? namespace : undefined,
    });
    this.resources.use(program);
    return {
      program,
      tcpAddress: program.address("nsqd", "TCP"),
      httpAddress: program.address("nsqd", "HTTP"),
    };
  }

  consume(lookupds: readonly Lookupd[], channel: string, pollIntervalMs?: number): DiscoveryConsumer {
    const consumer = new DiscoveryConsumer({
      lookupdHttpAddresses: lookupds.map(({ httpAddress }) => httpAddress),
      topic: TOPIC,
      channel,
      pollIntervalMs,
      onMessage: (body) => this.consumed.get(channel)!.add(body),
    });
    this.consumers.push(consumer);
    return this.resources.use(consumer);
  }

  publishTo(name: string, node: Nsqd): Publisher {
    const publisher = this.resources.use(new Publisher(name, node.httpAddress, TOPIC));
    this.publishers.push(publisher);
    return publisher;
  }

  /** Resolves when each of `publishers` has published more and every channel has got it. */
  async progress(...publishers: Publisher[]): Promise<void> {
    const counts = publishers.map(({ confirmed }) => confirmed.length + PROGRESS_MESSAGES);
    await until("more is published", () => publishers.every((one, i) => one.confirmed.length >= counts[i]));
    await this.#consumed(() => publishers.flatMap(({ confirmed }, i) => confirmed.slice(0, counts[i])));
  }

  /** Resolves when every channel has got everything that was answered OK. */
  allConsumed(): Promise<void> {
    return this.#consumed(() => this.publishers.flatMap(({ confirmed }) => confirmed));
  }

  async directory(): Promise<string> {
    const path = await Deno.makeTempDir({ prefix: "cluster-test-" });
    this.resources.defer(() => Deno.remove(path, { recursive: true }));
    return path;
  }

  async #consumed(bodies: () => string[]): Promise<void> {
    const missing = () =>
      [...this.consumed].flatMap(([channel, consumed]) =>
        bodies().filter((body) => !consumed.has(body)).map((body) => `${body} on ${channel}`)
      );
    await until("all is consumed", () => missing().length === 0, () => `missing ${missing().slice(0, 20)}`);
  }
}

async function publish(node: Nsqd, body: string, parameters = ""): Promise<void> {
  const url = `http://${node.httpAddress}/pub?topic=${TOPIC}${parameters}`;
  const response = await fetch(url, { method: "POST", body });
  assert.equal(await response.text(), "OK");
}

/** The channels of the topic with their depths, such as `audit 1, billing 0`. */
async function channelDepths(node: Nsqd): Promise<string> {
  const response = await fetch(`http://${node.httpAddress}/stats?format=json&topic=${TOPIC}`);
  const { topics } = await response.json();
  const channels: { channel_name: string; depth: number }[] = topics[0]?.channels ?? [];
  return channels.map(({ channel_name, depth }) => `${channel_name} ${depth}`).sort().join(", ");
}

/** Restarts `lookupd` and resolves with the time from the start of its process to the first answer. */
async function restart(lookupd: Lookupd): Promise<{ firstAnswer: string[]; sinceMs: number }> {
  const sinceMs = performance.now();
  await lookupd.start();
  return { firstAnswer: await lookupd.lookup() ?? [], sinceMs };
}

function tell(text: string): void {
  console.log(`    ${text}`);
}

function elapsed(sinceMs: number): string {
  return `${Math.round(performance.now() - sinceMs)} ms`;
}

Deno.test({
  name: "three nsqds and two lookupds lose no message and no consumer",
  // Requests to what is dead or cut off end with their deadlines, some after the test.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(test) {
    const partition = await createPartition();
    if (typeof partition === "string") return tell(`skipped: ${partition}`);
    tell(`partition by ${partition.description}`);
    const cluster = new Cluster(partition);
    await using _all = cluster.resources;
    const [kept, plain] = await Promise.all([
      cluster.startLookupd(`--data-path=${await cluster.directory()}`),
      cluster.startLookupd(),
    ]);
    const lookupds = [kept, plain];
    for (const channel of CHANNELS) await kept.createChannel(channel);
    const [nodeA, nodeC] = await Promise.all([
      cluster.startNsqd(lookupds, "outside"),
      cluster.startNsqd(lookupds, "inside"),
    ]);
    const publisherOf: Record<string, Publisher> = {};
    let isIntact = true;
    /** Each step builds on those before it. */
    const step = async (name: string, run: () => Promise<void>) => {
      isIntact &&= await test.step(name, run);
    };

    await step("the first message of a topic reaches the channels that only a lookupd knows", async () => {
      for (const lookupd of lookupds) {
        await until("both nsqds are registered", async () => await lookupd.nodeCount() === 2);
      }
      await publish(nodeA, "first");
      await until("both have it", async () => await channelDepths(nodeA) === "audit 1, billing 1");
    });

    await step("consumers find all nsqds through the lookupds", async () => {
      publisherOf.a = cluster.publishTo("a", nodeA);
      publisherOf.c = cluster.publishTo("c", nodeC);
      for (const channel of CHANNELS) cluster.consume(lookupds, channel, POLL_INTERVAL_MS);
      await cluster.progress(publisherOf.a, publisherOf.c);
      for (const consumed of cluster.consumed.values()) assert.ok(consumed.has("first"));
    });

    await step("consumers go on when a lookupd is killed", async () => {
      await until("the snapshot can be relied on", () => kept.lists(nodeA, nodeC));
      await cluster.progress(publisherOf.a, publisherOf.c);
      await kept.kill();
      await cluster.progress(publisherOf.a, publisherOf.c);
      assert.deepEqual(await plain.lookup(), [nodeA.tcpAddress, nodeC.tcpAddress].sort());
    });

    let nodeB!: Nsqd;
    await step("a new nsqd is found by the next poll", async () => {
      const onDemand = cluster.consume(lookupds, CHANNELS[0]);
      await onDemand.poll();
      assert.deepEqual(onDemand.connectedTo, [nodeA.tcpAddress, nodeC.tcpAddress].sort());
      nodeB = await cluster.startNsqd(lookupds, "outside");
      publisherOf.b = cluster.publishTo("b", nodeB);
      await until("it is registered", () => plain.lists(nodeB));
      await onDemand.poll();
      assert.ok(onDemand.connectedTo.includes(nodeB.tcpAddress));
      await cluster.progress(publisherOf.a, publisherOf.b, publisherOf.c);
    });

    await step("consumers go on with the others when an nsqd is cut off", async () => {
      await publish(nodeC, "held", `&defer=${HELD_MS}`);
      await partition.cut(nodeC.program);
      await cluster.progress(publisherOf.a, publisherOf.b);
      await until(
        "consumers have noticed",
        () => cluster.consumers.every(({ connectedTo }) => !connectedTo.includes(nodeC.tcpAddress)),
      );
      await cluster.progress(publisherOf.a, publisherOf.b);
      for (const consumed of cluster.consumed.values()) assert.equal(consumed.has("held"), false);
    });

    await step("a lookupd with a snapshot knows all its nsqds at once after kill -9", async () => {
      const { firstAnswer, sinceMs } = await restart(kept);
      tell(`first answer, complete but for the new nsqd, after ${elapsed(sinceMs)}`);
      assert.deepEqual(
        firstAnswer.filter((node) => node !== nodeB.tcpAddress),
        [
          nodeA.tcpAddress,
          nodeC.tcpAddress,
        ].sort(),
      );
      await until("the new nsqd is registered too", () => kept.lists(nodeA, nodeB, nodeC));
      tell(`complete after ${elapsed(sinceMs)}`);
    });

    await step("an nsqd that comes back is consumed from, and has lost nothing", async () => {
      await partition.heal(nodeC.program);
      await cluster.progress(publisherOf.a, publisherOf.b, publisherOf.c);
      await until("what it held came", () => [...cluster.consumed.values()].every((one) => one.has("held")));
      await cluster.allConsumed();
    });

    await step("nsqds register with a lookupd without a snapshot as soon as it is back", async () => {
      await plain.kill();
      const { sinceMs } = await restart(plain);
      await until("all are registered again", () => plain.lists(nodeA, nodeB, nodeC));
      tell(`complete after ${elapsed(sinceMs)}`);
    });

    await step("every message that was answered OK was consumed from every channel", async () => {
      await Promise.all(cluster.publishers.map((publisher) => publisher.stop()));
      await cluster.allConsumed();
      const counts = cluster.publishers.map(({ confirmed }) => confirmed.length);
      tell(`${counts.reduce((sum, count) => sum + count)} messages, ${counts.join(" + ")}`);
      for (const { program } of [nodeA, nodeB, nodeC]) assert.equal(await program.stop(), 0);
    });
  },
});
