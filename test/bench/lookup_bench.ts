/**
 * Measures lookupd with 2,000 producers and 100,000 registrations, as a process of its own.
 *
 *     deno run -A test/bench/lookup_bench.ts [topics, default 1000] [requests per second, default 5000] [gzip]
 *
 * Every producer registers 50 of the topics, so a topic has 100,000 / topics producers. Prints the time
 * to register, the time from a kill -9 to complete answers after a restart, and for `/lookup` at a fixed
 * rate, `/lookup` as fast as it goes, and `/nodes`: rate, p50, p99 and longest answer, and memory.
 *
 * The fixed rate is an open loop: an answer's time counts from when its request was due, so that a
 * server that stops for a moment cannot hide the requests that waited.
 */
import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers";
import { sized, V1Client } from "../lookupd/v1_client.ts";
import { LookupdProcess } from "../lookupd/lookupd_process.ts";

const PRODUCERS = 2_000;
const TOPICS_PER_PRODUCER = 50;
const HTTP_CONNECTIONS = 16;
const RUN_MS = 5_000;
const WARM_UP_REQUESTS = 5_000;

const topicCount = Number(Deno.args[0] ?? 1_000);
const requestsPerSecond = Number(Deno.args[1] ?? 5_000);

const acceptEncoding = Deno.args[2] === "gzip" ? "Accept-Encoding: gzip\r\n" : "";

/** One keep-alive connection that sends a request at a time. */
class HttpConnection {
  readonly #conn: Deno.TcpConn;
  readonly #buffer = Buffer.alloc(64 * 1024);

  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  /** Resolves with the number of body bytes, which are read and forgotten. */
  async get(path: string): Promise<number> {
    await this.#conn.write(Buffer.from(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${acceptEncoding}\r\n`));
    let head = "";
    let remaining = Infinity;
    let bodyBytes = 0;
    while (remaining > 0) {
      const byteCount = await this.#conn.read(this.#buffer);
      if (byteCount === null) throw new Error(`connection closed during ${path}`);
      remaining -= byteCount;
      if (remaining !== Infinity) continue;
      head += this.#buffer.toString("latin1", 0, byteCount);
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) continue;
      bodyBytes = Number(/content-length: (\d+)/i.exec(head)?.[1]);
      remaining = end + 4 + bodyBytes - head.length;
    }
    return bodyBytes;
  }

  close(): void {
    this.#conn.close();
  }
}

async function connectAll(port: number): Promise<HttpConnection[]> {
  const connections: HttpConnection[] = [];
  for (let i = 0; i < HTTP_CONNECTIONS; i++) {
    connections.push(new HttpConnection(await Deno.connect({ hostname: "127.0.0.1", port })));
  }
  return connections;
}

function report(name: string, latenciesMs: number[], elapsedMs: number, pid: number): void {
  latenciesMs.sort((a, b) => a - b);
  const at = (quantile: number) => latenciesMs[Math.floor(latenciesMs.length * quantile)].toFixed(2);
  const rate = Math.round(latenciesMs.length / elapsedMs * 1000);
  console.log(
    `${name}: ${rate}/s, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(0.999999)} ms, RSS ${rssMb(pid)} MB`,
  );
}

function rssMb(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024);
}

function somePath(): string {
  return `/lookup?topic=topic-${Math.floor(Math.random() * topicCount)}`;
}

/** Asks for every topic once, and for some time more. */
async function warmUp(connections: readonly HttpConnection[]): Promise<void> {
  let next = 0;
  await Promise.all(connections.map(async (connection) => {
    while (next < topicCount + WARM_UP_REQUESTS) {
      await connection.get(`/lookup?topic=topic-${next++ % topicCount}`);
    }
  }));
}

