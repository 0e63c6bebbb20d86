import assert from "node:assert/strict";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { Logger } from "../../../src/log/logger.ts";
import { FileFolder } from "../../../src/tools/to_file/file_folder.ts";
import { FileName } from "../../../src/tools/to_file/file_name.ts";
import { RecordBatch } from "../../../src/tools/to_file/record_batch.ts";
import { type RotationSettings, TopicFiles } from "../../../src/tools/to_file/topic_files.ts";

interface Setting extends Partial<RotationSettings> {
  hasWorkDir?: boolean;
  filenameFormat?: string;
  pid?: number;
}

/** The files of the topic `t` in folders of a temporary one, at a time that stands still. */
class Scene implements AsyncDisposable {
  readonly directory = Deno.makeTempDirSync({ prefix: "nsq-to-file-" });
  readonly lines: string[] = [];
  date = new Date(2026, 10, 22, 23);
  name!: FileName;
  folder!: FileFolder;

  get outputDir(): string {
    return join(this.directory, "out");
  }

  get workDir(): string {
    return join(this.directory, "work");
  }

  open(setting: Setting = {}): TopicFiles {
    const { hasWorkDir = false, isGzip = false, rotateSize = 0, rotateIntervalMs = 0 } = setting;
    const needsRevision = hasWorkDir || isGzip || rotateSize > 0 || rotateIntervalMs > 0;
    const logger = new Logger("debug", "", (line) => this.lines.push(line));
    const workDir = hasWorkDir ? this.workDir : this.outputDir;
    Deno.mkdirSync(this.outputDir, { recursive: true });
    Deno.mkdirSync(workDir, { recursive: true });
    this.name = new FileName({
      topic: "t",
      filenameFormat: setting.filenameFormat ?? "<TOPIC>.<HOST><REV>.<DATETIME>.log",
      datetimeFormat: "%H",
      hostIdentifier: "h",
      hostname: "h",
      pid: setting.pid ?? 1,
      isGzip,
      needsRevision,
    });
    const isExclusive = isGzip || rotateIntervalMs > 0;
    this.folder = new FileFolder({ outputDir: this.outputDir, workDir, isExclusive, rotateSize }, logger);
    return new TopicFiles(
      this.name,
      this.folder,
      { gzipLevel: 6, skipEmptyFiles: false, ...setting, isGzip, rotateSize, rotateIntervalMs },
      logger,
      { nowMs: () => this.date.getTime(), monotonicMs: () => 0 },
    );
  }

  /** Names and contents of all files of a folder. */
  contents(directory: string = this.outputDir): Record<string, string> {
    const found: Record<string, string> = {};
    const walk = (path: string, lead: string) => {
      for (
        const { name, isDirectory } of [...Deno.readDirSync(path)].sort((a, b) => a.name < b.name ? -1 : 1)
      ) {
        if (isDirectory) walk(join(path, name), `${lead}${name}/`);
        else found[lead + name] = textOf(join(path, name));
      }
    };
    walk(directory, "");
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }
}

function textOf(path: string): string {
  const bytes = Deno.readFileSync(path);
  return new TextDecoder().decode(path.endsWith(".gz") && bytes.length > 0 ? gunzipSync(bytes) : bytes);
}

function batchOf(...bodies: string[]): RecordBatch {
  const batch = new RecordBatch();
  for (const body of bodies) batch.add(new TextEncoder().encode(body));
  return batch;
}

Deno.test("TopicFiles appends to the file that is there, also after a restart", async () => {
  await using scene = new Scene();
  for (const body of ["a", "b"]) {
    const files = scene.open();
    await files.put(batchOf(body, `${body}${body}`));
    await files.close();
  }
  assert.deepEqual(scene.contents(), { "t.h.23.log": "a\naa\nb\nbb\n" });
});

Deno.test("TopicFiles begins a line of its own behind a message that a crash cut", async () => {
  await using scene = new Scene();
  const files = scene.open();
  Deno.writeTextFileSync(join(scene.outputDir, "t.h.23.log"), "whole\nhal");
  await files.put(batchOf("next"));
  await files.close();
  assert.deepEqual(scene.contents(), { "t.h.23.log": "whole\nhal\nnext\n" });
  assert.match(scene.lines.join(""), /WARNING: .*t\.h\.23\.log ends within a message/);
});

