/**
 * Order, strict and by key: random consumers that finish, requeue, defer, touch, leave and time out, restarts and
 * kills, against the one rule that matters. Of each key the deliveries are in publish order: a redelivery repeats the
 * last one, and nothing overtakes what is not done with.
 */
import assert from "node:assert/strict";
import type { Channel } from "../../../src/broker/channel.ts";
import type { Topic } from "../../../src/broker/topic.ts";
import { newBuffer } from "../../../src/buffers/buffer_pool.ts";
import { parseSettings } from "../../../src/policies/settings.ts";
import { type BrokerFixture, testBroker } from "../../support/broker_fixture.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { FakeConsumer } from "../../support/fake_consumer.ts";
import { MemoryFileSystem } from "../../support/memory_file_system.ts";
import { PersistentBroker } from "../../support/persistent_broker.ts";
import { Random } from "../../support/random.ts";

const encoder = new TextEncoder();

function publishText(topic: Topic, text: string): void {
  const bytes = encoder.encode(text), source = newBuffer(bytes.length);
  source.bytes.set(bytes);
  topic.publish(source, 0, bytes.length);
}

function ordered(f: BrokerFixture, policy: object): { topic: Topic; channel: Channel } {
  const topic = f.broker.topic("orders", false), channel = topic.channel("mail", false);
  f.broker.setTopicPolicy(topic, parseSettings("topic", { key: "prefix:|" }));
  f.broker.setChannelPolicy(topic, channel, parseSettings("channel", policy));
  return { topic, channel };
}

function bodies(f: BrokerFixture, consumer: FakeConsumer): string[] {
  for (let i = 0; i < 5; i++) f.broker.endTurn();
  return consumer.takeDeliveries().map(({ body }) => body);
}

testBroker("strict order has one message out, and the next one only when that is finished", (f) => {
  const { topic, channel } = ordered(f, { order: "strict" });
  f.broker.beginTurn();
  for (const text of ["1", "2", "3"]) publishText(topic, text);
  const a = f.consumer(channel, 10), b = f.consumer(channel, 10);
  const first = [...bodies(f, a), ...bodies(f, b)];
  assert.deepEqual(first, ["1"]);
  const owner = channel.subscriptions.find(({ inFlight }) => inFlight === 1)!;
  const [{ seq }] = [...channel.tracked.values()];
  channel.requeue(owner, seq, 1000, f.clock.monotonicMs());
  assert.deepEqual([...bodies(f, a), ...bodies(f, b)], [], "a deferred one holds up the others");
  f.clock.advance(1500);
  channel.scan(f.clock.monotonicMs());
  assert.deepEqual([...bodies(f, a), ...bodies(f, b)], ["1"]);
  channel.invariants();
});

testBroker("order by key lets keys past each other, and holds back those of a key that came back", (f) => {
  const { topic, channel } = ordered(f, { order: "key" });
  f.broker.beginTurn();
  for (const text of ["a|1", "a|2", "b|1", "no key 1", "a|3", "b|2", "no key 2"]) publishText(topic, text);
  const consumer = f.consumer(channel, 10);
  for (let i = 0; i < 5; i++) f.broker.endTurn();
  const out = new Map(consumer.takeDeliveries().map(({ body, seq }) => [body, seq]));
  assert.deepEqual([...out.keys()], ["a|1", "b|1", "no key 1", "no key 2"]);
  channel.requeue(consumer.subscription, out.get("a|1")!, 1000, f.clock.monotonicMs());
  assert.equal(channel.finish(consumer.subscription, out.get("b|1")!), "ok");
  assert.deepEqual(bodies(f, consumer), ["b|2"]);
  f.clock.advance(1500);
  channel.scan(f.clock.monotonicMs());
  assert.deepEqual(
    new Set(bodies(f, consumer)),
    new Set(["a|1", "b|2", "no key 1", "no key 2"]),
    "timed out, or due",
  );
  channel.invariants();
});

testBroker("a key is free again when its message dies, expires or is given up", (f) => {
  const { topic, channel } = ordered(f, { order: "key", max_attempts: 1 });
  f.broker.beginTurn();
  for (const text of ["a|1", "a|2"]) publishText(topic, text);
  const consumer = f.consumer(channel, 10);
  for (let i = 0; i < 5; i++) f.broker.endTurn();
  const [{ seq }] = consumer.takeDeliveries();
  channel.requeue(consumer.subscription, seq, 0, f.clock.monotonicMs());
  assert.deepEqual(bodies(f, consumer), ["a|2"]);
  assert.equal(channel.dead.size, 1);
});

testBroker("order by key looks no further ahead than max_key_lookahead", (f) => {
  const { topic, channel } = ordered(f, { order: "key", max_key_lookahead: 3 });
  f.broker.beginTurn();
  for (const text of ["a|1", "a|2", "a|3", "a|4", "b|1", "b|2"]) publishText(topic, text);
  const consumer = f.consumer(channel, 10);
  for (let i = 0; i < 5; i++) f.broker.endTurn();
  const out = consumer.takeDeliveries();
  assert.deepEqual(out.map(({ body }) => body), ["a|1"]);
  channel.finish(consumer.subscription, out[0].seq);
  assert.deepEqual(bodies(f, consumer), ["a|2", "b|1"]);
  channel.invariants();
});

