import assert from "node:assert/strict";
import { LookupTcpServer } from "../../../src/lookupd/tcp_server.ts";
import { type Announcement, LookupLoop, type Registry } from "../../../src/nsqd/lookup/lookup_loop.ts";
import { silentLogger, TestDb, until } from "../../lookupd/fixtures.ts";
import { startNsqd } from "../../support/running_nsqd.ts";

const ANNOUNCEMENT: Announcement = {
  broadcastAddresses: ["node1"],
  hostname: "vm",
  tcpPort: 4150,
  httpPort: 4151,
  topologyRegion: "",
  topologyZone: "",
  version: "1.3.0",
};

/** What a broker would hold: topics with their channels. */
class FakeRegistry implements Registry {
  readonly topics = new Map<string, string[]>();

  *registrations(): Generator<{ topic: string; channels: string[] }> {
    for (const [topic, channels] of this.topics) yield { topic, channels };
  }
}

function newLoop(
  registry: Registry,
  announcement: Partial<Announcement> = {},
  lines: string[] = [],
): LookupLoop {
  return new LookupLoop(
    {
      announcement: { ...ANNOUNCEMENT, ...announcement },
      maxBodySize: () => 1 << 20,
      httpClientConnectTimeoutMs: 2000,
      httpClientRequestTimeoutMs: 5000,
    },
    registry,
    silentLogger(lines),
  );
}

/** A lookupd without its HTTP side, on a port that stays the same over restarts. */
class TestLookupd {
  db = new TestDb();
  readonly port: number;
  #server: LookupTcpServer;

  constructor(readonly httpPort = 4161) {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = (listener.addr as Deno.NetAddr).port;
    this.#server = this.#serve(listener);
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Starts with an empty database. */
  async start(): Promise<void> {
    this.db = new TestDb();
    await until(() => this.#tryToServe());
  }

  async stop(): Promise<void> {
    await this.#server.close();
  }

  /** The port is in use for a moment after its listener was closed. */
  #tryToServe(): boolean {
    try {
      this.#server = this.#serve(Deno.listen({ hostname: "127.0.0.1", port: this.port }));
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.AddrInUse) return false;
      throw error;
    }
  }

  #serve(listener: Deno.Listener): LookupTcpServer {
    const identity = {
      broadcastAddress: "127.0.0.1",
      hostname: "vm",
      tcpPort: this.port,
      httpPort: this.httpPort,
      version: "1.3.0",
    };
    return new LookupTcpServer(listener, { db: this.db, identity, logger: silentLogger() });
  }
}

/** A lookupd that does what the test says with each connection. */
class ScriptedLookupd {
  connectionCount = 0;
  received = "";
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #conns = new Set<Deno.Conn>();

  constructor(onData: (conn: Deno.Conn, text: string) => Promise<void>) {
    void this.#accept(onData);
  }

  get address(): string {
    return `127.0.0.1:${(this.#listener.addr as Deno.NetAddr).port}`;
  }

  stop(): void {
    this.#listener.close();
    for (const conn of this.#conns) conn.close();
  }

  async #accept(onData: (conn: Deno.Conn, text: string) => Promise<void>): Promise<void> {
    for await (const conn of this.#listener) {
      this.connectionCount++;
      this.#conns.add(conn);
      this.#serve(conn, onData).catch(() => this.#conns.delete(conn));
    }
  }

  async #serve(conn: Deno.Conn, onData: (conn: Deno.Conn, text: string) => Promise<void>): Promise<void> {
    const chunk = new Uint8Array(65_536);
    for (;;) {
      const byteCount = await conn.read(chunk);
      if (byteCount === null) return;
      const text = new TextDecoder("latin1").decode(chunk.subarray(0, byteCount));
      this.received += text;
      await onData(conn, text);
    }
  }
}

function framed(text: string): Uint8Array {
  const bytes = new Uint8Array(4 + text.length);
  new DataView(bytes.buffer).setInt32(0, text.length);
  bytes.set(new TextEncoder().encode(text), 4);
  return bytes;
}

const INFO =
  `{"broadcast_address":"127.0.0.1","hostname":"vm","http_port":4161,"tcp_port":4160,"version":"1.3.0"}`;

Deno.test("LookupLoop.setPeers() registers everything with a channel line only where there are channels", async () => {
  const lookupd = new ScriptedLookupd(async (conn, text) => {
    if (text.includes("IDENTIFY")) await conn.write(framed(INFO));
    for (const _ of text.matchAll(/^REGISTER/gm)) await conn.write(framed("OK"));
  });
  const registry = new FakeRegistry();
  registry.topics.set("orders", ["billing", "et#ephemeral"]).set("empty", []);
  const loop = newLoop(registry);
  loop.setPeers([lookupd.address]);
  const expected = `REGISTER orders billing\nREGISTER orders et#ephemeral\nREGISTER empty\n`;
  await until(() => lookupd.received.endsWith(expected));
  const body = `{"broadcast_address":"node1","hostname":"vm","http_port":4151,"tcp_port":4150,` +
    `"topology_region":"","topology_zone":"","version":"1.3.0"}`;
  assert.equal(
    lookupd.received,
    `  V1IDENTIFY\n\0\0\0${
      new TextDecoder("latin1").decode(new Uint8Array([body.length]))
    }${body}${expected}`,
  );
  assert.deepEqual(loop.peers, [{ address: lookupd.address, isConnected: true, version: "1.3.0" }]);
  await loop.stop();
  lookupd.stop();
});

