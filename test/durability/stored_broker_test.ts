/** Opening a data path, by a whole nsqd on files in memory. */
import assert from "node:assert/strict";
import { MemoryFileSystem } from "../support/memory_file_system.ts";
import { originalMetadata, OriginalQueue } from "../support/original_data_path.ts";
import { startNsqd, type TestNsqd } from "../support/running_nsqd.ts";

const PUBLISH = "/pub?topic=orders";

/** Runs `work` on a directory for the lock; the files are in memory. */
async function withDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = Deno.makeTempDirSync({ prefix: "nsqd-test-" });
  try {
    await work(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

async function channelNames(server: TestNsqd): Promise<string[]> {
  const { topics } = JSON.parse(await server.http("GET", "/stats?format=json&topic=orders"));
  return topics[0].channels.map((channel: { channel_name: string }) => channel.channel_name);
}

Deno.test("A channel that was deleted at level disk is not back after a power cut", async () => {
  await withDirectory(async (directory) => {
    const fileSystem = new MemoryFileSystem();
    fileSystem.losesNames = true;
    let found: MemoryFileSystem;
    {
      await using server = await startNsqd(["--durability=disk"], { directory, fileSystem });
      await server.http("POST", "/channel/create?topic=orders&channel=archive");
      await server.http("POST", "/topic/create?topic=orders");
      for (const name of ["archive", "mail"]) {
        await server.http("POST", `/channel/create?topic=orders&channel=${name}`);
      }
      // What the file says of them lasts.
      await server.http("POST", "/channel/pause?topic=orders&channel=mail");
      assert.equal(await server.http("POST", "/channel/delete?topic=orders&channel=archive"), "");
      found = fileSystem.afterPowerCut();
    }
    await using next = await startNsqd(["--durability=disk"], { directory, fileSystem: found });
    assert.deepEqual(await channelNames(next), ["mail"]);
  });
});

Deno.test("What a crash left beside nsqd.dat goes at the next start, and nothing else", async () => {
  await withDirectory(async (directory) => {
    const fileSystem = new MemoryFileSystem(), bytes = new Uint8Array(3);
    const others = ["nsqd.dat.bak", "other.tmp", "nsqd.data.1.tmp"];
    for (const name of ["nsqd.dat.tmp", "nsqd.dat.1f2e3d4c.tmp", ...others]) {
      fileSystem.put(`${directory}/${name}`, bytes);
    }
    await using _server = await startNsqd([], { directory, fileSystem });
    const left = fileSystem.list(directory).filter((name) => !name.startsWith("commit."));
    assert.deepEqual(left.sort(), [...others, "nsqd.dat", "reserve.log"].sort());
  });
});

for (const text of ["Invalid argument (os error 22)", "Operation not supported (os error 95)"]) {
  Deno.test(`A directory that cannot be synced is one warning, and no failure: ${text}`, async () => {
    const fileSystem = new MemoryFileSystem();
    fileSystem.directorySyncError = new Error(text);
    const flags = ["--durability=disk", "--sync-timeout=20ms"];
    await using server = await startNsqd(flags, { fileSystem });
    for (let i = 0; i < 3; i++) {
      assert.equal(await server.http("POST", PUBLISH, "x"), "OK");
      await server.http("POST", `/channel/create?topic=orders&channel=c${i}`);
    }
    assert.equal(await server.http("GET", "/ping"), "OK");
    const warnings = server.lines.filter((line) => /WARNING|ERROR/.test(line));
    assert.equal(warnings.length, 1, warnings.join(""));
    assert.match(warnings[0], /WARNING: LOG: directory .* cannot be synced .*os error/);
  });
}

Deno.test("A take-over without room for a second copy says how much is missing and changes nothing", async () => {
  await withDirectory(async (directory) => {
    const fileSystem = new MemoryFileSystem(), body = "x".repeat(1000);
    fileSystem.put(
      `${directory}/nsqd.dat`,
      originalMetadata([{ name: "orders", channels: [{ name: "archive" }] }]),
    );
    const queue = new OriginalQueue("orders:archive");
    for (let i = 0; i < 5000; i++) queue.write({ body });
    for (const [name, bytes] of queue.files()) fileSystem.put(`${directory}/${name}`, bytes);
    const before = [...fileSystem.files].map(([path, file]) => `${path} ${file.size}`).sort();
    fileSystem.freeBytes = 4 << 20;
    await assert.rejects(
      startNsqd([], { directory, fileSystem }),
      /failed to take over the queues in .* - \d+ bytes of disk are missing: 5150000 bytes are queued/,
    );
    assert.deepEqual([...fileSystem.files].map(([path, file]) => `${path} ${file.size}`).sort(), before);
    assert.equal(fileSystem.freeBytes, 4 << 20);
    fileSystem.freeBytes = 12 << 20;
    await using server = await startNsqd([], { directory, fileSystem });
    assert.deepEqual(await channelNames(server), ["archive"]);
  });
});
