/** `nsqd.dat`: what is read of it and how it is written. */
import assert from "node:assert/strict";
import { Broker } from "../../src/broker/broker.ts";
import { loadMetadata, MetadataWriter } from "../../src/durability/metadata.ts";
import { BufferPool } from "../../src/buffers/buffer_pool.ts";
import { Logger } from "../../src/log/logger.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { MemoryFileSystem } from "../support/memory_file_system.ts";
import { MemoryStore } from "../support/memory_store.ts";
import { NEVER_MS } from "../support/persistent_broker.ts";
import { until } from "../support/program_process.ts";

const PATH = "/data/nsqd.dat";

class Fixture {
  readonly files = new MemoryFileSystem();
  readonly lines: string[] = [];
  readonly logger = new Logger(
    "info",
    "",
    (line) => this.lines.push(line.replace(/^\S+ \S+ /, "").trimEnd()),
  );
  readonly broker = new Broker(
    { nodeId: 5, durability: "os", memQueueSize: 100, queueScanInterval: NEVER_MS },
    new FakeClock(),
    new MemoryStore(),
    new BufferPool(0),
  );
  readonly writer = new MetadataWriter(
    this.files,
    { path: PATH, version: "1.3.0", syncsName: true },
    () => this.broker.topics.values(),
    this.logger,
  );

  get text(): string {
    return new TextDecoder().decode(this.files.content(PATH));
  }

  load(text: string) {
    this.files.put(PATH, new TextEncoder().encode(text));
    return loadMetadata(this.files, PATH, this.logger).topics;
  }

  [Symbol.dispose](): void {
    this.broker.stop();
  }
}

Deno.test("MetadataWriter.write() writes the original's JSON to the byte", () => {
  using f = new Fixture();
  f.writer.write();
  assert.equal(f.text, `{"topics":null,"version":"1.3.0"}`);
  f.broker.topic("pc", false).channel("ch", false).paused = true;
  f.broker.topic("pt", false).paused = true;
  f.broker.topic("pe", false).channel("gone#ephemeral", true);
  f.broker.topic("tail#ephemeral", true).channel("ch", false);
  f.writer.write();
  assert.equal(
    f.text,
    `{"topics":[{"name":"pc","paused":false,"channels":[{"name":"ch","paused":true}]},` +
      `{"name":"pt","paused":true,"channels":null},{"name":"pe","paused":false,"channels":null}],"version":"1.3.0"}`,
  );
});

Deno.test("MetadataWriter.write() that dies or fails leaves the file as it was, and nothing beside it", () => {
  using f = new Fixture();
  f.writer.write();
  const before = f.text;
  f.broker.topic("orders", false);
  for (const fault of ["full", "sync"]) {
    f.files.freeBytes = fault === "full" ? 10 : Infinity;
    f.files.syncError = fault === "sync" ? new Error("Input/output error (os error 5)") : null;
    assert.throws(() => f.writer.write(), /os error/);
    assert.equal(f.text, before);
    assert.deepEqual(f.files.list("/data"), ["nsqd.dat"]);
  }
  f.files.syncError = null;
  f.files.tearAfterBytes = 20;
  assert.throws(() => f.writer.write(), /dies/);
  const found = f.files.afterKill();
  assert.deepEqual(loadMetadata(found, PATH, f.logger).topics, []);
});

Deno.test("MetadataWriter.changed() that fails is logged once and tried again until it is written", async () => {
  using f = new Fixture();
  f.files.freeBytes = 0;
  f.broker.topic("orders", false);
  f.writer.changed(true);
  f.writer.changed(true);
  assert.deepEqual(f.lines, ["ERROR: failed to persist metadata - No space left on device (os error 28)"]);
  f.files.freeBytes = Infinity;
  await until("nsqd.dat is written", () => f.files.exists(PATH));
  assert.match(f.text, /"orders"/);
  assert.equal(f.lines[1], "INFO: persisting metadata works again");
});

Deno.test("MetadataWriter.changed() writes what changes at the same time once", async () => {
  using f = new Fixture();
  let writes = 0;
  const { rename } = f.files;
  f.files.rename = (from, to) => {
    writes++;
    rename.call(f.files, from, to);
  };
  for (const name of ["a", "b", "c"]) {
    f.broker.topic(name, false);
    f.writer.changed(false);
  }
  await until("nsqd.dat is written", () => f.files.exists(PATH));
  assert.equal(writes, 1);
  assert.match(f.text, /"a".*"b".*"c"/);
});

