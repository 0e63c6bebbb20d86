import assert from "node:assert/strict";
import { json } from "../../../src/client/codec.ts";
import { ClosedError, ConnectionError, OptionError, PublishError } from "../../../src/client/errors.ts";
import { Producer } from "../../../src/client/producer/producer.ts";
import { startNsqd } from "../../support/running_nsqd.ts";
import { AGREEMENT, batched, FakeNode } from "../support/fake_node.ts";

const OK_NODE = {
  onCommand(client: { respond(text: string): void }, { line }: { line: string }) {
    if (/^[MD]?PUB /.test(line)) client.respond("OK");
  },
};

async function failure(promise: Promise<unknown>): Promise<PublishError> {
  const error = await promise.then(() => assert.fail("it did not fail"), (cause) => cause);
  assert.ok(error instanceof PublishError, String(error));
  return error;
}

Deno.test("Producer.publish() of one turn to one topic is one MPUB, in order, for each topic", async () => {
  await using node = await FakeNode.start(OK_NODE);
  await using producer = new Producer({ nsqd: node.address });
  await producer.connect();
  await Promise.all(
    ["a", "b", "c"].flatMap((body) => [producer.publish("orders", body), producer.publish("mails", body)]),
  );
  const sent = node.clients[0].commands.filter(({ line }) => line !== "IDENTIFY");
  assert.deepEqual(sent.map((command) => [command.line, batched(command)]), [
    ["MPUB orders", ["a", "b", "c"]],
    ["MPUB mails", ["a", "b", "c"]],
  ]);
});

Deno.test("Producer.publish() from promises of the same turn joins the batch", async () => {
  await using node = await FakeNode.start(OK_NODE);
  await using producer = new Producer({ nsqd: node.address });
  await producer.connect();
  await Promise.all(["a", "b", "c"].map(async (body, i) => {
    for (let hop = 0; hop < i; hop++) await null;
    await producer.publish("orders", body);
  }));
  assert.deepEqual(batched(await node.command(({ line }) => line === "MPUB orders")), ["a", "b", "c"]);
});

Deno.test("Producer.publish() of a single message is a PUB, of a deferred one a DPUB", async () => {
  await using node = await FakeNode.start(OK_NODE);
  await using producer = new Producer({ nsqd: node.address });
  await producer.publish("orders", "now");
  await producer.publish("orders", "later", { defer: 1500 });
  const sent = node.clients[0].commands.filter(({ line }) => line !== "IDENTIFY");
  assert.deepEqual(sent, [{ line: "PUB orders", body: "now" }, { line: "DPUB orders 1500", body: "later" }]);
});

Deno.test("Producer keeps to maxBatchMessages and maxBatchBytes, and a larger body goes by itself", async () => {
  await using node = await FakeNode.start(OK_NODE);
  await using producer = new Producer({ nsqd: node.address, maxBatchMessages: 3, maxBatchBytes: 10 });
  await producer.publishMany("orders", ["1", "2", "3", "4", "aaaaaa", "bbbbbb", "c".repeat(20), "5"]);
  const sent = node.clients[0].commands.filter(({ line }) => line !== "IDENTIFY");
  assert.deepEqual(sent.map((command) => command.line.startsWith("MPUB") ? batched(command) : command.body), [
    ["1", "2", "3"],
    ["4", "aaaaaa"],
    "bbbbbb",
    "c".repeat(20),
    "5",
  ]);
});

Deno.test("Producer.publish() fails as not sent when no node can be reached in time", async () => {
  const node = await FakeNode.start();
  const { address } = node;
  await node[Symbol.asyncDispose]();
  await using producer = new Producer({ nsqd: address });
  const error = await failure(producer.publish("orders", "x", { timeoutMs: 100 }));
  assert.equal(error.code, "ERR_NSQ_NOT_SENT");
  assert.equal(error.isSent, false);
  assert.match(error.message, new RegExp(`topic orders was not sent.*${address}.*connection refused`));
});

Deno.test("Producer.publish() fails as unconfirmed when the node does not answer in time", async () => {
  await using node = await FakeNode.start();
  await using producer = new Producer({ nsqd: node.address, closeTimeoutMs: 0 });
  const error = await failure(producer.publish("orders", "x", { timeoutMs: 100 }));
  assert.equal(error.code, "ERR_NSQ_UNCONFIRMED");
  assert.equal(error.isSent, true);
  assert.match(error.message, /topic orders was sent and not confirmed/);
});

