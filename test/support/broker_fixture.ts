/** A broker on a fake clock and a store without files, for tests of one matter at a time. */
import { Broker } from "../../src/broker/broker.ts";
import type { Channel } from "../../src/broker/channel.ts";
import type { Topic } from "../../src/broker/topic.ts";
import { BufferPool, newBuffer } from "../../src/buffers/buffer_pool.ts";
import { FakeClock } from "./fake_clock.ts";
import { FakeConsumer } from "./fake_consumer.ts";
import { MemoryStore } from "./memory_store.ts";
import { NEVER_MS } from "./persistent_broker.ts";

/** Messages that an ephemeral topic or channel of it keeps. */
export const LIMIT = 10;

export class BrokerFixture {
  readonly clock = new FakeClock();
  readonly store = new MemoryStore();
  readonly pool = new BufferPool(0);
  readonly broker = new Broker(
    { nodeId: 5, durability: "os", memQueueSize: LIMIT, queueScanInterval: NEVER_MS },
    this.clock,
    this.store,
    this.pool,
    () => this.random(),
  );
  random = () => 0;

  /** Publishes and ends the turn. */
  publish(topic: Topic, count: number, bodyBytes = 8, delayMs = 0): void {
    this.stage(topic, count, bodyBytes, delayMs);
    this.broker.endTurn();
  }

  stage(topic: Topic, count: number, bodyBytes = 8, delayMs = 0): void {
    this.broker.beginTurn();
    if (delayMs > 0) {
      for (let i = 0; i < count; i++) topic.publish(newBuffer(bodyBytes), 0, bodyBytes, delayMs);
      return;
    }
    const source = newBuffer(count * (4 + bodyBytes));
    for (let i = 0; i < count; i++) source.view.setInt32(i * (4 + bodyBytes), bodyBytes);
    topic.publishSized(source, 0, count);
  }

  failTurn(): void {
    this.store.writeError = new Error("No space left on device");
    this.broker.endTurn();
  }

  consumer(channel: Channel, rdy: number): FakeConsumer {
    const consumer = FakeConsumer.to(channel, this.broker, 1000);
    consumer.subscription.setRdy(rdy);
    return consumer;
  }

  /** Ends turns until nothing more follows; returns what `consumer` was sent. */
  deliveredTo(consumer: FakeConsumer): number[] {
    for (let i = 0; i < 20; i++) this.broker.endTurn();
    return consumer.takeDeliveries().map(({ seq }) => seq);
  }
}

/** Runs `body`, stops the timers, and lets the ends of turns that were asked for pass. */
export function testBroker(name: string, body: (fixture: BrokerFixture) => void | Promise<void>): void {
  Deno.test(name, async () => {
    const fixture = new BrokerFixture();
    await body(fixture);
    fixture.broker.stop();
    await new Promise((resolve) => setTimeout(resolve, 0));
  });
}
