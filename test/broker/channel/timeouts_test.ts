/** When deferred and timed out messages come: never early, at the next scan after, also weeks later. */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { Broker } from "../../../src/broker/broker.ts";
import type { Channel } from "../../../src/broker/channel.ts";
import type { Topic } from "../../../src/broker/topic.ts";
import { BufferPool, newBuffer } from "../../../src/buffers/buffer_pool.ts";
import { nsqdOptions } from "../../../src/options/tables/nsqd_options.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { FakeConsumer } from "../../support/fake_consumer.ts";
import { MemoryFileSystem } from "../../support/memory_file_system.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { NEVER_MS, PersistentBroker } from "../../support/persistent_broker.ts";

const DAY_MS = 86_400_000;
/** More than a timer of the runtime can wait: 2^31 ms are less than 25 days. */
const WEEKS_MS = 60 * DAY_MS;
const LIMIT_MS = 10_000;

function publish(broker: Broker, topic: Topic, delayMs = 0): void {
  broker.beginTurn();
  topic.publish(newBuffer(8), 0, 8, delayMs);
  broker.endTurn();
}

/** Looks for what is due, as the broker does now and then; how many messages came of it. */
function scanned(broker: Broker, channel: Channel, clock: FakeClock, consumer: FakeConsumer): number {
  channel.scan(clock.monotonicMs());
  broker.endTurn();
  return consumer.takeDeliveries().length;
}

function start(queueScanInterval: number) {
  const clock = new FakeClock();
  const options = { nodeId: 5, durability: "os", memQueueSize: 10, queueScanInterval } as const;
  const broker = new Broker(options, clock, new MemoryStore(), new BufferPool(0));
  const topic = broker.topic("t", false), channel = topic.channel("c", false);
  return { clock, broker, topic, channel };
}

function subscribe(channel: Channel, broker: Broker, msgTimeoutMs: number): FakeConsumer {
  const consumer = FakeConsumer.to(channel, broker, msgTimeoutMs);
  consumer.subscription.setRdy(100);
  return consumer;
}

