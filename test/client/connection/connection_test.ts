import assert from "node:assert/strict";
import { Connection, type ConnectionListener } from "../../../src/client/connection/connection.ts";
import { ConnectionError, type NsqError, OptionError } from "../../../src/client/errors.ts";
import { Consumer } from "../../../src/client/consumer/consumer.ts";
import { type ConnectionOptions, resolveConnecting } from "../../../src/client/options/options.ts";
import { Producer } from "../../../src/client/producer/producer.ts";
import { allowAll, AuthServer } from "../../support/auth_server.ts";
import { startNsqd } from "../../support/running_nsqd.ts";
import { pem, pemPath, TLS_FLAGS } from "../../wire/upgrade_client.ts";
import { FakeNode, frame } from "../support/fake_node.ts";

function open(address: string, options: ConnectionOptions = {}): Promise<Connection> {
  return Connection.open(
    address,
    resolveConnecting({ nsqd: address, ...options }),
    true,
    new AbortController().signal,
  );
}

/** A listener that only keeps how the connection ended. */
function watching(): ConnectionListener & { closed: Promise<NsqError | null> } {
  const { promise, resolve } = Promise.withResolvers<NsqError | null>();
  return {
    closed: promise,
    onMessage() {},
    onRunEnd() {},
    onResponse() {},
    onServerError() {},
    onDrain() {},
    onClosed: resolve,
  };
}

async function refusal(promise: Promise<unknown>): Promise<ConnectionError> {
  const error = await promise.then(() => assert.fail("it did not fail"), (cause) => cause);
  assert.ok(error instanceof ConnectionError, String(error));
  return error;
}

const TRUST = { ca: pem("ca"), serverName: "localhost" };
const UPGRADES: readonly [string, ConnectionOptions][] = [
  ["plain", {}],
  ["TLS", { tls: TRUST }],
  ["TLS from files", { tls: { caFile: pemPath("ca"), serverName: "localhost" } }],
  ["deflate", { deflate: true, deflateLevel: 1 }],
  ["snappy", { snappy: true }],
  ["TLS and deflate", { tls: TRUST, deflate: true }],
  ["TLS and snappy", { tls: TRUST, snappy: true }],
];

for (const [name, options] of UPGRADES) {
  Deno.test(`Messages of all sizes go both ways over ${name}`, async () => {
    await using server = await startNsqd([...TLS_FLAGS]);
    const nsqd = `127.0.0.1:${server.tcpPort}`;
    await using producer = new Producer({ nsqd, ...options });
    const bodies = [1, 50, 5_000, 70_000, 900_000].map((size) =>
      `${size} `.padEnd(size, "abc de").slice(0, size)
    );
    await producer.publishMany("orders", bodies);
    await using consumer = new Consumer("orders", "mail", { nsqd, maxInFlight: 3, ...options });
    const got: string[] = [];
    for await (const message of consumer) {
      got.push(message.text());
      message.finish();
      if (got.length === bodies.length) break;
    }
    assert.deepEqual(got.map((body) => body.length).sort((a, b) => a - b), bodies.map((body) => body.length));
    assert.deepEqual(new Set(got), new Set(bodies));
  });
}

Deno.test("Connection.open() agrees on what the node has, and tells what it agreed on", async () => {
  await using server = await startNsqd([...TLS_FLAGS, "--max-rdy-count=17"]);
  const connection = await open(`127.0.0.1:${server.tcpPort}`, {
    tls: TRUST,
    deflate: true,
    msgTimeoutMs: 5000,
  });
  const { tls, deflate, snappy, maxRdyCount, msgTimeoutMs } = connection.agreement;
  assert.deepEqual([tls, deflate, snappy, maxRdyCount, msgTimeoutMs], [true, true, false, 17, 5000]);
  connection.destroy(null);
});

Deno.test("Connection.open() refuses a certificate that it does not trust, and a node without TLS", async () => {
  await using server = await startNsqd([...TLS_FLAGS]);
  const untrusted = await refusal(open(`127.0.0.1:${server.tcpPort}`, { tls: true }));
  assert.equal(untrusted.code, "ERR_NSQ_HANDSHAKE");
  await using plain = await startNsqd();
  const missing = await refusal(open(`127.0.0.1:${plain.tcpPort}`, { tls: true }));
  assert.match(missing.message, /offers no TLS/);
});

