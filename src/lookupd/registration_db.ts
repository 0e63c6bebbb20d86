/**
 * The registration database: which producer has which topic and channel.
 *
 *     #topics: name -> Topic
 *                      isRegistered            the key "topic:T:" exists
 *                      producers: Producer -> time of its tombstone
 *                      channels: name -> Set<Producer>     the keys "channel:T:C"
 *     producers: Set<Producer>                 the key "client::"
 *                      topics: Set<Topic>      the way back, for disconnects and /nodes
 *
 * Keys outlive their producers, by a day at most (`abandoned_names.ts`): consumers tell "no such topic" (404) from "nobody has it" (empty).
 * A topic's entry may even lose its own key and keep its channels, as after UNREGISTER of an
 * ephemeral topic.
 *
 * Invariants: a producer in a channel is in the channel's topic; `topic.producers.has(p)` is
 * `p.topics.has(topic)`; no entry of `#topics` is without a key.
 *
 * Cost: REGISTER, UNREGISTER and PING are O(1); the end of a connection is linear in the producer's
 * topics and their channels. Memory is about 100 bytes for each registration.
 *
 * The database has no sockets, timers or files. Answers are cached by `answers.ts`, which compares
 * `revision` numbers; the snapshot is written by `snapshot.ts`, which listens to `onChange`.
 */
import { isEphemeral } from "../protocol/names.ts";
import { AbandonedNames } from "./abandoned_names.ts";
import { nodeKey, NOT_TOMBSTONED, Producer, type ProducerInfo, Topic } from "./producer.ts";

/** How long producers and tombstones count. */
export interface RegistrationLimits {
  /** A producer is hidden when it was not heard of for longer than this. */
  inactiveProducerTimeoutMs: number;
  /** A tombstone hides its producer for less than this. */
  tombstoneLifetimeMs: number;
}

/** The registrations of one lookupd. Names given to it are valid unless said otherwise. */
export class RegistrationDb {
  readonly limits: RegistrationLimits;
  /** Every producer that is connected, or restored and not yet expired. */
  readonly producers: Set<Producer> = new Set();
  /** Called after each change of what a snapshot holds, but not for each PING. */
  onChange: () => void = () => {};
  /** Changes when anything that `/nodes`, `/topics` or a topic's answer shows changes. */
  revision = 0;

  #topics = new Map<string, Topic>();
  readonly #abandoned = new AbandonedNames();
  /** Producers known from the snapshot alone, by `nodeKey()`. */
  #restored = new Map<string, Producer>();
  #now: () => number;

  /** `now` returns ms since the epoch and must not go back. */
  constructor(limits: RegistrationLimits, now: () => number) {
    this.limits = limits;
    this.#now = now;
  }

  /** ms since the epoch, by the database's clock. */
  get nowMs(): number {
    return this.#now();
  }

  /** Every topic entry; those whose `isRegistered` is false are not topics for `/topics`. */
  topics(): IterableIterator<Topic> {
    return this.#topics.values();
  }

  /** Returns the entry of `name`, which need not be valid, even when only channels are left of it. */
  topic(name: string): Topic | undefined {
    return this.#topics.get(name);
  }

  isActive(producer: Producer, nowMs: number): boolean {
    return nowMs - producer.lastUpdateMs <= this.limits.inactiveProducerTimeoutMs;
  }

  isTombstoned(tombstonedAtMs: number, nowMs: number): boolean {
    return tombstonedAtMs !== NOT_TOMBSTONED && nowMs - tombstonedAtMs < this.limits.tombstoneLifetimeMs;
  }

