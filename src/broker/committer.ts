/**
 * Group commit: what was published in a turn becomes safe together, and only then is it answered OK.
 *
 * A group is what was published between two commits, of all topics. At level `memory` a group is safe at
 * the end of its turn, at `os` after one synchronous write there, at `disk` after an fdatasync, during
 * which the next group gathers. So at most two groups are ever undecided.
 *
 * A publisher stages its OK at once, in order with its other replies, and asks with `listen` to be told
 * when the group is decided; its connection sends nothing staged after that point before.
 */
import type { Clock } from "../clock/clock.ts";
import { Histogram } from "../metrics/histogram.ts";
import type { Durability, Store } from "./store.ts";
import type { Topic } from "./topic.ts";

/** Someone whose answer waits for a group. */
export interface GroupListener {
  /** The group is safe. */
  groupCommitted(group: number): void;
  /** The group could not be made safe; none of its messages is in any topic. */
  groupFailed(group: number, cause: Error): void;
}

/** A promise of a group, for publishers that wait one by one (HTTP). */
interface Waiter {
  resolve(): void;
  reject(cause: Error): void;
}

interface Group {
  readonly number: number;
  /** When its first message came, monotonic ms; NaN before. */
  startedMs: number;
  readonly listeners: GroupListener[];
  readonly waiters: Waiter[];
}

/** Seconds. */
const COMMIT_BOUNDS = [1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

export class Committer {
  /** Seconds from the first publish of a group until it was decided, one value for each group with messages. */
  readonly commitSeconds: Histogram = new Histogram(COMMIT_BOUNDS);
  /** Groups that could not be made safe. */
  failedGroups = 0;
  readonly #durability: Durability;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #onSettled: () => void;
  #gathering: Group = newGroup(1);
  #dirty: Topic[] = [];
  #isRequested = false;
  #isSyncing = false;
  /** Last failure of the disk, null once a write succeeded again. */
  #failure: Error | null = null;

  /** @param onSettled called after a group is decided outside of a turn, to have a turn run */
  constructor(durability: Durability, store: Store, clock: Clock, onSettled: () => void) {
    this.#durability = durability;
    this.#store = store;
    this.#clock = clock;
    this.#onSettled = onSettled;
  }

  /** The number of the group that is gathering. */
  get group(): number {
    return this.#gathering.number;
  }

  get failure(): Error | null {
    return this.#failure;
  }

  /** True while nothing waits to be written or synced. */
  get isIdle(): boolean {
    return this.#dirty.length === 0 && !this.#isSyncing;
  }

  mark(topic: Topic): void {
    topic.isMarked = true;
    if (Number.isNaN(this.#gathering.startedMs)) this.#gathering.startedMs = this.#clock.monotonicMs();
    this.#dirty.push(topic);
  }

  /** Has the next commit write, also when no topic has records: the store has something staged. */
  requestCommit(): void {
    this.#isRequested = true;
  }

  /** Has `listener` told when the gathering group is decided. Once per listener and group. */
  listen(listener: GroupListener): void {
    this.#gathering.listeners.push(listener);
  }

  /** Resolves when the gathering group is safe, rejects when it fails. */
  wait(): Promise<void> {
    return new Promise((resolve, reject) => this.#gathering.waiters.push({ resolve, reject }));
  }

  /** Commits what was gathered; at level `disk` only once the running sync is over. */
  commit(): void {
    if (this.#isSyncing) return;
    const group = this.#gathering, topics = this.#dirty;
    const isIdle = topics.length === 0 && group.listeners.length === 0 && group.waiters.length === 0;
    if (isIdle && !this.#isRequested) return this.#recheck();
    this.#isRequested = false;
    this.#gathering = newGroup(group.number + 1);
    this.#dirty = [];
    const durable = topics.filter((topic) => !topic.ephemeral);
    for (const topic of topics) {
      topic.isMarked = false;
      // The disk has no part in ephemeral topics: they do not fail with it.
      if (topic.ephemeral) topic.commitTo(topic.log.endSeq);
    }
    let wrote: boolean;
    try {
      wrote = this.#store.write(durable);
    } catch (cause) {
      this.#fail([group], durable, cause as Error);
      return;
    }
    if (this.#durability === "disk" && wrote) {
      this.#sync(group, durable);
      return;
    }
    this.#recheck();
    for (const topic of durable) topic.commitTo(topic.log.endSeq);
    this.#store.enforceBudget();
    this.#succeed(group);
  }

  #sync(group: Group, topics: Topic[]): void {
    for (const topic of topics) topic.log.writtenSeq = topic.log.endSeq;
    this.#isSyncing = true;
    this.#store.sync().then(() => {
      this.#isSyncing = false;
      this.#recheck();
      for (const topic of topics) topic.commitTo(topic.log.writtenSeq);
      this.#store.enforceBudget();
      this.#succeed(group);
    }, (cause: Error) => {
      this.#isSyncing = false;
      // What gathered meanwhile lies behind the lost records in the same logs, so it fails with them.
      const gathered = this.#gathering, later = this.#dirty.filter((topic) => !topic.ephemeral);
      const ephemeral = this.#dirty.filter((topic) => topic.ephemeral);
      this.#gathering = newGroup(gathered.number + 1);
      this.#dirty = [];
      for (const topic of later) topic.isMarked = false;
      for (const topic of ephemeral) {
        topic.isMarked = false;
        topic.commitTo(topic.log.endSeq);
      }
      this.#fail([group, gathered], [...new Set([...topics, ...later])], cause);
    }).finally(this.#onSettled);
  }

  /**
   * After a failure: well again only once the disk takes as much as it refused. Every turn tries, so that it
   * heals without a publisher that dares.
   */
  #recheck(): void {
    if (this.#failure !== null && this.#store.isWritable()) this.#failure = null;
  }

  #succeed(group: Group): void {
    const tookMs = this.#clock.monotonicMs() - group.startedMs;
    if (!Number.isNaN(tookMs)) this.commitSeconds.add(tookMs / 1000);
    for (const listener of group.listeners) listener.groupCommitted(group.number);
    for (const waiter of group.waiters) waiter.resolve();
  }

  #fail(groups: Group[], topics: Topic[], cause: Error): void {
    this.#failure = cause;
    this.failedGroups += groups.length;
    for (const topic of topics) {
      // An ephemeral topic has nothing to do with the disk, and its publishers have their OK.
      if (topic.ephemeral) topic.commitTo(topic.log.endSeq);
      else topic.rollBack();
    }
    for (const group of groups) {
      for (const listener of group.listeners) listener.groupFailed(group.number, cause);
      for (const waiter of group.waiters) waiter.reject(cause);
    }
  }
}

function newGroup(number: number): Group {
  return { number, startedMs: NaN, listeners: [], waiters: [] };
}
