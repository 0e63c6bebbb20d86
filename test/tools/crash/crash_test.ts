/** Each utility killed at random moments, a few times; `deno task crash:tools` does it for longer. */
import { Random } from "../../support/random.ts";
import { crashRun, pubCrashRun, sinkKinds } from "./crash_run.ts";

const ROUNDS = 3;

function seeded(): Random {
  const seed = Math.floor(Math.random() * 2 ** 32);
  console.log(`seed ${seed}`);
  return new Random(seed);
}

for (const kind of sinkKinds) {
  Deno.test(`nsq ${kind} loses nothing when it is killed`, async () => {
    await crashRun(kind, ROUNDS, seeded());
  });
}

Deno.test("nsq pub that was killed has published whole messages only, and all of them when it is run again", async () => {
  await pubCrashRun(ROUNDS, seeded());
});
