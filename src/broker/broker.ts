/**
 * The broker: the map of topics, and the turn of the event loop that drives them.
 *
 * All work of a turn is gathered and done once at its end, in this order: commit what was published
 * (`committer.ts`), release it to the channels, share it out among the consumers, write to their sockets.
 * The end of the turn is `setImmediate`, which runs after the reads that were ready.
 *
 * This file owns the map and the scheduling. Protocol, HTTP, statistics and files stand beside it.
 *
 * Tested in test/broker/broker_model_test.ts.
 */
import { setImmediate } from "node:timers";
import type { Clock } from "../clock/clock.ts";
import type { BufferPool } from "../buffers/buffer_pool.ts";
import { PolicyBook } from "../policies/policy_book.ts";
import type { SettingsChange } from "../policies/settings.ts";
import { type Segment, setTimestamp, type Timestamp } from "../storage/segment.ts";
import type { Channel } from "./channel.ts";
import type { TurnWork } from "./channel/message_states.ts";
import { Committer } from "./committer.ts";
import { DeadLetterMover } from "./dead_letter_mover.ts";
import { Rounds } from "./rounds.ts";
import type { Durability, Store } from "./store.ts";
import { Topic, type TopicHost } from "./topic.ts";

export interface BrokerOptions {
  /** 0..1023. */
  nodeId: number;
  durability: Durability;
  /** Messages an ephemeral topic or channel keeps before new ones are dropped. */
  memQueueSize: number;
  /** How often channels with something due are looked at, ms. */
  queueScanInterval: number;
  /** Percentiles of the time from publish to FIN that are wanted, each in (0, 1]; none by default. */
  e2eProcessingLatencyPercentile?: readonly number[];
  /** The window they are taken over, ms. */
  e2eProcessingLatencyWindowTime?: number;
  /** Whether now and then, at the end of a turn, a topic is looked at for broken invariants; one ends the process. */
  checksInvariants?: boolean;
  /** Messages that a turn moves for work that can wait, see `TurnWork`. */
  workPerTurn?: number;
  /** Where policies come from; by default nowhere. */
  policies?: PolicyBook;
}

/** Something with staged output that is written at the end of the turn. */
export interface Flushable {
  flush(): void;
}

/** Is told what comes into being and what goes. Calls come after the fact. */
export interface BrokerObserver {
  topicCreated?(topic: Topic): void;
  topicDeleted?(topic: Topic): void;
  channelCreated?(channel: Channel): void;
  channelDeleted?(channel: Channel): void;
  /** The channel has reached most of a bound of its policy. */
  boundNeared?(channel: Channel): void;
}

const DEFAULT_LATENCY_WINDOW_MS = 600_000;
/**
 * Messages that a turn moves for work that can wait: about 10 ms of it, for the clients that do not.
 */
const WORK_PER_TURN = 5_000;
/** Invariants of one topic are checked no more often than this. */
const CHECK_PAUSE_MS = 20;

export class Broker implements TopicHost {
  readonly pool: BufferPool;
  readonly topics = new Map<string, Topic>();
  readonly nodeId: number;
  readonly memQueueSize: number;
  /** In the order in which they are shown. */
  readonly latencyPercentiles: readonly number[];
  readonly latencyWindowMs: number;
  readonly time: Timestamp = { high: 0, low: 0 };
  nowMs: number;
  readonly work: TurnWork;
  readonly random: () => number;
  readonly policies: PolicyBook;
  readonly observers: BrokerObserver[] = [];
  readonly committer: Committer;

  readonly #deadLetters: DeadLetterMover;
  readonly #clock: Clock;
  readonly #store: Store;
  #isTurnAsked = false;
  #turnCount = 0;
  #channels: Channel[] = [];
  #outputs: Flushable[] = [];
  readonly #rounds: Rounds;
  #nextTopicNumber = 1;
  #highestSeq = 0;
  readonly #loading = new Map<Segment, Set<Channel>>();
  #isStopped = false;
  readonly #workPerTurn: number;
  /** Topics that go on releasing in this turn. */
  #releasing = new Set<Topic>();
  readonly #checksInvariants: boolean;
  #nextCheckMs = 0;
  /** The topics that are still to be checked in this round. */
  #unchecked: Topic[] = [];
  readonly #onTurnEnd = () => this.#endTurn();

