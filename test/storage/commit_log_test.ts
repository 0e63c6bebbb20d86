/** Groups, files and their reclaiming, on files in memory. */
import assert from "node:assert/strict";
import { type Clock, systemClock } from "../../src/clock/clock.ts";
import { BufferPool, newBuffer } from "../../src/buffers/buffer_pool.ts";
import { CommitLog } from "../../src/storage/commit_log.ts";
import { recover } from "../../src/storage/recovery.ts";
import { Segment } from "../../src/storage/segment.ts";
import { StateWriter } from "../../src/storage/state/state_records.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { MemoryFileSystem } from "../support/memory_file_system.ts";

const DIRECTORY = "/data";
const TOPIC = 1;

function startLog(
  files: MemoryFileSystem,
  maxBytesPerFile = 1 << 20,
  clock: Clock = new FakeClock(),
  topics = 1,
): CommitLog {
  const log = new CommitLog(
    files,
    { directory: DIRECTORY, maxBytesPerFile, syncsOften: false },
    (emit) => {
      const part = new StateWriter();
      for (let topic = TOPIC; topic < TOPIC + topics; topic++) {
        part.add({ type: "topic", topic, name: "orders", endSeq: 100, releasedSeq: 100 });
      }
      emit(part);
      return () => {};
    },
    clock,
  );
  log.open();
  log.start();
  return log;
}

function newSegment(bodies: number): Segment {
  const segment = new Segment(100, new BufferPool(0).take(2048));
  const source = newBuffer(16);
  source.bytes.fill(120);
  for (let i = 0; i < bodies; i++) segment.append(source, 0, 16, { high: 0, low: i }, 5);
  segment.sealed = true;
  return segment;
}

function append(log: CommitLog, segment: Segment, from: number, to: number): void {
  log.appendMessages(segment, TOPIC, from, to, []);
  log.commit();
}

Deno.test("CommitLog.commit() gives the segment an extent for each group, which can be read back", async () => {
  const files = new MemoryFileSystem(), log = startLog(files), segment = newSegment(4);
  const withoutMessages = log.usage().liveBytes;
  append(log, segment, 0, 1);
  append(log, segment, 1, 4);
  assert.equal(segment.loggedCount, 4);
  assert.deepEqual(segment.extents.map(({ count }) => count), [1, 3]);
  const [first] = segment.extents;
  const bytes = new Uint8Array(first.byteLength);
  await first.file.read(bytes, first.fileOffset);
  assert.deepEqual(bytes, segment.buffer!.bytes.slice(0, first.byteLength));
  assert.equal(log.usage().liveBytes - withoutMessages, segment.usedBytes);
  await log.close();
});

Deno.test("CommitLog.commit() that the disk refuses leaves the file as before the group", async () => {
  const files = new MemoryFileSystem(), log = startLog(files), segment = newSegment(4);
  append(log, segment, 0, 1);
  const before = files.content(`${DIRECTORY}/commit.000001.log`);
  files.freeBytes = 60;
  log.appendMessages(segment, TOPIC, 1, 4, []);
  assert.throws(() => log.commit(), /No space left/);
  assert.deepEqual(files.content(`${DIRECTORY}/commit.000001.log`), before);
  assert.equal(segment.loggedCount, 1);
  files.freeBytes = Infinity;
  append(log, segment, 1, 4);
  await log.close();
  const blocks = recover(files.afterKill(), DIRECTORY).blocks.get(TOPIC)!;
  assert.deepEqual(blocks.map(({ entry }) => [entry.firstSeq, entry.count]), [[100, 1], [101, 3]]);
});

Deno.test("CommitLog.appendMessages() of a large block that the disk refuses leaves the file as before", async () => {
  const files = new MemoryFileSystem(), log = startLog(files);
  const large = new Segment(100, newBuffer(40_000)), source = newBuffer(30_000);
  large.append(source, 0, 30_000, { high: 0, low: 0 }, 5);
  const before = files.content(`${DIRECTORY}/commit.000001.log`);
  files.freeBytes = 10_000;
  assert.throws(() => log.appendMessages(large, TOPIC, 0, 1, []), /No space left/);
  files.freeBytes = Infinity;
  assert.deepEqual(files.content(`${DIRECTORY}/commit.000001.log`), before);
  append(log, large, 0, 1);
  await log.close();
  assert.equal(recover(files.afterKill(), DIRECTORY).blocks.get(TOPIC)!.length, 1);
});