Deno.test("Producer goes on after an answer that came too late, and gives it to no other publish", async () => {
  const late: (() => void)[] = [];
  await using node = await FakeNode.start({
    onCommand(client, { line, body }) {
      if (!line.startsWith("PUB")) return;
      if (body === "slow") late.push(() => client.respond("OK"));
      else late.push(() => client.fail("E_PUB_FAILED PUB failed"));
    },
  });
  await using producer = new Producer({ nsqd: node.address });
  await failure(producer.publish("orders", "slow", { timeoutMs: 50 }));
  const next = failure(producer.publish("orders", "refused"));
  await node.command(({ body }) => body === "refused");
  for (const answer of late) answer();
  assert.equal((await next).code, "ERR_NSQ_REFUSED");
});

Deno.test("Producer.publish() fails as unconfirmed when the connection is lost before the answer", async () => {
  await using node = await FakeNode.start({
    onCommand(client, { line }) {
      if (line.startsWith("PUB")) client.socket.destroy();
    },
  });
  await using producer = new Producer({ nsqd: node.address });
  assert.equal((await failure(producer.publish("orders", "x"))).code, "ERR_NSQ_UNCONFIRMED");
});

Deno.test("Producer with resendUnconfirmed publishes again after a lost connection", async () => {
  let losses = 0;
  await using node = await FakeNode.start({
    onCommand(client, { line }) {
      if (!line.startsWith("PUB")) return;
      if (losses++ === 0) client.socket.destroy();
      else client.respond("OK");
    },
  });
  await using producer = new Producer({ nsqd: node.address, resendUnconfirmed: true });
  await producer.publish("orders", "x");
  assert.equal(losses, 2);
});

Deno.test("Producer takes nodes in turn, and leaves out one that is down until it is back", async () => {
  await using first = await FakeNode.start(OK_NODE);
  const second = await FakeNode.start(OK_NODE);
  const address = second.address, port = Number(address.split(":")[1]);
  await using producer = new Producer({ nsqd: [first.address, address], reconnectDelayMs: 10 });
  const both = new Promise<void>((resolve) =>
    producer.on("connected", () => producer.connected.length === 2 && resolve())
  );
  await producer.connect();
  if (producer.connected.length < 2) await both;
  const count = (node: FakeNode) =>
    node.clients.flatMap(({ commands }) => commands).filter(({ line }) => line.startsWith("PUB")).length;
  for (let i = 0; i < 4; i++) await producer.publish("orders", `${i}`);
  assert.deepEqual([count(first), count(second)], [2, 2]);
  const gone = new Promise<string>((resolve) => producer.on("disconnected", resolve));
  await second[Symbol.asyncDispose]();
  assert.equal(await gone, address);
  for (let i = 0; i < 3; i++) await producer.publish("orders", `${i}`);
  assert.equal(count(first), 5);
  const back = new Promise<string>((resolve) => producer.on("connected", resolve));
  await using again = await FakeNode.start(OK_NODE, port);
  assert.equal(await back, address);
  for (let i = 0; i < 2; i++) await producer.publish("orders", `${i}`);
  assert.equal(count(again), 1);
});

Deno.test("Producer.publish() of a body that is too large fails alone, not those of the same turn", async () => {
  await using server = await startNsqd(["--max-msg-size=100"]);
  await using producer = new Producer({ nsqd: `127.0.0.1:${server.tcpPort}`, reconnectDelayMs: 5 });
  const results = await Promise.allSettled(
    ["a", "b", "x".repeat(101), "c"].map((body) => producer.publish("orders", body)),
  );
  assert.deepEqual(results.map(({ status }) => status), ["fulfilled", "fulfilled", "rejected", "fulfilled"]);
  const { reason } = results[2] as PromiseRejectedResult;
  assert.equal(reason.code, "ERR_NSQ_REFUSED");
  assert.equal(reason.cause.code, "E_BAD_MESSAGE");
  const stats = JSON.parse(await server.http("GET", "/stats?format=json&topic=orders"));
  assert.equal(stats.topics[0].message_count, 3);
});