/** Sends each request when it is due, on a connection that is free by then or the next to be. */
async function measureAtRate(port: number, pid: number): Promise<void> {
  const connections = await connectAll(port);
  await warmUp(connections);
  const latenciesMs: number[] = [];
  const startMs = performance.now();
  let next = 0;
  await Promise.all(connections.map(async (connection) => {
    for (;;) {
      const dueMs = startMs + next++ * 1000 / requestsPerSecond;
      if (dueMs > startMs + RUN_MS) return;
      const aheadMs = dueMs - performance.now();
      // Timers are a millisecond coarse, which would be most of what is measured.
      if (aheadMs > 2) await new Promise((resolve) => setTimeout(resolve, aheadMs - 1));
      while (performance.now() < dueMs) await new Promise((resolve) => setImmediate(resolve));
      await connection.get(somePath());
      latenciesMs.push(performance.now() - dueMs);
    }
  }));
  report(
    `lookup_${topicCount}_topics_at_${requestsPerSecond}`,
    latenciesMs,
    performance.now() - startMs,
    pid,
  );
  for (const connection of connections) connection.close();
}

async function measureClosed(name: string, port: number, pid: number, path: () => string): Promise<void> {
  const connections = await connectAll(port);
  const latenciesMs: number[] = [];
  const startMs = performance.now();
  await Promise.all(connections.map(async (connection) => {
    while (performance.now() < startMs + RUN_MS) {
      const sentMs = performance.now();
      await connection.get(path());
      latenciesMs.push(performance.now() - sentMs);
    }
  }));
  report(name, latenciesMs, performance.now() - startMs, pid);
  for (const connection of connections) connection.close();
}

async function registerProducer(port: number, i: number): Promise<V1Client> {
  const client = await V1Client.connect(port);
  const body = {
    broadcast_address: `nsqd-${i}.example.internal`,
    hostname: `nsqd-${i}`,
    http_port: 4151,
    tcp_port: 4150,
    topology_region: "eu",
    topology_zone: "az1",
    version: "1.3.0",
  };
  let commands = "";
  for (let j = 0; j < TOPICS_PER_PRODUCER; j++) {
    commands += `REGISTER topic-${(i * TOPICS_PER_PRODUCER + j) % topicCount} channel\n`;
  }
  await client.send("IDENTIFY\n", sized(JSON.stringify(body)), commands + "PING\n");
  for (let replies = 0; replies < TOPICS_PER_PRODUCER + 2; replies++) await client.reply();
  return client;
}

async function registerAll(port: number): Promise<V1Client[]> {
  const clients: V1Client[] = [];
  const startMs = performance.now();
  for (let i = 0; i < PRODUCERS; i++) clients.push(await registerProducer(port, i));
  console.log(`register: ${Math.round(performance.now() - startMs)} ms`);
  return clients;
}

async function countProducers(httpPort: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${httpPort}/lookup?topic=topic-0`);
  const { producers = [] } = await response.json() as { producers?: unknown[] };
  return producers.length;
}

async function measureRestart(lookupd: LookupdProcess): Promise<void> {
  const expected = await countProducers(lookupd.httpPort);
  const startMs = performance.now();
  await lookupd.kill();
  await lookupd.start();
  const answered = await countProducers(lookupd.httpPort);
  const elapsedMs = Math.round(performance.now() - startMs);
  console.log(`kill_and_restart: ${answered} of ${expected} producers after ${elapsedMs} ms`);
}

/** Snapshots follow after a pause; this is how the file's last change is waited for. */
async function snapshotWritten(lookupd: LookupdProcess): Promise<void> {
  for (let before = -1, now = 0; before !== now;) {
    await new Promise((resolve) => setTimeout(resolve, 1500));
    [before, now] = [now, Deno.statSync(`${lookupd.dataPath}/nsqlookupd.dat`).mtime?.getTime() ?? 0];
  }
}

const lookupd = await LookupdProcess.create();
const clients = await registerAll(lookupd.tcpPort);
console.log(`registered: RSS ${rssMb(lookupd.pid)} MB`);
await measureAtRate(lookupd.httpPort, lookupd.pid);
await measureClosed(`lookup_${topicCount}_topics_max`, lookupd.httpPort, lookupd.pid, somePath);
await measureClosed("nodes_max", lookupd.httpPort, lookupd.pid, () => "/nodes");
await snapshotWritten(lookupd);
await measureRestart(lookupd);
for (const client of clients) client.close();
await lookupd.remove();
