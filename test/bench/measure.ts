/**
 * Times a piece of the broker by itself.
 *
 * A benchmark works in rounds, each of which does the same to a number of messages. Rounds run for a while to
 * warm up and then for a while to count; the result is the median round, which one pause of the garbage
 * collector or of the machine does not move.
 */

/** One benchmark; its name carries sizes and, where something is written, the sync policy. */
export interface Benchmark {
  name: string;
  /** What a result is per: "message", "call". */
  per: string;
  /** Makes what the rounds need, just before them. */
  setUp(): Rounds | Promise<Rounds>;
}

export interface Rounds {
  /** How many messages or calls a round has. */
  count: number;
  /** Runs before each round and is not timed. */
  prepare?(): void | Promise<void>;
  round(): void | Promise<void>;
  tearDown?(): void | Promise<void>;
}

export interface Measurement {
  name: string;
  per: string;
  /** Median time of a message or call, ns. */
  ns: number;
  /** Time in the fastest round, ns. */
  fastestNs: number;
  rounds: number;
}

const WARM_UP_MS = 200;
const MIN_ROUNDS = 5;

/** Runs rounds for about `ms`, warming up not included, preparing included. */
export async function measure(benchmark: Benchmark, ms: number): Promise<Measurement> {
  const rounds = await benchmark.setUp();
  try {
    await runFor(rounds, WARM_UP_MS);
    const times = (await runFor(rounds, ms)).sort((a, b) => a - b);
    const perOneNs = 1e6 / rounds.count;
    return {
      name: benchmark.name,
      per: benchmark.per,
      ns: times[times.length >> 1] * perOneNs,
      fastestNs: times[0] * perOneNs,
      rounds: times.length,
    };
  } finally {
    await rounds.tearDown?.();
  }
}

/** Resolves with the time of each round, ms. */
async function runFor(rounds: Rounds, ms: number): Promise<number[]> {
  const times: number[] = [], endMs = performance.now() + ms;
  while (times.length < MIN_ROUNDS || performance.now() < endMs) {
    await rounds.prepare?.();
    const startedMs = performance.now();
    // Waiting for nothing would add a turn of the event loop to rounds that are synchronous.
    const running = rounds.round();
    if (running !== undefined) await running;
    times.push(performance.now() - startedMs);
  }
  return times;
}
