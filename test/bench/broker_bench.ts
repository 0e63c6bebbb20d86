/** Micro-benchmarks of `src/broker` and of the statistics, without sockets and files. */
import { Broker } from "../../src/broker/broker.ts";
import type { Channel } from "../../src/broker/channel.ts";
import type { Consumer } from "../../src/broker/consumer/subscription.ts";
import type { Topic } from "../../src/broker/topic.ts";
import { BufferPool, wrapBuffer } from "../../src/buffers/buffer_pool.ts";
import { systemClock } from "../../src/clock/clock.ts";
import { encodeJson } from "../../src/protocol/json.ts";
import { collectStats } from "../../src/nsqd/stats/stats.ts";
import type { Segment } from "../../src/storage/segment.ts";
import { MemoryStore } from "../support/memory_store.ts";
import { publishCommand } from "./load_client.ts";
import type { Benchmark } from "./measure.ts";

const OPTIONS = { nodeId: 617, durability: "memory", memQueueSize: 10_000, queueScanInterval: 25 } as const;
const IDLE_POOL_BYTES = 32 << 20;
const BATCH = 200;
const BATCHES_PER_ROUND = 100;
const ROUND_MESSAGES = BATCH * BATCHES_PER_ROUND;
const RDY_COUNT = 2500;
const MSG_TIMEOUT_MS = 60_000;
const STATS_TOPICS = 1000;

const batch = publishCommand("bench", BATCH, 200);
const bodies = wrapBuffer(batch.bytes);

/** Notes which messages it was sent, and finishes them when told to. */
class FinishingConsumer implements Consumer {
  readonly accepting = true;
  readonly #channel: Channel;
  readonly subscription;
  /** Runs [from, to) of sequence numbers, one after the other. */
  #runs: number[] = [];

  constructor(channel: Channel) {
    this.#channel = channel;
    this.subscription = channel.subscribe(this, MSG_TIMEOUT_MS, 0);
  }

  sendRun(segment: Segment, from: number, to: number): void {
    this.#runs.push(segment.firstSeq + from, segment.firstSeq + to);
  }

  describe(): string {
    return "a consumer";
  }

  sendRecord(segment: Segment, index: number): void {
    this.sendRun(segment, index, index + 1);
  }

  channelDeleted(): void {}

  /** Finishes what was delivered; returns how many. */
  finishAll(): number {
    const runs = this.#runs;
    let count = 0;
    for (let i = 0; i < runs.length; i += 2) {
      for (let seq = runs[i]; seq < runs[i + 1]; seq++) {
        if (this.#channel.finish(this.subscription, seq) === "ok") count++;
      }
    }
    runs.length = 0;
    return count;
  }
}

class Bench {
  readonly #store = new MemoryStore();
  readonly broker = new Broker(OPTIONS, systemClock, this.#store, new BufferPool(IDLE_POOL_BYTES));
  readonly topic: Topic = this.broker.topic("bench", false);
  readonly consumer = new FinishingConsumer(this.topic.channel("ch", false));

  publishRound(): void {
    for (let i = 0; i < BATCHES_PER_ROUND; i++) this.publishBatch();
  }

  publishBatch(): void {
    this.topic.publishSized(bodies, batch.bodyAt - 4, BATCH);
    this.broker.endTurn();
  }

  /** Ends turns until all of a round is delivered and finished. */
  drain(): void {
    let missing = ROUND_MESSAGES;
    while (missing > 0) {
      this.broker.endTurn();
      const finished = this.consumer.finishAll();
      if (finished === 0) throw new Error(`Cannot drain: ${missing} messages are not delivered`);
      missing -= finished;
    }
  }

  /** Lets the ends of turns that were asked for pass, and forgets what the store noted. */
  async settle(): Promise<void> {
    this.#store.written.length = this.#store.unclaimed.length = this.#store.calls.length = 0;
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

const deliverAndFinish: Benchmark = {
  name: `channel_deliver_finish_${RDY_COUNT}x200_memory`,
  per: "message",
  setUp() {
    const bench = new Bench();
    return {
      count: ROUND_MESSAGES,
      async prepare() {
        await bench.settle();
        bench.consumer.subscription.setRdy(0);
        bench.publishRound();
      },
      round() {
        bench.consumer.subscription.setRdy(RDY_COUNT);
        bench.drain();
      },
      tearDown: () => bench.broker.stop(),
    };
  },
};

const publishDeliverFinish: Benchmark = {
  name: `topic_publish_deliver_finish_${BATCH}x200_memory`,
  per: "message",
  setUp() {
    const bench = new Bench();
    bench.consumer.subscription.setRdy(RDY_COUNT);
    return {
      count: ROUND_MESSAGES,
      prepare: () => bench.settle(),
      round() {
        for (let i = 0; i < BATCHES_PER_ROUND; i++) {
          bench.publishBatch();
          const finished = bench.consumer.finishAll();
          if (finished !== BATCH) throw new Error(`Cannot trust it: ${finished} of ${BATCH} were delivered`);
        }
      },
      tearDown: () => bench.broker.stop(),
    };
  },
};

const statsJson: Benchmark = {
  name: `stats_json_${STATS_TOPICS}_topics`,
  per: "call",
  setUp() {
    const broker = new Broker(OPTIONS, systemClock, new MemoryStore(), new BufferPool(IDLE_POOL_BYTES));
    for (let i = 0; i < STATS_TOPICS; i++) broker.topic(`topic_${i}`, false).channel("ch", false);
    return {
      count: 1,
      round() {
        const text = encodeJson(collectStats(broker, []));
        if (text.length < STATS_TOPICS * 100) throw new Error(`Cannot trust it: ${text.length} characters`);
      },
      tearDown: () => broker.stop(),
    };
  },
};

export const brokerBenchmarks: readonly Benchmark[] = [deliverAndFinish, publishDeliverFinish, statsJson];
