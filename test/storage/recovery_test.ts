/** What recovery makes of whole, torn and damaged files. */
import assert from "node:assert/strict";
import { newBuffer } from "../../src/buffers/buffer_pool.ts";
import { blockBytes, decodeBlock, FLAG_SNAPSHOT_END } from "../../src/storage/block.ts";
import { CommitLog } from "../../src/storage/commit_log.ts";
import { recover } from "../../src/storage/recovery.ts";
import { Segment } from "../../src/storage/segment.ts";
import { StateWriter } from "../../src/storage/state/state_records.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { MemoryFileSystem } from "../support/memory_file_system.ts";

const DIRECTORY = "/data";

/** A log of one topic and one channel for each of `channels`, each in a snapshot part of its own. */
function startLog(files: MemoryFileSystem, channels: string[]): CommitLog {
  const log = new CommitLog(
    files,
    { directory: DIRECTORY, maxBytesPerFile: 1 << 20, syncsOften: false },
    (emit) => {
      const part = new StateWriter();
      part.add({ type: "topic", topic: 1, name: "orders", endSeq: 100, releasedSeq: 100 });
      emit(part);
      channels.forEach((name, i) => {
        part.clear();
        part.add({ type: "channel", channel: i + 1, topic: 1, name, startSeq: 10 });
        emit(part);
      });
      return () => {};
    },
    new FakeClock(),
  );
  log.open();
  log.start();
  return log;
}

function channelNames(files: MemoryFileSystem): string[] {
  const topic = recover(files, DIRECTORY).state.topics.get(1);
  return [...topic?.channels.values() ?? []].map(({ name }) => name);
}

Deno.test("recover() reads a snapshot of several parts and what follows it", () => {
  const files = new MemoryFileSystem(), log = startLog(files, ["a", "b", "c"]);
  const changes = new StateWriter();
  changes.add({ type: "position", channel: 2, cursorSeq: 70, runs: [{ from: 12, count: 3 }] });
  log.appendState(changes);
  log.commit();
  const topic = recover(files.afterKill(), DIRECTORY).state.topics.get(1)!;
  assert.deepEqual([...topic.channels.values()].map(({ name, cursorSeq }) => [name, cursorSeq]), [
    ["a", 10],
    ["b", 70],
    ["c", 10],
  ]);
  assert.deepEqual(topic.channels.get(2)!.runs, [{ from: 12, count: 3 }]);
});

Deno.test("recover() goes back to the snapshot before when the newest is torn, wherever that was cut", () => {
  const files = new MemoryFileSystem();
  startLog(files, ["a", "b", "c"]);
  startLog(files, ["a", "b", "c"]);
  const path = `${DIRECTORY}/commit.000002.log`, whole = files.content(path);
  for (let size = 0; size <= whole.length; size++) {
    const torn = files.afterKill();
    torn.put(path, whole.slice(0, size));
    assert.deepEqual(channelNames(torn), ["a", "b", "c"], `cut at ${size} of ${whole.length} bytes`);
  }
});

Deno.test("recover() goes back to the snapshot before when any byte of the newest is damaged", () => {
  const files = new MemoryFileSystem();
  startLog(files, ["a", "b", "c"]);
  startLog(files, ["a", "b", "c"]);
  const path = `${DIRECTORY}/commit.000002.log`, { length } = files.content(path);
  for (let offset = 0; offset < length; offset++) {
    const damaged = files.afterKill();
    damaged.flip(path, offset);
    assert.deepEqual(channelNames(damaged), ["a", "b", "c"], `byte ${offset} of ${length}`);
  }
});

Deno.test("recover() of an empty directory finds nothing and numbers files from 1", () => {
  const found = recover(new MemoryFileSystem(), DIRECTORY);
  assert.equal(found.state.topics.size, 0);
  assert.deepEqual([found.files.length, found.nextLogNumber, found.nextKeptNumber], [0, 1, 1]);
});

Deno.test("recover() takes no block of the file that a recycled one was before", () => {
  const files = new MemoryFileSystem();
  startLog(files, ["old"]);
  const old = files.content(`${DIRECTORY}/commit.000001.log`);
  const recycled = new MemoryFileSystem();
  recycled.put(`${DIRECTORY}/commit.000007.log`, old);
  assert.deepEqual(channelNames(recycled), []);
});

/** Bytes of the first copy of the snapshot at the start of a log file. */
function snapshotBytes(content: Uint8Array): number {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  for (let at = 0;;) {
    const header = decodeBlock(content, view, at, 1)!;
    at += blockBytes(header);
    if ((header.flags & FLAG_SNAPSHOT_END) !== 0) return at;
  }
}

Deno.test("recover() keeps a copy of messages that no snapshot gives a topic", () => {
  const files = new MemoryFileSystem(), log = startLog(files, ["a"]);
  const segment = new Segment(100, newBuffer(2048));
  segment.append(newBuffer(8), 0, 8, { high: 0, low: 0 }, 5);
  log.appendMessages(segment, 1, 0, 1, []);
  log.commit();
  const path = `${DIRECTORY}/commit.000001.log`, damaged = files.afterKill();
  damaged.flip(path, 50);
  const { state: saved } = recover(damaged.afterKill(), DIRECTORY);
  assert.deepEqual(
    [...saved.topics.values()].map(({ name }) => name),
    ["orders"],
    "the second copy is not used",
  );
  // The other copy, of the same blocks, lies behind the first.
  damaged.flip(path, snapshotBytes(files.content(path)) + 50);
  const content = damaged.content(path), { state, warnings } = recover(damaged, DIRECTORY);
  assert.equal(state.topics.size, 0);
  assert.match(warnings.join("\n"), /1 messages of .* have no topic, for its snapshot is damaged/);
  assert.deepEqual(damaged.content(`${path}.damaged.whole`), content);
});
