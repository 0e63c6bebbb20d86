/** The topology-aware-consumption experiment: where a consumer is, and who is given messages first. */
import assert from "node:assert/strict";
import { Broker } from "../../../src/broker/broker.ts";
import { ELSEWHERE, type Place, placeOf } from "../../../src/broker/consumer/place.ts";
import { BufferPool, newBuffer } from "../../../src/buffers/buffer_pool.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { FakeConsumer } from "../../support/fake_consumer.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { NEVER_MS } from "../../support/persistent_broker.ts";

const NODE = { region: "eu", zone: "eu-1" };
const ZONE = placeOf(NODE, NODE);
const REGION = placeOf({ region: "eu", zone: "eu-2" }, NODE);

Deno.test("placeOf() compares names as they are, and a node without one prefers nobody for it", () => {
  const table: [region: string, zone: string, node: { region: string; zone: string }, Place][] = [
    ["eu", "eu-1", NODE, { locality: "zone", tier: 0 }],
    // Each name is compared alone.
    ["us", "eu-1", NODE, { locality: "zone", tier: 0 }],
    ["eu", "eu-2", NODE, { locality: "region", tier: 1 }],
    ["eu", "", NODE, { locality: "region", tier: 1 }],
    ["EU", "EU-1", NODE, { locality: "global", tier: 2 }],
    ["", "", NODE, { locality: "global", tier: 2 }],
    ["eu", "eu-1", { region: "eu", zone: "" }, { locality: "region", tier: 1 }],
    ["eu", "", { region: "eu", zone: "" }, { locality: "zone", tier: 1 }],
    ["eu", "eu-1", { region: "", zone: "eu-1" }, { locality: "zone", tier: 0 }],
    ["", "", { region: "", zone: "" }, { locality: "zone", tier: 2 }],
    ["eu", "eu-1", { region: "", zone: "" }, { locality: "global", tier: 2 }],
  ];
  for (const [region, zone, node, expected] of table) {
    assert.deepEqual(placeOf({ region, zone }, node), expected, JSON.stringify({ region, zone, node }));
  }
});

class Fixture {
  readonly broker = new Broker(
    { nodeId: 5, durability: "os", memQueueSize: 10, queueScanInterval: NEVER_MS },
    new FakeClock(),
    new MemoryStore(),
    new BufferPool(0),
  );
  readonly topic = this.broker.topic("t", false);
  readonly channel = this.topic.channel("c", false);

  consumer(place: Place, rdy: number): FakeConsumer {
    const consumer = FakeConsumer.to(this.channel, this.broker, 1000);
    consumer.subscription.setPlace(place);
    consumer.subscription.setRdy(rdy);
    return consumer;
  }

  publish(count: number): void {
    this.broker.beginTurn();
    for (let i = 0; i < count; i++) this.topic.publish(newBuffer(8), 0, 8);
    this.broker.endTurn();
  }

  finish(consumer: FakeConsumer): number {
    const deliveries = consumer.takeDeliveries();
    for (const { seq } of deliveries) this.channel.finish(consumer.subscription, seq);
    return deliveries.length;
  }

  delivered(): [zone: number, region: number] {
    const { ready, subscriptions } = this.channel;
    return [ready.delivered("zone", subscriptions), ready.delivered("region", subscriptions)];
  }
}

function test(name: string, body: (fixture: Fixture) => void): void {
  Deno.test(name, async () => {
    const fixture = new Fixture();
    body(fixture);
    fixture.broker.stop();
    await new Promise((resolve) => setTimeout(resolve, 0));
  });
}

test("Channel.pump() gives all to the consumers of the zone while they are ready", (f) => {
  const far = f.consumer(ELSEWHERE, 100), near = f.consumer(REGION, 100), here = f.consumer(ZONE, 1);
  for (let i = 0; i < 60; i++) {
    f.publish(1);
    assert.equal(f.finish(here), 1);
  }
  assert.deepEqual([far.deliveries.length, near.deliveries.length], [0, 0]);
});

test("Channel.pump() gives what the zone cannot take to the region, and the rest to others", (f) => {
  const far = f.consumer(ELSEWHERE, 100), here = [f.consumer(ZONE, 1), f.consumer(ZONE, 20)];
  const near = f.consumer(REGION, 5);
  f.publish(40);
  assert.deepEqual(here.map((consumer) => consumer.deliveries.length), [1, 20]);
  assert.deepEqual([near.deliveries.length, far.deliveries.length], [5, 14]);
  assert.equal(f.channel.depth, 0);
});

test("Channel.pump() shares among those that are equally near", (f) => {
  const here = [f.consumer(ZONE, 100), f.consumer(ZONE, 100)], far = f.consumer(ELSEWHERE, 100);
  f.publish(10);
  assert.deepEqual(here.map((consumer) => consumer.deliveries.length), [5, 5]);
  assert.equal(far.deliveries.length, 0);
});

test("Channel.pump() redelivers to the nearest too, and to others when no near one accepts", (f) => {
  const far = f.consumer(ELSEWHERE, 10);
  f.publish(2);
  const here = f.consumer(ZONE, 10);
  for (const { seq } of far.takeDeliveries()) f.channel.requeue(far.subscription, seq, 0, 0);
  f.broker.endTurn();
  assert.deepEqual([here.deliveries.length, far.deliveries.length], [2, 0]);
  here.accepting = false;
  f.publish(3);
  assert.deepEqual([here.deliveries.length, far.deliveries.length], [2, 3]);
});

test("ReadyConsumers.delivered() counts by where consumers are, those that have left included", (f) => {
  const far = f.consumer(ELSEWHERE, 2), near = f.consumer(REGION, 3), here = f.consumer(ZONE, 4);
  f.publish(9);
  assert.deepEqual(f.delivered(), [4, 3]);
  for (const consumer of [here, near, far]) f.finish(consumer);
  here.disconnect();
  near.disconnect();
  assert.deepEqual(f.delivered(), [4, 3]);
  f.consumer(ZONE, 1);
  f.publish(2);
  assert.deepEqual(f.delivered(), [5, 3]);
  assert.equal(f.channel.deliveredCount, 11);
});
