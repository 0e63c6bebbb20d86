import assert from "node:assert/strict";
import { Consumer } from "../../../src/client/consumer/consumer.ts";
import { Producer } from "../../../src/client/producer/producer.ts";
import { FakeLookupd } from "../support/fake_lookupd.ts";
import { FakeNode } from "../support/fake_node.ts";

function producerOf(address: string) {
  const [host, port] = address.split(":");
  return { broadcast_address: host, tcp_port: Number(port), http_port: 1, hostname: "h", version: "1.3.0" };
}

/** Resolves with the address of the next event. */
function next(consumer: Consumer, event: "connected" | "disconnected"): Promise<string> {
  return new Promise((resolve) => {
    const off = consumer.on(event, (...[address]) => {
      off();
      resolve(address);
    });
  });
}

Deno.test("A consumer finds new nodes by polling, each once", async () => {
  await using first = await FakeNode.start();
  await using second = await FakeNode.start();
  const producers = [producerOf(first.address)];
  await using lookupd = await FakeLookupd.start(() => ({ producers }));
  await using consumer = new Consumer("orders", "mail", {
    lookupd: lookupd.address,
    lookupdPollIntervalMs: 20,
  });
  consumer.run(() => {});
  assert.equal(await next(consumer, "connected"), first.address);
  producers.push(producerOf(second.address), producerOf(first.address));
  assert.equal(await next(consumer, "connected"), second.address);
  assert.deepEqual([first.clients.length, second.clients.length], [1, 1]);
});

Deno.test("A node that no lookupd names any more keeps its connection, and is not connected to again", async () => {
  await using node = await FakeNode.start();
  let producers = [producerOf(node.address)];
  await using lookupd = await FakeLookupd.start(() => ({ producers }));
  await using consumer = new Consumer("orders", "mail", {
    lookupd: lookupd.address,
    lookupdPollIntervalMs: 20,
    reconnectDelayMs: 1,
  });
  consumer.run(() => {});
  await next(consumer, "connected");
  producers = [];
  const polls = lookupd.requests.length;
  while (lookupd.requests.length < polls + 3) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(consumer.stats().connections, 1);
  const gone = next(consumer, "disconnected");
  node.clients[0].socket.destroy();
  await gone;
  const after = lookupd.requests.length;
  while (lookupd.requests.length < after + 3) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(node.clients.length, 1);
});

Deno.test("A node is connected to again while lookupds are down", async () => {
  await using node = await FakeNode.start();
  await using lookupd = await FakeLookupd.start(() => ({ producers: [producerOf(node.address)] }));
  await using consumer = new Consumer("orders", "mail", {
    lookupd: lookupd.address,
    lookupdPollIntervalMs: 20,
    reconnectDelayMs: 1,
  });
  consumer.run(() => {});
  await next(consumer, "connected");
  lookupd.status = 503;
  const again = next(consumer, "connected");
  node.clients[0].socket.destroy();
  assert.equal(await again, node.address);
});

Deno.test("A producer publishes to the nodes that lookupds know", async () => {
  await using node = await FakeNode.start({
    onCommand(client, { line }) {
      if (line.startsWith("PUB")) client.respond("OK");
    },
  });
  await using lookupd = await FakeLookupd.start(() => ({ producers: [producerOf(node.address)] }));
  await using producer = new Producer({ lookupd: lookupd.address });
  await producer.publish("orders", "x");
  assert.deepEqual(lookupd.requests.map(({ url }) => url), ["/nodes"]);
  assert.equal((await node.command(({ line }) => line === "PUB orders")).body, "x");
});

Deno.test("A consumer's ready() waits for the first answer of its lookupds, also when they are down", async () => {
  await using lookupd = await FakeLookupd.start(() => ({ producers: [] }));
  lookupd.status = 500;
  await using consumer = new Consumer("orders", "mail", { lookupd: lookupd.address });
  const errors: Error[] = [];
  consumer.on("error", (error) => errors.push(error));
  await consumer.ready();
  assert.match(errors[0].message, /answered 500/);
});