Deno.test("Producer resends what a node did not carry out after a fatal error, without duplicates", async () => {
  await using server = await startNsqd(["--max-msg-size=100", "--max-req-timeout=1s"]);
  await using producer = new Producer({ nsqd: `127.0.0.1:${server.tcpPort}`, reconnectDelayMs: 5 });
  await producer.connect();
  // One write carries all of it; the node stops at the second command.
  const results = await Promise.allSettled([
    producer.publish("first", "a"),
    producer.publish("second", "too late", { defer: 5000 }),
    producer.publish("third", "b"),
    producer.publish("fourth", "c"),
  ]);
  assert.deepEqual(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled", "fulfilled"]);
  const stats = JSON.parse(await server.http("GET", "/stats?format=json"));
  const counts = stats.topics.map((
    topic: { topic_name: string; message_count: number },
  ) => [topic.topic_name, topic.message_count]);
  assert.deepEqual(counts.sort(), [["first", 1], ["fourth", 1], ["third", 1]]);
});

Deno.test("Producer refuses bad topics, bodies and options before anything is sent", async () => {
  await using node = await FakeNode.start(OK_NODE);
  await using producer = new Producer({ nsqd: node.address });
  const refused: [() => Promise<void>, RegExp][] = [
    [() => producer.publish("bad topic", "x"), /topic name "bad topic" is not valid/],
    [() => producer.publish("orders", ""), /the body is empty, min is 1 byte/],
    [() => producer.publish("orders", 7 as unknown as string), /a number is no body/],
    [() => producer.publish("orders", "x", { defer: -1 }), /defer is -1/],
    [() => producer.publish("orders", "x", { timeoutMs: 0 }), /timeoutMs is 0/],
  ];
  for (const [publish, text] of refused) {
    await assert.rejects(publish, (error: Error) => error instanceof OptionError && text.test(error.message));
  }
  assert.equal(node.clients.length, 0);
});

Deno.test("Producer refuses more than maxPendingBytes as not sent", async () => {
  await using node = await FakeNode.start();
  await using producer = new Producer({ nsqd: node.address, maxPendingBytes: 10, closeTimeoutMs: 0 });
  const waiting = failure(producer.publish("orders", "12345678"));
  const error = await failure(producer.publish("orders", "too much"));
  assert.equal(error.code, "ERR_NSQ_NOT_SENT");
  assert.match(error.message, /maxPendingBytes is 10/);
  await node.command(({ line }) => line === "PUB orders");
  await producer.close();
  assert.equal((await waiting).isSent, true);
});

Deno.test("Producer with a codec publishes values", async () => {
  await using node = await FakeNode.start(OK_NODE);
  await using producer = new Producer({ nsqd: node.address, codec: json<{ id: number }>() });
  await producer.publish("orders", { id: 7 });
  assert.equal((await node.command(({ line }) => line === "PUB orders")).body, '{"id":7}');
  const circular: { id: number; self?: unknown } = { id: 8 };
  circular.self = circular;
  await assert.rejects(
    producer.publish("orders", circular),
    (error: Error) =>
      error instanceof OptionError && /topic orders: the codec cannot encode it/.test(error.message),
  );
});

Deno.test("Producer.connect() fails when no node can be reached, and the producer goes on", async () => {
  const gone = await FakeNode.start();
  const { address } = gone;
  await gone[Symbol.asyncDispose]();
  await using producer = new Producer({ nsqd: address, reconnectDelayMs: 5 });
  await assert.rejects(
    producer.connect(),
    (error: Error) => error instanceof ConnectionError && error.address === address,
  );
  const published = producer.publish("orders", "x");
  await using _node = await FakeNode.start(OK_NODE, Number(address.split(":")[1]));
  await published;
});

Deno.test("Producer.close() confirms what was published, may be called twice, and refuses more", async () => {
  let answer = () => {};
  await using node = await FakeNode.start({
    onCommand(client, { line }) {
      if (line.startsWith("PUB")) answer = () => client.respond("OK");
    },
  });
  const producer = new Producer({ nsqd: node.address });
  const published = producer.publish("orders", "x");
  await node.command(({ line }) => line === "PUB orders");
  const closing = producer.close();
  assert.equal(producer.close(), closing);
  await assert.rejects(producer.publish("orders", "y"), ClosedError);
  answer();
  await published;
  await closing;
});

Deno.test("Producer.close() before, during and after connecting ends", async () => {
  await using node = await FakeNode.start({ onCommand: () => true });
  const idle = new Producer({ nsqd: node.address });
  await idle.close();
  const connecting = new Producer({ nsqd: node.address, closeTimeoutMs: 0 });
  const failed = assert.rejects(connecting.connect(), ClosedError);
  await node.command(({ line }) => line === "IDENTIFY");
  await connecting.close();
  await failed;
});

Deno.test("Producer sends again what had not left when a connection was lost, and only that", async () => {
  let isBlocked = true;
  await using node = await FakeNode.start({
    onCommand(client, { line, body }) {
      if (line === "IDENTIFY" && isBlocked) {
        client.respond(JSON.stringify(AGREEMENT));
        client.socket.pause();
        return true;
      }
      if (/^PUB /.test(line)) client.respond("OK");
      return body === "never";
    },
  });
  await using producer = new Producer({ nsqd: node.address, reconnectDelayMs: 5, writeTimeoutMs: 300 });
  await producer.connect();
  const large = failure(producer.publish("orders", new Uint8Array(24 << 20)));
  await new Promise((resolve) => setTimeout(resolve, 0));
  const small = producer.publish("orders", "waits behind it");
  isBlocked = false;
  assert.equal((await large).code, "ERR_NSQ_UNCONFIRMED");
  await small;
  const [, second] = node.clients;
  assert.deepEqual(second.commands.map(({ line }) => line), ["IDENTIFY", "PUB orders"]);
});