  /**
   * Adds the producer of a new connection, `id` being its `ip:port`.
   *
   * When the snapshot knew the node, its entry changes hands instead: consumers go on seeing its
   * registrations while the nsqd repeats them, and those that it has not repeated by its first PING
   * are dropped. An nsqd registers everything before it pings.
   */
  identify(id: string, info: ProducerInfo): Producer {
    const key = nodeKey(info);
    const restored = this.#restored.get(key);
    this.#restored.delete(key);
    if (restored === undefined) {
      const producer = new Producer(id, info, this.#now());
      this.producers.add(producer);
      this.#changed(producer);
      return producer;
    }
    restored.adopt(id, info, this.#now());
    restored.unconfirmed = this.#registrationsOf(restored);
    for (const topic of restored.topics) this.#touchTopic(topic);
    this.#changed(restored);
    return restored;
  }

  /** Takes note of a PING. */
  ping(producer: Producer): void {
    const nowMs = this.#now();
    if (!this.isActive(producer, nowMs)) {
      for (const topic of producer.topics) this.#touchTopic(topic);
      this.#changed(producer);
    }
    producer.lastUpdateMs = nowMs;
    if (producer.unconfirmed !== undefined) this.#dropUnconfirmed(producer);
  }

  /** REGISTER; `channel` is "" for the topic alone. A repeat changes nothing, a tombstone stays. */
  register(producer: Producer, topicName: string, channel: string): void {
    const topic = this.#ensureTopic(topicName);
    if (channel !== "") {
      const producers = this.#ensureChannel(topic, channel);
      if (!producers.has(producer)) {
        producers.add(producer);
        this.#abandoned.delete(producers);
        this.onChange();
      }
    }
    if (!topic.producers.has(producer)) {
      topic.producers.set(producer, NOT_TOMBSTONED);
      this.#abandoned.delete(topic);
      producer.topics.add(topic);
      this.#touchTopic(topic);
      this.#changed(producer);
    }
    if (producer.unconfirmed !== undefined) this.#confirm(producer, topic, channel);
  }

  /** UNREGISTER; `channel` is "" for the topic with all its channels. Unknown names are no error. */
  unregister(producer: Producer, topicName: string, channel: string): void {
    const topic = this.#topics.get(topicName);
    if (topic === undefined) return;
    if (channel !== "") {
      this.#unregisterChannel(producer, topic, channel);
      return;
    }
    if (topic.producers.has(producer)) {
      this.#leave(producer, topic);
      producer.topics.delete(topic);
      this.#touchTopic(topic);
      this.#changed(producer);
    }
    if (topic.producers.size === 0 && isEphemeral(topicName)) this.#unregisterTopicKey(topic);
  }

  /** The connection of `producer` ended: it leaves every key, and the keys stay. */
  remove(producer: Producer): void {
    for (const topic of producer.topics) {
      this.#leave(producer, topic);
      this.#touchTopic(topic);
    }
    producer.topics.clear();
    producer.unconfirmed = undefined;
    this.producers.delete(producer);
    this.#changed(producer);
  }

  createTopic(name: string): void {
    this.#wanted(this.#ensureTopic(name));
  }

  createChannel(topicName: string, channel: string): void {
    const topic = this.#ensureTopic(topicName);
    this.#ensureChannel(topic, channel);
    this.#wanted(topic);
  }

  /** Removes the topic and its channels with their producers, who may still have it. */
  deleteTopic(name: string): void {
    const topic = this.#topics.get(name);
    if (topic === undefined) return;
    this.#topics.delete(name);
    this.#abandoned.delete(topic);
    for (const producers of topic.channels.values()) this.#abandoned.delete(producers);
    for (const producer of topic.producers.keys()) {
      producer.topics.delete(topic);
      this.#changed(producer);
    }
    this.#touchTopic(topic);
    this.onChange();
  }

  /** Removes the channel with its producers; false when there is no such channel. */
  deleteChannel(topicName: string, channel: string): boolean {
    const topic = this.#topics.get(topicName), producers = topic?.channels.get(channel);
    if (topic === undefined || producers === undefined) return false;
    topic.channels.delete(channel);
    this.#abandoned.delete(producers);
    this.#touchTopic(topic);
    this.#forgetIfKeyless(topic);
    this.onChange();
    return true;
  }

  /** Hides the producers called `node` (`<broadcast_address>:<http_port>`) from the topic's lookups. */
  tombstone(topicName: string, node: string): void {
    const topic = this.#topics.get(topicName);
    if (topic === undefined) return;
    const nowMs = this.#now();
    for (const producer of topic.producers.keys()) {
      if (producer.node !== node) continue;
      topic.producers.set(producer, nowMs);
      this.#touchTopic(topic);
      this.#changed(producer);
    }
  }

  /**
   * Adds what a snapshot says of a producer; its nsqd is expected to come back. Two entries for one
   * node, which two connections had made, become one.
   */
  restore(id: string, info: ProducerInfo, lastUpdateMs: number): Producer {
    const key = nodeKey(info);
    const known = this.#restored.get(key);
    if (known !== undefined) {
      known.lastUpdateMs = Math.max(known.lastUpdateMs, lastUpdateMs);
      return known;
    }
    const producer = new Producer(id, info, lastUpdateMs);
    producer.isRestored = true;
    this.#restored.set(key, producer);
    this.producers.add(producer);
    return producer;
  }

  /** Puts a tombstone of the snapshot back; `tombstonedAtMs` in ms since the epoch. */
  restoreTombstone(producer: Producer, topicName: string, tombstonedAtMs: number): void {
    const topic = this.#topics.get(topicName);
    if (topic?.producers.has(producer)) topic.producers.set(producer, tombstonedAtMs);
  }

  /** Drops restored producers that stayed away for longer than the inactivity timeout. */
  expireRestored(): void {
    const nowMs = this.#now();
    for (const [key, producer] of this.#restored) {
      if (this.isActive(producer, nowMs)) continue;
      this.#restored.delete(key);
      producer.unconfirmed = this.#registrationsOf(producer);
      this.#dropUnconfirmed(producer);
      this.remove(producer);
    }
  }

  /**
   * Forgets names that nobody has registered for long, as `AbandonedNames` says, `max` at most; to be called now and
   * then.
   *
   * @returns how many topics and channels
   */
  forgetAbandoned(max = Infinity): number {
    let count = 0;
    for (
      const { topic, channel } of this.#abandoned.due(this.#now(), this.limits.inactiveProducerTimeoutMs)
    ) {
      if (channel === "") this.deleteTopic(topic);
      else this.deleteChannel(topic, channel);
      if (++count === max) break;
    }
    return count;
  }

  /** Topics and channels that nobody has registered any more. */
  get abandonedCount(): number {
    return this.#abandoned.count;
  }

  /** How many producers are known from the snapshot alone. */
  get restoredCount(): number {
    return this.#restored.size;
  }

  #ensureTopic(name: string): Topic {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      topic = new Topic(name);
      this.#topics.set(name, topic);
    }
    if (!topic.isRegistered) {
      topic.isRegistered = true;
      if (topic.producers.size === 0) this.#abandoned.add(topic, name, "", this.#now());
      this.#touchTopic(topic);
      this.onChange();
    }
    return topic;
  }

