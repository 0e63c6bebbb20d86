/** Transcripts of messages whose times are equal: they come in the order in which they were published. */
import assert from "node:assert/strict";
import { startNsqd } from "../support/running_nsqd.ts";
import { channelStats, until } from "./observe.ts";
import { WireClient, withBody } from "./wire_client.ts";

const COUNT = 50;
const BODIES = Array.from({ length: COUNT }, (_, i) => `${i}`);

function joined(commands: Uint8Array[]): Uint8Array {
  return new Uint8Array(commands.flatMap((command) => [...command]));
}

async function bodies(consumer: WireClient): Promise<string[]> {
  const found: string[] = [];
  while (found.length < COUNT) found.push((await consumer.message()).body);
  return found;
}

Deno.test("DPUBs with one delay, sent together, are delivered in publish order", async () => {
  await using server = await startNsqd();
  using consumer = await WireClient.open(server.tcpPort);
  await consumer.subscribe("t", "c", COUNT);
  using producer = await WireClient.open(server.tcpPort);
  await producer.send(joined(BODIES.map((body) => withBody("DPUB t 150", body))));
  assert.deepEqual(await bodies(consumer), BODIES);
});

Deno.test("Messages that are requeued together with one delay come again in publish order", async () => {
  await using server = await startNsqd();
  using consumer = await WireClient.open(server.tcpPort);
  await consumer.subscribe("t", "c", COUNT);
  using producer = await WireClient.open(server.tcpPort);
  await producer.send(joined(BODIES.map((body) => withBody("PUB t", body))));
  const ids: string[] = [];
  while (ids.length < COUNT) ids.push((await consumer.message()).id);
  await consumer.send(ids.map((id) => `REQ ${id} 150\n`).join(""));
  assert.deepEqual(await bodies(consumer), BODIES);
});

Deno.test("DPUBs with one delay come in publish order after a restart, too", async () => {
  const directory = await Deno.makeTempDir({ prefix: "nsqd-test-" });
  try {
    {
      await using server = await startNsqd([], { directory });
      using consumer = await WireClient.open(server.tcpPort);
      await consumer.subscribe("t", "c", 0);
      using producer = await WireClient.open(server.tcpPort);
      await producer.send(joined(BODIES.map((body) => withBody("DPUB t 1000", body))));
      await until("all are deferred", async () => (await channelStats(server)).deferred_count === COUNT);
    }
    await using server = await startNsqd([], { directory });
    using consumer = await WireClient.open(server.tcpPort);
    await consumer.subscribe("t", "c", COUNT);
    assert.deepEqual(await bodies(consumer), BODIES);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