/** The ends of turns that were asked for pass. */
async function stop(broker: Broker): Promise<void> {
  broker.stop();
  await new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("Channel.scan() makes messages due at their time, not a moment before", async () => {
  for (const delayMs of [1, 700, WEEKS_MS]) {
    const { clock, broker, topic, channel } = start(NEVER_MS);
    const consumer = subscribe(channel, broker, delayMs),
      channelIs = () => scanned(broker, channel, clock, consumer);
    const early = (what: string) => {
      clock.advance(delayMs - 0.5);
      assert.equal(channelIs(), 0, `${what} of ${delayMs} ms came early`);
      clock.advance(0.5);
      assert.equal(channelIs(), 1, `${what} of ${delayMs} ms did not come`);
    };
    publish(broker, topic, delayMs);
    early("a deferred message");
    early("a message in flight, timed out");
    early("a redelivered message, timed out");
    const { seq } = [...channel.tracked.values()][0];
    assert.equal(channel.requeue(consumer.subscription, seq, delayMs, clock.monotonicMs()), "ok");
    early("a requeued message");
    assert.deepEqual([channel.timeoutCount, channel.requeueCount], [2, 1]);
    await stop(broker);
  }
});

Deno.test("Broker looks for what is due at every scan interval, which is far below 100 ms by default", async () => {
  const { default: intervalMs } = nsqdOptions.find((option) => option.name === "queue-scan-interval")!;
  assert.ok(Number(intervalMs) <= 50);
  const { clock, broker, topic, channel } = start(1);
  let scans = 0;
  const scan = channel.scan.bind(channel);
  channel.scan = (nowMs) => {
    scans++;
    return scan(nowMs);
  };
  const consumer = subscribe(channel, broker, WEEKS_MS);
  const until = async (condition: () => boolean) => {
    const deadlineMs = performance.now() + LIMIT_MS;
    while (!condition()) {
      assert.ok(performance.now() < deadlineMs, `not true within ${LIMIT_MS} ms`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  publish(broker, topic, 1000);
  clock.advance(999);
  scans = 0;
  await until(() => scans >= 3);
  assert.equal(consumer.deliveries.length, 0);
  clock.advance(1);
  scans = 0;
  await until(() => scans >= 1);
  broker.endTurn();
  assert.equal(consumer.takeDeliveries().length, 1);
  await stop(broker);
});

Deno.test("Channel.unsubscribe() puts all that a consumer had in flight back at once, whatever its timeout", async () => {
  const { broker, topic, channel, clock } = start(NEVER_MS);
  const leaving = subscribe(channel, broker, WEEKS_MS);
  for (let i = 0; i < 4; i++) publish(broker, topic);
  const [first, second, third] = leaving.takeDeliveries();
  channel.finish(leaving.subscription, first.seq);
  channel.touch(leaving.subscription, second.seq, WEEKS_MS, WEEKS_MS, clock.monotonicMs());
  channel.requeue(leaving.subscription, third.seq, 0, clock.monotonicMs());
  broker.endTurn();
  const staying = subscribe(channel, broker, WEEKS_MS);
  leaving.disconnect();
  broker.endTurn();
  const again = staying.takeDeliveries().map(({ attempts }) => attempts);
  assert.deepEqual(again.sort(), [2, 2, 3]);
  assert.deepEqual([channel.inFlightCount, channel.timeoutCount], [3, 0]);
  await stop(broker);
});

Deno.test("What is deferred for weeks keeps its time through a clean stop, a kill and weeks of standstill", async () => {
  for (const ending of ["stop", "kill"] as const) {
    const clock = new FakeClock();
    const open = (files: MemoryFileSystem) =>
      new PersistentBroker(files, clock, { durability: "os", maxBytesPerFile: 1 << 20, memLimit: 1 << 20 });
    let node = open(new MemoryFileSystem());
    const topic = node.broker.topic("t", false), channel = topic.channel("c", false);
    const consumer = subscribe(channel, node.broker, WEEKS_MS);
    publish(node.broker, topic);
    const [{ seq }] = consumer.takeDeliveries();
    channel.requeue(consumer.subscription, seq, WEEKS_MS + 1000, clock.monotonicMs());
    publish(node.broker, topic, WEEKS_MS);
    for (let passedMs = 0; passedMs < WEEKS_MS - DAY_MS; passedMs += 59 * DAY_MS / 2) {
      await node.background();
      const files = ending === "stop" ? await node.stop() : node.fileSystem.afterKill();
      if (ending === "kill") await node.bury();
      clock.advance(59 * DAY_MS / 2);
      node = open(files);
      const restored = node.broker.topics.get("t")!.channels.get("c")!;
      assert.deepEqual([restored.deferredCount, restored.depth], [2, 0], ending);
    }
    const again = node.broker.topics.get("t")!.channels.get("c")!;
    const next = subscribe(again, node.broker, WEEKS_MS);
    const come = async () => {
      let count = scanned(node.broker, again, clock, next);
      // What was restored is read from the log first.
      for (let i = 0; i < 10; i++) {
        await new Promise((resolve) => setImmediate(() => resolve(null)));
        node.broker.endTurn();
        count += next.takeDeliveries().length;
      }
      return count;
    };
    clock.advance(DAY_MS - 2);
    assert.equal(await come(), 0, "the deferred message came early");
    clock.advance(2);
    assert.equal(await come(), 1, "the deferred message did not come");
    clock.advance(998);
    assert.equal(await come(), 0, "the requeued message came early");
    clock.advance(2);
    assert.equal(await come(), 1, "the requeued message did not come");
    await node.bury();
  }
});

Deno.test("Messages whose times are equal come again in publish order, whatever made them wait", async () => {
  const COUNT = 40;
  for (const how of ["DPUB", "REQ", "timeout"]) {
    const { clock, broker, topic, channel } = start(NEVER_MS);
    const first = subscribe(channel, broker, 1000), second = subscribe(channel, broker, 1000);
    broker.beginTurn();
    for (let i = 0; i < COUNT; i++) topic.publish(newBuffer(8), 0, 8, how === "DPUB" ? 1000 : 0);
    // Two at a time, so that the consumers have every other pair.
    for (const consumer of [first, second]) consumer.subscription.setRdy(0);
    broker.endTurn();
    for (let rdy = 2; rdy <= COUNT / 2; rdy += 2) {
      for (const consumer of [first, second]) {
        consumer.subscription.setRdy(rdy);
        broker.endTurn();
      }
    }
    if (how === "REQ") {
      for (const consumer of [second, first]) {
        for (const { seq } of consumer.takeDeliveries().reverse()) {
          channel.requeue(consumer.subscription, seq, 1000, broker.nowMs);
        }
      }
    }
    first.takeDeliveries();
    second.takeDeliveries();
    for (const consumer of [first, second]) consumer.subscription.setRdy(0);
    clock.advance(1000);
    channel.scan(clock.monotonicMs());
    assert.equal(channel.depth, COUNT, how);
    const last = subscribe(channel, broker, 1000);
    broker.endTurn();
    const seqs = last.takeDeliveries().map(({ seq }) => seq);
    assert.deepEqual(seqs, seqs.toSorted((a, b) => a - b), how);
    assert.equal(seqs.length, COUNT, how);
    await stop(broker);
  }
});
