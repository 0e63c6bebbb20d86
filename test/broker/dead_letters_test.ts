/** Dead letters: when a message dies, what becomes of it, and that neither restarts nor crashes lose or double one. */
import assert from "node:assert/strict";
import type { Channel } from "../../src/broker/channel.ts";
import type { DeathReason } from "../../src/broker/channel/dead_letters.ts";
import type { Topic } from "../../src/broker/topic.ts";
import { newBuffer } from "../../src/buffers/buffer_pool.ts";
import { parseSettings } from "../../src/policies/settings.ts";
import { type BrokerFixture, testBroker } from "../support/broker_fixture.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { FakeConsumer } from "../support/fake_consumer.ts";
import { MemoryFileSystem } from "../support/memory_file_system.ts";
import { PersistentBroker } from "../support/persistent_broker.ts";

interface Subject {
  topic: Topic;
  channel: Channel;
}

function subject(f: BrokerFixture, policy: object): Subject {
  const topic = f.broker.topic("orders", false), channel = topic.channel("mail", false);
  f.broker.setChannelPolicy(topic, channel, parseSettings("channel", policy));
  return { topic, channel };
}

function deadSeqs(channel: Channel): number[] {
  return [...channel.dead.from(-Infinity)];
}

testBroker(
  "a message dies when it comes back after its last attempt: REQ, with a delay too, timeout, and leaving",
  (f) => {
    const { topic, channel } = subject(f, { max_attempts: 2 });
    f.publish(topic, 4);
    const consumer = f.consumer(channel, 10);
    const [byReq, byDelay, byTimeout, byLeaving] = f.deliveredTo(consumer);
    for (const seq of [byReq, byDelay, byTimeout, byLeaving]) {
      channel.requeue(consumer.subscription, seq, 0, f.clock.monotonicMs());
    }
    assert.equal(f.deliveredTo(consumer).length, 4);
    assert.equal(channel.dead.size, 0);

    channel.requeue(consumer.subscription, byReq, 0, f.clock.monotonicMs());
    channel.requeue(consumer.subscription, byDelay, 5000, f.clock.monotonicMs());
    assert.deepEqual(deadSeqs(channel), [byReq, byDelay]);
    assert.deepEqual([channel.deferredCount, channel.depth], [0, 0]);
    channel.touch(consumer.subscription, byLeaving, 60_000, 100_000, f.clock.monotonicMs());
    f.clock.advance(2000);
    channel.scan(f.clock.monotonicMs());
    assert.deepEqual(deadSeqs(channel), [byReq, byDelay, byTimeout]);
    consumer.disconnect();
    assert.deepEqual(deadSeqs(channel), [byReq, byDelay, byTimeout, byLeaving]);
    assert.deepEqual([channel.inFlightCount, channel.depth, channel.dead.countOf("attempts")], [0, 0, 4]);
    const letter = channel.dead.get(byTimeout)!;
    assert.deepEqual([letter.attempts, letter.reason, letter.consumer], [2, "attempts", "a consumer"]);
    assert.equal(letter.diedMs, f.clock.nowMs());
    channel.invariants();
  },
);

testBroker(
  "with max_attempts 1 a message dies at the end of its first delivery, from the plain path too",
  (f) => {
    const { topic, channel } = subject(f, { max_attempts: 1 });
    f.publish(topic, 3);
    const consumer = f.consumer(channel, 2);
    const [first, second] = f.deliveredTo(consumer);
    channel.requeue(consumer.subscription, first, 0, f.clock.monotonicMs());
    consumer.disconnect();
    assert.deepEqual(deadSeqs(channel), [first, second]);
    assert.equal(channel.depth, 1);
    channel.invariants();
  },
);

testBroker("a dead letter that is revived is delivered again, its attempts anew or kept", (f) => {
  const { topic, channel } = subject(f, { max_attempts: 1 });
  f.publish(topic, 2);
  const consumer = f.consumer(channel, 10);
  const [reset, kept] = f.deliveredTo(consumer);
  for (const seq of [reset, kept]) channel.requeue(consumer.subscription, seq, 0, f.clock.monotonicMs());
  channel.revive(reset, 0);
  channel.revive(kept, channel.dead.get(kept)!.attempts);
  channel.revive(12345, 0);
  channel.invariants();
  f.broker.endTurn();
  assert.deepEqual(consumer.takeDeliveries().map(({ seq, attempts }) => [seq, attempts]), [[reset, 1], [
    kept,
    2,
  ]]);
  for (const seq of [reset, kept]) assert.equal(channel.finish(consumer.subscription, seq), "ok");
  assert.deepEqual([channel.dead.size, channel.unfinishedCount], [0, 0]);
  channel.invariants();
});

