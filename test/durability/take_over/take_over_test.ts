/** What becomes of a data path of the original, on files in memory. */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { takeOver, type TakeOverSteps } from "../../../src/durability/take_over/take_over.ts";
import type { Channel } from "../../../src/broker/channel.ts";
import { Logger } from "../../../src/log/logger.ts";
import type { Segment } from "../../../src/storage/segment.ts";
import { WatchedFileSystem } from "../../crash/watched_file_system.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { type Delivery, FakeConsumer } from "../../support/fake_consumer.ts";
import { MemoryFileSystem } from "../../support/memory_file_system.ts";
import { encodeOriginalRecord, OriginalQueue, PUBLISHED_NS } from "../../support/original_data_path.ts";
import { originalMetadata, type OriginalTopic } from "../../support/original_data_path.ts";
import { DIRECTORY, PersistentBroker } from "../../support/persistent_broker.ts";

const LONG_MS = 3_600_000;
const ARCHIVE: OriginalTopic[] = [{ name: "orders", channels: [{ name: "archive" }] }];

function dataPath(topics: OriginalTopic[], ...queues: OriginalQueue[]): MemoryFileSystem {
  const files = new MemoryFileSystem();
  files.put(`${DIRECTORY}/nsqd.dat`, originalMetadata(topics));
  for (const queue of queues) {
    for (const [name, bytes] of queue.files()) files.put(`${DIRECTORY}/${name}`, bytes);
  }
  return files;
}

interface Start {
  clock?: FakeClock;
  steps?: TakeOverSteps;
  durability?: "memory" | "os" | "disk";
  memLimit?: number;
}

const STEPS = { batchBytes: 4 << 20, progressMs: 2000 };

/** Starts on `files` as nsqd does. */
async function start(
  files: MemoryFileSystem,
  { clock = new FakeClock(), steps = STEPS, durability = "os", memLimit = 1 << 20 }: Start = {},
): Promise<PersistentBroker> {
  clock.advance(1000);
  const node = new PersistentBroker(files, clock, { durability, maxBytesPerFile: 1 << 20, memLimit });
  const logger = new Logger("info", "", (line) => node.logLines.push(line), clock);
  try {
    await takeOver(node.broker, node.persistence.imports, files, DIRECTORY, node.clock, logger, steps);
    node.writeMetadata();
  } catch (cause) {
    await node.bury();
    throw cause;
  }
  return node;
}

function channelOf(node: PersistentBroker, name: string): Channel {
  const [topic, channel] = name.split(":");
  return node.broker.topics.get(topic)!.channels.get(channel)!;
}

/** All that the channel has, in the order in which it comes. */
async function drain(node: PersistentBroker, name: string): Promise<Delivery[]> {
  const channel = channelOf(node, name), consumer = FakeConsumer.to(channel, node.broker, LONG_MS);
  consumer.subscription.setRdy(1 << 20);
  const deliveries: Delivery[] = [];
  // Reading a segment back takes some turns.
  for (let idle = 0; idle < 20 && (channel.depth > 0 || consumer.deliveries.length > 0);) {
    node.broker.endTurn();
    await new Promise((resolve) => setImmediate(() => resolve(null)));
    const taken = consumer.takeDeliveries();
    for (const { seq } of taken) channel.finish(consumer.subscription, seq);
    deliveries.push(...taken);
    idle = taken.length > 0 ? 0 : idle + 1;
  }
  consumer.disconnect();
  return deliveries;
}

async function bodies(node: PersistentBroker, name: string): Promise<string[]> {
  return (await drain(node, name)).map(({ body }) => body);
}

