/** A wall clock that is wrong, before or after a restart: no deferred message waits longer than asked, none comes early. */
import assert from "node:assert/strict";
import type { Channel } from "../../src/broker/channel.ts";
import { newBuffer } from "../../src/buffers/buffer_pool.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { FakeConsumer } from "../support/fake_consumer.ts";
import { MemoryFileSystem } from "../support/memory_file_system.ts";
import { PersistentBroker } from "../support/persistent_broker.ts";

const HOUR_MS = 3_600_000;
const NOW_MS = Date.UTC(2030, 0, 1);
const DELAY_MS = 2000;
const OPTIONS = { durability: "os", maxBytesPerFile: 64 << 20, memLimit: 64 << 20 } as const;

/** How a message comes to be deferred. */
const DEFERRALS = ["DPUB", "DPUB to a paused topic", "REQ"] as const;

/** A broker with one message that is deferred for `DELAY_MS` from now on, and an older one that waits. */
function startDeferring(how: typeof DEFERRALS[number], clock: FakeClock): PersistentBroker {
  const node = new PersistentBroker(new MemoryFileSystem(), clock, OPTIONS);
  const topic = node.broker.topic("orders", false), channel = topic.channel("archive", false);
  if (how === "DPUB to a paused topic") topic.setPaused(true);
  node.broker.beginTurn();
  topic.publish(newBuffer(8), 0, 8, how === "REQ" ? 0 : DELAY_MS);
  node.broker.endTurn();
  if (how === "REQ") {
    const consumer = FakeConsumer.to(channel, node.broker, HOUR_MS);
    consumer.subscription.setRdy(1);
    node.broker.endTurn();
    const [{ seq }] = consumer.takeDeliveries();
    channel.requeue(consumer.subscription, seq, DELAY_MS, node.broker.nowMs);
  }
  // What is paused stands there.
  node.writeMetadata();
  return node;
}

function channelOf(node: PersistentBroker): Channel {
  const topic = node.broker.topics.get("orders")!;
  topic.setPaused(false);
  return topic.channels.get("archive")!;
}

/** Milliseconds from now until a message is due; fails when it takes longer than `mostMs`. */
function waitsMs(node: PersistentBroker, mostMs: number): number {
  const channel = channelOf(node);
  for (let waitedMs = 0; waitedMs <= mostMs; waitedMs++) {
    channel.scan(node.clock.monotonicMs());
    if (channel.depth > 0) return waitedMs;
    node.clock.advance(1);
  }
  throw new Error(`it is not due after ${mostMs} ms`);
}

for (const how of DEFERRALS) {
  for (const behindMs of [2 * HOUR_MS, 24 * HOUR_MS]) {
    const hours = behindMs / HOUR_MS;
    Deno.test(`${how}: a restart on a clock ${hours} hours behind keeps nobody longer than was asked`, async () => {
      const node = startDeferring(how, new FakeClock(NOW_MS)), { clock } = node;
      clock.advance(500);
      await node.background();
      const files = node.fileSystem.afterKill();
      await node.bury();
      const next = new PersistentBroker(files, new FakeClock(NOW_MS - behindMs, 77), OPTIONS);
      const ms = waitsMs(next, DELAY_MS);
      assert.ok(ms >= DELAY_MS - 500 - 1, `due after ${ms} ms, 500 had passed`);
      await next.bury();
    });
  }

  for (const stepMs of [-24 * HOUR_MS, -2 * HOUR_MS, 2 * HOUR_MS, 24 * HOUR_MS]) {
    const what = `${Math.abs(stepMs) / HOUR_MS} hours ${stepMs < 0 ? "back" : "forward"}`;
    Deno.test(`${how}: a clock that is set ${what} while the broker runs makes no message early or late`, async () => {
      const node = startDeferring(how, new FakeClock(NOW_MS)), { clock } = node;
      await node.background();
      clock.setWallMs(NOW_MS + stepMs);
      clock.advance(300);
      // Something else is published, so that a group is written.
      node.broker.topic("events", false).publish(newBuffer(8), 0, 8);
      node.broker.endTurn();
      const files = node.fileSystem.afterKill();
      await node.bury();
      const next = new PersistentBroker(files, new FakeClock(NOW_MS + stepMs + 1300, 77), OPTIONS);
      // A message of a paused topic has its whole delay before it.
      const restMs = how === "DPUB to a paused topic" ? DELAY_MS : DELAY_MS - 1300;
      const ms = waitsMs(next, DELAY_MS);
      assert.ok(Math.abs(ms - restMs) <= 1, `due after ${ms} ms, not ${restMs}`);
      await next.bury();
    });
  }
}

Deno.test("A clock that is set again and again, with restarts between, moves no deferred message", async () => {
  let node = startDeferring("REQ", new FakeClock(NOW_MS)), wallMs = NOW_MS, leftMs = DELAY_MS;
  for (const stepMs of [HOUR_MS, -3 * HOUR_MS, 48 * HOUR_MS, -HOUR_MS]) {
    await node.background();
    node.clock.setWallMs(wallMs += stepMs);
    node.clock.advance(100);
    wallMs += 100;
    leftMs -= 100;
    await node.background();
    node.broker.endTurn();
    const files = stepMs === HOUR_MS ? await node.stop() : node.fileSystem.afterKill();
    await node.bury();
    node = new PersistentBroker(files, new FakeClock(wallMs, 500), OPTIONS);
  }
  const ms = waitsMs(node, DELAY_MS);
  assert.ok(Math.abs(ms - leftMs) <= 1, `due after ${ms} ms, not ${leftMs}`);
  await node.bury();
});