  /**
   * @param pool where message buffers come from; the store keeps it within its budget
   * @param random numbers in [0, 1), for consumers that want a sample
   */
  constructor(
    options: BrokerOptions,
    clock: Clock,
    store: Store,
    pool: BufferPool,
    random: () => number = Math.random,
  ) {
    this.pool = pool;
    this.random = random;
    this.#workPerTurn = options.workPerTurn ?? WORK_PER_TURN;
    this.work = { left: this.#workPerTurn };
    this.policies = options.policies ?? new PolicyBook();
    this.#checksInvariants = options.checksInvariants ?? false;
    this.nodeId = options.nodeId;
    this.memQueueSize = options.memQueueSize;
    // Shown from the highest to the lowest, however they were given.
    this.latencyPercentiles = [...options.e2eProcessingLatencyPercentile ?? []].sort((a, b) => b - a);
    this.latencyWindowMs = this.latencyPercentiles.length === 0
      ? 0
      : options.e2eProcessingLatencyWindowTime ?? DEFAULT_LATENCY_WINDOW_MS;
    this.#rounds = new Rounds(pool, options.queueScanInterval, () => this.nowMs = this.#clock.monotonicMs());
    this.#clock = clock;
    this.#store = store;
    this.committer = new Committer(options.durability, store, clock, () => this.beginTurn());
    this.#deadLetters = new DeadLetterMover(this, store);
    this.nowMs = clock.monotonicMs();
    setTimestamp(this.time, clock.nowMs());
  }

  // ---- topics -------------------------------------------------------------------------------

  /** The topic of that name, created when there is none. The name was checked. */
  topic(name: string, ephemeral: boolean): Topic {
    const existing = this.topics.get(name);
    if (existing !== undefined) return existing;
    const topic = this.addTopic(name, this.#nextTopicNumber, this.#newFirstSeq(), ephemeral);
    if (!ephemeral) this.#store.topicCreated(topic);
    for (const observer of this.observers) observer.topicCreated?.(topic);
    return topic;
  }

  /** Adds a topic, telling nobody: recovery knows its number and next sequence number. */
  addTopic(name: string, number: number, firstSeq: number, ephemeral: boolean): Topic {
    const topic = new Topic(this, name, number, firstSeq, ephemeral);
    this.#nextTopicNumber = Math.max(this.#nextTopicNumber, number + 1);
    this.topics.set(name, topic);
    return topic;
  }

  /** Deletes a topic, its channels and their messages; false when there is none of that name. */
  deleteTopic(name: string): boolean {
    const topic = this.topics.get(name);
    topic?.delete();
    return topic !== undefined;
  }

  /**
   * The first sequence number of a new topic: today in microseconds, and above every one used before, so
   * that ids do not repeat when a topic is deleted and created again.
   */
  #newFirstSeq(): number {
    const seq = Math.max(Math.floor(this.#clock.nowMs() * 1000), this.#highestSeq + 1);
    return this.#highestSeq = seq;
  }

  /** Wall clock, Unix ms. */
  wallMs(): number {
    return this.#clock.nowMs();
  }

  /** Monotonic time of this moment, ms; `nowMs` is that of the turn, which may be many milliseconds old. */
  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  /** Makes sequence numbers of new topics start above `seq`. */
  raiseFirstSeq(seq: number): void {
    this.#highestSeq = Math.max(this.#highestSeq, seq);
  }

  // ---- policies -----------------------------------------------------------------------------

  /**
   * Sets keys of a topic's policy.
   *
   * @throws {PolicyError} when what would be in force contradicts itself; nothing changes then
   */
  setTopicPolicy(topic: Topic, change: SettingsChange): void {
    topic.setSettings(this.policies.checked({ topic: topic.name }, topic.settings, change));
    if (!topic.ephemeral) this.#store.topicPolicyChanged(topic);
  }

  /** Puts the policies of all topics and channels in force, after their sources changed. */
  enforcePolicies(): void {
    for (const topic of this.topics.values()) topic.setSettings(topic.settings);
  }

  /** Sets keys of a channel's policy. @throws {PolicyError} as above */
  setChannelPolicy(topic: Topic, channel: Channel, change: SettingsChange): void {
    const subject = { topic: topic.name, channel: channel.name };
    topic.setChannelSettings(channel, this.policies.checked(subject, channel.settings, change));
    if (channel.durable) this.#store.channelPolicyChanged(channel);
  }

  // ---- the turn -----------------------------------------------------------------------------

  /** Something happens: takes the time and has the end of the turn come. */
  beginTurn(): void {
    if (this.#isTurnAsked || this.#isStopped) return;
    this.#isTurnAsked = true;
    this.nowMs = this.#clock.monotonicMs();
    setTimestamp(this.time, this.#clock.nowMs());
    setImmediate(this.#onTurnEnd);
  }

  markTopic(topic: Topic): void {
    this.committer.mark(topic);
    this.beginTurn();
  }

  markReleasing(topic: Topic): void {
    this.#releasing.add(topic);
    this.beginTurn();
  }

  markChannel(channel: Channel): void {
    channel.inTurn = true;
    this.#channels.push(channel);
    this.beginTurn();
  }

  /** Has `output.flush()` called at the end of the turn; the caller makes sure it is asked for once. */
  markOutput(output: Flushable): void {
    this.#outputs.push(output);
    this.beginTurn();
  }

  /** Ends the turn now: commits, delivers and writes. For shutdown and tests. */
  endTurn(): void {
    this.#endTurn();
  }

  #endTurn(): void {
    this.#isTurnAsked = false;
    this.nowMs = this.#clock.monotonicMs();
    this.committer.commit();
    if (this.#releasing.size > 0) {
      const releasing = this.#releasing;
      this.#releasing = new Set();
      for (const topic of releasing) topic.release();
    }
    const channels = this.#channels;
    if (channels.length > 0) {
      this.#channels = [];
      // Each time another one is first: when it takes up all the work of the turn, the others have the next.
      const first = this.#turnCount++ % channels.length;
      for (let i = 0; i < channels.length; i++) {
        const at = first + i, channel = channels[at < channels.length ? at : at - channels.length];
        channel.inTurn = false;
        channel.pump(this.nowMs);
      }
    }
    const outputs = this.#outputs;
    if (outputs.length > 0) {
      this.#outputs = [];
      for (const output of outputs) output.flush();
    }
    this.work.left = this.#workPerTurn;
    if (this.#checksInvariants && this.nowMs >= this.#nextCheckMs) this.#checkNext();
  }

  /** Checks the invariants of the topic whose turn it is. @throws Error when one is broken */
  #checkNext(): void {
    this.#nextCheckMs = this.nowMs + CHECK_PAUSE_MS;
    if (this.#unchecked.length === 0) this.#unchecked = [...this.topics.values()];
    const topic = this.#unchecked.pop();
    if (topic !== undefined && !topic.exiting) topic.invariants();
  }

  /** Stops the timers; nothing is delivered from here on. */
  stop(): void {
    this.#isStopped = true;
    this.#rounds.stop();
    this.#deadLetters.stop();
  }

  // ---- for topics and channels --------------------------------------------------------------

  watchDue(channel: Channel): void {
    this.#rounds.watch(channel);
  }

  load(segment: Segment, channel: Channel): void {
    const waiting = this.#loading.get(segment);
    if (waiting !== undefined) {
      waiting.add(channel);
      return;
    }
    const channels = new Set([channel]);
    this.#loading.set(segment, channels);
    // What the disk refuses does not reject: it is tried again or given up. Anything else that is thrown there is a
    // defect of ours, and ends the process as an unhandled rejection, with all that was answered OK in the log.
    this.#store.load(segment).then(() => {
      this.#loading.delete(segment);
      for (const waiter of channels) waiter.wake();
    });
  }

  prefetch(segment: Segment): void {
    this.#store.readAhead(segment);
  }

  topicUsed(topic: Topic): void {
    this.#rounds.used(topic);
  }

  segmentSealed(topic: Topic, segment: Segment): void {
    if (!topic.ephemeral) this.#store.segmentSealed(topic, segment);
  }

  segmentUnclaimed(segment: Segment): void {
    segment.isUnclaimed = true;
    segment.dropBuffer(this.pool);
    this.#store.segmentUnclaimed(segment);
  }

  needsUpkeep(topic: Topic): void {
    this.#rounds.keep(topic);
  }

  boundNeared(channel: Channel): void {
    for (const observer of this.observers) observer.boundNeared?.(channel);
  }

  deadLetterCame(channel: Channel): void {
    this.#deadLetters.came(channel);
  }

  /** Publishes dead letters of `channel` to a topic; resolves with how many are there. */
  moveDeadLetters(channel: Channel, seqs: readonly number[], topicName: string): Promise<number> {
    return this.#deadLetters.move(channel, seqs, topicName);
  }

  /** Reads an evicted segment back, or gives its records up. Does not reject. */
  loadSegment(segment: Segment): Promise<void> {
    return this.#store.load(segment);
  }

  positionChanged(channel: Channel): void {
    this.#store.positionChanged(channel);
  }

  journalFull(channel: Channel): void {
    this.#store.journalFull(channel);
  }

  channelCreated(channel: Channel): void {
    if (channel.durable) this.#store.channelCreated(channel);
    for (const observer of this.observers) observer.channelCreated?.(channel);
  }

  channelDeleted(channel: Channel): void {
    if (channel.durable) this.#store.channelDeleted(channel);
    for (const observer of this.observers) observer.channelDeleted?.(channel);
  }

  channelEmptied(channel: Channel): void {
    if (channel.durable) this.#store.channelEmptied(channel);
  }

  topicEmptied(topic: Topic): void {
    if (!topic.ephemeral) this.#store.topicEmptied(topic);
  }

  topicDeleted(topic: Topic): void {
    this.topics.delete(topic.name);
    this.raiseFirstSeq(topic.log.endSeq);
    this.#rounds.forget(topic);
    if (!topic.ephemeral) this.#store.topicDeleted(topic);
    for (const observer of this.observers) observer.topicDeleted?.(topic);
  }

  pauseChanged(): void {
    this.#store.pauseChanged();
  }
}
