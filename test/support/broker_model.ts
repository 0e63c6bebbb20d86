/**
 * What a broker should do, in the simplest words: maps of messages by state. Every operation is done to the
 * real broker and to the model, and after each turn the two are compared.
 *
 * Times are multiples of 25 ms, so that the broker's merging of deadlines within 10 ms makes no difference.
 */
import assert from "node:assert/strict";
import type { Broker } from "../../src/broker/broker.ts";
import type { Channel } from "../../src/broker/channel.ts";
import type { Topic } from "../../src/broker/topic.ts";
import { isEphemeral } from "../../src/protocol/names.ts";
import { newBuffer } from "../../src/buffers/buffer_pool.ts";
import { FakeConsumer } from "./fake_consumer.ts";

export interface Message {
  seq: number;
  body: string;
  delayMs: number;
}

export interface MessageState {
  state: "waiting" | "requeued" | "deferred" | "in flight";
  attempts: number;
  owner: ModelConsumer | null;
  /** Due time or deadline, monotonic ms. */
  atMs: number;
  deliveredAtMs: number;
}

export interface ModelConsumer {
  fake: FakeConsumer;
  rdy: number;
  closing: boolean;
  timeoutMs: number;
  inFlight: Set<number>;
}

export class ModelChannel {
  readonly name: string;
  readonly ephemeral: boolean;
  paused = false;
  messages = new Map<number, MessageState>();
  /** Finished messages, oldest first. */
  finished: number[] = [];
  consumers: ModelConsumer[] = [];
  messageCount = 0;
  requeueCount = 0;
  timeoutCount = 0;

  constructor(name: string) {
    this.name = name;
    this.ephemeral = isEphemeral(name);
  }

  count(state: MessageState["state"]): number {
    let count = 0;
    for (const message of this.messages.values()) if (message.state === state) count++;
    return count;
  }

  get depth(): number {
    return this.count("waiting") + this.count("requeued");
  }
}

export class ModelTopic {
  readonly name: string;
  readonly ephemeral: boolean;
  paused = false;
  channels = new Map<string, ModelChannel>();
  /** Every message that was ever published. */
  all = new Map<number, Message>();
  uncommitted: Message[] = [];
  pending: Message[] = [];
  /** Messages of failed groups: they are not in the topic, but after a restart they may be. */
  undecided = new Map<number, Message>();
  messageCount = 0;

  constructor(name: string) {
    this.name = name;
    this.ephemeral = isEphemeral(name);
  }
}

/** After so many turns without anything new from outside, something goes round in circles. */
const MOST_TURNS = 5000;

const encoder = new TextEncoder();

export class BrokerModel {
  broker: Broker;
  readonly limit: number;
  readonly topics = new Map<string, ModelTopic>();
  #nextBody = 1;

  constructor(broker: Broker) {
    this.broker = broker;
    this.limit = broker.memQueueSize;
  }

  realTopic(topic: ModelTopic): Topic {
    const real = this.broker.topics.get(topic.name);
    assert.ok(real !== undefined, `topic ${topic.name} is gone`);
    return real;
  }

  realChannel(topic: ModelTopic, channel: ModelChannel): Channel {
    const real = this.realTopic(topic).channels.get(channel.name);
    assert.ok(real !== undefined, `channel ${channel.name} is gone`);
    return real;
  }

  // ---- publishing -----------------------------------------------------------------------------

  topic(name: string): ModelTopic {
    let topic = this.topics.get(name);
    if (topic === undefined) this.topics.set(name, topic = new ModelTopic(name));
    this.broker.topic(name, topic.ephemeral);
    return topic;
  }

