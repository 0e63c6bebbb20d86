/**
 * Damaged disk queues of the original: a broker takes over what can be read, all of the queues that are whole,
 * moves the files aside, and its next start finds what it took.
 */
import assert from "node:assert/strict";
import { takeOver } from "../../src/durability/take_over/take_over.ts";
import { Logger } from "../../src/log/logger.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { MemoryFileSystem } from "../support/memory_file_system.ts";
import { originalMetadata, OriginalQueue } from "../support/original_data_path.ts";
import { DIRECTORY, PersistentBroker } from "../support/persistent_broker.ts";
import type { Random } from "../support/random.ts";
import { contents, damage, drainChannel, settle } from "./damaged_files.ts";
import { plainSession, type Tally, type Target } from "./target.ts";

const CHANNELS = ["archive", "billing"];
const QUEUES = ["orders", "orders:archive", "orders:billing"];
const METADATA = `${DIRECTORY}/nsqd.dat`;
const REFUSED = `failed to parse metadata in ${METADATA} - `;

interface Original {
  files: MemoryFileSystem;
  /** The unread bodies of each queue. */
  unread: Map<string, string[]>;
}

function makeOriginal(random: Random): Original {
  const files = new MemoryFileSystem(), unread = new Map<string, string[]>();
  const channels = CHANNELS.map((name) => ({ name }));
  files.put(METADATA, originalMetadata([{ name: "orders", channels }]));
  for (const name of QUEUES) {
    if (random.chance(0.2)) continue;
    const bodies = Array.from(
      { length: random.int(60) },
      (_, i) => `${name} ${i} ${"x".repeat(random.int(random.chance(0.1) ? 700 : 40))}`,
    );
    const queue = new OriginalQueue(name, random.pick([200, 2000, 100_000]));
    queue.write(...bodies.map((body) => ({ body, attempts: random.chance(0.2) ? random.int(5) : 0 })));
    const readCount = random.int(bodies.length + 1);
    queue.read(readCount);
    for (const [file, bytes] of queue.files()) files.put(`${DIRECTORY}/${file}`, bytes);
    unread.set(name, bodies.slice(readCount));
  }
  return { files, unread };
}

/** Whether something of what `name` needs is not as the original left it. */
function isDamaged(name: string, before: MemoryFileSystem, after: MemoryFileSystem): boolean {
  return [...before.files.keys()].some((path) => {
    const isNeeded = path === METADATA || path.startsWith(`${DIRECTORY}/${name}.diskqueue.`);
    return isNeeded &&
      (!after.files.has(path) || String(after.content(path)) !== String(before.content(path)));
  });
}

/** Starts as nsqd does; null when it says that `nsqd.dat` cannot be read. */
async function start(files: MemoryFileSystem, clock: FakeClock): Promise<PersistentBroker | null> {
  const options = { durability: "os", maxBytesPerFile: 1 << 16, memLimit: 1 << 16 } as const;
  clock.advance(1000);
  let node: PersistentBroker;
  try {
    node = new PersistentBroker(files, clock, options);
  } catch (error) {
    if ((error as Error).message.startsWith(REFUSED)) return null;
    throw error;
  }
  const logger = new Logger("info", "", (line) => node.logLines.push(line), clock);
  await takeOver(node.broker, node.persistence.imports, files, DIRECTORY, node.clock, logger);
  return node;
}

async function tryOriginal(random: Random, tally: Tally): Promise<void> {
  const { files: original, unread } = makeOriginal(random), files = original.afterKill();
  const done: string[] = [], clock = new FakeClock();
  for (let left = random.int(4); left > 0; left--) done.push(damage(random, files));
  const whole = QUEUES.filter((name) => !isDamaged(name, original, files));
  tally.starts++;
  tally.damages += done.length;
  try {
    const node = await start(files, clock);
    if (node === null) {
      tally.refused++;
      return;
    }
    const left = files.list(DIRECTORY).filter((name) => name.includes(".diskqueue."));
    assert.deepEqual(left, [], "files that were not moved aside");
    await settle(node);
    const before = contents(node), stopped = await node.stop();
    const next = await start(stopped, clock);
    if (next === null) assert.fail("the next start reads no metadata");
    assert.deepEqual(contents(next), before, "what a clean stop left");
    tally.messages += await checkWhole(next, whole, unread);
    await next.stop();
  } catch (cause) {
    throw new Error(`after ${done.join("; ")}: ${(cause as Error).message}`, { cause });
  }
}

/** Every channel gets all of its own queue and of its topic's, when those were whole. @returns messages in all */
async function checkWhole(
  node: PersistentBroker,
  whole: readonly string[],
  unread: ReadonlyMap<string, readonly string[]>,
): Promise<number> {
  let count = 0;
  for (const topic of node.broker.topics.values()) {
    for (const channel of topic.channels.values()) {
      const bodies = (await drainChannel(node, channel)).map(({ body }) => body), found = new Set(bodies);
      count += bodies.length;
      if (topic.name !== "orders" || !CHANNELS.includes(channel.name)) continue;
      for (const name of ["orders", `orders:${channel.name}`]) {
        if (!whole.includes(name)) continue;
        for (const body of unread.get(name) ?? []) {
          assert.ok(found.has(body), `${channel.name} lacks ${body} of the queue ${name}`);
        }
      }
    }
  }
  return count;
}

async function batch(random: Random, rounds: number): Promise<Tally> {
  const tally: Tally = { starts: 0, damages: 0, refused: 0, messages: 0 };
  while (tally.starts < rounds) await tryOriginal(random, tally);
  return tally;
}

export const takeOverOriginal: Target = {
  name: "take_over",
  summary: "a broker that takes over damaged queues of the original",
  batchRounds: 100,
  shortRounds: 100,
  open: () => plainSession(batch),
};
