import assert from "node:assert/strict";
import { MemoryFileSystem } from "../support/memory_file_system.ts";
import { Logger } from "../../src/log/logger.ts";
import { Snapshot } from "../../src/lookupd/snapshot.ts";
import { decodeSnapshot, encodeSnapshot, SnapshotError } from "../../src/lookupd/snapshot_format.ts";
import { INACTIVE_PRODUCER_TIMEOUT_MS, nodeInfo, silentLogger, TestDb, until } from "./fixtures.ts";

function encode(db: TestDb): Uint8Array {
  return new TextEncoder().encode(
    [...encodeSnapshot(db)].map((line) => new TextDecoder().decode(line)).join(""),
  );
}

/** Two nodes, a tombstone, ephemeral names, and keys that nobody has. */
function filledDb(): TestDb {
  const db = new TestDb();
  const a = db.connect("nodeA", 1);
  const b = db.identify("127.0.0.1:2", nodeInfo("nodeB", { broadcastAddresses: ["nodeB", "10.0.0.7"] }));
  db.register(a, "orders", "billing");
  db.register(a, "orders", "tail#ephemeral");
  db.register(b, "orders", "");
  db.register(b, "__proto__", "constructor");
  db.tombstone("orders", "nodeB:4151");
  db.createChannel("manual", "c");
  db.createTopic("gone#ephemeral");
  db.createChannel("manual", "gone#ephemeral");
  return db;
}

async function withDataPath(run: (dataPath: string) => Promise<void>): Promise<void> {
  const dataPath = await Deno.makeTempDir();
  try {
    await run(dataPath);
  } finally {
    await Deno.remove(dataPath, { recursive: true });
  }
}

async function openDb(dataPath: string): Promise<{ db: TestDb; snapshot: Snapshot }> {
  const db = new TestDb();
  return { db, snapshot: await Snapshot.open(dataPath, db, silentLogger()) };
}

Deno.test("decodeSnapshot() restores what encodeSnapshot() wrote", () => {
  const db = filledDb();
  const restored = new TestDb();
  decodeSnapshot(encode(db), restored);
  assert.deepEqual(restored.topicNames().sort(), ["__proto__", "manual", "orders"]);
  assert.deepEqual(restored.lookupChannels("manual"), ["c"]);
  assert.deepEqual(restored.lookupChannels("orders")?.sort(), ["billing", "tail#ephemeral"]);
  assert.deepEqual(restored.lookupAddresses("orders"), ["nodeA"], "nodeB has a tombstone");
  assert.deepEqual(restored.lookupAddresses("__proto__"), ["nodeB"]);
  assert.equal(restored.debugText(), db.debugText());
  assert.equal(restored.restoredCount, 2);
});

Deno.test("decodeSnapshot() leaves out producers silent for too long and trusts no time ahead of now", () => {
  const db = filledDb();
  const bytes = encode(db);
  const later = new TestDb(db.nowMs + INACTIVE_PRODUCER_TIMEOUT_MS + 1);
  decodeSnapshot(bytes, later);
  assert.equal(later.producers.size, 0);
  assert.equal(later.lookupChannels("orders")?.includes("tail#ephemeral"), false);
  const earlier = new TestDb(db.nowMs - 1_000_000);
  decodeSnapshot(bytes, earlier);
  assert.equal([...earlier.producers][0].lastUpdateMs, earlier.nowMs);
});

Deno.test("decodeSnapshot() refuses every truncated and every damaged snapshot and changes nothing", () => {
  const bytes = encode(filledDb());
  const refused = (damaged: Uint8Array) => {
    const db = new TestDb();
    assert.throws(() => decodeSnapshot(damaged, db), SnapshotError);
    assert.deepEqual(db.topicNames(), []);
    assert.equal(db.producers.size, 0);
  };
  for (let length = 0; length < bytes.length - 1; length++) refused(bytes.subarray(0, length));
  for (let at = 0; at < bytes.length - 1; at += 7) {
    const damaged = bytes.slice();
    damaged[at] ^= 1;
    refused(damaged);
  }
});