function numbered(count: number, prefix = "message"): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix} ${i}`);
}

function messages(texts: string[], attempts = 0) {
  return texts.map((body) => ({ body, attempts }));
}

/** Names of what lies in the data path, and of what was moved aside. */
function entries(files: MemoryFileSystem): { left: string[]; aside: string[] } {
  const left = files.list(DIRECTORY).filter((name) => name.includes("diskqueue"));
  const folders = files.list(DIRECTORY).filter((name) => name.startsWith("taken-over-"));
  return { left, aside: folders.flatMap((folder) => files.list(`${DIRECTORY}/${folder}`)).sort() };
}

function warnings(node: PersistentBroker): string[] {
  return node.logLines.filter((line) => line.includes("WARNING")).map((line) =>
    line.replace(/^.*TAKE-OVER: /, "").trimEnd()
  );
}

Deno.test("takeOver() gives a topic's queue to all its channels and a channel's queue to that one", async () => {
  for (const durability of ["memory", "os", "disk"] as const) {
    const files = dataPath(
      [{ name: "orders", channels: [{ name: "archive" }, { name: "mail" }] }],
      new OriginalQueue("orders").write(...messages(["for all"])),
      new OriginalQueue("orders:archive").write(...messages(["of archive"], 1)),
      new OriginalQueue("orders:mail").write(...messages(["of mail"])),
    );
    const node = await start(files, { durability });
    assert.deepEqual((await bodies(node, "orders:archive")).sort(), ["for all", "of archive"]);
    assert.deepEqual((await bodies(node, "orders:mail")).sort(), ["for all", "of mail"]);
    assert.equal(node.broker.topics.get("orders")!.messageCount, 0, "counted by the original already");
    await node.bury();
  }
});

Deno.test("takeOver() understands a meta file whose lines end as on Windows", async () => {
  const queue = new OriginalQueue("orders:archive").write(...messages(["read", "left"])).read(1);
  const files = dataPath(ARCHIVE, queue), path = `${DIRECTORY}/${queue.metaFile}`;
  const meta = new TextDecoder().decode(files.content(path));
  files.put(path, new TextEncoder().encode(meta.replaceAll("\n", "\r\n")));
  const node = await start(files);
  assert.deepEqual(await bodies(node, "orders:archive"), ["left"]);
  assert.deepEqual(warnings(node), []);
  await node.bury();
});

Deno.test("takeOver() keeps attempts and timestamps, over a kill too", async () => {
  for (const isKilled of [false, true]) {
    const clock = new FakeClock(),
      queue = new OriginalQueue("orders:archive").write(
        { body: "never delivered" },
        { body: "twice", attempts: 2, timestampNs: PUBLISHED_NS + 1n },
        { body: "often", attempts: 65_535, timestampNs: PUBLISHED_NS + 4_294_967_297n },
      );
    let node = await start(dataPath(ARCHIVE, queue), { clock });
    if (isKilled) {
      const found = node.fileSystem.afterKill();
      await node.bury();
      node = await start(found, { clock });
    }
    const consumer = FakeConsumer.to(channelOf(node, "orders:archive"), node.broker, LONG_MS);
    const times = new Map<string, bigint>(), { sendRun, sendRecord } = consumer;
    const note = (segment: Segment, index: number) => {
      const { body } = consumer.deliveries.at(-1)!;
      times.set(body, segment.buffer!.view.getBigInt64(segment.index[index] + 8));
    };
    consumer.sendRun = (segment, from, to) => {
      for (let i = from; i < to; i++) {
        sendRun.call(consumer, segment, i, i + 1);
        note(segment, i);
      }
    };
    consumer.sendRecord = (segment, index, attempts) => {
      sendRecord.call(consumer, segment, index, attempts);
      note(segment, index);
    };
    consumer.subscription.setRdy(10);
    for (let i = 0; i < 20; i++) {
      node.broker.endTurn();
      await new Promise((resolve) => setImmediate(() => resolve(null)));
    }
    const found = consumer.takeDeliveries().map(({ body, attempts }) => [body, attempts, times.get(body)]);
    assert.deepEqual(found.sort(), [
      ["never delivered", 1, PUBLISHED_NS],
      ["often", 0, PUBLISHED_NS + 4_294_967_297n],
      ["twice", 3, PUBLISHED_NS + 1n],
    ]);
    await node.bury();
  }
});

Deno.test("takeOver() keeps the paused flags, and holds a paused topic's queue back", async () => {
  const files = dataPath(
    [
      { name: "orders", paused: true, channels: [{ name: "archive" }] },
      { name: "events", channels: [{ name: "archive", paused: true }] },
    ],
    new OriginalQueue("orders").write(...messages(["held"])),
    new OriginalQueue("orders:archive").write(...messages(["past the topic"])),
    new OriginalQueue("events:archive").write(...messages(["held too"])),
  );
  const node = await start(files);
  const { topics } = node.broker, orders = topics.get("orders")!;
  assert.deepEqual([orders.paused, orders.pendingCount, orders.channels.get("archive")!.depth], [true, 1, 1]);
  assert.deepEqual(await bodies(node, "orders:archive"), ["past the topic"]);
  assert.deepEqual(await bodies(node, "events:archive"), []);
  orders.setPaused(false);
  channelOf(node, "events:archive").setPaused(false);
  assert.deepEqual(await bodies(node, "orders:archive"), ["held"]);
  assert.deepEqual(await bodies(node, "events:archive"), ["held too"]);
  await node.bury();
});

Deno.test("takeOver() for one channel leaves the others as they are, over a clean stop and a kill too", async () => {
  const topics = [{ name: "orders", channels: [{ name: "archive" }, { name: "mail" }] }];
  for (const ending of ["stop", "kill"]) {
    const clock = new FakeClock(),
      files = dataPath(
        topics,
        new OriginalQueue("orders:archive").write(...messages(numbered(5))),
        new OriginalQueue("orders:mail").write(...messages(["of mail"], 2)),
      );
    const first = await start(files, { clock });
    assert.deepEqual(await bodies(first, "orders:archive"), numbered(5));
    first.persistence.flushPositions();
    const found = ending === "stop" ? await first.stop() : first.fileSystem.afterKill();
    await first.bury();
    // Twice: what the log told of twice must not be counted twice at a start after that either.
    const second = await start(found, { clock });
    assert.deepEqual([channelOf(second, "orders:archive").depth, channelOf(second, "orders:mail").depth], [
      0,
      1,
    ]);
    const node = await start(second.fileSystem.afterKill(), { clock });
    await second.bury();
    assert.deepEqual([channelOf(node, "orders:archive").depth, channelOf(node, "orders:mail").depth], [0, 1]);
    const [{ body, attempts }] = await drain(node, "orders:mail");
    assert.deepEqual([body, attempts], ["of mail", 3]);
    await node.bury();
  }
});

Deno.test("takeOver() goes on in the middle of several files, where the original had come to", async () => {
  const all = numbered(100);
  for (const read of [0, 1, 9, 10, 11, 55, 99, 100]) {
    // Ten of these records to a file.
    const queue = new OriginalQueue("orders:archive", 400).write(...messages(all)).read(read);
    const node = await start(dataPath(ARCHIVE, queue), { steps: { batchBytes: 100, progressMs: 2000 } });
    assert.deepEqual(await bodies(node, "orders:archive"), all.slice(read), `${read} read`);
    assert.deepEqual(warnings(node), []);
    await node.bury();
  }
});

Deno.test("takeOver() moves all files of the original to a dated folder, byte for byte", async () => {
  const queues = [
    new OriginalQueue("orders", 400).write(...messages(numbered(30))).read(15),
    new OriginalQueue("orders:archive").write(...messages(["a"])),
    new OriginalQueue("orders:empty"),
  ];
  const files = dataPath(ARCHIVE, ...queues), metadata = files.content(`${DIRECTORY}/nsqd.dat`);
  files.put(`${DIRECTORY}/orders.diskqueue.000000.dat.bad`, new Uint8Array([1, 2, 3]));
  files.put(`${DIRECTORY}/orders.diskqueue.meta.dat.123456.tmp`, new Uint8Array([4]));
  const node = await start(files);
  const folder = files.list(DIRECTORY).find((name) => name.startsWith("taken-over-"))!;
  const wall = new Date(node.broker.wallMs()).toISOString();
  assert.equal(
    folder,
    `taken-over-${wall.slice(0, 10).replaceAll("-", "")}-${wall.slice(11, 19).replaceAll(":", "")}`,
  );
  const expected = new Map(queues.flatMap((queue) => [...queue.files()]));
  expected.set("orders.diskqueue.000000.dat.bad", new Uint8Array([1, 2, 3]));
  expected.set("orders.diskqueue.meta.dat.123456.tmp", new Uint8Array([4]));
  for (const [name, bytes] of expected) {
    assert.deepEqual(files.content(`${DIRECTORY}/${folder}/${name}`), bytes, name);
  }
  assert.deepEqual(entries(files), { left: [], aside: [...expected.keys()].sort() });
  assert.equal(files.content(`${DIRECTORY}/nsqd.dat`).length > 0 && metadata.length > 0, true);
  assert.deepEqual(warnings(node), [
    "orders.diskqueue.000000.dat.bad was put away as damaged by the original; it is only moved aside",
  ]);
  assert.equal(node.broker.topics.get("orders")!.channels.has("empty"), false, "made of an empty queue");
  await node.bury();
});

Deno.test("takeOver() of a second data path on the same day, at the same second too, keeps both folders", async () => {
  const queue = new OriginalQueue("orders:archive").write(...messages(["first"]));
  const files = dataPath(ARCHIVE, queue);
  let node = await start(files);
  await node.stop();
  const again = new OriginalQueue("orders:archive").write(...messages(["second", "third"]));
  for (const [name, bytes] of again.files()) files.put(`${DIRECTORY}/${name}`, bytes);
  node = await start(files);
  assert.deepEqual(await bodies(node, "orders:archive"), ["first", "second", "third"]);
  assert.deepEqual(entries(files).aside, [
    queue.dataFile(0),
    queue.dataFile(0),
    queue.metaFile,
    queue.metaFile,
  ]);
  await node.bury();
});

Deno.test("takeOver() takes all there is without a meta file, and with one that cannot be understood", async () => {
  const all = numbered(25), queue = new OriginalQueue("orders:archive", 400).write(...messages(all)).read(3);
  for (const meta of [null, "", "garbage", "3\n0,", "1\n0,x\n0,0\n"]) {
    const files = dataPath(ARCHIVE, queue);
    if (meta === null) files.remove(`${DIRECTORY}/${queue.metaFile}`);
    else files.put(`${DIRECTORY}/${queue.metaFile}`, new TextEncoder().encode(meta));
    const node = await start(files);
    assert.deepEqual(await bodies(node, "orders:archive"), all, `meta file ${JSON.stringify(meta)}`);
    const expected = "the meta file of orders:archive is damaged; all in its files counts as unread";
    assert.deepEqual(warnings(node), meta === null ? [] : [expected]);
    await node.bury();
  }
});

Deno.test("takeOver() believes the data files where the meta file disagrees, and says so", async () => {
  const all = numbered(25),
    cases: [string, string, string[], RegExp[]][] = [
      // A crash of the original: written and read on since the meta file was.
      ["written on", "3\n0,0\n0,120\n", all, []],
      ["negative depth", "-7\n1,0\n2,195\n", all.slice(10), []],
      ["read position inside of a record", "15\n1,10\n2,195\n", all.slice(11), [
        /30 bytes at 10 .*damaged/,
        /14 messages, its meta file counts 15/,
      ]],
      ["read position behind the end", "5\n0,9999\n2,195\n", all.slice(10), [
        /has 390 bytes, .* read to 9999/,
      ]],
      ["read file that is not there", "30\n7,0\n9,50\n", [], [
        /000007.dat to .*000009.dat should be there/,
        /0 messages, .* counts 30/,
      ]],
      ["more written than there is", "30\n0,0\n2,900\n", all, [
        /has 200 bytes, .* written to 900/,
        /25 messages, .* counts 30/,
      ]],
      ["later files that are missing", "30\n0,0\n4,10\n", all, [
        /000003.dat to .*000004.dat should/,
        /counts 30/,
      ]],
    ];
  for (const [name, meta, expected, warned] of cases) {
    const queue = new OriginalQueue("orders:archive", 400).write(...messages(all)),
      files = dataPath(ARCHIVE, queue);
    files.put(`${DIRECTORY}/${queue.metaFile}`, new TextEncoder().encode(meta));
    const node = await start(files);
    assert.deepEqual(
      channelOf(node, "orders:archive") === undefined ? [] : await bodies(node, "orders:archive"),
      expected,
      name,
    );
    const found = warnings(node);
    assert.equal(found.length, warned.length, `${name}: ${found.join("; ")}`);
    warned.forEach((pattern, i) => assert.match(found[i], pattern, name));
    assert.deepEqual(entries(files).left, [], name);
    await node.bury();
  }
});

Deno.test("takeOver() says which file is missing and takes the others", async () => {
  const all = numbered(30), queue = new OriginalQueue("orders:archive", 400).write(...messages(all));
  const files = dataPath(ARCHIVE, queue);
  files.remove(`${DIRECTORY}/${queue.dataFile(1)}`);
  const node = await start(files);
  assert.deepEqual(await bodies(node, "orders:archive"), [...all.slice(0, 10), ...all.slice(20)]);
  assert.deepEqual(warnings(node), [
    "orders:archive.diskqueue.000001.dat should be there and is not",
    "orders:archive has 20 messages, its meta file counts 30",
  ]);
  await node.bury();
});

Deno.test("takeOver() loses of a damaged file only the damaged records, and says where they were", async () => {
  const all = numbered(40).map((body) => body.padEnd(20, "."));
  const queue = new OriginalQueue("orders:archive").write(...messages(all)), recordBytes = 50;
  const damage: [string, (bytes: Uint8Array) => Uint8Array, number[]][] = [
    ["a length of nonsense", (bytes) => bytes.fill(0xff, 10 * recordBytes, 10 * recordBytes + 4), [10]],
    ["a length that is too short", (bytes) => bytes.fill(27, 10 * recordBytes + 3, 10 * recordBytes + 4), [
      10,
    ]],
    ["an id that is none", (bytes) => bytes.fill(0x20, 10 * recordBytes + 20, 10 * recordBytes + 21), [10]],
    ["a page of zeros", (bytes) => bytes.fill(0, 520, 830), [10, 11, 12, 13, 14, 15, 16]],
    ["a page of rubbish", (bytes) => bytes.fill(0x7a, 510, 790), [10, 11, 12, 13, 14, 15]],
    ["its first bytes", (bytes) => bytes.fill(0xee, 0, 8), [0]],
    ["two places", (bytes) => bytes.fill(0, 100, 104).fill(0, 1000, 1004), [2, 20]],
    ["a torn tail", (bytes) => bytes.subarray(0, bytes.length - 7), [39]],
    ["a tail torn in a length", (bytes) => bytes.subarray(0, bytes.length - 48), [39]],
    ["nothing but rubbish", (bytes) => bytes.fill(0x61), all.map((_, i) => i)],
  ];
  for (const batchBytes of [4 << 20, 200]) {
    for (const [name, change, lost] of damage) {
      const files = dataPath(ARCHIVE, queue), path = `${DIRECTORY}/${queue.dataFile(0)}`;
      files.put(path, change(files.content(path)).slice());
      const node = await start(files, { steps: { batchBytes, progressMs: 2000 } });
      const expected = all.filter((_, i) => !lost.includes(i));
      assert.deepEqual(await bodies(node, "orders:archive"), expected, name);
      const [said] = warnings(node).filter((line) => line.includes("are damaged and are left out"));
      assert.match(said, /^\d+ bytes at \d+ of \/data\/orders:archive\.diskqueue\.000000\.dat are/, name);
      assert.match(node.logLines.join(""), /TAKE-OVER: done, .* bytes were damaged and left out/, name);
      await node.bury();
    }
  }
});

Deno.test("takeOver() makes nothing of files without records, and of names that are none", async () => {
  const files = dataPath([{ name: "orders" }]),
    put = (name: string, bytes = new Uint8Array(0)) => files.put(`${DIRECTORY}/${name}`, bytes);
  const record = encodeOriginalRecord({ body: "lost to all" }, 1);
  put("empty.diskqueue.000000.dat");
  put("empty:channel.diskqueue.000000.dat");
  put("unused.diskqueue.meta.dat", new TextEncoder().encode("0\n0,0\n0,0\n"));
  put("gone.diskqueue.000003.dat.bad", record);
  put("tail#ephemeral.diskqueue.000000.dat", record);
  put("orders:tail#ephemeral.diskqueue.000000.dat", record);
  put("not a name.diskqueue.000000.dat", record);
  put("orders:not a name.diskqueue.000000.dat", record);
  put(`${"x".repeat(65)}.diskqueue.000000.dat`, record);
  put("orders.diskqueue.000000.dat.backup", record);
  put("notes.txt", record);
  const node = await start(files);
  assert.deepEqual([...node.broker.topics.keys()], ["orders"]);
  assert.deepEqual([...node.broker.topics.get("orders")!.channels.keys()], []);
  assert.equal(warnings(node).filter((line) => line.includes("is no valid name")).length, 5);
  assert.deepEqual(entries(files).left, ["orders.diskqueue.000000.dat.backup"], "not a file of the original");
  assert.equal(entries(files).aside.length, 9);
  await node.bury();
});

Deno.test("takeOver() finds topics and channels that nsqd.dat does not name, and names with . - _", async () => {
  const names = [
    "a.b-c_d:e.f-g_h",
    "x.diskqueue:y.diskqueue.000000.dat",
    "_:-",
    ".:..",
    `${"t".repeat(64)}:c`,
  ];
  const files = dataPath([], ...names.map((name) => new OriginalQueue(name).write(...messages([name]))));
  const windows = new OriginalQueue("orders;archive").write(...messages(["of Windows"]));
  for (const [name, bytes] of windows.files()) files.put(`${DIRECTORY}/${name}`, bytes);
  files.remove(`${DIRECTORY}/nsqd.dat`);
  const node = await start(files);
  for (const name of names) assert.deepEqual(await bodies(node, name), [name]);
  assert.deepEqual(await bodies(node, "orders:archive"), ["of Windows"]);
  assert.deepEqual(entries(files).left, []);
  await node.bury();
});

Deno.test("takeOver() without a channel leaves the messages to the first one, after a kill too", async () => {
  const clock = new FakeClock(), all = numbered(3);
  const files = dataPath([{ name: "orders" }], new OriginalQueue("orders").write(...messages(all)));
  const first = await start(files, { clock });
  assert.equal(first.broker.topics.get("orders")!.pendingCount, 3);
  const found = first.fileSystem.afterKill();
  await first.bury();
  const node = await start(found, { clock });
  node.broker.topics.get("orders")!.channel("archive", false);
  assert.deepEqual(await bodies(node, "orders:archive"), all);
  await node.bury();
});

Deno.test("takeOver() fails with the path when a file cannot be opened or read, and loses nothing by it", async () => {
  for (const fault of ["open", "read"]) {
    const queue = new OriginalQueue("orders:archive", 400).write(...messages(numbered(25)));
    const files = dataPath(ARCHIVE, queue), bad = `${DIRECTORY}/${queue.dataFile(1)}`, { open } = files;
    files.open = (path, mode) => {
      if (path === bad && fault === "open") {
        throw new Deno.errors.PermissionDenied(`Permission denied (os error 13): open '${path}'`);
      }
      const handle = open.call(files, path, mode);
      if (path !== bad) return handle;
      return {
        ...handle,
        readSync: () => {
          throw new Error("Input/output error (os error 5)");
        },
      };
    };
    await assert.rejects(start(files), (error: Error) => {
      assert.ok(error.message.includes(bad), error.message);
      return /os error/.test(error.message);
    });
    assert.deepEqual(entries(files).left, [...queue.files().keys()], "something was moved away");
    files.open = open;
    const node = await start(files);
    assert.deepEqual(await bodies(node, "orders:archive"), numbered(25));
    await node.bury();
  }
});

Deno.test("takeOver() that failed, and after which the original began its files anew, takes those as new", async () => {
  for (const later of [numbered(5, "later"), numbered(15, "later")]) {
    const queue = new OriginalQueue("orders:archive", 400).write(...messages(numbered(35))),
      clock = new FakeClock();
    const files = dataPath(ARCHIVE, queue), { open } = files, bad = later.length === 5 ? 1 : 3;
    files.open = (path, mode) => {
      if (path.endsWith(queue.dataFile(bad))) {
        throw new Deno.errors.PermissionDenied("Permission denied (os error 13)");
      }
      return open.call(files, path, mode);
    };
    await assert.rejects(start(files, { clock }), /Permission denied/);
    files.open = open;
    for (const name of queue.files().keys()) files.remove(`${DIRECTORY}/${name}`);
    const again = new OriginalQueue("orders:archive", 400).write(...messages(later));
    for (const [name, bytes] of again.files()) files.put(`${DIRECTORY}/${name}`, bytes);
    const node = await start(files, { clock });
    assert.deepEqual(await bodies(node, "orders:archive"), [...numbered(bad * 10), ...later]);
    assert.match(warnings(node)[0], /^orders:archive was taken over to \d+ of .*; its files are new since$/);
    await node.bury();
  }
});

Deno.test("takeOver() takes messages larger than a segment, a batch and any --max-msg-size", async () => {
  const large = ["a".repeat(3 << 20), "b".repeat(5 << 20), "small", "c".repeat((1 << 20) + 1)];
  const queue = new OriginalQueue("orders:archive").write(...messages(large));
  const node = await start(dataPath(ARCHIVE, queue), { steps: { batchBytes: 1000, progressMs: 2000 } });
  const found = await bodies(node, "orders:archive");
  assert.deepEqual(found.map((body) => body.length), large.map((body) => body.length));
  assert.ok(found.every((body, i) => body === large[i]));
  await node.bury();
});

Deno.test("takeOver() tells how far it is", async () => {
  const queue = new OriginalQueue("orders:archive", 400).write(...messages(numbered(30)));
  const node = await start(dataPath(ARCHIVE, queue), { steps: { batchBytes: 100, progressMs: 0 } });
  const progress = node.logLines.filter((line) => line.includes("so far"));
  assert.ok(progress.length >= 6, `${progress.length} lines`);
  assert.match(
    progress[0],
    /INFO: TAKE-OVER: \d+ messages, \d+ bytes so far; at \d+ of \d+ in \/data\/orders/,
  );
  assert.match(
    node.logLines.join(""),
    /TAKE-OVER: done, 30 messages, \d+ bytes; the old files are in \/data\/taken-over-/,
  );
  await node.bury();
});

Deno.test("takeOver() of 120,000 messages holds memory to its budget and leaves them in order", async () => {
  const all = numbered(120_000), queue = new OriginalQueue("orders:archive", 1 << 20).write(...messages(all));
  const node = await start(dataPath(ARCHIVE, queue), { memLimit: 1 << 20 });
  assert.ok(node.pool.lentBytes < 8 << 20, `${node.pool.lentBytes} bytes are in memory`);
  assert.equal(channelOf(node, "orders:archive").depth, all.length);
  const found = await bodies(node, "orders:archive");
  assert.ok(found.length === all.length && found.every((body, i) => body === all[i]));
  await node.bury();
});

Deno.test("takeOver() that dies at any step loses nothing, and repeats at most the batch it was at", async () => {
  const topics = [{ name: "orders", channels: [{ name: "archive" }, { name: "mail" }] }];
  const batch = 4,
    queues = [
      new OriginalQueue("orders", 400).write(...messages(numbered(12, "topic"))),
      new OriginalQueue("orders:archive", 400).write(...messages(numbered(13, "archive"), 1)).read(1),
    ];
  const expected = {
    "orders:archive": [...numbered(12, "topic"), ...numbered(13, "archive").slice(1)],
    "orders:mail": numbered(12, "topic"),
  };
  for (const durability of ["memory", "os", "disk"] as const) {
    const files = new WatchedFileSystem(dataPath(topics, ...queues)), clock = new FakeClock();
    const deaths: { point: string; found: MemoryFileSystem }[] = [];
    files.atPoint = (point) => {
      deaths.push({ point: `${point} (killed)`, found: files.afterKill() });
      deaths.push({ point: `${point} (power cut)`, found: files.afterPowerCut() });
    };
    const steps = { batchBytes: 4 * 40, progressMs: 2000 };
    const watched = await start(files, { durability, clock, steps });
    files.atPoint = () => {};
    await watched.bury();
    assert.ok(deaths.length > 60, `${deaths.length} moments`);
    for (const [i, { point, found }] of deaths.entries()) {
      const node = await start(found, { durability, clock, steps }), where = `${durability}, ${i}: ${point}`;
      for (const [name, wanted] of Object.entries(expected)) {
        const got = await bodies(node, name), again = got.length - new Set(got).size;
        assert.deepEqual([...new Set(got)].sort(), [...wanted].sort(), `${where}, ${name}`);
        assert.ok(again <= batch, `${again} messages of ${name} come twice; ${where}`);
      }
      assert.deepEqual(entries(found).left, [], where);
      const kept = queues.flatMap((queue) => [...queue.files().keys()]).sort();
      assert.deepEqual(entries(found).aside, kept, where);
      await node.bury();
    }
  }
});
