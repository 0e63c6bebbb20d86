/** Upgrades that are not granted, fail, or are abused; and the bytes of those that succeed. */
import assert from "node:assert/strict";
import { constants, createDeflateRaw, inflateRawSync } from "node:zlib";
import { DeflateTransport } from "../../src/transport/deflate_transport.ts";
import { startNsqd, type TestNsqd } from "../support/running_nsqd.ts";
import { channelStats, topicNames, until } from "./observe.ts";
import { identify, negotiate, openUpgraded, pem, pemPath, startTls, TLS_FLAGS } from "./upgrade_client.ts";
import { bytes, type Stream, WireClient, withBody } from "./wire_client.ts";

const TLS_REQUIRED = "in current state (TLS required)";

/** Gives what follows the last frame as raw bytes, `byteCount` of them. */
async function rawBytes(client: WireClient, byteCount: number): Promise<Uint8Array> {
  const raw = new Uint8Array(byteCount);
  await client.change(async (conn) => {
    for (let at = 0; at < byteCount;) {
      const read = await conn.read(raw.subarray(at));
      assert.ok(read !== null, "closed");
      at += read;
    }
    return conn;
  });
  return raw;
}

function hex(data: Uint8Array): string {
  return [...data].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

Deno.test("the first bytes on snappy are those that NSQ sends", async () => {
  await using server = await startNsqd();
  using client = await WireClient.open(server.tcpPort);
  assert.equal((await negotiate(client, { snappy: true })).snappy, true);
  const expected = "ff060000734e61507059" + "010e000026982bcf" + "00000006000000004f4b";
  assert.equal(hex(await rawBytes(client, expected.length / 2)), expected);
});

Deno.test("the first bytes on deflate inflate to an OK, and end with a sync flush", async () => {
  await using server = await startNsqd();
  using client = await WireClient.open(server.tcpPort);
  await negotiate(client, { deflate: true });
  let raw: Uint8Array = new Uint8Array(0);
  while (!hex(raw).endsWith("0000ffff")) raw = bytes(raw, await rawBytes(client, 1));
  const frame = inflateRawSync(raw, { finishFlush: constants.Z_SYNC_FLUSH });
  assert.equal(hex(frame), "00000006000000004f4b");
});

Deno.test("IDENTIFY grants only what the server has, and the connection stays usable", async () => {
  await using server = await startNsqd(["--deflate=false", "--snappy=false"]);
  for (const wishes of [{ tls_v1: true }, { deflate: true }, { snappy: true }]) {
    using client = await WireClient.open(server.tcpPort);
    const { tls_v1, deflate, snappy } = await negotiate(client, wishes);
    assert.deepEqual({ tls_v1, deflate, snappy }, { tls_v1: false, deflate: false, snappy: false });
    assert.equal(await client.ask(withBody("PUB t", "x")), "response OK");
  }
});

Deno.test("IDENTIFY without feature negotiation upgrades nothing", async () => {
  await using server = await startNsqd([...TLS_FLAGS]);
  using client = await WireClient.open(server.tcpPort);
  const wishes = { feature_negotiation: false, tls_v1: true, deflate: true, snappy: true };
  assert.equal(await client.ask(identify(wishes)), "response OK");
  assert.equal(await client.ask(withBody("PUB t", "x")), "response OK");
});

Deno.test("IDENTIFY refuses both compressions together", async () => {
  await using server = await startNsqd();
  using client = await WireClient.open(server.tcpPort);
  const expected = "error E_IDENTIFY_FAILED cannot enable both deflate and snappy compression";
  assert.equal(await client.ask(identify({ deflate: true, snappy: true })), expected);
  assert.equal(await client.answer(), "closed");
});

Deno.test("a repeated IDENTIFY keeps the stream that was settled, and may add to it", async () => {
  await using server = await startNsqd([...TLS_FLAGS]);
  using client = await openUpgraded(server.tcpPort, { tls_v1: true });
  const second = await negotiate(client, { deflate: true });
  assert.deepEqual([second.tls_v1, second.deflate], [true, true]);
  await client.change((conn) => new DeflateTransport(conn, 6));
  assert.equal(await client.answer(), "response OK");
  const third = await negotiate(client, { snappy: true, tls_v1: true });
  assert.deepEqual([third.tls_v1, third.deflate, third.snappy], [true, true, false]);
  assert.equal(await client.ask(withBody("PUB t", "x")), "response OK");
});

for (const compression of ["deflate", "snappy"] as const) {
  Deno.test(`bytes that are no ${compression} stream close the connection without a frame`, async () => {
    await using server = await startNsqd();
    using client = await openUpgraded(server.tcpPort, { [compression]: true });
    let raw: Stream;
    using plain = await WireClient.open(server.tcpPort);
    await negotiate(plain, { [compression]: true });
    await plain.change((conn) => raw = conn);
    await raw!.write(new Uint8Array(100).fill(0xf6));
    const rest = [];
    const buffer = new Uint8Array(1000);
    for (;;) {
      const read = await raw!.read(buffer).catch(() => null);
      if (read === null) break;
      rest.push(...buffer.subarray(0, read));
    }
    assert.ok(rest.length < 40, "an OK and no more");
    assert.equal(await client.ask(withBody("PUB t", "x")), "response OK", "others are not concerned");
  });
}

Deno.test("commands that inflate to much more than was sent are run, in bounded memory", async () => {
  await using server = await startNsqd();
  using client = await WireClient.open(server.tcpPort);
  await negotiate(client, { deflate: true });
  const deflate = createDeflateRaw({ level: 9, flush: constants.Z_SYNC_FLUSH });
  const pieces: Uint8Array[] = [];
  deflate.on("data", (piece) => pieces.push(piece));
  const nops = "NOP\n".repeat(250_000);
  for (let i = 0; i < 16; i++) deflate.write(nops);
  await new Promise<void>((resolve) => deflate.write(withBody("PUB t", "x"), () => resolve()));
  const before = Deno.memoryUsage().rss;
  await client.send(bytes(...pieces));
  await until("the end of the bomb", async () => (await topicNames(server)).includes("t"));
  assert.ok(Deno.memoryUsage().rss - before < 64 << 20, "16 MB of commands from 16 KB");
});

Deno.test("a consumer that reads nothing is not given more, also on tls and deflate", async () => {
  await using server = await startNsqd([...TLS_FLAGS]);
  using producer = await WireClient.open(server.tcpPort);
  using consumer = await openUpgraded(server.tcpPort, { tls_v1: true, deflate: true, deflate_level: 1 });
  await consumer.subscribe("t", "c", 2000);
  const body = crypto.getRandomValues(new Uint8Array(65_536));
  for (let i = 0; i < 400; i++) assert.equal(await producer.ask(withBody("PUB t", body)), "response OK");
  const { in_flight_count: inFlight, depth } = await channelStats(server);
  assert.ok(inFlight > 0 && depth > 0, `${inFlight} in flight, ${depth} waiting`);
  for (let i = 0; i < 400; i++) await consumer.send(`FIN ${(await consumer.message()).id}\n`);
  await until("the last FIN", async () => (await channelStats(server)).in_flight_count === 0);
});

Deno.test("heartbeats come on tls and snappy, and a client that is silent for two of them is closed", async () => {
  await using server = await startNsqd([...TLS_FLAGS]);
  using client = await openUpgraded(server.tcpPort, { tls_v1: true, snappy: true, heartbeat_interval: 1000 });
  assert.equal((await client.frame())?.text, "_heartbeat_");
  assert.equal(await client.answer(), "closed");
});

// ---- TLS --------------------------------------------------------------------------------------

/** What the client sees of a handshake: the first answer on TLS, or why there is none. */
async function handshake(
  server: TestNsqd,
  certificate: string | null,
  maxVersion?: "TLSv1.2",
): Promise<string> {
  using client = await WireClient.open(server.tcpPort);
  assert.equal((await negotiate(client, { tls_v1: true })).tls_v1, true);
  const own = certificate === null ? {} : { cert: pem(certificate), key: pem(`${certificate}_key`) };
  try {
    await client.change((conn) => startTls(conn, { ...own, ...(maxVersion ? { maxVersion } : {}) }));
    return await client.answer();
  } catch {
    return "failed";
  }
}

function refusals(server: TestNsqd): number {
  return server.lines.filter((line) => line.includes("E_IDENTIFY_FAILED IDENTIFY failed ")).length;
}

Deno.test("--tls-client-auth-policy=require wants a certificate, whoever signed it", async () => {
  await using server = await startNsqd([...TLS_FLAGS, "--tls-client-auth-policy=require"]);
  assert.equal(await handshake(server, "client"), "response OK");
  assert.equal(await handshake(server, "stranger"), "response OK");
  assert.notEqual(await handshake(server, null), "response OK");
  await until("the refusal", () => refusals(server) === 1);
});

Deno.test("--tls-client-auth-policy=require-verify wants a certificate of a known root", async () => {
  const policy = ["--tls-client-auth-policy=require-verify", `--tls-root-ca-file=${pemPath("ca")}`];
  await using server = await startNsqd([...TLS_FLAGS, ...policy]);
  assert.equal(await handshake(server, "client"), "response OK");
  assert.notEqual(await handshake(server, "stranger"), "response OK");
  assert.notEqual(await handshake(server, null), "response OK");
  await until("the refusals", () => refusals(server) === 2);
});

Deno.test("--tls-min-version refuses older clients", async () => {
  await using server = await startNsqd([...TLS_FLAGS, "--tls-min-version=tls1.3"]);
  assert.equal(await handshake(server, null), "response OK");
  assert.equal(await handshake(server, null, "TLSv1.2"), "failed");
  await until("the refusal", () => refusals(server) === 1);
  await using lenient = await startNsqd([...TLS_FLAGS]);
  assert.equal(await handshake(lenient, null, "TLSv1.2"), "response OK");
});

for (const flag of ["--tls-required", "--tls-required=tcp-https", "--tls-client-auth-policy=any"]) {
  Deno.test(`with ${flag} every command but IDENTIFY needs TLS`, async () => {
    await using server = await startNsqd([...TLS_FLAGS, flag]);
    const commands = [
      "NOP",
      "FOO",
      "FIN 0123456789abcdef",
      "RDY 1",
      "SUB t c",
      "CLS",
      "AUTH",
      "PUB t",
      "MPUB t",
    ];
    for (const line of commands) {
      using client = await WireClient.open(server.tcpPort);
      await negotiate(client, {});
      const word = line.split(" ")[0];
      assert.equal(await client.ask(`${line}\n`), `error E_INVALID cannot ${word} ${TLS_REQUIRED}`);
      assert.equal(await client.answer(), "closed");
    }
    using client = await openUpgraded(server.tcpPort, { tls_v1: true });
    assert.equal(await client.ask(withBody("PUB t", "x")), "response OK");
    assert.equal(await client.ask("FOO\n"), "error E_INVALID invalid command FOO");
  });
}

Deno.test("a handshake that fails is answered in plain text", async () => {
  await using server = await startNsqd([...TLS_FLAGS]);
  using client = await WireClient.open(server.tcpPort);
  await negotiate(client, { tls_v1: true });
  await client.send("NOP\nthis is no TLS");
  let raw = "";
  await client.change(async (conn) => {
    const buffer = new Uint8Array(1000);
    for (let read; (read = await conn.read(buffer).catch(() => null)) !== null;) {
      raw += new TextDecoder("latin1").decode(buffer.subarray(0, read));
    }
    return conn;
  });
  // An alert of TLS may come first.
  assert.ok(raw.includes("\0\0\0\u0001E_IDENTIFY_FAILED IDENTIFY failed "), raw);
});

Deno.test("a client that leaves during the handshake is noticed", async () => {
  await using server = await startNsqd([...TLS_FLAGS]);
  {
    using client = await WireClient.open(server.tcpPort);
    await negotiate(client, { tls_v1: true });
  }
  await until("the end", () => server.lines.some((line) => line.includes("IDENTIFY failed EOF")));
});

Deno.test("what comes behind IDENTIFY is not run before the handshake", async () => {
  await using server = await startNsqd([...TLS_FLAGS]);
  using client = await WireClient.open(server.tcpPort);
  await client.send(bytes(identify({ tls_v1: true }), withBody("PUB smuggled", "x")));
  assert.match(await client.answer(), /^response \{/);
  await until("the refusal", () => refusals(server) === 1);
  assert.deepEqual(await topicNames(server), []);
});

Deno.test("statistics tell what a connection uses", async () => {
  await using server = await startNsqd([...TLS_FLAGS]);
  using client = await openUpgraded(server.tcpPort, { tls_v1: true, snappy: true });
  assert.equal(await client.ask(withBody("PUB t", "x")), "response OK");
  const stats = JSON.parse(await server.http("GET", "/stats?format=json"));
  const { tls, snappy, deflate, tls_version, tls_cipher_suite, ...rest } = stats.producers[0];
  assert.deepEqual([tls, snappy, deflate, tls_version], [true, true, false, "TLS1.3"]);
  assert.match(tls_cipher_suite, /^TLS_\w+$/);
  assert.equal(rest.tls_negotiated_protocol, "");
  assert.equal(rest.tls_negotiated_protocol_is_mutual, true);
});
