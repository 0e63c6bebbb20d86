/**
 * Does what is done over HTTP while messages flow: publishes, pauses, creates, empties and deletes.
 *
 * An operation counts once it was answered 200. One that was under way when the broker ended may have
 * happened or not.
 */
import type { Random } from "../support/random.ts";
import { makeBody } from "./bodies.ts";
import { mpubBody } from "./client.ts";
import { type Holdings, post } from "./http.ts";
import type { ChannelModel, Model } from "./model.ts";

const PACE_MS = 60;
const MAX_CHANNELS = 12;
const MIN_CHANNELS = 4;
const MAX_BATCH = 20;
const MAX_DELAY_MS = 500;
/** A topic that comes and goes, with messages that nobody consumes. */
const PASSING_TOPIC = "passing";

/** What is known of something that is switched: null while it is not known. */
type Known = boolean | null;

export class Operator {
  readonly #model: Model;
  readonly #random: Random;
  readonly #isPaused = new Map<string, Known>();
  readonly #exists = new Map<string, Known>();
  #port = 0;
  #created = 0;
  #isEnding = false;
  #ended: Promise<void> = Promise.resolve();
  /** Set once the broker is told to stop: it may refuse then. */
  mayBeRefused = false;

  constructor(model: Model, random: Random) {
    this.#model = model;
    this.#random = random;
  }

  // ---- rounds -------------------------------------------------------------------------------

  /** @param idle channels that have no consumers in this round */
  start(port: number, idle: ReadonlySet<ChannelModel>): void {
    this.#port = port;
    this.#isEnding = this.mayBeRefused = false;
    this.#ended = this.#work(idle);
  }

  /** Resolves when the last call is over; its broker is gone or going. */
  end(): Promise<void> {
    this.#isEnding = true;
    return this.#ended;
  }

