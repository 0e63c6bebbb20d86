/** SUB where a channel has no room. */
import assert from "node:assert/strict";
import { MAX_SLOTS } from "../../../src/broker/topic_log/chunk.ts";
import { FakeConsumer } from "../../support/fake_consumer.ts";
import { RunningBroker } from "../../support/running_broker.ts";
import { WireClient } from "../../wire/wire_client.ts";

Deno.test("SUB to a channel with all the consumers that it can have is answered with an error, and others go on", async () => {
  await using running = new RunningBroker();
  const { broker, tcpPort } = running, channel = broker.topic("orders", false).channel("archive", false);
  for (let i = 0; i < MAX_SLOTS; i++) FakeConsumer.to(channel, broker);
  using refused = await WireClient.open(tcpPort);
  const answer = await refused.ask("SUB orders archive\n");
  assert.equal(answer, "error E_SUB_FAILED SUB failed consumers for orders:archive exceeds limit of 65533");
  using other = await WireClient.open(tcpPort);
  await other.subscribe("orders", "audit", 1);
  assert.equal(channel.subscriptions.length, MAX_SLOTS);
});
