/** All fuzzers, and how one is run. */
import { Random } from "../support/random.ts";
import { client } from "./client_fuzz.ts";
import { commandReader } from "./command_reader_fuzz.ts";
import { copies } from "./copies_fuzz.ts";
import { config } from "./config_fuzz.ts";
import { frameReader } from "./frame_reader_fuzz.ts";
import { httpServer } from "./http_server_fuzz.ts";
import { identify } from "./identify_fuzz.ts";
import { recovery } from "./recovery_fuzz.ts";
import { snappy } from "./snappy_fuzz.ts";
import { takeOverOriginal } from "./take_over_fuzz.ts";
import type { Tally, Target } from "./target.ts";
import { tcpServer } from "./tcp_server_fuzz.ts";
import { upgraded } from "./upgraded_fuzz.ts";
import { v1Reader } from "./v1_reader_fuzz.ts";

export const TARGETS: readonly Target[] = [
  commandReader,
  identify,
  config,
  v1Reader,
  snappy,
  recovery,
  copies,
  takeOverOriginal,
  tcpServer,
  upgraded,
  httpServer,
  frameReader,
  client,
];

const REPORT_EVERY_MS = 10_000;

function describe(tally: Tally): string {
  return Object.entries(tally).map(([what, count]) => `${count} ${what}`).join(", ");
}

/**
 * Runs `rounds` of `target` in batches: the first has the seed `seed`, the next ones those that follow.
 *
 * @throws what the batch threw, with the command line that repeats it
 */
export async function runTarget(
  target: Target,
  rounds: number,
  seed: number,
  report: (line: string) => void,
): Promise<Tally> {
  const total: Tally = {}, startedMs = performance.now();
  let reportedMs = startedMs;
  report(`${target.name}: ${rounds} rounds from seed ${seed}`);
  const session = await target.open();
  try {
    for (let done = 0, batchSeed = seed; done < rounds; done += target.batchRounds, batchSeed++) {
      const batchRounds = Math.min(target.batchRounds, rounds - done);
      try {
        const tally = await session.batch(new Random(batchSeed), batchRounds);
        for (const [what, count] of Object.entries(tally)) total[what] = (total[what] ?? 0) + count;
      } catch (cause) {
        const again = `deno task fuzz --target ${target.name} --rounds ${batchRounds} --seed ${batchSeed}`;
        throw new Error(`${target.name} failed; again: ${again}`, { cause });
      }
      if (performance.now() - reportedMs > REPORT_EVERY_MS) {
        reportedMs = performance.now();
        report(`${target.name}: so far ${describe(total)}`);
      }
    }
    await session.check();
  } finally {
    await session.close();
  }
  const seconds = (performance.now() - startedMs) / 1000;
  report(`${target.name}: sound, ${describe(total)} in ${seconds.toFixed(1)} s`);
  return total;
}