  async #work(idle: ReadonlySet<ChannelModel>): Promise<void> {
    const random = this.#random;
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, random.int(PACE_MS)));
      if (this.#isEnding) return;
      const dice = random.next();
      if (dice < 0.5) await this.#publish();
      else if (dice < 0.6) {
        await this.#switchPause(this.#topicQuery(random.int(this.#model.topics.length)), "topic");
      } else if (dice < 0.7) {
        await this.#switchPause(this.#channelQuery(random.pick(this.#model.channels)), "channel");
      } else if (dice < 0.8) {
        if (this.#model.channels.length < MAX_CHANNELS) {
          await this.#createChannel(random.int(this.#model.topics.length));
        }
      } else if (dice < 0.9) await this.#passingTopic();
      else await this.#deleteOrEmpty(random.pick([...idle]));
    }
  }

  /** Makes sure of what nobody knows: what may be there is deleted, and nothing is paused. */
  async settle(port: number, found: Holdings): Promise<void> {
    this.#port = port;
    this.#isEnding = this.mayBeRefused = false;
    for (const [name, topic] of found) {
      if (!this.#model.topics.includes(name)) await post(port, `/topic/delete?topic=${name}`);
      else if (topic.isPaused) await post(port, `/topic/unpause?topic=${name}`);
      for (const [channelName, channel] of topic.channels) {
        const query = `topic=${name}&channel=${channelName}`;
        if (this.#exists.has(query)) await post(port, `/channel/delete?${query}`);
        else if (channel.isPaused) await post(port, `/channel/unpause?${query}`);
      }
    }
    this.#exists.clear();
    this.#isPaused.clear();
    for (let topic = 0; topic < this.#model.topics.length; topic++) {
      if (!this.#model.hasChannel(topic)) await this.#createChannel(topic);
    }
  }

  /** Compares what is there after a restart with what was answered 200. */
  check(found: Holdings): void {
    for (const [name, topic] of found) {
      this.#checkKnown(`topic=${name}`, topic.isPaused);
      for (const [channelName, channel] of topic.channels) {
        this.#checkKnown(`topic=${name}&channel=${channelName}`, channel.isPaused);
      }
    }
  }

  #checkKnown(query: string, isPaused: boolean): void {
    if (this.#exists.get(query) === false) this.#model.fail(`${query} is there after it was deleted`);
    const known = this.#isPaused.get(query) ?? null;
    if (known !== null && known !== isPaused) this.#model.fail(`${query} should have paused = ${known}`);
  }

  // ---- operations ---------------------------------------------------------------------------

  /** True when it was answered 200. */
  async #post(path: string, body?: Uint8Array<ArrayBuffer>): Promise<boolean> {
    try {
      await post(this.#port, path, body);
      return true;
    } catch (cause) {
      if (!this.#isEnding && !this.mayBeRefused) this.#model.fail((cause as Error).message);
      return false;
    }
  }

  #topicQuery(topic: number): string {
    return `topic=${this.#model.topics[topic]}`;
  }

  #channelQuery({ topic, name }: { topic: number; name: string }): string {
    return `${this.#topicQuery(topic)}&channel=${name}`;
  }

  async #publish(): Promise<void> {
    const random = this.#random, model = this.#model, topic = random.int(model.topics.length);
    const delayMs = random.chance(0.2) ? random.int(MAX_DELAY_MS) : 0,
      isBatch = delayMs === 0 && random.chance(0.5);
    const count = isBatch ? random.between(1, MAX_BATCH) : 1;
    const numbers = Array.from({ length: count }, () => model.sending(topic, delayMs));
    const bodies = numbers.map((number) => makeBody(number, topic, random.int(300)));
    const query = this.#topicQuery(topic);
    const isOk = isBatch
      ? await this.#post(`/mpub?${query}&binary=true`, mpubBody(bodies))
      : await this.#post(`/pub?${query}${delayMs > 0 ? `&defer=${delayMs}` : ""}`, bodies[0]);
    if (isOk) { for (const number of numbers) model.answeredOk(number); }
  }

  async #switchPause(query: string, kind: "topic" | "channel"): Promise<void> {
    const pause = this.#random.chance(0.3);
    this.#isPaused.set(query, null);
    if (await this.#post(`/${kind}/${pause ? "pause" : "unpause"}?${query}`)) {
      this.#isPaused.set(query, pause);
    }
  }

  /** True when a call that would have made or deleted a channel of the topic was not answered. */
  #mayHaveChannel(topic: number): boolean {
    const prefix = `${this.#topicQuery(topic)}&`;
    return [...this.#exists].some(([query, known]) => known === null && query.startsWith(prefix));
  }

  async #createChannel(topic: number): Promise<void> {
    const name = `added_${++this.#created}`, query = this.#channelQuery({ topic, name });
    this.#exists.set(query, null);
    if (!await this.#post(`/channel/create?${query}`)) return;
    this.#exists.delete(query);
    this.#model.addChannel(topic, name);
  }

  async #passingTopic(): Promise<void> {
    const query = `topic=${PASSING_TOPIC}`;
    this.#exists.set(query, null);
    if (!await this.#post(`/topic/create?${query}`)) return;
    await this.#post(`/channel/create?${query}&channel=watch`);
    await this.#post(`/mpub?${query}`, new TextEncoder().encode("some\nmessages\nthat are\ndeleted"));
    if (await this.#post(`/topic/delete?${query}`)) this.#exists.set(query, false);
  }

  async #deleteOrEmpty(channel: ChannelModel | undefined): Promise<void> {
    const model = this.#model;
    if (channel === undefined || !model.channels.includes(channel)) return;
    const query = this.#channelQuery(channel);
    if (model.channels.length <= MIN_CHANNELS || this.#random.chance(0.5)) {
      // What a paused topic holds comes to the channel later.
      const isPaused = this.#isPaused.get(this.#topicQuery(channel.topic));
      const answered = isPaused === false || isPaused === undefined ? model.answered(channel) : [];
      model.emptying(channel);
      if (await this.#post(`/channel/empty?${query}`)) model.finishForGood(channel, answered);
      model.emptied(channel);
      return;
    }
    model.removeChannel(channel);
    this.#isPaused.delete(query);
    this.#exists.set(query, null);
    if (!await this.#post(`/channel/delete?${query}`)) return;
    this.#exists.set(query, false);
    if (!model.hasChannel(channel.topic) && !this.#mayHaveChannel(channel.topic)) {
      model.holding(channel.topic);
    }
  }
}