// ---- the model ----------------------------------------------------------------------------------

const KEYS = 6;

/** One run of random events; `order` is the policy. */
async function run(seed: number, order: "strict" | "key"): Promise<void> {
  const random = new Random(seed), clock = new FakeClock();
  const options = { durability: "os", maxBytesPerFile: 1 << 14, memLimit: 1 << 16 } as const;
  let running = new PersistentBroker(new MemoryFileSystem(), clock, options);
  const topic = () => running.broker.topic("orders", false), channel = () => topic().channel("mail", false);
  running.broker.setTopicPolicy(topic(), parseSettings("topic", { key: "prefix:|" }));
  running.broker.setChannelPolicy(topic(), channel(), parseSettings("channel", { order }));
  let consumers: FakeConsumer[] = [], published = 0;
  /** By key: what is published, and how many of them are done with. */
  const lists = new Map<string, string[]>(), doneCounts = new Map<string, number>();
  const keyOf = (body: string) => order === "strict" ? "" : body.split("|")[0];

  const take = () => {
    for (const consumer of consumers) {
      for (const { body: padded, seq } of consumer.takeDeliveries()) {
        const body = padded.trimEnd();
        const key = keyOf(body), list = lists.get(key)!, done = doneCounts.get(key)!, at = list.indexOf(body);
        // A kill may forget the end of the last ones that were finished.
        assert.ok(at <= done, `seed ${seed}: ${body} came before ${list[done]}`);
        held.push({ consumer, seq, body });
      }
    }
  };
  let held: { consumer: FakeConsumer; seq: number; body: string }[] = [];
  const turn = async () => {
    running.broker.endTurn();
    // Reads of files in memory end in microtasks.
    for (let i = 0; i < 20; i++) await Promise.resolve();
    take();
  };

  for (let step = 0; step < 250; step++) {
    switch (random.int(12)) {
      case 0:
      case 1:
      case 2: {
        running.broker.beginTurn();
        for (let i = random.int(6); i >= 0; i--) {
          const body = `${random.int(KEYS)}|${published++}`, key = keyOf(body);
          if (!lists.has(key)) {
            lists.set(key, []);
            doneCounts.set(key, 0);
          }
          lists.get(key)!.push(body);
          publishText(topic(), body + " ".repeat(random.int(300)));
        }
        break;
      }
      case 3:
        if (consumers.length < 4) {
          const consumer = FakeConsumer.to(channel(), running.broker, 1000);
          consumer.subscription.setRdy(1 + random.int(5));
          consumers.push(consumer);
        }
        break;
      case 4: {
        const [gone] = consumers.splice(random.int(Math.max(1, consumers.length)), 1);
        gone?.disconnect();
        held = held.filter(({ consumer }) => consumer !== gone);
        break;
      }
      case 5:
        clock.advance(400);
        channel().scan(clock.monotonicMs());
        break;
      case 6:
        if (random.int(6) > 0) break;
        running.persistence.flushPositions();
        {
          const isStop = random.int(2) === 0;
          const files = isStop ? await running.stop() : running.fileSystem.afterKill();
          if (!isStop) await running.bury();
          running = new PersistentBroker(files, clock, options);
          consumers = [];
          held = [];
        }
        break;
      default: {
        const [message] = held.splice(random.int(Math.max(1, held.length)), 1);
        if (message === undefined) break;
        const { subscription } = message.consumer, nowMs = clock.monotonicMs(), what = random.int(8);
        if (what < 5) {
          if (channel().finish(subscription, message.seq) === "ok") {
            const key = keyOf(message.body), at = lists.get(key)!.indexOf(message.body);
            doneCounts.set(key, Math.max(doneCounts.get(key)!, at + 1));
          }
        } else if (what === 5) channel().requeue(subscription, message.seq, 0, nowMs);
        else if (what === 6) channel().requeue(subscription, message.seq, 700, nowMs);
        else channel().touch(subscription, message.seq, 1000, 10_000, nowMs);
      }
    }
    await turn();
    channel().invariants();
  }
  // Everything comes in the end.
  for (let round = 0; round < 2000 && channel().unfinishedCount > 0; round++) {
    if (consumers.length === 0) {
      consumers.push(FakeConsumer.to(channel(), running.broker, 1000));
      consumers[0].subscription.setRdy(10);
    }
    for (const { consumer, seq, body } of held.splice(0)) {
      if (channel().finish(consumer.subscription, seq) !== "ok") continue;
      const key = keyOf(body), at = lists.get(key)!.indexOf(body);
      doneCounts.set(key, Math.max(doneCounts.get(key)!, at + 1));
    }
    clock.advance(100);
    channel().scan(clock.monotonicMs());
    await turn();
  }
  assert.equal(channel().unfinishedCount, 0, `seed ${seed}: something never came`);
  for (const [key, list] of lists) assert.equal(doneCounts.get(key), list.length, `seed ${seed}: key ${key}`);
  await running.stop();
}

for (const order of ["strict", "key"] as const) {
  Deno.test(`order ${order} holds in random runs with consumers that fail, restarts and kills`, async () => {
    for (let seed = 1; seed <= 30; seed++) await run(seed, order);
  });
}
