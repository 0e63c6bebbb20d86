/** A disk without room, by a whole nsqd on files in memory. */
import assert from "node:assert/strict";
import { MemoryFileSystem } from "../support/memory_file_system.ts";
import { until } from "../support/program_process.ts";
import { startNsqd, type TestNsqd } from "../support/running_nsqd.ts";
import { WireClient } from "../wire/wire_client.ts";

const FILE_BYTES = 1 << 20;
const FLAGS = ["--sync-timeout=20ms", `--max-bytes-per-file=${FILE_BYTES}`];
const BODY = "x".repeat(1000);
const NO_SPACE = /No space left on device/;

async function withDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = Deno.makeTempDirSync({ prefix: "nsqd-test-" });
  try {
    await work(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

async function depth(server: TestNsqd): Promise<number> {
  const { topics } = JSON.parse(await server.http("GET", "/stats?format=json&topic=orders"));
  return topics[0].channels[0].depth;
}

/** Publishes until it is refused. @returns how many messages were taken */
async function fill(server: TestNsqd, most: number): Promise<number> {
  const batch = Array.from({ length: 100 }, () => BODY).join("\n");
  for (let count = 0; count < most; count += 100) {
    if (await server.http("POST", "/mpub?topic=orders", batch) !== "OK") return count;
  }
  throw new Error("the disk is not full");
}

async function consume(server: TestNsqd, count: number): Promise<void> {
  using consumer = await WireClient.open(server.tcpPort);
  await consumer.subscribe("orders", "archive", 500);
  for (let i = 0; i < count; i++) await consumer.send(`FIN ${(await consumer.message()).id}\n`);
  assert.equal(await consumer.ask("CLS\n"), "response CLOSE_WAIT");
}

/** A data path on a disk that publishes have filled; what a kill or a power cut leaves. */
async function filled(
  directory: string,
  durability: string,
  ending: (files: MemoryFileSystem) => MemoryFileSystem,
): Promise<{ files: MemoryFileSystem; count: number }> {
  const fileSystem = new MemoryFileSystem();
  await using server = await startNsqd([...FLAGS, `--durability=${durability}`], { directory, fileSystem });
  await server.http("POST", "/topic/create?topic=orders");
  await server.http("POST", "/channel/create?topic=orders&channel=archive");
  fileSystem.freeBytes = 5 * FILE_BYTES;
  const count = await fill(server, 20_000);
  assert.ok(count >= 3000, `${count} messages`);
  const files = ending(fileSystem);
  files.freeBytes = 0;
  // What is left of this one has room to stop.
  fileSystem.freeBytes = Infinity;
  return { files, count };
}

for (const durability of ["os", "disk"]) {
  for (const hasReserve of [true, false]) {
    const name = hasReserve ? "from its reserve" : "without writing";
    Deno.test(`A start on a full disk at level ${durability} serves consumers ${name}, and takes publishes once there is room`, async () => {
      await withDirectory(async (directory) => {
        const { files, count } = await filled(
          directory,
          durability,
          (running) => durability === "os" ? running.afterKill() : running.afterPowerCut(),
        );
        const reserve = [...files.files.keys()].find((path) => path.endsWith("/reserve.log"));
        assert.ok(reserve !== undefined, "no reserve was kept");
        if (!hasReserve) {
          files.remove(reserve);
          files.freeBytes = 0;
        }
        {
          await using server = await startNsqd([...FLAGS, `--durability=${durability}`], {
            directory,
            fileSystem: files,
          });
          assert.equal(await depth(server), count);
          assert.match(await server.http("POST", "/pub?topic=orders", BODY), /EXITING|INTERNAL/);
          assert.match(await server.http("GET", "/ping"), NO_SPACE);
          await consume(server, count);
          await until("there is room again", async () => await server.http("GET", "/ping") === "OK");
          assert.equal(await server.http("POST", "/pub?topic=orders", BODY), "OK");
        }
        await using next = await startNsqd(FLAGS, { directory, fileSystem: files.afterKill() });
        assert.equal(await depth(next), 1);
      });
    });
  }
}

Deno.test("At level memory publishes are refused when no more can leave memory, and taken once it can", async () => {
  await withDirectory(async (directory) => {
    const fileSystem = new MemoryFileSystem();
    const flags = [...FLAGS, "--durability=memory", "--mem-limit=4MiB"];
    {
      await using server = await startNsqd(flags, { directory, fileSystem });
      await server.http("POST", "/topic/create?topic=orders");
      await server.http("POST", "/channel/create?topic=orders&channel=archive");
      fileSystem.freeBytes = 2 * FILE_BYTES;
      const count = await fill(server, 100_000);
      assert.ok(count > 4000 && count < 9000, `${count} messages were taken`);
      assert.match(await server.http("GET", "/ping"), NO_SPACE);
      assert.match(await server.http("POST", "/pub?topic=orders", BODY), /EXITING|INTERNAL/);
      fileSystem.freeBytes = Infinity;
      await until("/ping is well", async () => await server.http("GET", "/ping") === "OK");
      assert.equal(await server.http("POST", "/pub?topic=orders", BODY), "OK");
      assert.equal(await depth(server), count + 1);
    }
    await using next = await startNsqd(flags, { directory, fileSystem: fileSystem.afterKill() });
    assert.ok(await depth(next) > 4000);
  });
});
