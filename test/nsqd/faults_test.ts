/** What the disk can do to a whole nsqd, as its clients see it. */
import assert from "node:assert/strict";
import { MemoryFileSystem } from "../support/memory_file_system.ts";
import { until } from "../support/program_process.ts";
import { startNsqd, type TestNsqd } from "../support/running_nsqd.ts";
import { mpub, WireClient, withBody } from "../wire/wire_client.ts";

const NO_SPACE = "No space left on device (os error 28)";
const IO_ERROR = "Input/output error (os error 5)";

interface ChannelStats {
  depth: number;
  in_flight_count: number;
  deferred_count: number;
}

async function channelStats(server: TestNsqd): Promise<ChannelStats> {
  const { topics } = JSON.parse(await server.http("GET", "/stats?format=json&topic=orders&channel=archive"));
  return topics[0].channels[0];
}

async function ping(server: TestNsqd): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${server.httpPort}/ping`);
  return `${response.status} ${await response.text()}`;
}

/** Publishes, and gives the answer; a refusal closes the connection. */
async function publish(server: TestNsqd, command: Uint8Array): Promise<string> {
  using client = await WireClient.open(server.tcpPort);
  return await client.ask(command);
}

/** Takes and finishes `count` messages. */
async function take(consumer: WireClient, count: number): Promise<{ body: string; attempts: number }[]> {
  const taken: { body: string; attempts: number }[] = [];
  while (taken.length < count) {
    const { id, body, attempts } = await consumer.message();
    await consumer.send(`FIN ${id}\n`);
    taken.push({ body, attempts });
  }
  return taken;
}

/** All that the channel has, finished one by one; the consumer is gone after. */
async function drain(server: TestNsqd): Promise<string[]> {
  using consumer = await WireClient.open(server.tcpPort);
  await consumer.subscribe("orders", "archive", 100);
  const found = await take(
    consumer,
    (await channelStats(server)).depth + (await channelStats(server)).in_flight_count,
  );
  assert.equal(await consumer.ask("CLS\n"), "response CLOSE_WAIT");
  return found.map(({ body }) => body);
}

/** Runs `work` on a directory for the lock; the files are in memory. */
async function withDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = Deno.makeTempDirSync({ prefix: "nsqd-test-" });
  try {
    await work(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

async function start(fileSystem: MemoryFileSystem, directory: string, ...flags: string[]): Promise<TestNsqd> {
  const server = await startNsqd(["--sync-timeout=20ms", ...flags], { fileSystem, directory });
  await server.http("POST", "/channel/create?topic=orders&channel=archive");
  return server;
}

const FAULTS = [
  { durability: "os", fault: "full" },
  { durability: "os", fault: "write" },
  { durability: "disk", fault: "write" },
  { durability: "disk", fault: "sync" },
];
for (const { durability, fault } of FAULTS) {
  const name = { full: "that is full", write: "that cannot write", sync: "that cannot sync" }[fault];
  Deno.test(`A disk ${name} fails publishes and /ping at level ${durability}, serves what there is, and heals`, async () => {
    await withDirectory(async (directory) => {
      const fileSystem = new MemoryFileSystem(), expected = fault === "full" ? NO_SPACE : IO_ERROR;
      let found: MemoryFileSystem;
      {
        await using server = await start(fileSystem, directory, `--durability=${durability}`);
        assert.equal(await publish(server, mpub("orders", ["a", "b", "c", "d"])), "response OK");
        using consumer = await WireClient.open(server.tcpPort);
        await consumer.subscribe("orders", "archive", 1);
        if (fault === "full") fileSystem.freeBytes = 0;
        if (fault === "write") fileSystem.writeError = new Error(IO_ERROR);
        if (fault === "sync") fileSystem.syncError = new Error(IO_ERROR);
        assert.equal(
          await publish(server, withBody("PUB orders", "x")),
          `error E_PUB_FAILED PUB failed ${expected}`,
        );
        assert.equal(
          await publish(server, mpub("orders", ["x"])),
          `error E_MPUB_FAILED MPUB failed ${expected}`,
        );
        assert.equal(await server.http("POST", "/pub?topic=orders", "x"), `{"message":"EXITING"}`);
        assert.equal(await ping(server), `500 NOK - ${expected}`);
        assert.deepEqual((await take(consumer, 4)).map(({ body }) => body), ["a", "b", "c", "d"]);
        fileSystem.freeBytes = Infinity;
        fileSystem.syncError = fileSystem.writeError = null;
        await until("/ping is well", async () => await ping(server) === "200 OK");
        assert.equal(await publish(server, withBody("PUB orders", "e")), "response OK");
        assert.deepEqual((await take(consumer, 1)).map(({ body }) => body), ["e"]);
        await consumer.send("RDY 0\n");
        assert.equal(await consumer.ask("CLS\n"), "response CLOSE_WAIT");
        assert.equal(await publish(server, withBody("PUB orders", "f")), "response OK");
        found = fileSystem.afterKill();
      }
      // All that was answered OK and not finished is there, and nothing of what was refused.
      await using next = await start(found, directory);
      const bodies = new Set(await drain(next));
      assert.ok(bodies.has("f") && !bodies.has("x"), [...bodies].join());
    });
  });
}

Deno.test("A sync that fails at level os refuses no publish, fails /ping until one succeeds, and is logged once", async () => {
  const fileSystem = new MemoryFileSystem();
  await using server = await startNsqd(["--sync-timeout=20ms"], { fileSystem });
  fileSystem.syncError = new Error(IO_ERROR);
  assert.equal(await publish(server, withBody("PUB orders", "a")), "response OK");
  await until("/ping fails", async () => await ping(server) === `500 NOK - ${IO_ERROR}`);
  // Turns and rounds in which other things go well do not hide it.
  for (let i = 0; i < 5; i++) {
    assert.equal(await publish(server, withBody("PUB orders", "b")), "response OK");
    assert.equal(await ping(server), `500 NOK - ${IO_ERROR}`);
  }
  fileSystem.syncError = null;
  await until("/ping is well", async () => await ping(server) === "200 OK");
  const said = server.lines.filter((line) => /LOG: .*sync/.test(line)).map((line) =>
    line.replace(/^\S+ \S+ /, "")
  );
  assert.deepEqual(said, [`ERROR: LOG: failed to sync - ${IO_ERROR}\n`, "INFO: LOG: sync works again\n"]);
});

Deno.test("A read error on backlog puts its messages off, finished for nobody; the rest comes, and they when it heals", async () => {
  await withDirectory(async (directory) => {
    const fileSystem = new MemoryFileSystem(), all: string[] = [];
    let found: MemoryFileSystem;
    {
      await using server = await start(fileSystem, directory, "--mem-limit=1MiB");
      for (let group = 0; group < 100; group++) {
        const bodies = Array.from({ length: 100 }, (_, i) => `message ${group * 100 + i} `.padEnd(1000, "."));
        assert.equal(await publish(server, mpub("orders", bodies)), "response OK");
        all.push(...bodies);
      }
      // The group of message 7234 lies on a bad sector.
      const [path] = [...fileSystem.files.keys()].filter((name) => name.includes("commit."));
      const badAt = new TextDecoder("latin1").decode(fileSystem.content(path)).indexOf("message 7234 ");
      fileSystem.readErrorAt = (name, from, to) =>
        name === path && from <= badAt && badAt < to ? new Error(IO_ERROR) : null;
      using consumer = await WireClient.open(server.tcpPort);
      await consumer.subscribe("orders", "archive", 500);
      const first = (await take(consumer, 9900)).map(({ body }) => body);
      assert.deepEqual(first.toSorted(), all.filter((_, i) => i < 7200 || i >= 7300).toSorted());
      await until("they are deferred", async () => (await channelStats(server)).deferred_count === 100);
      assert.equal(await ping(server), `500 NOK - ${IO_ERROR}`);
      assert.ok(
        server.lines.some((line) =>
          /ERROR: TOPIC\(orders\): 100 messages from \d+ on cannot be read and are put off - Input/.test(line)
        ),
      );
      found = fileSystem.afterKill();
      fileSystem.readErrorAt = () => null;
      const rest = await take(consumer, 100);
      assert.deepEqual(rest.map(({ body }) => body).toSorted(), all.slice(7200, 7300).toSorted());
      assert.ok(rest.every(({ attempts }) => attempts === 1), "a message that did not come was an attempt");
      assert.equal(await ping(server), "200 OK");
      assert.ok(server.lines.some((line) => /messages from \d+ on can be read again/.test(line)));
    }
    // Killed while they were deferred, nothing of them is lost.
    await using next = await start(found, directory);
    await until("all are due", async () => (await channelStats(next)).deferred_count === 0);
    const again = new Set(await drain(next));
    for (const body of all.slice(7200, 7300)) assert.ok(again.has(body), body);
  });
});

/** What is done to the files of a killed nsqd, which groups of messages that costs, and what the log says of it. */
const DAMAGES: {
  name: string;
  damage: (files: MemoryFileSystem, logs: string[], groupAt: (group: number) => [string, number]) => void;
  lost: number[];
  says: RegExp | null;
}[] = [
  { name: "nothing", damage: () => {}, lost: [], says: null },
  {
    name: "a torn tail",
    damage: (files, logs) => {
      const bytes = files.content(logs.at(-1)!);
      files.put(logs.at(-1)!, bytes.slice(0, bytes.length - 1));
    },
    lost: [9],
    says: null,
  },
  {
    name: "a flipped bit in the newest file",
    damage: (files, _logs, groupAt) => files.flip(...groupAt(8)),
    lost: [8],
    says:
      /WARNING: LOG: \d+ bytes at \d+ of \S+ are damaged and were skipped; a copy is in \S+\.damaged\.\d+/,
  },
  {
    name: "a flipped bit in a finished file",
    damage: (files, _logs, groupAt) => files.flip(...groupAt(1)),
    lost: [1],
    says: /ERROR: TOPIC\(orders\): \d+ messages from \d+ on are lost - \d+ bytes at \d+ of \S+ do not match/,
  },
  {
    name: "a missing file",
    damage: (files, logs) => files.remove(logs[0]),
    lost: [0, 1, 2, 3],
    says: null,
  },
  {
    name: "an emptied file",
    damage: (files, logs) => files.put(logs[0], new Uint8Array(0)),
    lost: [0, 1, 2, 3],
    says: null,
  },
  {
    name: "a new file without content, and foreign ones",
    damage: (files, logs) => {
      const directory = logs[0].slice(0, logs[0].lastIndexOf("/"));
      files.put(logs.at(-1)!.replace(/\d{6}/, "000099"), new Uint8Array(0));
      files.put(
        logs.at(-1)!.replace(/\d{6}/, "000100"),
        new TextEncoder().encode("no log file at all".repeat(100)),
      );
      files.put(`${directory}/kept.000001.log`, new Uint8Array(5000));
      files.put(`${directory}/commit.000001.log.bak`, new Uint8Array(10));
    },
    lost: [],
    says: null,
  },
];
for (const { name, damage, lost, says } of DAMAGES) {
  Deno.test(`A start on files with ${name} has the rest and says what is lost`, async () => {
    await withDirectory(async (directory) => {
      const fileSystem = new MemoryFileSystem(), groups: string[][] = [];
      let files: MemoryFileSystem;
      {
        await using server = await start(
          fileSystem,
          directory,
          "--max-bytes-per-file=1MiB",
          "--sync-timeout=1h",
        );
        for (let group = 0; group < 10; group++) {
          const bodies = Array.from({ length: 10 }, (_, i) => `message ${group} ${i}`.padEnd(30_000, "."));
          assert.equal(await publish(server, mpub("orders", bodies)), "response OK");
          groups.push(bodies);
        }
        files = fileSystem.afterKill();
      }
      const logs = [...files.files.keys()].filter((path) => /commit\.\d+\.log$/.test(path)).sort();
      assert.equal(logs.length, 3);
      damage(files, logs, (group) => {
        for (const path of logs) {
          const at = new TextDecoder("latin1").decode(files.content(path)).indexOf(`message ${group} 5`);
          if (at >= 0) return [path, at];
        }
        throw new Error(`group ${group} is in no file`);
      });
      await using server = await start(files, directory);
      const found = await drain(server), expected = groups.filter((_, group) => !lost.includes(group)).flat();
      // The damage costs the blocks that it is in, of which a group may have several.
      const ofDamaged = found.filter((body) => lost.some((group) => groups[group].includes(body)));
      assert.ok(ofDamaged.length < 10 * lost.length || lost.length === 0, `${ofDamaged.length}`);
      assert.deepEqual(found.filter((body) => !ofDamaged.includes(body)).toSorted(), expected.toSorted());
      if (says !== null) assert.match(server.lines.join(""), says);
      assert.equal(await ping(server), "200 OK");
      assert.equal(await publish(server, withBody("PUB orders", "goes on")), "response OK");
      assert.deepEqual(await drain(server), ["goes on"]);
    });
  });
}
