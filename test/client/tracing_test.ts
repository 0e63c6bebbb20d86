import assert from "node:assert/strict";
import { tracingChannel } from "node:diagnostics_channel";
import { Consumer } from "../../src/client/consumer/consumer.ts";
import { Producer } from "../../src/client/producer/producer.ts";
import { startNsqd } from "../support/running_nsqd.ts";

/** Keeps what a channel tells as `event`, until it is disposed of. */
function listen(name: string, told: string[]): Disposable {
  const channel = tracingChannel(name);
  const write = (event: string) => (message: unknown) => {
    const { topic, id, count, error, isConsumer } = message as Record<string, unknown>;
    const what = topic ?? (isConsumer === true ? "consumer" : "producer");
    const parts = [event, what];
    if (count !== undefined) parts.push(String(count));
    if (id !== undefined) parts.push("message");
    if (event === "error") parts.push((error as Error).message);
    told.push(parts.join(" "));
  };
  const subscribers = {
    start: write("start"),
    end: () => {},
    asyncStart: () => {},
    asyncEnd: write("end"),
    error: write("error"),
  };
  channel.subscribe(subscribers);
  return { [Symbol.dispose]: () => channel.unsubscribe(subscribers) };
}

Deno.test("The tracing channels tell of connections, publishes and processed messages", async () => {
  const connections: string[] = [], publishes: string[] = [], processed: string[] = [];
  using _connections = listen("nsq:connection", connections);
  using _publishes = listen("nsq:publish", publishes);
  using _processed = listen("nsq:process", processed);
  await using server = await startNsqd();
  const nsqd = `127.0.0.1:${server.tcpPort}`;
  await using producer = new Producer({ nsqd });
  await producer.publish("orders", "bad");
  await producer.publishMany("orders", ["b", "c"]);
  await assert.rejects(producer.publish("no topic", "x"));
  assert.deepEqual(connections, ["start producer", "end producer"]);
  assert.deepEqual(publishes.slice(0, 4), [
    "start orders 1",
    "end orders 1",
    "start orders 2",
    "end orders 2",
  ]);
  assert.match(publishes[5], /^error no topic 1 topic name/);
  await using consumer = new Consumer("orders", "mail", { nsqd, maxBackoffMs: 0 });
  let handled = 0;
  await new Promise<void>((resolve) =>
    consumer.run((message) => {
      if (++handled === 3) resolve();
      if (message.text() === "bad") throw new Error("of the handler");
    })
  );
  await consumer.close();
  assert.deepEqual(processed.slice(0, 3), [
    "start orders message",
    "error orders message of the handler",
    "end orders message",
  ]);
  assert.equal(processed.filter((line) => line === "end orders message").length, 3);
});

Deno.test("A message of a loop is processed until it is answered", async () => {
  const processed: string[] = [];
  using _processed = listen("nsq:process", processed);
  await using server = await startNsqd();
  await server.http("POST", "/pub?topic=orders", "x");
  await using consumer = new Consumer("orders", "mail", { nsqd: `127.0.0.1:${server.tcpPort}` });
  for await (const message of consumer) {
    assert.deepEqual(processed, ["start orders message"]);
    message.finish();
    break;
  }
  assert.deepEqual(processed, ["start orders message", "end orders message"]);
});
