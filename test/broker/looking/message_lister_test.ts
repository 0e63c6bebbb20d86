/** Lists of messages on a real store: segments that are on disk, bounds of a page, and places by time. */
import assert from "node:assert/strict";
import type { Topic } from "../../../src/broker/topic.ts";
import { newBuffer } from "../../../src/buffers/buffer_pool.ts";
import { type Direction, findInChannel, findInTopic } from "../../../src/broker/looking/found_messages.ts";
import { listMessages, readMessage, seqAtTime } from "../../../src/broker/looking/message_lister.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { FakeConsumer } from "../../support/fake_consumer.ts";
import { MemoryFileSystem } from "../../support/memory_file_system.ts";
import { PersistentBroker } from "../../support/persistent_broker.ts";

const BODY_BYTES = 300;

/** A broker whose memory holds a small part of its messages. */
async function withBacklog(
  count: number,
  body: (running: PersistentBroker, topic: Topic, clock: FakeClock) => Promise<void>,
): Promise<void> {
  const clock = new FakeClock(),
    options = { durability: "os", maxBytesPerFile: 1 << 20, memLimit: 1 << 16 } as const;
  const running = new PersistentBroker(new MemoryFileSystem(), clock, options);
  const topic = running.broker.topic("t", false);
  topic.channel("c", false);
  const source = newBuffer(BODY_BYTES);
  for (let i = 0; i < count; i++) {
    running.broker.beginTurn();
    source.view.setUint32(0, i);
    topic.publish(source, 0, BODY_BYTES);
    running.broker.endTurn();
    running.broker.endTurn();
    clock.advance(10);
  }
  running.persistence.enforceBudget();
  await body(running, topic, clock);
  await running.stop();
}

function numberOf({ body }: { body: Uint8Array }): number {
  return new DataView(body.buffer, body.byteOffset).getUint32(0);
}

Deno.test("listMessages() reads what is on disk, page by page, and leaves nothing pinned", () =>
  withBacklog(1000, async ({ broker }, topic) => {
    const channel = topic.channels.get("c")!;
    for (const direction of ["oldest", "newest"] as Direction[]) {
      const seen: number[] = [];
      let place: number | null = direction === "oldest" ? -Infinity : Infinity;
      while (place !== null) {
        const page = await listMessages(broker, {
          find: (seq, max) => findInChannel(channel, "waiting", seq, direction, max),
          fromSeq: place,
          direction,
          limit: 170,
          maxBodyBytes: 4,
          match: null,
        });
        assert.ok(page.messages.every(({ size, body }) => size === BODY_BYTES && body.length === 4));
        seen.push(...page.messages.map(numberOf));
        place = page.nextSeq;
      }
      const expected = Array.from({ length: 1000 }, (_, i) => i);
      assert.deepEqual(seen, direction === "oldest" ? expected : expected.reverse());
    }
    for (let segment = topic.log.first; segment !== null; segment = segment.next) {
      assert.equal(segment.pins, 0);
    }
    assert.equal(channel.depth, 1000);
    topic.invariants();
  }));

Deno.test("listMessages() ends a page at its bytes, and a search at what it may look at", () =>
  withBacklog(300, async ({ broker }, topic) => {
    const find = (seq: number, max: number) => findInTopic(topic, "all", seq, "oldest", max);
    let looked = 0;
    const request = {
      find,
      fromSeq: -Infinity,
      direction: "oldest",
      limit: 1000,
      maxBodyBytes: Infinity,
    } as const;
    const page = await listMessages(broker, { ...request, match: () => ++looked > 290 });
    assert.deepEqual([page.scanned, page.messages.length, page.nextSeq], [300, 10, null]);
    const none = await listMessages(broker, { ...request, limit: 5, match: () => false });
    assert.deepEqual([none.scanned, none.messages.length, none.nextSeq], [300, 0, null]);
  }));

Deno.test("findInChannel() knows in flight, requeued, deferred and finished messages apart", () =>
  withBacklog(20, async ({ broker }, topic, clock) => {
    const channel = topic.channels.get("c")!, consumer = FakeConsumer.to(channel, broker);
    consumer.subscription.setRdy(6);
    for (let i = 0; i < 10; i++) {
      broker.endTurn();
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    const seqs = consumer.takeDeliveries().map(({ seq }) => seq);
    assert.equal(seqs.length, 6);
    consumer.subscription.setRdy(0);
    channel.finish(consumer.subscription, seqs[0]);
    channel.requeue(consumer.subscription, seqs[1], 0, clock.monotonicMs());
    channel.requeue(consumer.subscription, seqs[2], 5000, clock.monotonicMs());
    const states = (["waiting", "in_flight", "requeued", "deferred", "dead"] as const).map((state) =>
      findInChannel(channel, state, -Infinity, "oldest", 100).found.map(({ seq }) => seq)
    );
    assert.deepEqual(states.slice(1), [seqs.slice(3), [seqs[1]], [seqs[2]], []]);
    assert.equal(states[0].length, 14);
    const [deferred] = findInChannel(channel, "deferred", -Infinity, "oldest", 1).found;
    assert.equal(deferred.dueMs, clock.monotonicMs() + 5000);
    assert.equal((await readMessage(broker, deferred))!.size, BODY_BYTES);
  }));

Deno.test("findInChannel() gives the nearest of tracked messages, and where to go on", () =>
  withBacklog(0, ({ broker }, topic) => {
    const channel = topic.channels.get("c")!;
    broker.beginTurn();
    const source = newBuffer(8);
    for (let i = 0; i < 50; i++) topic.publish(source, 0, 8, 1000 + (i * 7) % 50);
    broker.endTurn();
    const all = findInChannel(channel, "deferred", -Infinity, "oldest", 100).found.map(({ seq }) => seq);
    assert.equal(all.length, 50);
    const page = findInChannel(channel, "deferred", all[10], "oldest", 3);
    assert.deepEqual(page.found.map(({ seq }) => seq), all.slice(10, 13));
    assert.equal(page.nextSeq, all[13]);
    const down = findInChannel(channel, "deferred", all[10], "newest", 3);
    assert.deepEqual(down.found.map(({ seq }) => seq), [all[10], all[9], all[8]]);
    assert.equal(findInChannel(channel, "deferred", all[48], "oldest", 3).nextSeq, null);
    return Promise.resolve();
  }));

Deno.test("seqAtTime() finds the first message of a time, on disk too, and the ends", () =>
  withBacklog(500, async ({ broker }, topic, clock) => {
    const { first } = topic.log, firstSeq = first!.firstSeq, endMs = clock.nowMs();
    for (const back of [1, 37, 250, 499, 500]) {
      const seq = await seqAtTime(broker, first, (endMs - back * 10) * 1e6);
      // A record's time is exact to 256 ns as a double.
      assert.ok(
        Math.abs(seq - (topic.log.endSeq - back)) <= 1,
        `${back} back gives ${topic.log.endSeq - seq}`,
      );
    }
    assert.equal(await seqAtTime(broker, first, 0), firstSeq);
    assert.equal(await seqAtTime(broker, first, (endMs + 1000) * 1e6), topic.log.endSeq);
    assert.equal(await seqAtTime(broker, null, 5), 0);
  }));