  #ensureChannel(topic: Topic, channel: string): Set<Producer> {
    let producers = topic.channels.get(channel);
    if (producers === undefined) {
      producers = new Set();
      topic.channels.set(channel, producers);
      this.#abandoned.add(producers, topic.name, channel, this.#now());
      this.#touchTopic(topic);
      this.onChange();
    }
    return producers;
  }

  #unregisterChannel(producer: Producer, topic: Topic, channel: string): void {
    const producers = topic.channels.get(channel);
    if (producers === undefined) return;
    if (producers.delete(producer)) {
      if (producers.size === 0) this.#abandoned.add(producers, topic.name, channel, this.#now());
      this.onChange();
    }
    if (producers.size === 0 && isEphemeral(channel)) this.deleteChannel(topic.name, channel);
  }

  /** Somebody just asked for this topic to be there. */
  #wanted(topic: Topic): void {
    if (topic.producers.size === 0) this.#abandoned.add(topic, topic.name, "", this.#now());
  }

  /** Takes a producer out of a topic and its channels. */
  #leave(producer: Producer, topic: Topic): void {
    const nowMs = this.#now();
    for (const [channel, producers] of topic.channels) {
      if (producers.delete(producer) && producers.size === 0) {
        this.#abandoned.add(producers, topic.name, channel, nowMs);
      }
    }
    if (topic.producers.delete(producer) && topic.producers.size === 0) {
      this.#abandoned.add(topic, topic.name, "", nowMs);
    }
  }

  #unregisterTopicKey(topic: Topic): void {
    topic.isRegistered = false;
    this.#abandoned.delete(topic);
    this.#touchTopic(topic);
    this.#forgetIfKeyless(topic);
    this.onChange();
  }

  #forgetIfKeyless(topic: Topic): void {
    if (!topic.isRegistered && topic.channels.size === 0) this.#topics.delete(topic.name);
  }

  #registrationsOf(producer: Producer): Map<string, Set<string>> {
    const registrations = new Map<string, Set<string>>();
    for (const topic of producer.topics) {
      const names = new Set([""]);
      for (const [channel, producers] of topic.channels) {
        if (producers.has(producer)) names.add(channel);
      }
      registrations.set(topic.name, names);
    }
    return registrations;
  }

  /** The nsqd repeated a restored registration. As after any reconnect, its tombstone is gone. */
  #confirm(producer: Producer, topic: Topic, channel: string): void {
    const names = producer.unconfirmed?.get(topic.name);
    if (names === undefined) return;
    if (names.delete("")) this.#clearTombstone(producer, topic);
    names.delete(channel);
    if (names.size === 0) producer.unconfirmed?.delete(topic.name);
  }

  #clearTombstone(producer: Producer, topic: Topic): void {
    if (topic.producers.get(producer) === NOT_TOMBSTONED) return;
    topic.producers.set(producer, NOT_TOMBSTONED);
    this.#touchTopic(topic);
    this.#changed(producer);
  }

  #dropUnconfirmed(producer: Producer): void {
    const registrations = producer.unconfirmed ?? new Map<string, Set<string>>();
    producer.unconfirmed = undefined;
    for (const [topicName, names] of registrations) {
      for (const channel of names) if (channel !== "") this.unregister(producer, topicName, channel);
      if (names.has("")) this.unregister(producer, topicName, "");
    }
  }

  #touchTopic(topic: Topic): void {
    topic.revision = ++this.revision;
  }

  #changed(producer: Producer): void {
    producer.revision = ++this.revision;
    this.onChange();
  }
}