Deno.test("loadMetadata() reads null and empty lists, any version and further fields", () => {
  using f = new Fixture();
  assert.deepEqual(loadMetadata(f.files, PATH, f.logger).topics, [], "a missing file");
  for (
    const text of [
      `{"topics":null}`,
      `{"topics":[]}`,
      `{}`,
      `{"version":"0.2.31","topics":[],"more":{"a":1}}`,
    ]
  ) {
    assert.deepEqual(f.load(text), [], text);
  }
  assert.deepEqual(
    f.load(`{"topics":[{"name":"a","channels":[{"name":"b","paused":true,"x":1}]},{"name":"c"}]}`),
    [
      { name: "a", paused: false, channels: [{ name: "b", paused: true }] },
      { name: "c", paused: false, channels: [] },
    ],
  );
  assert.deepEqual(f.lines, []);
});

Deno.test("loadMetadata() leaves out invalid names with a warning each", () => {
  using f = new Fixture();
  const long = "x".repeat(65);
  const topics = [{ name: "a b" }, { name: "" }, { name: long }, { name: 5 }, "text", null, {}, {
    name: "good",
    channels: [{ name: "bad/name" }, { name: "fine#ephemeral" }, { name: "ok" }, 7],
  }];
  assert.deepEqual(f.load(JSON.stringify({ topics })), [{
    name: "good",
    paused: false,
    channels: [{ name: "fine#ephemeral", paused: false }, { name: "ok", paused: false }],
  }]);
  assert.equal(
    f.lines.filter((line) => /^WARNING: skipping creation of invalid topic /.test(line)).length,
    7,
  );
  assert.ok(f.lines.some((line) => line.includes('skipping creation of invalid topic "a b"')));
  assert.equal(
    f.lines.filter((line) => /^WARNING: skipping creation of invalid channel /.test(line)).length,
    2,
  );
});

Deno.test("loadMetadata() shows of an entry that is none its name, and no more than the beginning of that", () => {
  using f = new Fixture();
  const channels = Array.from({ length: 1000 }, (_, i) => ({ name: `c${i}` }));
  f.load(JSON.stringify({ topics: [{ name: "a b", channels }, { name: "x ".repeat(1000) }] }));
  assert.equal(f.lines.length, 2);
  assert.match(f.lines[0], /skipping creation of invalid topic "a b"\n?$/);
  for (const line of f.lines) assert.ok(line.length < 200, String(line.length));
});

Deno.test("loadMetadata() warns of a file of an old version that stands alone", () => {
  using f = new Fixture();
  f.files.put("/data/nsqd.617.dat", new TextEncoder().encode('{"topics":[]}'));
  loadMetadata(f.files, "/data/nsqd.dat", f.logger);
  assert.equal(f.lines.length, 1);
  assert.match(
    f.lines[0],
    /WARNING: there is no \/data\/nsqd\.dat, but a \/data\/nsqd\.617\.dat of an old version/,
  );
  f.load('{"topics":[]}');
  assert.equal(f.lines.length, 1);
});

Deno.test("loadMetadata() throws with the path when the file cannot be understood or read", () => {
  using f = new Fixture();
  const texts = [
    "",
    "{",
    "topics",
    `{"topics":[}`,
    `[1]`,
    `{"topics":5}`,
    `{"topics":[{"name":"a","channels":"b"}]}`,
  ];
  for (const text of texts) {
    assert.throws(() => f.load(text), /^Error: failed to parse metadata in \/data\/nsqd\.dat - ./, text);
  }
  f.files.readError = new Error("Input/output error (os error 5)");
  assert.throws(() => f.load("{}"), /failed to parse metadata in \/data\/nsqd\.dat - .*Input\/output error/);
});

Deno.test("MetadataWriter.write() leaves nothing that a power cut undoes where names must last", () => {
  using f = new Fixture();
  f.files.losesNames = true;
  f.broker.topic("orders", false).channel("archive", false);
  f.writer.write();
  f.broker.topics.get("orders")!.deleteChannel("archive");
  f.writer.write();
  const [topic] = loadMetadata(f.files.afterPowerCut(), PATH, f.logger).topics;
  assert.deepEqual([topic.name, topic.channels], ["orders", []]);
});
