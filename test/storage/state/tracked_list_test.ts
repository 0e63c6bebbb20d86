/** Lists of tracked messages, there and back. */
import assert from "node:assert/strict";
import { TrackedList } from "../../../src/storage/state/tracked_list.ts";
import { Random } from "../../support/random.ts";

type Entry = [seq: number, attempts: number, dueMs: number];

function listOf(entries: Entry[]): TrackedList {
  const list = new TrackedList();
  for (const entry of entries) list.add(...entry);
  return list;
}

function entriesOf({ seqs, attempts, dueMs, count }: TrackedList): Entry[] {
  return Array.from({ length: count }, (_, i) => [seqs[i], attempts[i], dueMs[i]]);
}

function thereAndBack(list: TrackedList): TrackedList {
  const again = new TrackedList();
  again.decode(list.encode(), list.count);
  return again;
}

Deno.test("TrackedList.decode() gives what encode() took, at the ends of every range", () => {
  const entries: Entry[] = [
    [2 ** 53 - 1, 65_535, 4_000_000_000_000],
    [0, 0, 0],
    [1, 1, 0.001],
    [127, 127, 1],
    [2 ** 31, 128, 1_900_000_000_000.125],
    [2 ** 31 - 1, 16_383, 0],
    [2 ** 32, 16_384, 1_900_000_000_000],
  ];
  assert.deepEqual(entriesOf(thereAndBack(listOf(entries))), entries);
});

Deno.test("TrackedList.decode() gives what encode() took, of any order and size, never due earlier", () => {
  const random = new Random(7);
  for (let round = 0; round < 50; round++) {
    const entries = Array.from({ length: random.int(300) }, (): Entry => [
      random.int(2 ** 31) * random.int(2 ** 20),
      random.int(65_536),
      random.chance(0.3) ? 0 : 1_900_000_000_000 + random.next() * 1e9,
    ]);
    const found = entriesOf(thereAndBack(listOf(entries)));
    assert.deepEqual(found.map(([seq, attempts]) => [seq, attempts]), entries.map(([s, a]) => [s, a]));
    found.forEach(([, , dueMs], i) => {
      const lateMs = dueMs - entries[i][2];
      assert.ok(lateMs > -0.0005 && lateMs < 0.002, `${lateMs} ms late`);
    });
  }
});

Deno.test("TrackedList.encode() takes some four bytes for each message of a deferred run", () => {
  const list = listOf(Array.from({ length: 10_000 }, (_, i): Entry => [1e15 + i, 0, 1.9e12 + i * 0.007]));
  assert.ok(list.encode().length < 40_100, `${list.encode().length} bytes`);
});

Deno.test("TrackedList.decode() refuses bytes that end too soon", () => {
  const list = listOf([[1e15, 3, 1.9e12], [1e15 + 1, 3, 0]]), bytes = list.encode();
  for (let size = 0; size < bytes.length; size++) {
    assert.throws(() => new TrackedList().decode(bytes.slice(0, size), 2), RangeError);
  }
});