Deno.test("LookupLoop passes on topics and channels that come and go", async () => {
  const lookupd = new TestLookupd();
  const loop = newLoop(new FakeRegistry(), { broadcastAddresses: ["node1", "10.0.0.7"] });
  loop.setPeers([lookupd.address]);
  await until(() => lookupd.db.producers.size === 1 && loop.peers[0].isConnected);
  assert.deepEqual([...lookupd.db.producers][0].info.broadcastAddresses, ["node1", "10.0.0.7"]);
  loop.topicCreated("orders");
  loop.channelCreated("orders", "c#ephemeral");
  await until(() => lookupd.db.lookupChannels("orders")?.length === 1);
  loop.channelDeleted("orders", "c#ephemeral");
  await until(() => lookupd.db.lookupChannels("orders")?.length === 0);
  assert.deepEqual(lookupd.db.lookupAddresses("orders"), ["node1"]);
  loop.topicDeleted("orders");
  await until(() => lookupd.db.lookupAddresses("orders")?.length === 0);
  await loop.stop();
  await until(() => lookupd.db.producers.size === 0);
  await lookupd.stop();
});

Deno.test("LookupLoop registers everything again with a lookupd that was restarted", async () => {
  const lookupd = new TestLookupd();
  const registry = new FakeRegistry();
  for (let i = 0; i < 500; i++) registry.topics.set(`t${i}`, ["c"]);
  const loop = newLoop(registry);
  loop.setPeers([lookupd.address]);
  await until(() => lookupd.db.topicNames().length === 500);
  await lookupd.stop();
  await until(() => !loop.peers[0].isConnected);
  registry.topics.set("late", []);
  loop.topicCreated("late");
  await lookupd.start();
  await until(() => lookupd.db.topicNames().length === 501);
  assert.deepEqual(lookupd.db.lookupAddresses("late"), ["node1"]);
  await loop.stop();
  await lookupd.stop();
});

Deno.test("LookupLoop connects to a lookupd that starts later", async () => {
  const lookupd = new TestLookupd();
  await lookupd.stop();
  const loop = newLoop(new FakeRegistry());
  loop.setPeers([lookupd.address]);
  assert.equal(loop.peers[0].isConnected, false);
  await lookupd.start();
  await until(() => lookupd.db.producers.size === 1);
  await loop.stop();
  await lookupd.stop();
});

Deno.test("LookupLoop.setPeers() keeps, adds and removes peers", async () => {
  const [a, b] = [new TestLookupd(), new TestLookupd()];
  const loop = newLoop(new FakeRegistry());
  loop.setPeers([a.address]);
  await until(() => a.db.producers.size === 1);
  const [producer] = a.db.producers;
  loop.setPeers([a.address, b.address, b.address]);
  await until(() => b.db.producers.size === 1);
  assert.equal([...a.db.producers][0], producer);
  assert.deepEqual(loop.addresses, [a.address, b.address]);
  loop.setPeers([b.address]);
  await until(() => a.db.producers.size === 0);
  assert.equal(b.db.producers.size, 1);
  await loop.stop();
  await a.stop();
  await b.stop();
});

Deno.test("LookupLoop.setPeers() has no effect after stop()", async () => {
  const loop = newLoop({ registrations: () => [] });
  await loop.stop();
  loop.setPeers(["127.0.0.1:1"]);
  assert.deepEqual(loop.addresses, []);
});

Deno.test("LookupPeer connects anew when lookupd hangs, sends nonsense, or closes", async () => {
  const scripts: ((conn: Deno.Conn) => Promise<unknown>)[] = [
    () => Promise.resolve(),
    (conn) => conn.write(new Uint8Array([0x7f, 0xff, 0xff, 0xff])),
    (conn) => conn.write(new Uint8Array([0xff, 0xff, 0xff, 0xff])),
    (conn) => conn.write(new Uint8Array([...framed(INFO), ...framed("OK")])),
    (conn) => Promise.resolve(conn.close()),
  ];
  for (const script of scripts) {
    const lookupd = new ScriptedLookupd(async (conn, text) => {
      if (text.includes("IDENTIFY")) await script(conn);
    });
    const loop = newLoop(new FakeRegistry());
    loop.setPeers([lookupd.address]);
    await until(() => lookupd.connectionCount >= 2);
    await loop.stop();
    lookupd.stop();
  }
});