Deno.test("TopicFiles begins the next file as soon as one is larger than the size", async () => {
  await using scene = new Scene();
  const files = scene.open({ rotateSize: 10 });
  await files.put(batchOf("1234", "1234", "1", "12345678901234567890", "x"));
  await files.close();
  assert.deepEqual(scene.contents(), {
    "t.h-000000.23.log": "1234\n1234\n1\n",
    "t.h-000001.23.log": "12345678901234567890\n",
    "t.h-000002.23.log": "x\n",
  });
  const again = scene.open({ rotateSize: 10 });
  await again.put(batchOf("y"));
  await again.close();
  assert.equal(scene.contents()["t.h-000002.23.log"], "x\ny\n");
});

Deno.test("TopicFiles begins the next file when the date changes, counting from zero again", async () => {
  await using scene = new Scene();
  const files = scene.open({ rotateSize: 3 });
  await files.put(batchOf("1234", "5"));
  scene.date = new Date(2026, 10, 23, 0);
  await files.put(batchOf("6"));
  await files.close();
  assert.deepEqual(scene.contents(), {
    "t.h-000000.23.log": "1234\n",
    "t.h-000001.23.log": "5\n",
    "t.h-000000.00.log": "6\n",
  });
});

Deno.test("TopicFiles compresses each sync into a member of its own, readable before the file is closed", async () => {
  await using scene = new Scene();
  const files = scene.open({ isGzip: true });
  await files.put(batchOf("a"));
  assert.deepEqual(scene.contents(), { "t.h-000000.23.log.gz": "" });
  await files.sync();
  assert.deepEqual(scene.contents(), { "t.h-000000.23.log.gz": "a\n" });
  await files.put(batchOf("b"));
  await files.sync();
  assert.deepEqual(scene.contents(), { "t.h-000000.23.log.gz": "a\nb\n" });
  await files.close();
});

Deno.test("TopicFiles keeps what it has not compressed yet apart from the batch, which is used again", async () => {
  await using scene = new Scene();
  const files = scene.open({ isGzip: true });
  const batch = new RecordBatch();
  for (const body of ["first", "other"]) {
    batch.add(new TextEncoder().encode(body));
    await files.put(batch);
    batch.clear();
  }
  await files.close();
  assert.deepEqual(Object.values(scene.contents()), ["first\nother\n"]);
});

Deno.test("TopicFiles compresses at the level that was asked for", async () => {
  await using scene = new Scene();
  const body = Array.from({ length: 20_000 }, (_, i) => i * 7919 % 1013).join(",");
  const sizes: number[] = [];
  for (const gzipLevel of [1, 9]) {
    const files = scene.open({ isGzip: true, gzipLevel });
    await files.put(batchOf(body));
    await files.close();
    sizes.push(Deno.statSync(join(scene.outputDir, `t.h-00000${sizes.length}.23.log.gz`)).size);
  }
  assert.ok(sizes[1] < sizes[0], String(sizes));
});

Deno.test("TopicFiles never goes on with a compressed file: it takes the next number", async () => {
  await using scene = new Scene();
  for (const body of ["a", "b", "c"]) {
    const files = scene.open({ isGzip: true });
    await files.put(batchOf(body));
    await files.close();
  }
  assert.deepEqual(Object.values(scene.contents()), ["a\n", "b\n", "c\n"]);
});

Deno.test("TopicFiles moves finished files out of the work directory under a name that is free", async () => {
  await using scene = new Scene();
  const files = scene.open({ hasWorkDir: true });
  await files.put(batchOf("a"));
  assert.deepEqual(scene.contents(), {});
  // Somebody else puts a file there while ours is being written.
  Deno.writeTextFileSync(join(scene.outputDir, "t.h-000000.23.log"), "theirs");
  await files.close();
  assert.deepEqual(scene.contents(), { "t.h-000000.23.log": "theirs", "t.h-000001.23.log": "a\n" });
  assert.deepEqual(scene.contents(scene.workDir), {});
  await files.put(batchOf("b"));
  await files.close();
  assert.equal(scene.contents()["t.h-000002.23.log"], "b\n");
});

Deno.test("TopicFiles opens another file after close() in the same hour, with and without a work directory", async () => {
  for (const hasWorkDir of [false, true]) {
    await using scene = new Scene();
    const files = scene.open({ hasWorkDir });
    for (const body of ["a", "b"]) {
      await files.put(batchOf(body));
      await files.close();
    }
    const expected = hasWorkDir
      ? { "t.h-000000.23.log": "a\n", "t.h-000001.23.log": "b\n" }
      : { "t.h.23.log": "a\nb\n" };
    assert.deepEqual(scene.contents(), expected);
  }
});