Deno.test("Snapshot.open() on an empty directory starts empty and writes after a change", async () => {
  await withDataPath(async (dataPath) => {
    const first = await openDb(dataPath);
    assert.equal(first.db.producers.size, 0);
    first.db.register(first.db.connect("nodeA"), "orders", "billing");
    await until(() => exists(first.snapshot.path));
    const restored = new TestDb();
    decodeSnapshot(await Deno.readFile(first.snapshot.path), restored);
    assert.deepEqual(restored.lookupAddresses("orders"), ["nodeA"]);
    await first.snapshot.stop();
  });
});

Deno.test("Snapshot follows a producer that leaves, so that it does not come back", async () => {
  await withDataPath(async (dataPath) => {
    const { db, snapshot } = await openDb(dataPath);
    const [a, b] = [db.connect("nodeA", 1), db.connect("nodeB", 2)];
    db.register(a, "orders", "");
    db.register(b, "orders", "");
    const written = async () => {
      const restored = new TestDb();
      if (await exists(snapshot.path)) decodeSnapshot(await Deno.readFile(snapshot.path), restored);
      return restored.lookupAddresses("orders")?.join();
    };
    await until(async () => await written() === "nodeA,nodeB");
    db.remove(b);
    await until(async () => await written() === "nodeA");
    await snapshot.stop();
  });
});

Deno.test("Snapshot.stop() writes what is there, and what happens after is not written", async () => {
  await withDataPath(async (dataPath) => {
    const first = await openDb(dataPath);
    const producer = first.db.connect("nodeA");
    first.db.register(producer, "orders", "billing");
    await first.snapshot.stop();
    first.db.remove(producer);
    const second = await openDb(dataPath);
    assert.deepEqual(second.db.lookupAddresses("orders"), ["nodeA"]);
    assert.equal(second.db.restoredCount, 1);
    await second.snapshot.stop();
  });
});

Deno.test("Snapshot.open() moves a damaged snapshot aside and starts empty", async () => {
  await withDataPath(async (dataPath) => {
    const path = `${dataPath}/nsqlookupd.dat`;
    await Deno.writeTextFile(path, "damaged");
    const { db, snapshot } = await openDb(dataPath);
    assert.deepEqual(db.topicNames(), []);
    assert.equal(await Deno.readTextFile(`${path}.bad`), "damaged");
    await snapshot.stop();
  });
});

Deno.test("Snapshot.open() ignores a temporary file that a kill left behind", async () => {
  await withDataPath(async (dataPath) => {
    const first = await openDb(dataPath);
    first.db.createTopic("orders");
    await first.snapshot.stop();
    await Deno.writeTextFile(`${first.snapshot.path}.tmp`, "half");
    const second = await openDb(dataPath);
    assert.deepEqual(second.db.topicNames(), ["orders"]);
    await second.snapshot.stop();
    assert.equal(await exists(`${first.snapshot.path}.tmp`), false);
  });
});

Deno.test("Snapshot.open() refuses a directory that is missing or in use", async () => {
  await withDataPath(async (dataPath) => {
    await assert.rejects(openDb(`${dataPath}/missing`), Deno.errors.NotFound);
    const first = await openDb(dataPath);
    await assert.rejects(openDb(dataPath), /is in use by another instance of nsqlookupd/);
    await first.snapshot.stop();
    await (await openDb(dataPath)).snapshot.stop();
  });
});

Deno.test("Snapshot goes on when the file cannot be written", async () => {
  await withDataPath(async (dataPath) => {
    const { db, snapshot } = await openDb(dataPath);
    await Deno.mkdir(`${snapshot.path}.tmp`);
    db.createTopic("orders");
    await snapshot.stop();
    assert.deepEqual(db.topicNames(), ["orders"]);
    assert.equal(await exists(snapshot.path), false);
  });
});

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

Deno.test("Snapshot.stop() on a full disk leaves no half of a file, and says so", async () => {
  await withDataPath(async (dataPath) => {
    const files = new MemoryFileSystem(), lines: string[] = [];
    const logger = new Logger("info", "", (line) => lines.push(line));
    const snapshot = await Snapshot.open(dataPath, new TestDb(), logger, files);
    files.freeBytes = 3;
    await snapshot.stop();
    assert.match(lines.join(""), /ERROR: SNAPSHOT: failed to write .*No space left on device/);
    assert.deepEqual(files.list(dataPath), []);
  });
});