  /** Publishes bodies of the given sizes, as PUB or DPUB when there is one, else as MPUB. */
  publish(topic: ModelTopic, sizes: number[], delayMs = 0): void {
    const real = this.realTopic(topic), firstSeq = real.log.endSeq;
    const bodies = sizes.map((size) => `${this.#nextBody++}:`.padEnd(size, "abcdefghij"));
    topic.messageCount += bodies.length;
    let room = Infinity;
    if (topic.ephemeral && (topic.channels.size === 0 || topic.paused)) {
      room = Math.max(0, this.limit - topic.pending.length - topic.uncommitted.length);
    }
    bodies.slice(0, room).forEach((body, i) => {
      const message = { seq: firstSeq + i, body, delayMs };
      assert.ok(
        !topic.all.has(message.seq) && !topic.undecided.has(message.seq),
        `the sequence number ${message.seq} was used before`,
      );
      topic.all.set(message.seq, message);
      topic.uncommitted.push(message);
    });
    if (bodies.length === 1) {
      const bytes = encoder.encode(bodies[0]), source = newBuffer(bytes.length + 8);
      source.bytes.set(bytes, 3);
      real.publish(source, 3, bytes.length, delayMs);
      return;
    }
    const source = newBuffer(bodies.reduce((sum, body) => sum + 4 + body.length, 4));
    let at = 4;
    for (const body of bodies) {
      source.view.setInt32(at, body.length);
      source.bytes.set(encoder.encode(body), at + 4);
      at += 4 + body.length;
    }
    real.publishSized(source, 4, bodies.length);
  }

  /** The turn committed: what was published is released, unless something holds it. */
  committed(): void {
    for (const topic of this.topics.values()) {
      topic.pending.push(...topic.uncommitted);
      topic.uncommitted = [];
      this.#release(topic);
    }
  }

  /** The turn's group failed: messages of topics that are on disk never were. */
  failed(): void {
    for (const topic of this.topics.values()) {
      if (!topic.ephemeral) {
        for (const message of topic.uncommitted) {
          topic.all.delete(message.seq);
          topic.undecided.set(message.seq, message);
        }
        topic.messageCount -= topic.uncommitted.length;
        topic.uncommitted = [];
      }
    }
    this.committed();
  }

