/**
 * Kills a broker again and again and checks that it keeps its promises.
 *
 *     deno task crash --rounds 200 --durability os --seed 1 --data-path /var/tmp/crash
 *
 * All options can be left out. The seed decides what is done; when it happens depends on the machine. Ends with 1
 * when a promise was broken, and keeps the data path then.
 */
import { parseArgs } from "node:util";
import { Random } from "../support/random.ts";
import { type CrashOptions, mixedEndings, runCrashRounds } from "./crash_run.ts";

const LOG_TAIL = 6000;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "50" },
      durability: { type: "string", default: "os" },
      seed: { type: "string" },
      "data-path": { type: "string" },
      "drain-every": { type: "string", default: "10" },
      quiet: { type: "boolean", default: false },
    },
  });
  const durability = values.durability as CrashOptions["durability"];
  if (!["memory", "os", "disk"].includes(durability)) {
    throw new Error(`Cannot run at durability ${durability}: it is memory, os or disk`);
  }
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31)), rounds = Number(values.rounds);
  const dataPath = values["data-path"] ?? await Deno.makeTempDir({ prefix: "nsq_crash_" });
  await Deno.mkdir(dataPath, { recursive: true });
  const command = `deno task crash --rounds ${rounds} --durability ${durability} --seed ${seed}`;
  console.log(`${command}\ndata path: ${dataPath}`);
  const report = await runCrashRounds({
    durability,
    seed,
    dataPath,
    endings: mixedEndings(rounds, new Random(seed)),
    drainEvery: Number(values["drain-every"]),
    maxDelayMs: 6000,
    log: (text) => values.quiet || console.log(text),
  });
  if (report.violations.length === 0) {
    await Deno.remove(dataPath, { recursive: true });
    console.log(`PASSED: ${report.rounds} rounds, 0 lost, seed ${seed}, ${JSON.stringify(report.totals)}`);
    return 0;
  }
  console.log(`what nsqd logged last:\n${report.log.slice(-LOG_TAIL)}`);
  for (const violation of report.violations) console.log(violation);
  console.log(`FAILED: seed ${seed}, data path ${dataPath}; to run it again:\n${command}`);
  return 1;
}

Deno.exit(await main());