Deno.test("CommitLog.reclaim() keeps a file of which the records were written again, until that is synced", async () => {
  const files = new MemoryFileSystem(), log = startLog(files, 100), segment = newSegment(8);
  append(log, segment, 0, 4);
  append(log, segment, 4, 8);
  log.rollIfFull();
  await log.sync();
  log.rewriteMessages(segment, TOPIC);
  log.commit();
  log.reclaim(false);
  const cut = recover(files.afterPowerCut(), DIRECTORY).blocks.get(TOPIC) ?? [];
  assert.equal(cut.reduce((sum, { entry }) => sum + entry.count, 0), 8, "records that a power cut leaves");
  await log.sync();
  log.reclaim(false);
  await log.close();
  assert.ok(!files.exists(`${DIRECTORY}/commit.000001.log`), "the old file is still there");
});

Deno.test("CommitLog.reclaim() keeps one finished file to write over, and dropSpare() lets it go", async () => {
  const files = new MemoryFileSystem(), log = startLog(files, 100), segment = newSegment(8);
  append(log, segment, 0, 8);
  log.rollIfFull();
  await log.sync();
  log.forget(segment);
  log.reclaim(true);
  assert.ok(files.exists(`${DIRECTORY}/spare.log`));
  const again = newSegment(8);
  append(log, again, 0, 8);
  log.rollIfFull();
  assert.ok(!files.exists(`${DIRECTORY}/spare.log`), "the spare file was not used");
  log.dropSpare();
  await log.close();
  assert.deepEqual(recover(files.afterKill(), DIRECTORY).state.topics.get(TOPIC)?.name, "orders");
});

Deno.test("CommitLog.statistics counts groups and bytes, and times writes and syncs", async () => {
  const files = new MemoryFileSystem(), log = startLog(files, 1 << 20, systemClock), { statistics } = log;
  const sum = (counts: Float64Array) => counts.reduce((all, count) => all + count, 0);
  append(log, newSegment(4), 0, 4);
  log.commit();
  assert.deepEqual([statistics.groups, sum(statistics.writeSeconds.counts)], [1, 1], "nothing was staged");
  assert.ok(statistics.bytes > 4 * 50 && statistics.writeSeconds.max > 0);
  await log.sync();
  await log.secure();
  assert.equal(sum(statistics.syncSeconds.counts), 2);
  await log.close();
});

Deno.test("CommitLog.rollIfFull() waits until as much follows a large snapshot as it has itself", async () => {
  const files = new MemoryFileSystem(), log = startLog(files, 100, new FakeClock(), 300);
  const logs = () => files.list(DIRECTORY).filter((name) => name.startsWith("commit."));
  const snapshotBytes = files.content(`${DIRECTORY}/commit.000001.log`).length;
  assert.ok(snapshotBytes > 10_000, `${snapshotBytes} bytes of snapshot`);
  let rolledAtBytes = 0;
  for (let bytes = 0; bytes < snapshotBytes * 3; bytes += 440) {
    append(log, newSegment(8), 0, 8);
    log.rollIfFull();
    if (logs().length === 2 && rolledAtBytes === 0) rolledAtBytes = bytes + 440;
  }
  assert.ok(
    rolledAtBytes >= snapshotBytes && rolledAtBytes < snapshotBytes * 1.1,
    `rolled at ${rolledAtBytes}`,
  );
  assert.equal(logs().length, 3);
  assert.ok(log.usage().liveBytes >= snapshotBytes, "a snapshot is no garbage");
  assert.ok(!log.rollIfGarbage(0), "a snapshot and little else is replaced by the same again");
  await log.close();
});
