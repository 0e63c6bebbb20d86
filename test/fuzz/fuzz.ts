/**
 * Runs fuzzers for as long as wanted.
 *
 *     deno task fuzz [--target NAME] [--rounds N] [--seed N]
 *
 * Without a target all run, each its default number of rounds; `--rounds` is for each. A failure prints the
 * command line that repeats its batch. `--help` lists the targets.
 */
import { parseArgs } from "node:util";
import { runTarget, TARGETS } from "./registry.ts";

const LONG_FACTOR = 50;

function wholeNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text.replaceAll("_", ""));
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${name} ${text} is no whole number`);
  return value;
}

const { values } = parseArgs({
  options: {
    target: { type: "string" },
    rounds: { type: "string" },
    seed: { type: "string" },
    help: { type: "boolean" },
  },
});
if (values.help) {
  console.log("deno task fuzz [--target NAME] [--rounds N] [--seed N]\n\nTargets:");
  for (const { name, summary } of TARGETS) console.log(`  ${name.padEnd(16)} ${summary}`);
  Deno.exit(0);
}
const chosen = TARGETS.filter(({ name }) => values.target === undefined || name === values.target);
if (chosen.length === 0) throw new Error(`no target ${values.target}; --help lists them`);
const seed = wholeNumber("seed", values.seed) ?? Date.now() % 1_000_000_000;
for (const target of chosen) {
  const rounds = wholeNumber("rounds", values.rounds) ?? target.shortRounds * LONG_FACTOR;
  await runTarget(target, rounds, seed, (line) => console.log(line));
}