Deno.test("LookupPeer logs what lookupd refused in its announcement", async () => {
  const lookupd = new TestLookupd();
  const lines: string[] = [];
  const loop = newLoop(new FakeRegistry(), { tcpPort: 0 }, lines);
  loop.setPeers([lookupd.address]);
  await until(() =>
    lines.some((line) => line.includes(`IDENTIFY answered "E_BAD_BODY IDENTIFY missing fields"`))
  );
  assert.equal(lookupd.db.producers.size, 0);
  assert.equal(loop.peers[0].isConnected, false);
  await loop.stop();
  await lookupd.stop();
});

Deno.test("LookupLoop.stop() ends a peer that is dialling, waiting, or in the middle of a request", async () => {
  const hanging = new ScriptedLookupd(() => Promise.resolve());
  const loop = newLoop(new FakeRegistry());
  loop.setPeers([hanging.address, "127.0.0.1:1", "not an address"]);
  await until(() => hanging.received.includes("IDENTIFY"));
  await loop.stop();
  hanging.stop();
});

/** An HTTP side of lookupd that answers `/channels` with `answer`. */
function serveChannels(
  answer: (request: Request) => Response | Promise<Response>,
): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, answer);
}

async function channelsFrom(
  answers: ((request: Request) => Response | Promise<Response>)[],
  prepare: (loop: LookupLoop) => Promise<void> = (loop) =>
    until(() => loop.peers.every((peer) => peer.isConnected)),
): Promise<string[]> {
  const https = answers.map(serveChannels);
  const lookupds = https.map((http) => new TestLookupd(http.addr.port));
  const loop = newLoop(new FakeRegistry());
  loop.setPeers(lookupds.map(({ address }) => address));
  await prepare(loop);
  const channels = await loop.lookupTopicChannels("orders#ephemeral");
  await loop.stop();
  for (const lookupd of lookupds) await lookupd.stop();
  for (const http of https) await http.shutdown();
  return channels;
}

Deno.test("LookupLoop.lookupTopicChannels() merges the answers without ephemeral and invalid names", async () => {
  const requests: string[] = [];
  const answer = (channels: unknown[]) => (request: Request) => {
    requests.push(
      `${new URL(request.url).pathname}${new URL(request.url).search} ${request.headers.get("accept")}`,
    );
    return Response.json({ channels });
  };
  const channels = await channelsFrom([answer(["b", "a", "e#ephemeral", "bad name", 7]), answer(["c", "a"])]);
  assert.deepEqual(channels, ["a", "b", "c"]);
  const expected = "/channels?topic=orders%23ephemeral application/vnd.nsq; version=1.0";
  assert.deepEqual(requests, [expected, expected]);
});

Deno.test("LookupLoop.lookupTopicChannels() goes on without lookupds that fail", async () => {
  const channels = await channelsFrom([
    () => Response.json({ channels: ["a"] }),
    () => Response.json({ message: "x" }, { status: 500 }),
    () => new Response("not json"),
    () => Response.json({ channels: "a" }),
    () => new Response("x".repeat(2 << 20)),
  ]);
  assert.deepEqual(channels, ["a"]);
});

Deno.test("LookupLoop.lookupTopicChannels() that is asked before the first connection stands waits for it", async () => {
  const channels = await channelsFrom([() => Response.json({ channels: ["a"] })], (loop) => {
    loop.setPeers([...loop.addresses, "127.0.0.1:1"]);
    assert.equal(loop.peers.some((peer) => peer.isConnected), false);
    return Promise.resolve();
  });
  assert.deepEqual(channels, ["a"]);
});

Deno.test("LookupLoop.lookupTopicChannels() is empty without peers and without known peers", async () => {
  const loop = newLoop(new FakeRegistry());
  assert.deepEqual(await loop.lookupTopicChannels("orders"), []);
  loop.setPeers(["127.0.0.1:1"]);
  assert.deepEqual(await loop.lookupTopicChannels("orders"), []);
  await loop.stop();
});

Deno.test("/metrics tells with which lookupds an nsqd is registered", async () => {
  const lookupd = new TestLookupd();
  const nobody = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const silent = `127.0.0.1:${(nobody.addr as Deno.NetAddr).port}`;
  nobody.close();
  const flags = [lookupd.address, silent].map((address) => `--lookupd-tcp-address=${address}`);
  {
    await using node = await startNsqd(flags);
    const sample = (address: string, value: number) =>
      `\nnsq_lookupd_connected{address="${address}"} ${value}\n`;
    await until(async () => (await node.http("GET", "/metrics")).includes(sample(lookupd.address, 1)));
    assert.ok((await node.http("GET", "/metrics")).includes(sample(silent, 0)));
  }
  await lookupd.stop();
});