  #release(topic: ModelTopic): void {
    if (topic.paused || topic.channels.size === 0) return;
    const messages = topic.pending;
    topic.pending = [];
    for (const channel of topic.channels.values()) {
      channel.messageCount += messages.length;
      const room = channel.ephemeral ? Math.max(0, this.limit - channel.depth) : Infinity;
      for (const { seq, delayMs } of messages.slice(0, room)) {
        channel.messages.set(seq, {
          state: delayMs > 0 ? "deferred" : "waiting",
          attempts: 0,
          owner: null,
          atMs: this.broker.nowMs + delayMs,
          deliveredAtMs: 0,
        });
      }
    }
  }

  // ---- topics and channels --------------------------------------------------------------------

  channel(topic: ModelTopic, name: string): void {
    if (!topic.channels.has(name)) topic.channels.set(name, new ModelChannel(name));
    this.realTopic(topic).channel(name, isEphemeral(name));
    this.#release(topic);
  }

  deleteChannel(topic: ModelTopic, channel: ModelChannel): void {
    assert.ok(this.realTopic(topic).deleteChannel(channel.name));
    for (const { fake } of channel.consumers) {
      assert.ok(fake.deleted, "a consumer of a deleted channel goes on");
    }
    this.#channelGone(topic, channel);
  }

  #channelGone(topic: ModelTopic, channel: ModelChannel): void {
    topic.channels.delete(channel.name);
    if (topic.ephemeral && topic.channels.size === 0) this.topics.delete(topic.name);
  }

  deleteTopic(topic: ModelTopic): void {
    assert.ok(this.broker.deleteTopic(topic.name));
    this.topics.delete(topic.name);
  }

  emptyTopic(topic: ModelTopic): void {
    this.realTopic(topic).empty();
    topic.pending = [];
  }

  emptyChannel(topic: ModelTopic, channel: ModelChannel): void {
    this.realChannel(topic, channel).empty();
    channel.finished.push(...channel.messages.keys());
    channel.messages.clear();
    for (const consumer of channel.consumers) consumer.inFlight.clear();
  }

  pauseTopic(topic: ModelTopic, paused: boolean): void {
    this.realTopic(topic).setPaused(paused);
    topic.paused = paused;
    this.#release(topic);
  }

  pauseChannel(topic: ModelTopic, channel: ModelChannel, paused: boolean): void {
    this.realChannel(topic, channel).setPaused(paused);
    channel.paused = paused;
  }

  // ---- consumers ------------------------------------------------------------------------------

  subscribe(topic: ModelTopic, channel: ModelChannel, timeoutMs: number, rdy: number): ModelConsumer {
    const fake = FakeConsumer.to(this.realChannel(topic, channel), this.broker, timeoutMs);
    const consumer = { fake, rdy, closing: false, timeoutMs, inFlight: new Set<number>() };
    channel.consumers.push(consumer);
    fake.subscription.setRdy(rdy);
    return consumer;
  }

  disconnect(topic: ModelTopic, channel: ModelChannel, consumer: ModelConsumer): void {
    consumer.fake.disconnect();
    for (const seq of [...consumer.inFlight]) this.#putBack(seq, channel.messages.get(seq)!);
    channel.consumers.splice(channel.consumers.indexOf(consumer), 1);
    if (channel.ephemeral && channel.consumers.length === 0) this.#channelGone(topic, channel);
  }

  setRdy(consumer: ModelConsumer, rdy: number): void {
    if (consumer.closing) return;
    consumer.rdy = rdy;
    consumer.fake.subscription.setRdy(rdy);
  }

  close(consumer: ModelConsumer): void {
    consumer.fake.subscription.close();
    consumer.closing = true;
    consumer.rdy = 0;
  }

  // ---- answers --------------------------------------------------------------------------------

  #expected(channel: ModelChannel, consumer: ModelConsumer, seq: number): string {
    const message = channel.messages.get(seq);
    if (message?.state !== "in flight") return "not in flight";
    return message.owner === consumer ? "ok" : "not owner";
  }

  finish(channel: ModelChannel, consumer: ModelConsumer, seq: number): void {
    const expected = this.#expected(channel, consumer, seq), { subscription } = consumer.fake;
    assert.equal(subscription.channel.finish(subscription, seq), expected, `FIN of ${seq}`);
    if (expected !== "ok") return;
    channel.messages.delete(seq);
    channel.finished.push(seq);
    consumer.inFlight.delete(seq);
  }

  requeue(channel: ModelChannel, consumer: ModelConsumer, seq: number, delayMs: number): void {
    const expected = this.#expected(channel, consumer, seq), { subscription } = consumer.fake;
    const { nowMs } = this.broker;
    assert.equal(subscription.channel.requeue(subscription, seq, delayMs, nowMs), expected, `REQ of ${seq}`);
    if (expected !== "ok") return;
    const message = channel.messages.get(seq)!;
    this.#putBack(seq, message);
    channel.requeueCount++;
    if (delayMs > 0) {
      message.state = "deferred";
      message.atMs = nowMs + delayMs;
    }
  }

  touch(channel: ModelChannel, consumer: ModelConsumer, seq: number, maxMsgTimeoutMs: number): void {
    const expected = this.#expected(channel, consumer, seq), { subscription } = consumer.fake;
    const { nowMs } = this.broker, { timeoutMs } = consumer;
    const answer = subscription.channel.touch(subscription, seq, timeoutMs, maxMsgTimeoutMs, nowMs);
    assert.equal(answer, expected, `TOUCH of ${seq}`);
    if (expected !== "ok") return;
    const message = channel.messages.get(seq)!;
    message.atMs = Math.min(nowMs + timeoutMs, message.deliveredAtMs + maxMsgTimeoutMs);
  }

  #putBack(seq: number, message: MessageState): void {
    message.owner?.inFlight.delete(seq);
    message.owner = null;
    message.state = "requeued";
    message.atMs = 0;
  }

  // ---- time and delivery ----------------------------------------------------------------------

  /** Does what the broker's scan timer does, to the channels that asked for it. */
  scan(): void {
    this.broker.beginTurn();
    const { nowMs } = this.broker;
    for (const topic of this.topics.values()) {
      for (const channel of topic.channels.values()) {
        const real = this.realChannel(topic, channel);
        if (real.isTimed) real.isTimed = real.scan(nowMs);
        for (const [seq, message] of channel.messages) {
          if (message.atMs > nowMs) continue;
          if (message.state === "in flight") channel.timeoutCount++;
          if (message.state === "in flight" || message.state === "deferred") this.#putBack(seq, message);
        }
      }
    }
  }

  /** Ends the turn, and those that follow from it, and takes what was delivered into the model. */
  endTurns(): void {
    for (let i = 0; i < MOST_TURNS; i++) {
      this.broker.endTurn();
      if (!this.#isAnyInTurn()) break;
      assert.ok(i < MOST_TURNS - 1, "the turns do not end");
    }
    for (const topic of this.topics.values()) {
      for (const channel of topic.channels.values()) {
        for (const consumer of channel.consumers) this.#harvest(topic, channel, consumer);
      }
    }
  }

  #isAnyInTurn(): boolean {
    for (const topic of this.broker.topics.values()) {
      const { paused, channels, log } = topic;
      if (!paused && channels.size > 0 && log.releasedSeq < log.committedSeq) return true;
      for (const channel of channels.values()) if (channel.inTurn) return true;
    }
    return false;
  }

  #harvest(topic: ModelTopic, channel: ModelChannel, consumer: ModelConsumer): void {
    for (const { seq, attempts, body } of consumer.fake.takeDeliveries()) {
      const message = channel.messages.get(seq), name = `${topic.name}/${channel.name} message ${seq}`;
      assert.ok(message !== undefined, `${name} was delivered, but it is not in the channel`);
      assert.ok(
        message.state === "waiting" || message.state === "requeued",
        `${name} delivered while ${message.state}`,
      );
      assert.equal(body, topic.all.get(seq)!.body, `${name} body`);
      assert.ok(!channel.paused, `${name} delivered by a paused channel`);
      message.attempts++;
      assert.equal(attempts, message.attempts, `${name} attempts`);
      message.state = "in flight";
      message.owner = consumer;
      message.deliveredAtMs = this.broker.nowMs;
      message.atMs = this.broker.nowMs + consumer.timeoutMs;
      consumer.inFlight.add(seq);
      assert.ok(
        consumer.inFlight.size <= consumer.rdy,
        `${name}: ${consumer.inFlight.size} in flight, RDY ${consumer.rdy}`,
      );
    }
  }

  // ---- comparison -----------------------------------------------------------------------------

  /** Compares all counts, and that nothing waits while a consumer could take it. */
  check(): void {
    const names = [...this.topics.keys()].sort();
    assert.deepEqual([...this.broker.topics.keys()].sort(), names, "topics");
    for (const topic of this.topics.values()) {
      const real = this.realTopic(topic);
      assert.equal(real.pendingCount, topic.pending.length, `${topic.name} depth`);
      assert.equal(real.messageCount, topic.messageCount, `${topic.name} message count`);
      assert.deepEqual([...real.channels.keys()].sort(), [...topic.channels.keys()].sort(), "channels");
      for (const channel of topic.channels.values()) this.#checkChannel(topic, channel);
      real.invariants();
    }
  }

  #checkChannel(topic: ModelTopic, channel: ModelChannel): void {
    const real = this.realChannel(topic, channel);
    const actual = {
      waiting: real.waitingCount,
      requeued: real.redelivery.size,
      inFlight: real.inFlightCount,
      deferred: real.deferredCount,
      messages: real.messageCount,
      requeues: real.requeueCount,
      timeouts: real.timeoutCount,
      consumers: real.subscriptions.map((subscription) => subscription.inFlight).sort(),
    };
    const expected = {
      waiting: channel.count("waiting"),
      requeued: channel.count("requeued"),
      inFlight: channel.count("in flight"),
      deferred: channel.count("deferred"),
      messages: channel.messageCount,
      requeues: channel.requeueCount,
      timeouts: channel.timeoutCount,
      consumers: channel.consumers.map((consumer) => consumer.inFlight.size).sort(),
    };
    assert.deepEqual(actual, expected, `counts of ${topic.name}/${channel.name}`);
    if (channel.paused || channel.depth === 0) return;
    const idle = channel.consumers.find((c) => c.fake.accepting && c.rdy > c.inFlight.size);
    assert.equal(
      idle,
      undefined,
      `${topic.name}/${channel.name}: ${channel.depth} wait and a consumer has room`,
    );
  }
}
