/**
 * The client in the middle of trouble: connections to an nsqd go through a relay that cuts what it carries into
 * pieces and breaks connections, while a producer publishes and consumers do what handlers do: finish, requeue,
 * throw, are too slow, touch, stop in the middle.
 *
 * What must hold: each confirmed message is finished in the end; one that was not sent is never seen; what a
 * publish says is one of the three outcomes; `close()` ends; nothing is rejected unseen.
 */
import assert from "node:assert/strict";
import { Consumer, type Message, NsqError, Producer, PublishError } from "../../src/client/mod.ts";
import type { Random } from "../support/random.ts";
import { startNsqd, type TestNsqd } from "../support/running_nsqd.ts";
import { count, type Session, type Tally, type Target } from "./target.ts";

const TOPIC = "orders", CHANNEL = "mail";
const LIMIT_MS = 30_000;
const EAGER = { reconnectDelayMs: 1, lookupdPollIntervalMs: 20 };

/** Carries bytes between clients and `port`. */
class Relay implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.Conn>();
  readonly #random: Random;
  /** Of a piece to be the last of its connection. */
  breakChance: number;

  constructor(port: number, random: Random, breakChance: number) {
    this.#random = random;
    this.breakChance = breakChance;
    this.#serve(port);
  }

  get address(): string {
    return `127.0.0.1:${(this.#listener.addr as Deno.NetAddr).port}`;
  }

  async #serve(port: number): Promise<void> {
    try {
      for await (const client of this.#listener) {
        this.#open.add(client);
        const server = await Deno.connect({ hostname: "127.0.0.1", port });
        this.#open.add(server);
        this.#carry(client, server);
        this.#carry(server, client);
      }
    } catch { /* It was closed. */ }
  }

  async #carry(from: Deno.Conn, to: Deno.Conn): Promise<void> {
    const buffer = new Uint8Array(1 + this.#random.int(this.#random.chance(0.3) ? 40 : 8000));
    try {
      for (let taken; (taken = await from.read(buffer)) !== null;) {
        for (let at = 0; at < taken;) at += await to.write(buffer.subarray(at, taken));
        if (this.#random.chance(this.breakChance)) break;
      }
      await to.closeWrite();
      if (this.#random.chance(0.5)) throw new Error("at once");
    } catch {
      this.#end(from);
      this.#end(to);
    }
  }

  #end(conn: Deno.Conn): void {
    if (!this.#open.delete(conn)) return;
    try {
      conn.close();
    } catch { /* It was closed. */ }
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const conn of [...this.#open]) this.#end(conn);
  }
}

/** What became of the messages of a batch. */
class Ledger {
  readonly confirmed = new Set<string>();
  readonly unsent = new Set<string>();
  readonly seen = new Set<string>();
  readonly finished = new Set<string>();
  outcomes: Tally = {};

  async follow(ids: readonly string[], published: Promise<void>): Promise<void> {
    try {
      await published;
      for (const id of ids) this.confirmed.add(id);
      count(this.outcomes, "confirmed", ids.length);
    } catch (error) {
      assert.ok(error instanceof PublishError, String(error));
      // Of several messages one failure says nothing about the others.
      if (!error.isSent && ids.length === 1) this.unsent.add(ids[0]);
      count(this.outcomes, error.isSent ? "unconfirmed" : "not sent", ids.length);
    }
  }
}

async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not end within ${LIMIT_MS} ms`)), LIMIT_MS);
  });
  return await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function turn(ms = 0): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

class ClientSession implements Session {
  readonly #server: TestNsqd;
  #batches = 0;

  constructor(server: TestNsqd) {
    this.#server = server;
  }

  async batch(random: Random, rounds: number): Promise<Tally> {
    const ledger = new Ledger(), name = `${this.#batches++}`;
    const topic = `${TOPIC}_${name}`;
    using relay = new Relay(this.#server.tcpPort, random, random.chance(0.2) ? 0 : 0.02);
    const stream = random.chance(0.6) ? {} : random.chance(0.5) ? { deflate: true } : { snappy: true };
    const producer = new Producer({ nsqd: relay.address, publishTimeoutMs: 2_000, ...EAGER, ...stream });
    const consuming = this.#consume(topic, relay, random, ledger, stream);
    await within("publishing", publishAll(producer, topic, random, rounds, ledger));
    await within("Producer.close()", producer.close());
    relay.breakChance = 0;
    await within("the last message", allFinished(ledger));
    await within("Consumer.close()", consuming());
    for (const id of ledger.unsent) assert.ok(!ledger.seen.has(id), `${id} was said not to be sent`);
    await this.#server.http("POST", `/topic/delete?topic=${topic}`);
    return { ...ledger.outcomes, finished: ledger.finished.size };
  }

  /** Consumers one after the other; returns the function that ends the last one. */
  #consume(topic: string, relay: Relay, random: Random, ledger: Ledger, stream: object): () => Promise<void> {
    let isOver = false, current: Consumer | null = null;
    const running = (async () => {
      while (!isOver) {
        const maxInFlight = 1 + random.int(40);
        const consumer = current = new Consumer(topic, CHANNEL, {
          nsqd: relay.address,
          maxInFlight,
          msgTimeoutMs: 1_000,
          maxBackoffMs: random.chance(0.5) ? 0 : 20,
          backoffMultiplierMs: 2,
          defaultRequeueDelayMs: 5,
          touch: random.chance(0.5) ? "auto" : "manual",
          closeTimeoutMs: 200,
          ...EAGER,
          ...stream,
        });
        consumer.on("error", (error) => {
          assert.ok(error instanceof NsqError || error.message === "of a handler", String(error));
        });
        const lifetime = random.chance(0.3) ? 1 + random.int(60) : Infinity;
        await takeMessages(consumer, random, ledger, lifetime);
        await consumer.close();
      }
    })();
    return async () => {
      isOver = true;
      await current?.close();
      await running;
    };
  }

  async check(): Promise<void> {
    const stats = JSON.parse(await this.#server.http("GET", "/stats?format=json"));
    assert.deepEqual(stats.topics, []);
  }

  async close(): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}

async function publishAll(
  producer: Producer,
  topic: string,
  random: Random,
  rounds: number,
  ledger: Ledger,
): Promise<void> {
  const publishes: Promise<void>[] = [];
  for (let round = 0; round < rounds; round++) {
    const id = `${round}`, padding = " ".repeat(random.int(random.chance(0.05) ? 20_000 : 300));
    if (random.chance(0.1)) {
      const ids = Array.from({ length: 1 + random.int(20) }, (_, i) => `${id}.${i}`);
      publishes.push(ledger.follow(ids, producer.publishMany(topic, ids.map((each) => each + padding))));
    } else {
      const options = random.chance(0.1) ? { defer: random.int(50) } : {};
      publishes.push(ledger.follow([id], producer.publish(topic, id + padding, options)));
    }
    if (random.chance(0.2)) await turn();
  }
  await Promise.all(publishes);
}

/** Takes up to `lifetime` messages with one of the faces, and does with each what some handler does. */
async function takeMessages(
  consumer: Consumer,
  random: Random,
  ledger: Ledger,
  lifetime: number,
): Promise<void> {
  let taken = 0;
  const handle = async (message: Message) => {
    const id = message.text().trimEnd();
    ledger.seen.add(id);
    const what = random.int(20);
    if (what < 2) await turn(random.int(5));
    if (what === 2) return void message.requeue({ delay: random.int(5), backoff: random.chance(0.5) });
    if (what === 3) throw new Error("of a handler");
    if (what === 4) message.touch();
    if (message.finish()) ledger.finished.add(id);
  };
  if (random.chance(0.5)) {
    await consumer.run(async (message) => {
      if (++taken >= lifetime) consumer.close();
      await handle(message);
    }, { concurrency: 1 + random.int(10) });
    return;
  }
  for await (const message of consumer) {
    await handle(message).catch(() => message.requeue({ delay: 1 }));
    if (++taken >= lifetime) break;
  }
}

async function allFinished({ confirmed, finished }: Ledger): Promise<void> {
  while ([...confirmed].some((id) => !finished.has(id))) await turn(5);
}

export const client: Target = {
  name: "client",
  summary: "the client over connections that break, with handlers of all kinds",
  batchRounds: 300,
  shortRounds: 300,
  open: async () => new ClientSession(await startNsqd(["--durability=memory"])),
};
