import assert from "node:assert/strict";
import { Consumer } from "../../../src/client/consumer/consumer.ts";
import { NsqError } from "../../../src/client/errors.ts";
import { Producer } from "../../../src/client/producer/producer.ts";
import { startBroker } from "../../../src/client/testing/mod.ts";

Deno.test("startBroker() gives a broker whose depth() and settled() tell what is left", async () => {
  await using broker = await startBroker();
  await using producer = new Producer({ nsqd: broker.address });
  assert.equal(await broker.depth("orders"), 0);
  await producer.publishMany("orders", ["a", "b"]);
  assert.equal(await broker.depth("orders"), 2);
  await assert.rejects(
    broker.settled({ timeoutMs: 1 }),
    (error: Error) =>
      error instanceof NsqError && /orders has 2 waiting, 0 in flight, 0 deferred/.test(error.message),
  );
  await broker.settled({ topic: "others" });
  await using consumer = new Consumer("orders", "mail", { nsqd: broker.address });
  const bodies: string[] = [];
  consumer.run((message) => void bodies.push(message.text()));
  await broker.settled();
  assert.deepEqual(bodies, ["a", "b"]);
  assert.equal(await broker.depth("orders", "mail"), 0);
});

Deno.test("A broker with its data in a folder keeps messages over kill() and restart(), on the same addresses", async () => {
  await using broker = await startBroker({ data: "folder" });
  const { address } = broker;
  await using producer = new Producer({ nsqd: address, reconnectDelayMs: 10 });
  await producer.publish("orders", "kept");
  await broker.kill();
  await broker.start();
  assert.equal(broker.address, address);
  assert.equal(await broker.depth("orders"), 1);
  await broker.restart();
  assert.equal(await broker.depth("orders"), 1);
});

Deno.test("startBroker() says what is wrong when the program is not there or refuses a flag", async () => {
  const cases: [Parameters<typeof startBroker>[0], RegExp][] = [
    [{ command: ["no-such-program-of-ours"] }, /no-such-program-of-ours cannot be run/],
    [{ flags: ["--no-such-flag"] }, /flag provided but not defined: -{1,2}no-such-flag/],
  ];
  for (const [options, text] of cases) {
    await assert.rejects(
      startBroker(options),
      (error: Error) =>
        error instanceof NsqError && error.code === "ERR_NSQ_BROKER" && text.test(error.message),
    );
  }
});