Deno.test("FileFolder.takeLeftovers() moves what a crash left, and leaves what is written and what is not ours", async () => {
  await using scene = new Scene();
  const format = { hasWorkDir: true, filenameFormat: "<DATETIME>/<TOPIC>.<PID><REV>.log" };
  const alive = scene.open({ ...format, pid: 2 });
  await alive.put(batchOf("alive"));
  scene.open(format);
  const write = (name: string, text: string) => Deno.writeTextFileSync(join(scene.workDir, "23", name), text);
  write("t.77-000003.log", "left\n");
  write("other.77-000003.log", "not ours\n");
  await scene.folder.takeLeftovers(scene.name.pattern);
  assert.deepEqual(scene.contents(), { "23/t.77-000003.log": "left\n" });
  assert.deepEqual(Object.keys(scene.contents(scene.workDir)), [
    "23/other.77-000003.log",
    "23/t.2-000000.log",
  ]);
  await alive.close();
});

Deno.test("FileFolder.takeLeftovers() gives a leftover the next number when its name is taken", async () => {
  await using scene = new Scene();
  scene.open({ hasWorkDir: true });
  Deno.writeTextFileSync(join(scene.workDir, "t.h-000000.22.log"), "left\n");
  Deno.writeTextFileSync(join(scene.outputDir, "t.h-000000.22.log"), "finished\n");
  await scene.folder.takeLeftovers(scene.name.pattern);
  assert.deepEqual(scene.contents(), {
    "t.h-000000.22.log": "finished\n",
    "t.h-000001.22.log": "left\n",
  });
});

Deno.test("TopicFiles.tick() opens a file without a message, or only closes the old one when empty files are unwanted", async () => {
  await using scene = new Scene();
  const files = scene.open({ rotateSize: 100 });
  await files.tick();
  assert.deepEqual(scene.contents(), { "t.h-000000.23.log": "" });
  await files.close();

  await using other = new Scene();
  const skipping = other.open({ skipEmptyFiles: true, hasWorkDir: true });
  await skipping.tick();
  assert.deepEqual(other.contents(other.workDir), {});
  await skipping.put(batchOf("a"));
  other.date = new Date(2026, 10, 23, 0);
  await skipping.tick();
  assert.deepEqual(other.contents(), { "t.h-000000.23.log": "a\n" });
  assert.deepEqual(other.contents(other.workDir), {});
  await skipping.put(batchOf("b"));
  await skipping.close();
  assert.deepEqual(Object.keys(other.contents()), ["t.h-000000.00.log", "t.h-000000.23.log"]);
});

Deno.test("TopicFiles begins the next file when one has been open for the interval", async () => {
  await using scene = new Scene();
  const files = scene.open({ rotateIntervalMs: 1 });
  await files.put(batchOf("a"));
  const openedAtMs = performance.now();
  while (performance.now() - openedAtMs < 2) await Promise.resolve();
  await files.put(batchOf("b"));
  await files.close();
  assert.deepEqual(Object.values(scene.contents()), ["a\n", "b\n"]);
});

Deno.test("TopicFiles keeps what the disk refuses and writes it once, when it can", async () => {
  await using scene = new Scene();
  const files = scene.open({ filenameFormat: "<DATETIME>/<TOPIC>" });
  // A file where the directory should be.
  Deno.writeTextFileSync(join(scene.outputDir, "23"), "");
  const batch = batchOf("a", "b");
  await assert.rejects(() => files.put(batch));
  await assert.rejects(() => files.put(batch));
  Deno.removeSync(join(scene.outputDir, "23"));
  await files.put(batch);
  await files.close();
  assert.deepEqual(scene.contents(), { "23/t": "a\nb\n" });
});

Deno.test("RecordBatch grows with large messages and gives back what a burst took", () => {
  const batch = new RecordBatch();
  const large = new Uint8Array(10 << 20).fill(65);
  for (let round = 0; round < 2; round++) {
    batch.add(large);
    batch.add(new Uint8Array());
    assert.equal(batch.take(Infinity).length, large.length + 2);
    assert.equal(batch.isEmpty, true);
    batch.clear();
    assert.equal(batch.take(Infinity).length, 0);
  }
});
