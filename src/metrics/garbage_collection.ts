/**
 * What garbage collection costs, from V8's own records of it.
 *
 * V8 keeps a record of a few kilobytes for each collection until it is asked, and making it takes about 40 µs. So
 * counting begins when somebody first asks, and from then on somebody must ask again now and then.
 *
 * Tested in test/metrics/process_monitor_test.ts.
 */
import * as v8 from "node:v8";

const NS_PER_SECOND = 1e9;
/** Pauses that percentiles are taken over. */
const RECENT_PAUSES = 256;

/** Since counting began. */
export interface GarbageCollectionFigures {
  /** Collections and seconds that they stopped the program, by V8's name of their kind. */
  readonly kinds: ReadonlyMap<string, { runs: number; seconds: number }>;
  readonly runs: number;
  readonly seconds: number;
}

export class GarbageCollection {
  readonly #kinds = new Map<string, { runs: number; seconds: number }>();
  readonly #recentSeconds = new Float64Array(RECENT_PAUSES);
  #runs = 0;
  #seconds = 0;
  #profiler: v8.GCProfiler | null = null;

  /** The figures of now; the first call begins to count. */
  figures(): GarbageCollectionFigures {
    this.drain();
    this.#profiler ??= startProfiler();
    return { kinds: this.#kinds, runs: this.#runs, seconds: this.#seconds };
  }

  /** The share `quantile` (in (0, 1]) of the newest 256 pauses was not longer than this, seconds; 0 without any. */
  pauseSeconds(quantile: number): number {
    const count = Math.min(this.#runs, RECENT_PAUSES);
    if (count === 0) return 0;
    return this.#recentSeconds.slice(0, count).sort()[Math.ceil(quantile * count) - 1];
  }

  /** Takes over what V8 recorded, so that it does not pile up there. */
  drain(): void {
    const profile = this.#profiler?.stop();
    if (profile === undefined) return;
    for (const { gcType, cost } of profile.statistics) this.#add(gcType, cost / NS_PER_SECOND);
    this.#profiler = startProfiler();
  }

  /** Ends the counting. */
  stop(): void {
    this.drain();
    this.#profiler?.stop();
    this.#profiler = null;
  }

  #add(kind: string, seconds: number): void {
    let totals = this.#kinds.get(kind);
    if (totals === undefined) this.#kinds.set(kind, totals = { runs: 0, seconds: 0 });
    totals.runs++;
    totals.seconds += seconds;
    this.#seconds += seconds;
    this.#recentSeconds[this.#runs++ % RECENT_PAUSES] = seconds;
  }
}

/** Null where the runtime keeps no such records, as older ones do not: then nothing is counted. */
function startProfiler(): v8.GCProfiler | null {
  if (v8.GCProfiler === undefined) return null;
  const profiler = new v8.GCProfiler();
  profiler.start();
  return profiler;
}
