/**
 * The broker with its commit log against the model: random use, on files in memory, through clean stops,
 * kills, power cuts and full disks. After each the promises of the durability level are checked.
 */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import type { Durability } from "../../src/broker/store.ts";
import { BrokerDriver } from "../support/broker_driver.ts";
import { BrokerModel } from "../support/broker_model.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { MemoryFileSystem } from "../support/memory_file_system.ts";
import { PersistentBroker } from "../support/persistent_broker.ts";
import { Random } from "../support/random.ts";
import { checkRestart, type Ending } from "../support/restart_check.ts";

const STEPS = 150;
const HISTORY_SHOWN = 40;
const MAX_TURNS = 2000;

const USE_OF_CHANNELS = [
  "publish one",
  "publish many",
  "finish",
  "requeue now",
  "requeue later",
  "touch",
  "rdy",
];

const WORK = [...USE_OF_CHANNELS, "subscribe", "requeue much later", "defer", "written"];

class Run {
  readonly random: Random;
  readonly clock = new FakeClock();
  readonly durability: Durability;
  node: PersistentBroker;
  readonly model: BrokerModel;
  readonly driver: BrokerDriver;
  /** Records that compaction moved. */
  moved = 0;

  constructor(seed: number, durability: Durability) {
    this.random = new Random(seed);
    this.durability = durability;
    this.node = this.#start(new MemoryFileSystem());
    this.model = new BrokerModel(this.node.broker);
    this.driver = new BrokerDriver(this.model, this.random, this.clock);
  }

  #start(fileSystem: MemoryFileSystem): PersistentBroker {
    const { durability } = this;
    return new PersistentBroker(fileSystem, this.clock, {
      durability,
      maxBytesPerFile: 4096,
      memLimit: 8192,
    });
  }

  // ---- turns ----------------------------------------------------------------------------------

  /** Does something in a turn, and all that follows from it; false when the group failed. */
  async turn(work: () => void): Promise<boolean> {
    let failure: Error | null = null;
    this.node.broker.beginTurn();
    work();
    this.node.broker.committer.listen({
      groupCommitted() {},
      groupFailed: (_, cause) => failure = cause,
    });
    await this.#rest();
    if (failure === null) this.model.committed();
    else this.model.failed();
    await this.#deliver();
    this.model.check();
    return failure === null;
  }

  /** Runs turns until the group is decided and no segment is being read. */
  async #rest(): Promise<void> {
    for (let i = 0; i < MAX_TURNS; i++) {
      this.node.broker.endTurn();
      await immediate();
      if (this.node.broker.committer.isIdle && !this.#isLoading()) return;
    }
    throw new Error("the broker does not come to rest");
  }

  #isLoading(): boolean {
    for (const topic of this.node.broker.topics.values()) {
      for (const channel of topic.channels.values()) {
        if (channel.inTurn) return true;
        if (channel.redelivery.peek()?.segment.loading) return true;
      }
      for (let segment = topic.log.first; segment !== null; segment = segment.next) {
        if (segment.loading) return true;
      }
    }
    return false;
  }

  async #deliver(): Promise<void> {
    this.model.endTurns();
    await this.#rest();
    this.model.endTurns();
  }

  /** Consumers work through what is published and leave a little of it for much later. */
  work(): Promise<boolean> {
    return this.turn(() => this.driver.operate(WORK));
  }

  step(): Promise<boolean> {
    return this.turn(() => this.random.chance(0.25) ? this.driver.pass() : this.driver.operate());
  }

  async background(): Promise<void> {
    this.driver.history.push("background");
    await this.turn(() => this.driver.pass(this.random.between(0, 6000)));
    // Something goes on while files are read, synced and moved.
    const results = await Promise.allSettled([this.node.background(), this.step()]);
    for (const result of results) if (result.status === "rejected") throw result.reason;
    await this.turn(() => {});
  }

  /** Trials of a full disk are limited in time, so healing may take some turns. */
  async #heal(): Promise<void> {
    for (let i = 0; i < 200 && this.node.broker.committer.failure !== null; i++) await this.turn(() => {});
    await this.turn(() => {});
    assert.equal(this.node.broker.committer.failure, null, "the broker does not heal");
  }

  async diskFull(): Promise<void> {
    this.driver.history.push("disk full");
    const { fileSystem } = this.node, diesFull = this.durability !== "memory" && this.random.chance(0.3);
    // What it dies with must not depend on groups that failed: channels are made when the disk has room.
    const only = diesFull ? USE_OF_CHANNELS : undefined;
    fileSystem.freeBytes = this.random.int(6000);
    for (let i = this.random.between(1, 8); i > 0; i--) {
      await this.turn(() => this.driver.operate(only));
      if (this.random.chance(0.3)) this.#tryToFlush();
    }
    if (diesFull) return this.kill();
    fileSystem.freeBytes = Infinity;
    this.driver.history.push("disk has room");
    await this.#heals();
  }

  async #heals(): Promise<void> {
    const { model } = this;
    assert.ok(await this.turn(() => model.publish(model.topic("orders"), [20])), "the broker does not heal");
  }

  #tryToFlush(): void {
    try {
      this.node.persistence.flushPositions();
      this.driver.history.push("flush");
    } catch (cause) {
      assert.match((cause as Error).message, /No space left/);
      this.driver.history.push("failed flush");
    }
  }

  async syncFails(): Promise<void> {
    this.driver.history.push("sync fails");
    const { fileSystem } = this.node;
    fileSystem.syncError = new Error("Input/output error (os error 5)");
    for (let i = this.random.between(1, 2); i > 0; i--) await this.step();
    fileSystem.syncError = null;
    this.driver.history.push("sync works");
    await this.#heals();
  }

  // ---- ends -----------------------------------------------------------------------------------

  async stop(): Promise<void> {
    this.driver.history.push("stop");
    for (const topic of this.model.topics.values()) {
      for (const channel of [...topic.channels.values()]) {
        for (const consumer of [...channel.consumers]) this.model.disconnect(topic, channel, consumer);
      }
    }
    await this.turn(() => {});
    const files = await this.node.stop();
    this.#restart(files, "clean stop");
  }

  async kill(): Promise<void> {
    this.driver.history.push("kill");
    this.node.fileSystem.freeBytes = Infinity;
    this.node.writeMetadata();
    const files = this.durability === "disk"
      ? this.node.fileSystem.afterPowerCut((unsynced) =>
        this.random.chance(0.5) ? 0 : this.random.int(unsynced + 1)
      )
      : this.node.fileSystem.afterKill();
    await this.node.bury();
    this.#restart(files, "crash");
  }

  /** Dies in the middle of a write: what was published in that turn is undecided. */
  async killInWrite(): Promise<void> {
    this.driver.history.push("kill in a write");
    this.node.writeMetadata();
    this.node.fileSystem.tearAfterBytes = this.random.int(3000);
    await this.turn(() => {
      for (const topic of this.model.topics.values()) {
        const sizes = Array.from({ length: this.random.between(2, 30) }, () => this.random.between(8, 200));
        this.model.publish(topic, sizes);
      }
    });
    const files = this.node.fileSystem.afterKill();
    await this.node.bury();
    this.#restart(files, "crash");
  }

  #restart(files: MemoryFileSystem, ending: Ending): void {
    this.moved += this.node.persistence.figures().movedRecords;
    this.clock.advance(1000);
    this.node = this.#start(files);
    checkRestart(this.model, this.node.broker, ending);
  }
}

