import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { expandPrefix } from "../../../src/nsqd/stats/statsd_lines.ts";
import { startNsqd } from "../../support/running_nsqd.ts";
import { until } from "../../wire/observe.ts";
import { bytes, mpub, WireClient } from "../../wire/wire_client.ts";

/** A daemon that keeps what it gets. */
class Daemon implements AsyncDisposable {
  readonly packets: string[] = [];
  readonly #socket = createSocket("udp4");

  static async start(): Promise<Daemon> {
    const daemon = new Daemon();
    daemon.#socket.on("message", (data: Uint8Array) => daemon.packets.push(new TextDecoder().decode(data)));
    daemon.#socket.bind(0, "127.0.0.1");
    await once(daemon.#socket, "listening");
    return daemon;
  }

  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  /** The lines of whole pushes so far, as `name:value|kind`. Memory ends a push. */
  get pushes(): string[][] {
    const pushes: string[][] = [[]];
    for (const line of this.packets.join("").split("\n").slice(0, -1)) {
      pushes.at(-1)!.push(line);
      if (/(^|\.)mem\.gc_runs:/.test(line)) pushes.push([]);
    }
    return pushes.slice(0, -1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await once(this.#socket, "close");
  }
}

function flagsFor(daemon: { address: string }, ...more: string[]): string[] {
  return [`--statsd-address=${daemon.address}`, "--statsd-interval=50ms", "--statsd-prefix=", ...more];
}

/** All pushes added up: the value of a counter, or the last value of a gauge. */
function total(pushes: string[][], name: string): number {
  const values = pushes.flat().filter((line) => line.startsWith(`${name}:`)).map((line) =>
    line.split(/[:|]/)
  );
  if (values.length === 0) return NaN;
  return values.reduce((sum, [, value, kind]) => kind === "c" ? sum + Number(value) : Number(value), 0);
}

Deno.test("statsd is pushed every name in order, counters as what was added", async () => {
  await using daemon = await Daemon.start();
  await using server = await startNsqd(
    flagsFor(daemon, "--e2e-processing-latency-percentile=0.99,0.999", "--broadcast-address=127.0.0.1"),
  );
  for (const path of ["topic/create?topic=b", "topic/create?topic=a", "channel/create?topic=b&channel=c"]) {
    await server.http("POST", `/${path}`);
  }
  using client = await WireClient.open(server.tcpPort);
  await client.ask(mpub("b", ["123", "4567"]));
  await client.subscribe("b", "c", 1);
  await client.send(`FIN ${(await client.message()).id}\n`);
  const { id } = await client.message();
  await client.send(bytes(`REQ ${id} 60000\n`));
  const channel = "topic.b.channel.c";
  await until("all is pushed", () => total(daemon.pushes, `${channel}.deferred_count`) === 1);
  const seen = daemon.pushes.length;
  await until("another push", () => daemon.pushes.length > seen);
  const pushes = daemon.pushes, last = pushes.at(-1)!;
  assert.deepEqual(
    last.filter((line) => !line.includes("latency") && !line.startsWith("mem.")),
    [
      "topic.a.message_count:0|c",
      "topic.a.message_bytes:0|c",
      "topic.a.depth:0|g",
      "topic.a.backend_depth:0|g",
      "topic.b.message_count:0|c",
      "topic.b.message_bytes:0|c",
      "topic.b.depth:0|g",
      "topic.b.backend_depth:0|g",
      `${channel}.message_count:0|c`,
      `${channel}.depth:0|g`,
      `${channel}.backend_depth:0|g`,
      `${channel}.in_flight_count:0|g`,
      `${channel}.deferred_count:1|g`,
      `${channel}.requeue_count:0|c`,
      `${channel}.timeout_count:0|c`,
      `${channel}.clients:1|g`,
    ],
  );
  const names = last.map((line) => line.split(":")[0]);
  assert.deepEqual(names.filter((name) => name.includes("latency")), [
    "topic.b.e2e_processing_latency_100",
    "topic.b.e2e_processing_latency_99",
    `${channel}.e2e_processing_latency_100`,
    `${channel}.e2e_processing_latency_99`,
  ]);
  assert.equal(names.indexOf("topic.b.e2e_processing_latency_100"), 8);
  assert.deepEqual(names.filter((name) => name.startsWith("mem.")), [
    "mem.heap_objects",
    "mem.heap_idle_bytes",
    "mem.heap_in_use_bytes",
    "mem.heap_released_bytes",
    "mem.gc_pause_usec_100",
    "mem.gc_pause_usec_99",
    "mem.gc_pause_usec_95",
    "mem.next_gc_bytes",
    "mem.gc_runs",
  ]);
  assert.equal(total(pushes, "topic.b.message_count"), 2);
  assert.equal(total(pushes, "topic.b.message_bytes"), 7);
  assert.equal(total(pushes, `${channel}.message_count`), 2);
  assert.equal(total(pushes, `${channel}.requeue_count`), 1);
  assert.ok(total(pushes, `${channel}.e2e_processing_latency_99`) > 0);
  for (const line of pushes.flat()) assert.match(line, /^[\w.]+:\d+\|[cg]$/);
});

Deno.test("statsd packets hold whole lines up to their size, a longer line goes alone", async () => {
  await using daemon = await Daemon.start();
  const topic = "t".repeat(60);
  await using server = await startNsqd(flagsFor(daemon, "--statsd-udp-packet-size=80"));
  await server.http("POST", `/topic/create?topic=${topic}`);
  await until("the topic is pushed", () => total(daemon.pushes, `topic.${topic}.depth`) === 0);
  for (const packet of daemon.packets) {
    assert.ok(packet.endsWith("\n"));
    if (packet.length > 80) assert.equal(packet.indexOf("\n"), packet.length - 1, packet);
  }
  assert.ok(daemon.packets.some((packet) => packet.split("\n").length > 2));
});

Deno.test("statsd gets no ephemeral topics and channels, and no memory, when told so", async () => {
  await using daemon = await Daemon.start();
  await using server = await startNsqd(
    flagsFor(daemon, "--statsd-exclude-ephemeral", "--statsd-mem-stats=false"),
  );
  for (const topic of ["x%23ephemeral", "y"]) {
    await server.http("POST", `/topic/create?topic=${topic}`);
    await server.http("POST", `/channel/create?topic=${topic}&channel=c%23ephemeral`);
    await server.http("POST", `/channel/create?topic=${topic}&channel=d`);
  }
  await until("the channel is pushed", () => daemon.packets.join("").includes("topic.y.channel.d.clients"));
  const text = daemon.packets.join("");
  assert.ok(!text.includes("ephemeral"));
  assert.ok(!text.includes("mem."));
});

Deno.test("statsd has what is left of a push when nsqd stops", async () => {
  await using daemon = await Daemon.start();
  const server = await startNsqd(flagsFor(daemon, "--statsd-interval=1500ms"));
  for (let i = 0; i < 40; i++) await server.http("POST", `/topic/create?topic=t${i}`);
  await until("a push began", () => server.lines.some((line) => line.includes("STATSD: pushing to")));
  assert.equal(daemon.pushes.length, 0, "it takes half a second");
  await server[Symbol.asyncDispose]();
  await until("the rest came", () => daemon.pushes.length === 1);
  assert.equal(daemon.pushes[0].filter((line) => line.includes(".depth:")).length, 40);
});

Deno.test("statsd that cannot be found or reached is logged at each push, and harms nothing", async () => {
  for (const address of ["no-such-host.invalid:8125", "127.0.0.1:0", "nonsense"]) {
    await using server = await startNsqd(flagsFor({ address }));
    const failures = () =>
      server.lines.filter((line) => line.includes(`STATSD: failed to push to ${address}`));
    const times = address === "nonsense" ? 2 : 1;
    await until(`${address} failed`, () => failures().length >= times);
    assert.equal(await server.http("GET", "/ping"), "OK");
  }
});

Deno.test("expandPrefix() puts the node in the place of %s, without dots and colons, and ends with a dot", () => {
  assert.equal(expandPrefix("nsq.%s", "127.0.0.1", 5151), "nsq.127_0_0_1_5151.");
  assert.equal(expandPrefix("nsq.%s", "fd00::1", 5151), "nsq.[fd00__1]_5151.");
  assert.equal(expandPrefix("%s.x.%s.", "a.b", 1), "a_b_1.x.a_b_1.");
  assert.equal(expandPrefix("", "a", 1), "");
  assert.equal(expandPrefix("plain", "a", 1), "plain.");
  assert.equal(expandPrefix("%s", "$&", 1), "$&_1.");
});
