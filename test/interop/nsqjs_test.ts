/** A round trip with the official JavaScript client: it must not notice that this is another nsqd. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { startNsqd, type TestNsqd } from "../support/running_nsqd.ts";
import { pem, TLS_FLAGS } from "../wire/upgrade_client.ts";
import nsq from "nsqjs";

/** What these tests use of a message of nsqjs. */
interface Message {
  id: string;
  body: { toString(): string };
  attempts: number;
  finish(): void;
  requeue(delaySeconds?: number, backoff?: boolean): void;
  touch(): void;
}

interface Emitter {
  on(event: string, listener: (argument: never) => void): void;
  once(event: string, listener: (argument: never) => void): void;
  connect(): void;
  close(): void;
}

interface Writer extends Emitter {
  publish(topic: string, body: unknown, done: (error?: Error) => void): void;
  deferPublish(topic: string, body: unknown, delayMs: number, done: (error?: Error) => void): void;
}

const LIMIT_MS = 20_000;

function within<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${LIMIT_MS} ms`)), LIMIT_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function connect<T extends Emitter>(client: T, event: string): Promise<T> {
  const ready = new Promise<void>((resolve, reject) => {
    client.once(event, () => resolve());
    client.once("error", (error: Error) => reject(error));
  });
  client.connect();
  await within("connecting", ready);
  return client;
}

function openWriter(server: TestNsqd, options: object = {}): Promise<Writer> {
  return connect(new nsq.Writer("127.0.0.1", server.tcpPort, options) as Writer, "ready");
}

/** A reader that hands each message to `onMessage`. */
function openReader(
  server: TestNsqd,
  options: object,
  onMessage: (message: Message) => void,
): Promise<Emitter> {
  const reader = new nsq.Reader("orders", "billing", {
    nsqdTCPAddresses: [`127.0.0.1:${server.tcpPort}`],
    maxInFlight: 5,
    ...options,
  }) as Emitter;
  reader.on("message", onMessage as (argument: never) => void);
  return connect(reader, "nsqd_connected");
}

async function closed(client: Emitter): Promise<void> {
  const done = new Promise<void>((resolve) => {
    client.on("closed", () => resolve());
    client.on("nsqd_closed", () => resolve());
  });
  client.close();
  await within("closing", done);
}

function publish(writer: Writer, body: unknown): Promise<void> {
  return within(
    "publishing",
    new Promise((resolve, reject) => {
      writer.publish("orders", body, (error) => error ? reject(error) : resolve());
    }),
  );
}

/** nsqjs keeps timers and sockets of its own for a moment after it is closed. */
const loose = { sanitizeOps: false, sanitizeResources: false };

Deno.test({
  name: "nsqjs publishes one and many messages, and consumes and finishes them",
  ...loose,
  async fn() {
    await using server = await startNsqd();
    const writer = await openWriter(server);
    await publish(writer, "first");
    await publish(writer, ["second", "third"]);
    const bodies: string[] = [];
    let reader: Emitter | undefined;
    await within(
      "consuming",
      new Promise<void>((resolve, reject) => {
        openReader(server, {}, (message) => {
          bodies.push(message.body.toString());
          message.finish();
          if (bodies.length === 3) resolve();
        }).then((opened) => reader = opened, reject);
      }),
    );
    assert.deepEqual(bodies.sort(), ["first", "second", "third"]);
    await closed(reader!);
    await closed(writer);
  },
});

Deno.test({
  name: "nsqjs requeues a message, and gets it again with one attempt more",
  ...loose,
  async fn() {
    await using server = await startNsqd();
    const writer = await openWriter(server);
    await publish(writer, "again");
    const attempts: number[] = [], ids = new Set<string>();
    let reader: Emitter | undefined;
    await within(
      "redelivery",
      new Promise<void>((resolve, reject) => {
        openReader(server, {}, (message) => {
          attempts.push(message.attempts);
          ids.add(message.id);
          if (attempts.length < 3) message.requeue(0, false);
          else {
            message.finish();
            resolve();
          }
        }).then((opened) => reader = opened, reject);
      }),
    );
    assert.deepEqual(attempts, [1, 2, 3]);
    assert.equal(ids.size, 1);
    await closed(reader!);
    await closed(writer);
  },
});

Deno.test({
  name: "nsqjs touches a message for longer than its timeout, and gets it once",
  ...loose,
  async fn() {
    await using server = await startNsqd();
    const writer = await openWriter(server);
    await publish(writer, "slow");
    const attempts: number[] = [];
    let reader: Emitter | undefined;
    await within(
      "the slow message",
      new Promise<void>((resolve, reject) => {
        openReader(server, { messageTimeout: 1000 }, (message) => {
          attempts.push(message.attempts);
          let touches = 0;
          const timer = setInterval(() => {
            if (++touches < 5) return message.touch();
            clearInterval(timer);
            message.finish();
            resolve();
          }, 400);
        }).then((opened) => reader = opened, reject);
      }),
    );
    assert.deepEqual(attempts, [1]);
    await closed(reader!);
    await closed(writer);
    const stats = JSON.parse(await server.http("GET", "/stats?format=json&topic=orders"));
    const [channel] = stats.topics[0].channels;
    assert.deepEqual([channel.timeout_count, channel.depth, channel.in_flight_count], [0, 0, 0]);
  },
});

Deno.test({
  name: "nsqjs defers a message, and does not get it early",
  ...loose,
  async fn() {
    await using server = await startNsqd();
    const writer = await openWriter(server);
    const delayMs = 600, publishedAtMs = performance.now();
    await within(
      "deferring",
      new Promise<void>((resolve, reject) => {
        // nsqjs 0.13 hands its message on as it is, to a function that wants a list.
        writer.deferPublish("orders", ["later"], delayMs, (error) => error ? reject(error) : resolve());
      }),
    );
    let reader: Emitter | undefined;
    const arrivedAfterMs = await within(
      "the deferred message",
      new Promise<number>((resolve, reject) => {
        openReader(server, {}, (message) => {
          message.finish();
          resolve(performance.now() - publishedAtMs);
        }).then((opened) => reader = opened, reject);
      }),
    );
    assert.ok(arrivedAfterMs >= delayMs, `arrived after ${arrivedAfterMs} ms`);
    await closed(reader!);
    await closed(writer);
  },
});

/** What nsqjs is told to settle, and what the statistics show then. */
const STREAMS: Record<string, object> = {
  tls: { tls: true },
  deflate: { deflate: true, deflateLevel: 3 },
  snappy: { snappy: true },
  "tls and deflate": { tls: true, deflate: true },
  "tls and snappy": { tls: true, snappy: true },
};

for (const [name, options] of Object.entries(STREAMS)) {
  Deno.test({
    name: `nsqjs publishes and consumes on ${name}`,
    ...loose,
    async fn() {
      await using server = await startNsqd([...TLS_FLAGS]);
      const settings = { ...options, ca: Buffer.from(pem("ca")), tlsVerification: false };
      const writer = await openWriter(server, settings);
      const long = Array.from({ length: 30_000 }, (_, i) => i).join(" ");
      await publish(writer, ["first", long, "third"]);
      const bodies: string[] = [];
      let reader: Emitter | undefined;
      await within(
        "consuming",
        new Promise<void>((resolve, reject) => {
          openReader(server, settings, (message) => {
            bodies.push(message.body.toString());
            message.finish();
            if (bodies.length === 3) resolve();
          }).then((opened) => reader = opened, reject);
        }),
      );
      assert.deepEqual(bodies.sort(), ["first", long, "third"].sort());
      const { producers } = JSON.parse(await server.http("GET", "/stats?format=json"));
      const { tls, deflate, snappy } = producers[0];
      assert.deepEqual({ tls, deflate, snappy }, {
        tls: "tls" in options,
        deflate: "deflate" in options,
        snappy: "snappy" in options,
      });
      await closed(reader!);
      await closed(writer);
    },
  });
}
