/** Transcripts with --max-req-timeout set to weeks: accepted everywhere, kept by a restart. */
import assert from "node:assert/strict";
import { startNsqd } from "../support/running_nsqd.ts";
import { channelStats, until } from "./observe.ts";
import { WireClient, withBody } from "./wire_client.ts";

const WEEKS_6 = "--max-req-timeout=1008h";
const WEEKS_6_MS = 6 * 7 * 86_400_000;

Deno.test("nsqd takes a deferral of weeks by DPUB, REQ and HTTP, and a restart keeps it", async () => {
  const directory = await Deno.makeTempDir({ prefix: "nsqd-test-" });
  try {
    {
      await using server = await startNsqd([WEEKS_6], { directory });
      using consumer = await WireClient.open(server.tcpPort);
      await consumer.subscribe("t", "c", 10);
      using producer = await WireClient.open(server.tcpPort);
      assert.equal(await producer.ask(withBody(`DPUB t ${WEEKS_6_MS}`, "dpub")), "response OK");
      assert.equal(await server.http("POST", `/pub?topic=t&defer=${WEEKS_6_MS}`, "http"), "OK");
      assert.equal(await producer.ask(withBody("PUB t", "req")), "response OK");
      await consumer.send(`REQ ${(await consumer.message()).id} ${WEEKS_6_MS}\n`);
      await until("the deferrals", async () => (await channelStats(server)).deferred_count === 3);
      assert.equal(
        await producer.ask(withBody(`DPUB t ${WEEKS_6_MS + 1}`, "x")),
        `error E_INVALID DPUB timeout ${WEEKS_6_MS + 1} out of range 0-${WEEKS_6_MS}`,
      );
    }
    await using server = await startNsqd([WEEKS_6], { directory });
    const stats = await channelStats(server);
    assert.deepEqual([stats.deferred_count, stats.depth], [3, 0]);
    // Whatever is due now is looked for before this one comes.
    using consumer = await WireClient.open(server.tcpPort);
    await consumer.subscribe("t", "c", 10);
    using producer = await WireClient.open(server.tcpPort);
    assert.equal(await producer.ask(withBody("DPUB t 200", "soon")), "response OK");
    assert.equal((await consumer.message()).body, "soon");
    assert.equal((await channelStats(server)).deferred_count, 3);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
