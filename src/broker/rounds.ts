/**
 * What the broker does now and then: it looks for what is due in the channels that have something, and lets go of what
 * quiet topics keep. A round's timer runs only while there is something for it.
 *
 * Tested in test/broker/channel/timeouts_test.ts and test/broker/topic_test.ts.
 */
import type { BufferPool } from "../buffers/buffer_pool.ts";
import type { Channel } from "./channel.ts";
import type { Topic } from "./topic.ts";

const HOUSEKEEPING_MS = 1000;

export class Rounds {
  readonly #pool: BufferPool;
  readonly #scanIntervalMs: number;
  readonly #takeTime: () => number;
  /** Channels that have something that becomes due. */
  #timed: Channel[] = [];
  /** Topics that had records lately. */
  readonly #active = new Set<Topic>();
  /** Topics whose policies ask for upkeep. */
  readonly #kept = new Set<Topic>();
  #scanTimer: ReturnType<typeof setTimeout> | undefined;
  #housekeepingTimer: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;

  /** @param takeTime has the broker take the time, and gives it: monotonic ms */
  constructor(pool: BufferPool, scanIntervalMs: number, takeTime: () => number) {
    this.#pool = pool;
    this.#scanIntervalMs = scanIntervalMs;
    this.#takeTime = takeTime;
  }

  /** The channel has something that becomes due. */
  watch(channel: Channel): void {
    if (channel.isTimed) return;
    channel.isTimed = true;
    this.#timed.push(channel);
    if (this.#scanTimer === undefined && !this.#isStopped) {
      this.#scanTimer = setTimeout(() => this.#scan(), this.#scanIntervalMs);
    }
  }

  /** The topic has records. */
  used(topic: Topic): void {
    this.#active.add(topic);
    this.#scheduleHousekeeping();
  }

  /** The topic's policy asks for upkeep. */
  keep(topic: Topic): void {
    this.#kept.add(topic);
    this.#scheduleHousekeeping();
  }

  /** The topic is deleted. */
  forget(topic: Topic): void {
    this.#active.delete(topic);
    this.#kept.delete(topic);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#scanTimer);
    clearTimeout(this.#housekeepingTimer);
  }

  #scan(): void {
    this.#scanTimer = undefined;
    const nowMs = this.#takeTime(), timed = this.#timed;
    this.#timed = [];
    for (const channel of timed) {
      channel.isTimed = false;
      if (!channel.exiting && channel.scan(nowMs)) this.watch(channel);
    }
  }

  #housekeep(): void {
    this.#housekeepingTimer = undefined;
    for (const topic of this.#active) {
      if (topic.recentlyUsed) topic.recentlyUsed = false;
      else if (topic.log.trim()) this.#active.delete(topic);
    }
    for (const topic of this.#kept) if (!topic.upkeep()) this.#kept.delete(topic);
    if (this.#active.size + this.#kept.size > 0) this.#scheduleHousekeeping();
    if (this.#active.size === 0) this.#pool.trim();
  }

  #scheduleHousekeeping(): void {
    if (this.#housekeepingTimer !== undefined || this.#isStopped) return;
    this.#housekeepingTimer = setTimeout(() => this.#housekeep(), HOUSEKEEPING_MS);
  }
}
