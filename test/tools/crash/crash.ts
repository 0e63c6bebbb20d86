/**
 * Kills each utility again and again and counts what comes through:
 *
 *     deno task crash:tools [--rounds 20] [--seed n] [--only to-file]
 */
import { parseArgs } from "node:util";
import { Random } from "../../support/random.ts";
import { crashRun, pubCrashRun, type SinkKind, sinkKinds } from "./crash_run.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    rounds: { type: "string", default: "20" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 32)) },
    only: { type: "string" },
  },
});
const rounds = Number(values.rounds), seed = Number(values.seed);
const kinds = [...sinkKinds, "pub"].filter((kind) => values.only === undefined || values.only === kind);
if (!(rounds >= 1) || !Number.isInteger(seed) || kinds.length === 0) {
  console.error(
    `use --rounds with a number from 1, --seed with a whole number, --only with ${
      sinkKinds.join(", ")
    } or pub`,
  );
  Deno.exit(2);
}
console.log(`${rounds} rounds each, seed ${seed}`);
for (const kind of kinds) {
  const random = new Random(seed);
  const { published, arrived, kills } = kind === "pub"
    ? await pubCrashRun(rounds, random)
    : await crashRun(kind as SinkKind, rounds, random);
  const again = arrived - published;
  console.log(`${kind}: ${kills} kills, ${published} messages, none lost, ${again} came more than once`);
}