testBroker("a dead letter that is finished lets its segment go", (f) => {
  const { topic, channel } = subject(f, { max_attempts: 1 });
  f.publish(topic, 1);
  const consumer = f.consumer(channel, 1), [seq] = f.deliveredTo(consumer);
  channel.requeue(consumer.subscription, seq, 0, f.clock.monotonicMs());
  topic.log.seal();
  assert.equal(f.store.unclaimed.length, 0);
  channel.finishDead(seq);
  channel.finishDead(seq);
  assert.equal(f.store.unclaimed.length, 1);
  topic.invariants();
});

testBroker("emptying a channel drops its dead letters too", (f) => {
  const { topic, channel } = subject(f, { max_attempts: 1 });
  f.publish(topic, 5);
  f.consumer(channel, 5);
  f.broker.endTurn();
  channel.subscriptions[0].channel.unsubscribe(channel.subscriptions[0]);
  assert.equal(channel.dead.size, 5);
  channel.empty();
  assert.equal(channel.dead.size, 0);
  topic.invariants();
});

testBroker(
  "dead letters are published to the topic of the policy, those from before it was set too",
  async (f) => {
    const { topic, channel } = subject(f, { max_attempts: 1 });
    f.publish(topic, 3, 20);
    const consumer = f.consumer(channel, 2);
    const [first, second] = f.deliveredTo(consumer);
    channel.requeue(consumer.subscription, first, 0, f.clock.monotonicMs());
    f.broker.setChannelPolicy(topic, channel, parseSettings("channel", { dead_letter_topic: "dead" }));
    channel.requeue(consumer.subscription, second, 0, f.clock.monotonicMs());
    for (let i = 0; i < 20; i++) {
      await Promise.resolve();
      f.broker.endTurn();
    }
    const dead = f.broker.topics.get("dead")!;
    assert.equal(dead.pendingCount, 2);
    assert.deepEqual([channel.dead.size, channel.depth], [0, 0]);
    channel.invariants();
  },
);

// ---- over restarts ------------------------------------------------------------------------------

const OPTIONS = { durability: "os", maxBytesPerFile: 1 << 16, memLimit: 1 << 20 } as const;

class Persistent {
  readonly clock = new FakeClock();
  fileSystem = new MemoryFileSystem();
  running: PersistentBroker;

  constructor() {
    this.running = new PersistentBroker(this.fileSystem, this.clock, OPTIONS);
  }

  get topic(): Topic {
    return this.running.broker.topic("orders", false);
  }

  get channel(): Channel {
    return this.topic.channel("mail", false);
  }

  publish(count: number): void {
    this.running.broker.beginTurn();
    for (let i = 0; i < count; i++) this.topic.publish(newBuffer(100), 0, 100);
    this.running.broker.endTurn();
  }

