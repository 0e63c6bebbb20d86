/** The broker against a model of it: random use, from many seeds, on a clock that the test moves. */
import assert from "node:assert/strict";
import { Broker } from "../../src/broker/broker.ts";
import { isEphemeral } from "../../src/protocol/names.ts";
import { BufferPool } from "../../src/buffers/buffer_pool.ts";
import { BrokerDriver, CHANNELS } from "../support/broker_driver.ts";
import { BrokerModel } from "../support/broker_model.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { MemoryStore } from "../support/memory_store.ts";
import { Random } from "../support/random.ts";

const SEEDS = 120;
const STEPS = 300;
const LIMIT = 25;
const HISTORY_SHOWN = 40;
/** The scan timer never fires in a test: the model does what it does. */
const NEVER_MS = 2 ** 30;

interface Run {
  broker: Broker;
  store: MemoryStore;
  pool: BufferPool;
  driver: BrokerDriver;
  model: BrokerModel;
  random: Random;
}

function newRun(seed: number, workPerTurn?: number): Run {
  const clock = new FakeClock(),
    store = new MemoryStore(),
    pool = new BufferPool(1 << 20),
    random = new Random(seed);
  const options = {
    nodeId: 5,
    durability: "memory",
    memQueueSize: LIMIT,
    queueScanInterval: NEVER_MS,
    ...(workPerTurn === undefined ? {} : { workPerTurn }),
  } as const;
  const broker = new Broker(options, clock, store, pool);
  const model = new BrokerModel(broker);
  // What is released in parts meets the limit of an ephemeral channel in parts, of which the model knows nothing.
  const channels = workPerTurn === undefined ? CHANNELS : CHANNELS.filter((name) => !isEphemeral(name));
  return { broker, store, pool, model, random, driver: new BrokerDriver(model, random, clock, channels) };
}

/** Runs `use`, and names the seed and what was done when it fails. */
function withSeed(seed: number, use: (run: Run) => void, workPerTurn?: number): void {
  const run = newRun(seed, workPerTurn);
  try {
    use(run);
  } catch (cause) {
    const done = run.driver.history.slice(-HISTORY_SHOWN).join(", ");
    throw new Error(`seed ${seed}, step ${run.driver.history.length}: ${(cause as Error).message}\n${done}`, {
      cause,
    });
  } finally {
    run.broker.stop();
  }
}

function step({ driver, model, random }: Run): void {
  if (random.chance(0.25)) driver.pass();
  else driver.operate();
  model.committed();
  model.endTurns();
  model.check();
}

/** A turn in which the disk refuses. */
function failingStep({ driver, model, broker, store }: Run): void {
  const hadFailed = new Error("no space left on device");
  store.writeError = hadFailed;
  driver.operate();
  const wroteSomething = !broker.committer.isIdle;
  if (wroteSomething) model.failed();
  else model.committed();
  model.endTurns();
  store.writeError = null;
  model.check();
}

function drainAndCheck({ driver, model, pool }: Run): void {
  driver.drain(() => {
    model.committed();
    model.endTurns();
    model.check();
  });
  for (const topic of model.topics.values()) {
    for (const channel of topic.channels.values()) {
      assert.equal(channel.messages.size, 0, `${topic.name}/${channel.name}: not all was delivered`);
    }
    const real = model.realTopic(topic);
    real.log.trim();
    real.invariants();
    assert.equal(real.log.first, null, `${topic.name} holds on to a segment of which all is finished`);
    for (const channel of real.channels.values()) {
      assert.equal(channel.position.chunks.length, 0, "chunks");
      assert.equal(channel.tracked.size, 0, "tracked messages");
    }
  }
  assert.equal(pool.lentBytes, 0, "bytes of segments that are not returned");
}

async function immediatesDone(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("Broker does what the model says under random use", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    withSeed(seed, (run) => {
      for (let i = 0; i < STEPS; i++) step(run);
      drainAndCheck(run);
    });
  }
  await immediatesDone();
});

Deno.test("Broker loses nothing and invents nothing when groups fail now and then", async () => {
  for (let seed = 1001; seed <= 1000 + SEEDS / 3; seed++) {
    withSeed(seed, (run) => {
      for (let i = 0; i < STEPS; i++) {
        if (run.random.chance(0.1)) failingStep(run);
        else step(run);
      }
      drainAndCheck(run);
    });
  }
  await immediatesDone();
});

Deno.test("Broker does what the model says, in more turns, when a turn may move next to nothing", async () => {
  for (let seed = 2001; seed <= 2000 + SEEDS / 4; seed++) {
    withSeed(seed, (run) => {
      for (let i = 0; i < STEPS; i++) step(run);
      drainAndCheck(run);
    }, 1 + seed % 3);
  }
  await immediatesDone();
});
