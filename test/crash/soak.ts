/**
 * Lets one broker serve a mixed crowd for a long time and checks that it keeps its promises and its size.
 *
 *     deno task soak --minutes 60 --durability os --seed 1
 *
 * Producers and consumers connect, work as in `deno task crash`, and go without a word every few seconds; every
 * `--drain-every` rounds all is consumed and checked, and the resident memory taken (Linux). Ends with 1 when a
 * promise was broken, or when these figures are well higher in the last quarter than in the second. In the first
 * the process finds its size: the limits are small, so that all of storage is at work all the time.
 */
import { parseArgs } from "node:util";
import { type CrashOptions, type Ending, runCrashRounds } from "./crash_run.ts";

/** How far the two may be apart, for when garbage is collected is chance. */
const SLACK = 1.15;

function* leaveUntil(endMs: number): Generator<Ending> {
  while (performance.now() < endMs) yield "leave";
}

function residentMb(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1];
  return Math.round(Number(kilobytes) / 1024);
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "60" },
      durability: { type: "string", default: "os" },
      seed: { type: "string" },
      "drain-every": { type: "string", default: "10" },
    },
  });
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  const dataPath = await Deno.makeTempDir({ prefix: "nsq_soak_" });
  const command =
    `deno task soak --minutes ${values.minutes} --durability ${values.durability} --seed ${seed}`;
  console.log(`${command}\ndata path: ${dataPath}`);
  const startMs = performance.now(), sizes: number[] = [];
  const report = await runCrashRounds({
    durability: values.durability as CrashOptions["durability"],
    seed,
    dataPath,
    endings: leaveUntil(startMs + Number(values.minutes) * 60_000),
    drainEvery: Number(values["drain-every"]),
    maxDelayMs: 6000,
    drained(nsqd) {
      sizes.push(residentMb(nsqd.pid));
      console.log(`after ${Math.round((performance.now() - startMs) / 1000)} s: ${sizes.at(-1)} MB resident`);
    },
    log: (text) => text.startsWith("round") || console.log(text),
  });
  const quarter = Math.max(1, Math.floor(sizes.length / 4));
  const second = median(sizes.slice(quarter, quarter * 2)), last = median(sizes.slice(-quarter));
  if (last > second * SLACK) report.violations.push(`memory grew from ${second} to ${last} MB`);
  for (const violation of report.violations) console.log(violation);
  const outcome = report.violations.length === 0 ? "PASSED" : "FAILED";
  console.log(
    `${outcome}: ${report.rounds} rounds, ${second} MB in the second quarter, ${last} MB in the last, seed ${seed}, ` +
      JSON.stringify(report.totals),
  );
  if (report.violations.length === 0) await Deno.remove(dataPath, { recursive: true });
  return report.violations.length === 0 ? 0 : 1;
}

Deno.exit(await main());