function immediate(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => resolve()));
}

type Event = [weight: number, happen: (run: Run) => Promise<unknown>];

/** Lets random `events` happen, from each seed; returns how many records compaction moved. */
async function use(
  durability: Durability,
  seeds: [from: number, to: number],
  events: Event[],
): Promise<number> {
  const total = events.reduce((sum, [weight]) => sum + weight, 0);
  let moved = 0;
  for (let seed = seeds[0]; seed <= seeds[1]; seed++) {
    const run = new Run(seed, durability);
    try {
      for (let i = 0; i < STEPS; i++) {
        let left = run.random.next() * total;
        await events.find(([weight]) => (left -= weight) < 0)![1](run);
      }
      await run.stop();
    } catch (cause) {
      const done = run.driver.history.slice(-HISTORY_SHOWN).join(", ");
      const log = run.node.logLines.join("");
      throw new Error(`seed ${seed}: ${(cause as Error).message}\n${done}\n${log}`, { cause });
    } finally {
      moved += run.moved;
      await run.node.bury();
    }
  }
  return moved;
}

const ordinary: Event[] = [
  [85, (run) => run.step()],
  [12, (run) => run.background()],
  [2, (run) => run.stop()],
];

Deno.test("Persistence at level os keeps every OK'd message through kills and clean stops", async () => {
  await use("os", [1, 30], [...ordinary, [2, (run) => run.kill()]]);
});

Deno.test("Persistence at level memory keeps everything through clean stops", async () => {
  await use("memory", [101, 120], ordinary);
});

Deno.test("Persistence at level disk keeps every OK'd message through power cuts", async () => {
  await use("disk", [201, 220], [...ordinary, [2, (run) => run.kill()]]);
});

Deno.test("Persistence at level os cuts a torn tail off and keeps what was OK'd", async () => {
  await use("os", [301, 320], [...ordinary, [2, (run) => run.killInWrite()]]);
});

Deno.test("Persistence at level os loses nothing OK'd when the disk is full for a while", async () => {
  await use("os", [401, 430], [...ordinary, [3, (run) => run.diskFull()], [1, (run) => run.kill()]]);
});

Deno.test("Persistence at level memory loses nothing when the disk is full for a while", async () => {
  await use("memory", [701, 720], [...ordinary, [6, (run) => run.diskFull()]]);
});

Deno.test("Persistence at level disk loses nothing OK'd when syncs fail for a while", async () => {
  await use("disk", [501, 520], [...ordinary, [3, (run) => run.syncFails()], [1, (run) => run.kill()]]);
});

Deno.test("Compaction moves what is wanted and loses nothing of it", async () => {
  const events: Event[] = [
    [70, (run) => run.work()],
    [20, (run) => run.background()],
    [1, (run) => run.step()],
    [1, (run) => run.kill()],
    [0.5, (run) => run.stop()],
  ];
  const moved = await use("os", [601, 620], events);
  assert.ok(moved > 100, `only ${moved} records were moved: the test does not test what it should`);
});