  /** Lets messages die by `max_attempts` 1. */
  async kill(count: number): Promise<number[]> {
    const { broker } = this.running, consumer = FakeConsumer.to(this.channel, broker);
    consumer.subscription.setRdy(count);
    // What lies on the disk is read in the turns between.
    for (let turn = 0; turn < 20; turn++) {
      broker.endTurn();
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    const seqs = consumer.takeDeliveries().map(({ seq }) => seq);
    consumer.disconnect();
    return seqs;
  }

  async restart(how: "stop" | "kill"): Promise<void> {
    if (how === "stop") this.fileSystem = await this.running.stop();
    else {
      this.running.persistence.flushPositions();
      this.fileSystem = this.running.fileSystem.afterKill();
      await this.running.bury();
    }
    this.running = new PersistentBroker(this.fileSystem, this.clock, OPTIONS);
  }
}

for (const how of ["stop", "kill"] as const) {
  Deno.test(`dead letters and policies survive a ${how}: reason, attempts, time, consumer, and what was redriven`, async () => {
    const p = new Persistent();
    p.running.broker.setChannelPolicy(
      p.topic,
      p.channel,
      parseSettings("channel", { max_attempts: 1, ttl: "1h" }),
    );
    p.running.broker.setTopicPolicy(p.topic, parseSettings("topic", { max_depth: 5000 }));
    p.publish(10);
    const died = await p.kill(6);
    p.clock.advance(5000);
    p.channel.revive(died[0], 0);
    p.channel.finishDead(died[1]);
    p.running.broker.endTurn();
    const before = died.slice(2).map((seq) => ({ ...p.channel.dead.get(seq)!, segment: null, index: 0 }));
    for (let round = 0; round < 3; round++) {
      await p.restart(how);
      const { channel } = p;
      assert.deepEqual([...channel.dead.from(-Infinity)], died.slice(2), `round ${round}`);
      const after = died.slice(2).map((seq) => ({ ...channel.dead.get(seq)!, segment: null, index: 0 }));
      assert.deepEqual(after, before);
      assert.deepEqual([channel.policy.maxAttempts, channel.policy.ttlMs, p.topic.policy.maxDepth], [
        1,
        3_600_000,
        5000,
      ]);
      assert.equal(channel.depth, 5);
      channel.invariants();
      p.publish(0);
    }
    assert.equal((await p.kill(100)).length, 5);
    assert.equal(p.channel.dead.size, 9);
    await p.running.stop();
  });
}

Deno.test("dead letters that were published elsewhere are there once, wherever the process is killed", async () => {
  for (let cut = 0; cut < 12; cut++) {
    const p = new Persistent();
    p.running.broker.setChannelPolicy(
      p.topic,
      p.channel,
      parseSettings("channel", { max_attempts: 1, dead_letter_topic: "dead" }),
    );
    p.publish(5);
    const consumer = FakeConsumer.to(p.channel, p.running.broker);
    consumer.subscription.setRdy(5);
    p.running.broker.endTurn();
    consumer.disconnect();
    for (let i = 0; i < cut; i++) {
      await Promise.resolve();
      if (i % 3 === 1) p.running.broker.endTurn();
    }
    // Without the positions that are written now and then: the group of the copies has to tell it alone.
    p.fileSystem = p.running.fileSystem.afterKill();
    await p.running.bury();
    p.running = new PersistentBroker(p.fileSystem, p.clock, OPTIONS);
    await p.kill(5);
    await p.kill(5);
    const copies = p.running.broker.topics.get("dead")?.pendingCount ?? 0;
    assert.equal(
      copies + p.channel.dead.size,
      5,
      `cut ${cut}: ${copies} copies, ${p.channel.dead.size} letters`,
    );
    p.channel.invariants();
    await p.running.stop();
  }
});

Deno.test("dead letters hold neither the segments nor the log files of others", async () => {
  const p = new Persistent();
  p.running.broker.setChannelPolicy(p.topic, p.channel, parseSettings("channel", { max_attempts: 1 }));
  const died: number[] = [];
  for (let round = 0; round < 40; round++) {
    p.publish(100);
    died.push(...await p.kill(1));
    const consumer = FakeConsumer.to(p.channel, p.running.broker);
    consumer.subscription.setRdy(100);
    for (let turn = 0; turn < 5; turn++) p.running.broker.endTurn();
    for (const { seq } of consumer.takeDeliveries()) p.channel.finish(consumer.subscription, seq);
    consumer.disconnect();
    p.clock.advance(60_000);
    await p.running.background();
  }
  for (let i = 0; i < 20; i++) {
    p.clock.advance(60_000);
    await p.running.background();
  }
  const { liveBytes, fileBytes } = p.running.persistence.figures();
  assert.equal(p.channel.dead.size, 40);
  assert.ok(liveBytes < 60_000, `${liveBytes} bytes are kept for 40 letters`);
  assert.ok(fileBytes < 3 * OPTIONS.maxBytesPerFile, `${fileBytes} bytes are on the disk`);
  p.topic.invariants();
  await p.restart("kill");
  assert.deepEqual([...p.channel.dead.from(-Infinity)], died);
  for (const seq of died) p.channel.finishDead(seq);
  p.topic.invariants();
  await p.running.stop();
});

testBroker("DeadLetters keeps a million rows by number, and lists them in order both ways", (f) => {
  const { channel } = subject(f, {});
  const segment = f.broker.topic("other", false).log.addSegment as unknown as never;
  const reasons: DeathReason[] = ["attempts", "expired", "overflow"];
  const { dead } = channel;
  for (let i = 0; i < 1000; i++) {
    const seq = (i * 7919) % 1000 + 1;
    const reason = reasons[i % 3];
    dead.add({ seq, segment, index: i, attempts: i % 5, reason, diedMs: i, consumer: `client ${i % 4}` });
  }
  for (let seq = 2; seq <= 1000; seq += 2) dead.remove(seq);
  assert.equal(dead.size, 500);
  assert.deepEqual([...dead.from(990)], [991, 993, 995, 997, 999]);
  assert.deepEqual([...dead.downFrom(8)], [7, 5, 3, 1]);
  assert.equal(reasons.reduce((sum, reason) => sum + dead.countOf(reason), 0), 500);
  assert.equal(dead.get(4), undefined);
  assert.equal(dead.get(7920 % 1000 + 1)?.seq ?? dead.get(921)?.seq, 921);
  dead.clear();
  assert.deepEqual([dead.size, dead.countOf("expired")], [0, 0]);
});
