/**
 * Which of several hosts is next: round robin, those that answer, or mostly the fastest of them.
 *
 * The epsilon-greedy pool is the published bandit of bitly's host pool: now and then (epsilon) a host is taken in
 * turn, to learn about it; otherwise at random, weighted by one over its average response time of the last minutes.
 */

/** Where time and chance come from. */
export interface PoolEnvironment {
  /** Monotonic, ms. */
  nowMs(): number;
  /** At least 0, below 1. */
  random(): number;
}

export const realEnvironment: PoolEnvironment = {
  nowMs: () => performance.now(),
  random: () => Math.random(),
};

export const poolModes = ["round-robin", "hostpool", "epsilon-greedy"] as const;

export type PoolMode = typeof poolModes[number];

/** Hosts are known by their place in the list. */
export interface HostPool {
  /** The host that is to be asked now. */
  next(): number;
  /** What came of it. `elapsedMs` is the time of the request. */
  report(host: number, isOk: boolean, elapsedMs: number): void;
}

/** @param hostCount at least 1 */
export function createPool(
  mode: PoolMode,
  hostCount: number,
  environment: PoolEnvironment = realEnvironment,
): HostPool {
  if (mode === "round-robin") return new RoundRobin(hostCount);
  if (mode === "hostpool") return new LivePool(hostCount, environment);
  return new EpsilonGreedyPool(hostCount, environment);
}

/** One after the other whatever comes of it. The second is the first to be asked, as in NSQ's utilities. */
class RoundRobin implements HostPool {
  readonly #hostCount: number;
  #count = 0;

  constructor(hostCount: number) {
    this.#hostCount = hostCount;
  }

  next(): number {
    this.#count = (this.#count + 1) % this.#hostCount;
    return this.#count;
  }

  report(): void {}
}

const FIRST_RETRY_MS = 30_000;
const MAX_RETRY_MS = 900_000;

interface Host {
  isDead: boolean;
  /** Until the next retry after this one. */
  retryDelayMs: number;
  retryAtMs: number;
}

/** In turn over the hosts that answer. One that did not is tried again after 30 s, then twice that, up to 15 min. */
export class LivePool implements HostPool {
  readonly #hosts: Host[];
  readonly #environment: PoolEnvironment;
  #nextHost = 0;

  constructor(hostCount: number, environment: PoolEnvironment = realEnvironment) {
    this.#hosts = Array.from({ length: hostCount }, () => ({ isDead: false, retryDelayMs: 0, retryAtMs: 0 }));
    this.#environment = environment;
  }

  next(): number {
    const nowMs = this.#environment.nowMs();
    const count = this.#hosts.length;
    for (let i = 0; i < count; i++) {
      const index = (this.#nextHost + i) % count;
      const host = this.#hosts[index];
      if (host.isDead && host.retryAtMs >= nowMs) continue;
      if (host.isDead) {
        host.retryDelayMs = Math.min(host.retryDelayMs * 2, MAX_RETRY_MS);
        host.retryAtMs = nowMs + host.retryDelayMs;
      }
      this.#nextHost = (index + 1) % count;
      return index;
    }
    // With nobody left everybody is as good as alive.
    for (const host of this.#hosts) host.isDead = false;
    this.#nextHost = 1 % count;
    return 0;
  }

  /** Whether the host is taken for alive. */
  isAlive(host: number): boolean {
    return !this.#hosts[host].isDead;
  }

  report(index: number, isOk: boolean): void {
    const host = this.#hosts[index];
    if (isOk) {
      host.isDead = false;
    } else if (!host.isDead) {
      host.isDead = true;
      host.retryDelayMs = FIRST_RETRY_MS;
      host.retryAtMs = this.#environment.nowMs() + FIRST_RETRY_MS;
    }
  }
}

const FIRST_EPSILON = 0.3;
const MIN_EPSILON = 0.01;
const EPSILON_DECAY = 0.9;
const BUCKETS = 120;
const WINDOW_MS = 5 * 60_000;
const BUCKET_MS = WINDOW_MS / BUCKETS;

/** Response times of one host in the last five minutes, in buckets that are reused in turn. */
class ResponseTimes {
  readonly #counts = new Float64Array(BUCKETS);
  readonly #sumsMs = new Float64Array(BUCKETS);
  #current = 0;

  /** Begins the next bucket, forgetting the oldest. */
  turn(): void {
    this.#current = (this.#current + 1) % BUCKETS;
    this.#counts[this.#current] = 0;
    this.#sumsMs[this.#current] = 0;
  }

  add(elapsedMs: number): void {
    this.#counts[this.#current]++;
    this.#sumsMs[this.#current] += elapsedMs;
  }

  /** Newer buckets weigh more; one without a sample repeats the one before. 0 when there is no sample at all. */
  weightedAverageMs(): number {
    let average = 0, lastMs = 0;
    for (let i = 1; i <= BUCKETS; i++) {
      const bucket = (this.#current + i) % BUCKETS;
      const count = this.#counts[bucket];
      const weight = i / BUCKETS;
      if (count > 0) lastMs = this.#sumsMs[bucket] / count;
      average += lastMs * weight;
    }
    return average;
  }
}

class EpsilonGreedyPool implements HostPool {
  readonly #live: LivePool;
  readonly #times: ResponseTimes[];
  readonly #environment: PoolEnvironment;
  #epsilon = FIRST_EPSILON;
  #turnedAtMs: number;

  constructor(hostCount: number, environment: PoolEnvironment) {
    this.#live = new LivePool(hostCount, environment);
    this.#times = Array.from({ length: hostCount }, () => new ResponseTimes());
    this.#environment = environment;
    this.#turnedAtMs = environment.nowMs();
  }

  next(): number {
    this.#turn();
    if (this.#environment.random() < this.#epsilon) {
      this.#epsilon = Math.max(this.#epsilon * EPSILON_DECAY, MIN_EPSILON);
      return this.#live.next();
    }
    const weights = this.#times.map((times, host) => {
      const averageMs = this.#live.isAlive(host) ? times.weightedAverageMs() : 0;
      return averageMs > 0 ? 1 / averageMs : 0;
    });
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    if (total === 0) return this.#live.next();
    let left = this.#environment.random() * total;
    for (let host = 0; host < weights.length; host++) {
      if (weights[host] === 0) continue;
      left -= weights[host];
      if (left < 0) return host;
    }
    return weights.findLastIndex((weight) => weight > 0);
  }

  report(host: number, isOk: boolean, elapsedMs: number): void {
    this.#turn();
    this.#live.report(host, isOk);
    // A time of zero would be no sample at all.
    if (isOk) this.#times[host].add(Math.max(elapsedMs, 0.001));
  }

  #turn(): void {
    const nowMs = this.#environment.nowMs();
    for (let turns = 0; nowMs - this.#turnedAtMs >= BUCKET_MS && turns < BUCKETS; turns++) {
      this.#turnedAtMs += BUCKET_MS;
      for (const times of this.#times) times.turn();
    }
    if (nowMs - this.#turnedAtMs >= BUCKET_MS) this.#turnedAtMs = nowMs;
  }
}
