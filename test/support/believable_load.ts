/** A shop's traffic on a cluster: what somebody sees who opens the console of a working installation. */
import { Consumer, Producer } from "../../src/client/mod.ts";
import type { ConsoleCluster } from "./console_cluster.ts";

/** Published a second on each node, on average. */
interface Traffic {
  topic: string;
  perSecond: number;
}

const traffic: readonly Traffic[] = [
  { topic: "orders", perSecond: 60 },
  { topic: "payments", perSecond: 9 },
  { topic: "emails", perSecond: 12 },
  { topic: "clicks", perSecond: 140 },
  { topic: "user.signups", perSecond: 1 },
  { topic: "inventory", perSecond: 25 },
  { topic: "shipments", perSecond: 6 },
];

/** Consumers of a channel: how many, how long each takes for a message, how many of a hundred it gives back. */
interface Work {
  topic: string;
  channel: string;
  consumers: number;
  handlingMs: number;
  maxInFlight: number;
  failurePercent: number;
}

const work: readonly Work[] = [
  { topic: "orders", channel: "billing", consumers: 3, handlingMs: 60, maxInFlight: 3, failurePercent: 1 },
  {
    topic: "orders",
    channel: "search-index",
    consumers: 2,
    handlingMs: 4,
    maxInFlight: 20,
    failurePercent: 0,
  },
  { topic: "payments", channel: "ledger", consumers: 2, handlingMs: 20, maxInFlight: 10, failurePercent: 0 },
  { topic: "emails", channel: "sender", consumers: 2, handlingMs: 80, maxInFlight: 8, failurePercent: 6 },
  { topic: "clicks", channel: "analytics", consumers: 2, handlingMs: 10, maxInFlight: 50, failurePercent: 0 },
  { topic: "user.signups", channel: "crm", consumers: 1, handlingMs: 30, maxInFlight: 5, failurePercent: 0 },
  {
    topic: "user.signups",
    channel: "welcome",
    consumers: 1,
    handlingMs: 50,
    maxInFlight: 5,
    failurePercent: 0,
  },
  { topic: "inventory", channel: "stock", consumers: 1, handlingMs: 15, maxInFlight: 20, failurePercent: 0 },
  {
    topic: "shipments",
    channel: "carriers",
    consumers: 1,
    handlingMs: 120,
    maxInFlight: 4,
    failurePercent: 0,
  },
];

/** Has messages and nobody who takes them. */
const forgotten = { topic: "inventory", channel: "reports" };
/** Is stopped by hand. */
const stopped = { topic: "orders", channel: "audit" };
const TICK_MS = 250;
const HOSTS = ["web-1", "web-2", "worker-1", "worker-2", "worker-3"];

/** Publishes and consumes until it is disposed of. */
export async function startBelievableLoad(cluster: ConsoleCluster): Promise<AsyncDisposable> {
  const lookupd = [cluster.lookupd.address("nsqlookupd", "HTTP")];
  for (const index of cluster.nodes.keys()) {
    for (const { topic } of traffic) await cluster.createTopic(index, topic);
    for (const { topic, channel } of [...work, forgotten, stopped]) {
      await cluster.createChannel(index, topic, channel);
    }
    await cluster.pauseChannel(index, stopped.topic, stopped.channel);
  }
  const producers = cluster.nodes.map((node) => new Producer({ nsqd: node.address("nsqd", "TCP") }));
  const startedMs = Date.now();
  const timer = setInterval(() => publish(producers, startedMs), TICK_MS);
  const consumers = work.flatMap((settings, index) =>
    Array.from(
      { length: settings.consumers },
      (_, number) => consume(settings, lookupd, HOSTS[(index + number) % HOSTS.length]),
    )
  );
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await Promise.all([...consumers, ...producers].map((end) => end.close()));
    },
  };
}

function publish(producers: readonly Producer[], startedMs: number): void {
  const seconds = (Date.now() - startedMs) / 1000;
  for (const [node, producer] of producers.entries()) {
    for (const [index, { topic, perSecond }] of traffic.entries()) {
      // Waves of minutes, and the noise of a shop.
      const wave = 1 + 0.35 * Math.sin(seconds / (25 + 7 * index) + node) + 0.25 * (Math.random() - 0.5);
      const expected = perSecond * wave * TICK_MS / 1000;
      const count = Math.floor(expected + Math.random());
      if (count === 0) continue;
      const bodies = Array.from(
        { length: count },
        (_, i) => JSON.stringify({ id: `${topic}-${seconds}-${i}`, total: 1299 }),
      );
      producer.publishMany(topic, bodies).catch((cause) => console.error(`cannot publish: ${cause.message}`));
    }
  }
}

function consume(
  { topic, channel, handlingMs, maxInFlight, failurePercent }: Work,
  lookupd: string[],
  hostname: string,
): Consumer {
  const consumer = new Consumer(topic, channel, {
    lookupd,
    maxInFlight,
    hostname,
    clientId: hostname,
    snappy: channel === "analytics",
    lookupdPollIntervalMs: 5_000,
    maxBackoffMs: 0,
  });
  consumer.on("error", (cause) => console.error(`${topic}/${channel}: ${cause.message}`));
  consumer.run(async (message) => {
    await new Promise((resolve) => setTimeout(resolve, handlingMs * (0.5 + Math.random())));
    if (Math.random() * 100 < failurePercent) message.requeue({ delay: 2_000 });
  });
  return consumer;
}
