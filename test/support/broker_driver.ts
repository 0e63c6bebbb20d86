/** Random use of a broker through `BrokerModel`: producers, consumers, operators, and the clock. */
import type { FakeClock } from "./fake_clock.ts";
import type { BrokerModel, ModelChannel, ModelConsumer, ModelTopic } from "./broker_model.ts";
import type { Random } from "./random.ts";

const TOPICS = ["orders", "events", "live#ephemeral"];
export const CHANNELS = ["archive", "billing", "tail#ephemeral"];
/** All times are multiples of this; see `BrokerModel`. */
const STEP_MS = 25;
const MAX_MSG_TIMEOUT_MS = 3000;

interface Place {
  topic: ModelTopic;
  channel: ModelChannel;
}

export class BrokerDriver {
  readonly model: BrokerModel;
  readonly #random: Random;
  readonly #clock: FakeClock;
  /** What was done, newest last, for the output of a failure. */
  readonly history: string[] = [];
  /** How much each operation is wanted. */
  readonly #weights: [number, string, () => void][];

  readonly #channels: readonly string[];

  constructor(model: BrokerModel, random: Random, clock: FakeClock, channels: readonly string[] = CHANNELS) {
    this.#channels = channels;
    this.model = model;
    this.#random = random;
    this.#clock = clock;
    this.#weights = [
      [10, "publish one", () => this.#publishOne()],
      [8, "publish many", () => this.#publishMany()],
      [4, "defer", () => this.#defer()],
      [5, "create channel", () => this.#createChannel()],
      [9, "subscribe", () => this.#subscribe()],
      [4, "disconnect", () => this.#withConsumer((at, c) => this.model.disconnect(at.topic, at.channel, c))],
      [
        8,
        "rdy",
        () =>
          this.#withConsumer((_, c) => this.model.setRdy(c, this.#random.pick([0, 1, 1, 2, 5, 40, 2500]))),
      ],
      [1, "cls", () => this.#withConsumer((_, c) => this.model.close(c))],
      [30, "finish", () => this.#answer((at, c, seq) => this.model.finish(at.channel, c, seq))],
      [8, "requeue now", () => this.#answer((at, c, seq) => this.model.requeue(at.channel, c, seq, 0))],
      [
        6,
        "requeue later",
        () => this.#answer((at, c, seq) => this.model.requeue(at.channel, c, seq, this.#time(40))),
      ],
      [2, "requeue much later", () => this.#requeueMuchLater()],
      [
        6,
        "touch",
        () => this.#answer((at, c, seq) => this.model.touch(at.channel, c, seq, MAX_MSG_TIMEOUT_MS)),
      ],
      [3, "answer a stranger", () => this.#answerStranger()],
      [3, "slow", () => this.#withConsumer((_, c) => c.fake.slow = !c.fake.slow)],
      [6, "written", () => this.#withConsumer((_, c) => c.fake.accepting || c.fake.written())],
      [3, "pause topic", () => this.#withTopic((topic) => this.model.pauseTopic(topic, !topic.paused))],
      [
        3,
        "pause channel",
        () => this.#withChannel((at) => this.model.pauseChannel(at.topic, at.channel, !at.channel.paused)),
      ],
      [1, "empty topic", () => this.#withTopic((topic) => this.model.emptyTopic(topic))],
      [1, "empty channel", () => this.#withChannel((at) => this.model.emptyChannel(at.topic, at.channel))],
      [1, "delete channel", () => this.#withChannel((at) => this.model.deleteChannel(at.topic, at.channel))],
      [0.3, "delete topic", () => this.#withTopic((topic) => this.model.deleteTopic(topic))],
      [2, "trim", () => this.#withTopic((topic) => this.model.realTopic(topic).log.trim())],
    ];
  }

  /** One to three operations of one turn, of all or of those named; the caller ends it. */
  operate(only?: string[]): void {
    this.model.broker.beginTurn();
    for (let i = this.#random.between(1, 3); i > 0; i--) this.#operation(only);
  }

  #operation(only?: string[]): void {
    const choice = only === undefined
      ? this.#weights
      : this.#weights.filter(([, name]) => only.includes(name));
    const total = choice.reduce((sum, [weight]) => sum + weight, 0);
    let left = this.#random.next() * total;
    for (const [weight, name, operation] of choice) {
      left -= weight;
      if (left >= 0) continue;
      this.history.push(name);
      operation();
      return;
    }
  }

  /** Lets time pass: about `ms`, or mostly little and now and then enough for a timeout. */
  pass(ms?: number): void {
    this.history.push("time");
    const steps = ms === undefined
      ? this.#random.between(1, this.#random.chance(0.1) ? 400 : 8)
      : ms / STEP_MS;
    this.#clock.advance(Math.ceil(steps) * STEP_MS);
    this.model.scan();
  }

  // ---- what to do it to -----------------------------------------------------------------------

  #time(maxSteps: number): number {
    return this.#random.between(1, maxSteps) * STEP_MS;
  }

  #anyTopic(): ModelTopic {
    return this.model.topic(this.#random.pick(TOPICS));
  }

  #withTopic(operation: (topic: ModelTopic) => void): void {
    const topics = [...this.model.topics.values()];
    if (topics.length > 0) operation(this.#random.pick(topics));
  }

  #withChannel(operation: (at: Place) => void): void {
    const places: Place[] = [];
    for (const topic of this.model.topics.values()) {
      for (const channel of topic.channels.values()) places.push({ topic, channel });
    }
    if (places.length > 0) operation(this.#random.pick(places));
  }

  #withConsumer(operation: (at: Place, consumer: ModelConsumer) => void): void {
    this.#withChannel((at) => {
      if (at.channel.consumers.length > 0) operation(at, this.#random.pick(at.channel.consumers));
    });
  }

  #requeueMuchLater(): void {
    this.#withConsumer((at, consumer) => {
      if (consumer.inFlight.size === 0) return;
      this.model.requeue(at.channel, consumer, this.#random.pick([...consumer.inFlight]), this.#time(4000));
    });
  }

  /** One message in flight, or a share of all. */
  #answer(operation: (at: Place, consumer: ModelConsumer, seq: number) => void): void {
    this.#withConsumer((at, consumer) => {
      const all = [...consumer.inFlight];
      if (all.length === 0) return;
      if (this.#random.chance(0.5)) return operation(at, consumer, this.#random.pick(all));
      const share = this.#random.next();
      for (const seq of all) if (this.#random.chance(share)) operation(at, consumer, seq);
    });
  }

  /** FIN, REQ or TOUCH of a message that is somebody else's, finished, or was never there. */
  #answerStranger(): void {
    this.#withConsumer((at, consumer) => {
      const known = [...at.topic.all.keys(), -1, 0, 7, 2 ** 53 - 1];
      const seq = this.#random.pick(known);
      const { model } = this, { channel } = at;
      this.#random.pick([
        () => model.finish(channel, consumer, seq),
        () => model.requeue(channel, consumer, seq, this.#random.pick([0, STEP_MS])),
        () => model.touch(channel, consumer, seq, MAX_MSG_TIMEOUT_MS),
      ])();
    });
  }

  // ---- operations -----------------------------------------------------------------------------

  #bodySize(): number {
    return this.#random.chance(0.03) ? this.#random.between(300, 9000) : this.#random.between(8, 120);
  }

  #publishOne(): void {
    this.model.publish(this.#anyTopic(), [this.#bodySize()]);
  }

  #publishMany(): void {
    const sizes = Array.from({ length: this.#random.between(1, 40) }, () => this.#bodySize());
    this.model.publish(this.#anyTopic(), sizes);
  }

  #defer(): void {
    this.model.publish(this.#anyTopic(), [this.#bodySize()], this.#time(60));
  }

  #createChannel(): void {
    this.model.channel(this.#anyTopic(), this.#random.pick(this.#channels));
  }

  #subscribe(): void {
    this.#withChannel(({ topic, channel }) => {
      if (channel.consumers.length >= 5) return;
      this.model.subscribe(
        topic,
        channel,
        this.#random.pick([500, 1000, 10_000]),
        this.#random.pick([0, 1, 3, 50]),
      );
    });
  }

  // ---- the end --------------------------------------------------------------------------------

  /** Consumes all there is: lets paused things go, waits for all that is deferred, and finishes everything. */
  drain(endTurns: () => void): void {
    const { model } = this;
    for (const topic of model.topics.values()) {
      if (topic.paused) model.pauseTopic(topic, false);
      if (topic.channels.size === 0) model.channel(topic, "archive");
      for (const channel of topic.channels.values()) {
        if (channel.paused) model.pauseChannel(topic, channel, false);
        model.subscribe(topic, channel, 1000, 2500);
      }
    }
    endTurns();
    for (let i = 0; i < 12; i++) {
      this.#clock.advance(10_000);
      model.scan();
      for (const topic of model.topics.values()) {
        for (const channel of topic.channels.values()) {
          for (const consumer of channel.consumers) {
            consumer.fake.slow = false;
            if (!consumer.fake.accepting) consumer.fake.written();
          }
        }
      }
      endTurns();
      for (const topic of model.topics.values()) {
        for (const channel of topic.channels.values()) {
          for (const consumer of channel.consumers) {
            for (const seq of [...consumer.inFlight]) model.finish(channel, consumer, seq);
          }
        }
      }
      endTurns();
    }
  }
}
