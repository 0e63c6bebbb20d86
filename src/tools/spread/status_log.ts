/** The lines that tell, after each so many requests, how long they took: `99th: 4.89ms - 95th: 4.89ms - avg: 4.89ms`. */
import type { Logger } from "../../log/logger.ts";
import { formatDuration } from "../../options/duration.ts";

const ENOUGH_FOR_PERCENTILES = 100;

/** Requests to one host, or to all. */
class Series {
  readonly #name: string;
  #times: number[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  /** @returns the line, when this was one more than `every` */
  add(elapsedMs: number, every: number): string | null {
    const times = this.#times;
    times.push(elapsedMs);
    if (times.length <= every) return null;
    this.#times = [];
    const averageMs = times.reduce((sum, time) => sum + time, 0) / times.length;
    times.sort((a, b) => a - b);
    const [p99, p95] = [0.99, 0.95].map((part) => shown(percentile(part, times)));
    return `[${this.#name}]: finished ${times.length} - 99th: ${p99} - 95th: ${p95} - avg: ${
      shown(averageMs)
    }`;
  }
}

export class StatusLog {
  readonly #every: number;
  readonly #logger: Logger;
  readonly #all = new Series("aggregate");
  readonly #hosts: Series[];

  /** @param every requests between two lines; 0 logs nothing */
  constructor(every: number, hosts: readonly string[], logger: Logger) {
    this.#every = every;
    this.#logger = logger;
    this.#hosts = hosts.length > 1 ? hosts.map((host) => new Series(host)) : [];
    if (every > 0 && every < ENOUGH_FOR_PERCENTILES) {
      logger.warn(
        `Warning: use more than ${ENOUGH_FOR_PERCENTILES} status values for accurate percentiles ` +
          `(configured with ${every})`,
      );
    }
  }

  /** Notes a request to the host of that place in the list. */
  add(host: number, elapsedMs: number): void {
    if (this.#every <= 0) return;
    for (const series of [this.#hosts[host], this.#all]) {
      const line = series?.add(elapsedMs, this.#every) ?? null;
      if (line !== null) this.#logger.info(line);
    }
  }
}

/** Of sorted `times`, as NSQ's utilities count: the element at `part * n + 0.5`, rounded up, at most the last. */
export function percentile(part: number, times: readonly number[]): number {
  return times[Math.min(Math.ceil(part * times.length + 0.5), times.length - 1)];
}

/** Microseconds are enough. */
function shown(ms: number): string {
  return formatDuration(Math.round(ms * 1000) / 1000);
}
