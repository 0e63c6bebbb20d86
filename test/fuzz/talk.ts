/** What a fuzzer says on a connection to nsqd, and the check of what it is answered. */
import type { Random } from "../support/random.ts";
import { int32, pieceSizes } from "./bytes.ts";
import { commandOf, commandRow, type CommandSource } from "./commands.ts";
import { type FuzzedConnection, LIMITS } from "./fuzzed_connection.ts";
import { count, type Tally } from "./target.ts";

const MAX_ROW = 400;
/** Answered with OK in every state: once its answer is there, so are all before it. */
const PROBE = `PUB probe\n${int32(1)}p`;
const MAX_PIECES = 100;

/**
 * Sends rows of commands and reads what is answered, each time to the last answer. `lead` is sent before them.
 *
 * @returns false when the connection has come to its end
 */
export async function talk(
  connection: FuzzedConnection,
  random: Random,
  tally: Tally,
  lead: string,
  maxRows = 6,
): Promise<boolean> {
  const { model } = connection, nextSize = sparedSizes(random);
  const source: CommandSource = {
    random,
    ...LIMITS,
    topics: ["a", "b", "c", "d#ephemeral"],
    channels: ["x", "y", "z#ephemeral"],
    ids: connection.ids,
    isSubscribed: false,
    mutationChance: random.pick([0, 0, 0.001, 0.005, 0.05]),
    oddChance: random.pick([0, 0, 0.001, 0.05]),
  };
  let row = random.chance(0.3) ? commandOf("IDENTIFY", source) : "", unsent = lead;
  if (random.chance(0.7)) row += commandOf("SUB", source) + commandOf("RDY", source);
  for (let left = 1 + random.int(maxRows); left > 0; left--) {
    row += commandRow(source, random.int(MAX_ROW)) + PROBE;
    const before = model.commands, ending = model.run(row);
    count(tally, "commands", model.commands - before);
    await connection.send(unsent + row, nextSize);
    unsent = "";
    if (ending.kind !== "cut") {
      await connection.readToEnd();
      return false;
    }
    // The row ends inside a command that swallowed the probe.
    if (ending.taken < row.length || model.isUnsure) break;
    await connection.readAnswers();
    source.isSubscribed = model.state !== "init";
    row = "";
  }
  return true;
}

/** Pieces as from `pieceSizes`, but only the first ones: each write costs a system call or two. */
function sparedSizes(random: Random): () => number {
  const nextSize = pieceSizes(random);
  let pieces = 0;
  return () => ++pieces > MAX_PIECES ? 1 << 20 : nextSize();
}
