/**
 * What the client costs while nodes are down, and how long nodes wait that are more than its slots.
 *
 *     deno run -A --v8-flags=--expose-gc test/bench/client/client_endurance.ts [failed connects] [reconnects]
 *
 * Prints heap and open descriptors before, in the middle and after so many failed connects (default 100,000) and
 * reconnects (10,000), each measured after a garbage collection; then, for several numbers of nodes and slots, the
 * longest wait of any node from a publish to its delivery.
 */
import process from "node:process";
import { Consumer, Producer } from "../../../src/client/mod.ts";
import { startNsqd, type TestNsqd } from "../../support/running_nsqd.ts";

const CONSUMERS = 50;
const ROUNDS = 5;
/** As fast as pauses between attempts can be set. */
const EAGER = { reconnectDelayMs: 1, lookupdPollIntervalMs: 10, dialTimeoutMs: 5_000 };

function openDescriptors(): number | string {
  if (Deno.build.os !== "linux") return "?";
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

function report(what: string): void {
  (globalThis as { gc?: () => void }).gc?.();
  const megabytes = (process.memoryUsage().heapUsed / 2 ** 20).toFixed(1);
  console.log(`${what.padEnd(32)} heap ${megabytes.padStart(7)} MB   descriptors ${openDescriptors()}`);
}

/** Lets consumers of `address` try until `count` events of the kind were seen. */
async function endure(
  what: string,
  address: string,
  event: "error" | "disconnected",
  count: number,
): Promise<void> {
  const consumers = Array.from(
    { length: CONSUMERS },
    () => new Consumer("orders", "mail", { nsqd: address, ...EAGER }),
  );
  let seen = 0;
  const marks = [0.1, 0.5, 1].map((share) => Math.round(count * share));
  await new Promise<void>((resolve) => {
    for (const consumer of consumers) {
      consumer.on(event, () => {
        if (++seen !== marks[0]) return;
        report(`${seen} ${what}`);
        marks.shift();
        if (marks.length === 0) resolve();
      });
      consumer.run(() => {});
    }
  });
  await Promise.all(consumers.map((consumer) => consumer.close()));
  report(`after close()`);
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}

/** The longest that one of `count` nodes waited while all others were idle, and while all were busy, ms. */
async function measureWaits(count: number, maxInFlight: number): Promise<void> {
  const nodes: TestNsqd[] = [];
  for (let i = 0; i < count; i++) nodes.push(await startNsqd());
  const addresses = nodes.map(({ tcpPort }) => `127.0.0.1:${tcpPort}`);
  const producers = addresses.map((nsqd) => new Producer({ nsqd }));
  await Promise.all(producers.map((producer) => producer.connect()));
  const consumer = new Consumer("orders", "mail", { nsqd: addresses, maxInFlight });
  let onMessage: (address: string) => void = () => {};
  consumer.run((message) => onMessage(message.nodeAddress));
  await consumer.ready();
  let longestIdle = 0, longestBusy = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (const producer of round === 0 ? producers : producers.slice(0, 5)) {
      const startedMs = performance.now();
      const delivered = new Promise<void>((resolve) => onMessage = () => resolve());
      await producer.publish("orders", "one");
      await delivered;
      longestIdle = Math.max(longestIdle, performance.now() - startedMs);
    }
    const startedMs = performance.now(), waiting = new Set(addresses);
    const all = new Promise<void>((resolve) =>
      onMessage = (address) => {
        waiting.delete(address);
        if (waiting.size === 0) resolve();
      }
    );
    await Promise.all(producers.map((producer) => producer.publishMany("orders", Array(200).fill("busy"))));
    await all;
    longestBusy = Math.max(longestBusy, performance.now() - startedMs);
    const rest = Array.from(nodes);
    onMessage = () => {};
    while (rest.length > 0) {
      const stats = JSON.parse(await rest[0].http("GET", "/stats?format=json&topic=orders"));
      const [{ depth, in_flight_count }] = stats.topics[0].channels;
      if (depth + in_flight_count === 0) rest.shift();
      else await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  console.log(
    `${count} nodes, maxInFlight ${maxInFlight}: a node waited ${
      longestIdle.toFixed(0)
    } ms at most while the others ` +
      `were idle, ${longestBusy.toFixed(0)} ms while all were busy`,
  );
  await consumer.close();
  for (const producer of producers) await producer.close();
  for (const node of nodes) await node[Symbol.asyncDispose]();
}

const [failures = 100_000, reconnects = 10_000] = Deno.args.map(Number);
report("at the start");
await endure("failed connects", `127.0.0.1:${freePort()}`, "error", failures);
const worker = new Worker(new URL("closing_node.ts", import.meta.url), { type: "module" });
const port = await new Promise<number>((resolve) => worker.onmessage = ({ data }) => resolve(data));
await endure("reconnects", `127.0.0.1:${port}`, "disconnected", reconnects);
worker.terminate();
await measureWaits(50, 10);
await measureWaits(20, 1);
