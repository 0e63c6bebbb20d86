/** A consumer without a socket: it notes what it is sent, checks every frame, and may be slow to write. */
import assert from "node:assert/strict";
import type { Broker } from "../../src/broker/broker.ts";
import type { Channel } from "../../src/broker/channel.ts";
import type { Consumer, Subscription } from "../../src/broker/consumer/subscription.ts";
import { parseId } from "../../src/protocol/message.ts";
import type { Segment } from "../../src/storage/segment.ts";

export interface Delivery {
  seq: number;
  attempts: number;
  body: string;
}

const decoder = new TextDecoder();

/** Decodes record `index` of `segment` and checks that it is the frame of message `seqAt(index)`. */
export function readRecord(segment: Segment, index: number, nodeId: number): Delivery {
  const { bytes, view } = segment.buffer!;
  const from = segment.index[index], to = segment.index[index + 1];
  assert.equal(view.getUint32(from), to - from - 4, `frame size of message ${segment.seqAt(index)}`);
  assert.equal(view.getUint32(from + 4), 2, "frame type");
  const seq = parseId(bytes, from + 18, nodeId);
  assert.equal(seq, segment.seqAt(index), "message id");
  return { seq, attempts: view.getUint16(from + 16), body: decoder.decode(bytes.subarray(from + 34, to)) };
}

export class FakeConsumer implements Consumer {
  readonly broker: Broker;
  subscription!: Subscription;
  /** What came since the test last looked. */
  deliveries: Delivery[] = [];
  /** Set while a write is out. */
  accepting = true;
  /** The next write is slow: it is out until `written()`. */
  slow = false;
  deleted = false;
  #marked = false;
  #runs: { segment: Segment; from: number; to: number; text: string }[] = [];

  constructor(broker: Broker) {
    this.broker = broker;
  }

  /** Subscribes a new consumer to `channel`. */
  static to(channel: Channel, broker: Broker, msgTimeoutMs = 1000, sampleRate = 0): FakeConsumer {
    const consumer = new FakeConsumer(broker);
    consumer.subscription = channel.subscribe(consumer, msgTimeoutMs, sampleRate);
    return consumer;
  }

  sendRun(segment: Segment, from: number, to: number): void {
    assert.ok(this.accepting, "a consumer with an unfinished write was given a run");
    assert.ok(from < to, "an empty run");
    for (let i = from; i < to; i++) this.#take(readRecord(segment, i, this.broker.nodeId));
    segment.pins++;
    this.#runs.push({ segment, from, to, text: text(segment, from, to) });
  }

  describe(): string {
    return "a consumer";
  }

  sendRecord(segment: Segment, index: number, attempts: number): void {
    assert.ok(this.accepting, "a consumer with an unfinished write was given a record");
    this.#take({ ...readRecord(segment, index, this.broker.nodeId), attempts });
  }

  channelDeleted(): void {
    this.deleted = true;
    this.#end();
  }

  /** The write that was out is done. */
  written(): void {
    this.#end();
    this.accepting = true;
    if (!this.deleted) this.subscription.channel.wake();
  }

  flush(): void {
    this.#marked = false;
    if (this.deleted) return this.#end();
    if (this.slow) this.accepting = false;
    else this.written();
  }

  /** Ends the connection. */
  disconnect(): void {
    this.deleted = true;
    this.#end();
    this.subscription.channel.unsubscribe(this.subscription);
  }

  takeDeliveries(): Delivery[] {
    const taken = this.deliveries;
    this.deliveries = [];
    return taken;
  }

  #take(delivery: Delivery): void {
    this.deliveries.push(delivery);
    if (this.#marked) return;
    this.#marked = true;
    this.broker.markOutput(this);
  }

  /** The bytes of a run that is being written must not change. */
  #end(): void {
    for (const run of this.#runs) {
      assert.equal(text(run.segment, run.from, run.to), run.text, "a pinned run was overwritten");
      run.segment.unpin(this.broker.pool);
    }
    this.#runs = [];
  }
}

function text(segment: Segment, from: number, to: number): string {
  return decoder.decode(segment.buffer!.bytes.subarray(segment.index[from], segment.index[to]));
}
