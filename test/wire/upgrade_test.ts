/** Upgraded connections: what changes is the stream, not what is said on it. */
import assert from "node:assert/strict";
import { startNsqd } from "../support/running_nsqd.ts";
import { openUpgraded, TLS_FLAGS, type Wishes } from "./upgrade_client.ts";
import { mpub } from "./wire_client.ts";

/** Every stream that clients can settle on. */
const STREAMS: Record<string, Wishes> = {
  tls: { tls_v1: true },
  deflate: { deflate: true },
  snappy: { snappy: true },
  "tls and deflate": { tls_v1: true, deflate: true, deflate_level: 1 },
  "tls and snappy": { tls_v1: true, snappy: true },
};

for (const [name, wishes] of Object.entries(STREAMS)) {
  Deno.test(`a client on ${name} publishes, consumes, requeues and finishes`, async () => {
    await using server = await startNsqd([...TLS_FLAGS]);
    using producer = await openUpgraded(server.tcpPort, wishes);
    using consumer = await openUpgraded(server.tcpPort, wishes);
    await consumer.subscribe("t", "c", 10);
    const bodies = ["a", "b".repeat(300_000), Array.from({ length: 40_000 }, (_, i) => i).join(" ")];
    assert.equal(await producer.ask(mpub("t", bodies)), "response OK");
    const first = await consumer.message();
    assert.equal(first.body, bodies[0]);
    await consumer.send(`REQ ${first.id} 0\n`);
    for (const body of [bodies[1], bodies[2], bodies[0]]) {
      const message = await consumer.message();
      assert.equal(message.body.length, body.length);
      assert.equal(message.body, body);
      await consumer.send(`FIN ${message.id}\n`);
    }
    assert.equal(await consumer.ask("CLS\n"), "response CLOSE_WAIT");
    const stats = JSON.parse(await server.http("GET", "/stats?format=json"));
    assert.equal(stats.topics[0].channels[0].in_flight_count, 0);
    assert.equal(stats.topics[0].channels[0].requeue_count, 1);
  });
}