Deno.test("Connection.open() shows its certificate to a node that wants one", async () => {
  await using server = await startNsqd([
    ...TLS_FLAGS,
    "--tls-client-auth-policy=require-verify",
    `--tls-root-ca-file=${pemPath("ca")}`,
  ]);
  const address = `127.0.0.1:${server.tcpPort}`;
  const connection = await open(address, { tls: { ...TRUST, cert: pem("client"), key: pem("client_key") } });
  assert.equal(connection.agreement.tls, true);
  connection.destroy(null);
});

Deno.test("Connection.open() authenticates, and says so when the secret is missing", async () => {
  await using auth = await AuthServer.start(allowAll());
  await using server = await startNsqd([`--auth-http-address=${auth.address}`]);
  const address = `127.0.0.1:${server.tcpPort}`;
  const error = await refusal(open(address));
  assert.equal(error.code, "ERR_NSQ_AUTH_REQUIRED");
  const connection = await open(address, { authSecret: "opensesame" });
  assert.equal(connection.agreement.identity, "bob");
  connection.destroy(null);
});

Deno.test("Connection.open() gives up a node that does not answer the handshake, when it is told to", async () => {
  await using silent = await FakeNode.start({ onCommand: () => true });
  const abort = new AbortController();
  const opening = Connection.open(
    silent.address,
    resolveConnecting({ nsqd: silent.address }),
    true,
    abort.signal,
  );
  await silent.command(({ line }) => line === "IDENTIFY");
  abort.abort();
  assert.match((await refusal(opening)).message, /was given up/);
});

Deno.test("Connection.open() names the node that refuses, breaks the protocol or ends", async () => {
  const gone = await FakeNode.start();
  const { address } = gone;
  await gone[Symbol.asyncDispose]();
  const refused = await refusal(open(address));
  assert.deepEqual([refused.code, refused.message], [
    "ERR_NSQ_CONNECT",
    `dial tcp ${address}: connect: connection refused`,
  ]);
  for (
    const [answer, text] of [["no json", /is no JSON object/], [
      null,
      /ended the connection during the handshake/,
    ]] as const
  ) {
    await using node = await FakeNode.start({
      onCommand(client) {
        if (answer === null) client.socket.destroy();
        else client.respond(answer);
        return true;
      },
    });
    assert.match((await refusal(open(node.address))).message, text);
  }
});

Deno.test("A connection answers heartbeats, and is given up when the node falls silent", async () => {
  await using node = await FakeNode.start();
  const connection = await open(node.address, { readTimeoutMs: 1000, heartbeatIntervalMs: 1000 });
  const listener = watching();
  connection.start(listener);
  node.clients[0].respond("_heartbeat_");
  await node.command(({ line }) => line === "NOP");
  const error = await listener.closed;
  assert.equal(error?.code, "ERR_NSQ_READ_TIMEOUT");
  assert.match(error!.message, new RegExp(`${node.address} sent nothing for 1000 ms`));
});

Deno.test("A connection is given up when the node takes nothing", async () => {
  await using node = await FakeNode.start();
  const connection = await open(node.address, { writeTimeoutMs: 200 });
  const listener = watching();
  connection.start(listener);
  node.clients[0].socket.pause();
  const body = new Uint8Array(8 << 20);
  for (let i = 0; i < 4; i++) connection.writer.pub("orders", body);
  connection.flush();
  assert.equal(connection.isCongested, true);
  assert.equal((await listener.closed)?.code, "ERR_NSQ_WRITE_TIMEOUT");
});

Deno.test("A connection ends with an error when the node sends what is no frame", async () => {
  await using node = await FakeNode.start();
  const connection = await open(node.address, { maxFrameBytes: 1024 });
  const listener = watching();
  connection.start(listener);
  node.clients[0].socket.write(frame(0, "x".repeat(2000)));
  const error = await listener.closed;
  assert.equal(error?.code, "ERR_NSQ_PROTOCOL");
  assert.match(error!.message, /claims a size of 2004 bytes, max is 1024/);
});

Deno.test("A connection goes out from localAddress", async () => {
  await using node = await FakeNode.start();
  const connection = await open(node.address, { localAddress: "127.0.0.2:0" });
  assert.equal(node.clients[0].socket.remoteAddress, "127.0.0.2");
  connection.destroy(null);
  assert.throws(() => resolveConnecting({ nsqd: "a:1", localAddress: "nonsense" }), OptionError);
});
