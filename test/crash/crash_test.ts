import assert from "node:assert/strict";
import { type CrashOptions, type Ending, runCrashRounds } from "./crash_run.ts";

const LOG_TAIL = 4000;

/** Runs the rounds on a fresh data path; a failure tells the seed and what nsqd logged. */
async function keepsItsPromises(durability: CrashOptions["durability"], endings: Ending[]): Promise<void> {
  const seed = Math.floor(Math.random() * 2 ** 31),
    dataPath = await Deno.makeTempDir({ prefix: "nsq_crash_" });
  const told: string[] = [`seed ${seed}`];
  console.log(`crash rounds at ${durability}, seed ${seed}`);
  try {
    const report = await runCrashRounds({
      durability,
      seed,
      dataPath,
      endings,
      drainEvery: endings.length,
      maxDelayMs: 1000,
      log: (text) => told.push(text),
    });
    assert.equal(
      report.violations.length,
      0,
      [...told, report.log.slice(-LOG_TAIL), ...report.violations].join("\n"),
    );
    assert.ok(report.totals.answered > 0, "something was published");
  } finally {
    await Deno.remove(dataPath, { recursive: true });
  }
}

Deno.test("nsqd at level os keeps what it answered OK through kill -9 at any moment", () =>
  keepsItsPromises("os", ["kill", "kill", "start", "kill", "kill", "killed stop", "kill"]));

Deno.test("nsqd at level disk keeps what it answered OK through kill -9 at any moment", () =>
  keepsItsPromises("disk", ["kill", "kill"]));

Deno.test("nsqd delivers nothing twice that was finished before a clean stop", () =>
  keepsItsPromises("os", ["stop", "stop"]));

Deno.test("nsqd at level memory keeps everything through a clean stop", () =>
  keepsItsPromises("memory", ["stop", "stop"]));
