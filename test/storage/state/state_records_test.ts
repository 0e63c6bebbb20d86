/** State records: every type there and back, their bytes, and what is refused. */
import assert from "node:assert/strict";
import { TrackedList } from "../../../src/storage/state/tracked_list.ts";
import {
  readStateRecords,
  STATE_LAYOUTS,
  type StateRecord,
  StateWriter,
} from "../../../src/storage/state/state_records.ts";

const SEQ = 2 ** 53 - 1;

const records: [StateRecord, hex: string][] = [
  [
    { type: "topic", topic: 7, name: "orders", endSeq: 3, releasedSeq: 2 },
    "01" + "00000007" + "066f7264657273" + "4008000000000000" + "4000000000000000",
  ],
  [{ type: "topic deleted", topic: 0xffffffff }, "02ffffffff"],
  [{ type: "topic position", topic: 1, releasedSeq: SEQ }, "03" + "00000001" + "433fffffffffffff"],
  [
    { type: "channel", channel: 2, topic: 1, name: "a", startSeq: 1 },
    "04" + "00000002" + "00000001" + "0161" + "3ff0000000000000",
  ],
  [{ type: "channel deleted", channel: 2 }, "0500000002"],
  [{ type: "channel emptied", channel: 2, cursorSeq: 1 }, "06" + "00000002" + "3ff0000000000000"],
  [
    { type: "position", channel: 2, cursorSeq: 1, runs: [{ from: 2, count: 3 }, { from: 3, count: 1 }] },
    "07" + "00000002" + "3ff0000000000000" + "00000002" + "4000000000000000" + "00000003" +
    "4008000000000000" + "00000001",
  ],
  [
    { type: "position", channel: 2, cursorSeq: 1, runs: [] },
    "07" + "00000002" + "3ff0000000000000" + "00000000",
  ],
  [
    { type: "tracked", channel: 2, seq: 1, attempts: 65_535, dueMs: 0.5 },
    "08" + "00000002" + "3ff0000000000000" + "0000ffff" + "3fe0000000000000",
  ],
  [{ type: "tracked finished", channel: 2, seq: 1 }, "09" + "00000002" + "3ff0000000000000"],
  [
    { type: "done ahead", channel: 2, from: 1, to: 2 },
    "0a" + "00000002" + "3ff0000000000000" + "4000000000000000",
  ],
  [
    { type: "deferred", topic: 1, seq: 1, delayMs: 2, publishedMs: 3 },
    "0b" + "00000001" + "3ff0000000000000" + "4000000000000000" + "4008000000000000",
  ],
  [{ type: "clock", steadyMs: 1, aheadMs: -2 }, "0f" + "3ff0000000000000" + "c000000000000000"],
  [
    { type: "imported", queue: "a;b", fileNumber: 4, position: 1 },
    "0c" + "03613b62" + "00000004" + "3ff0000000000000",
  ],
  [
    {
      type: "tracked base",
      channel: 2,
      places: [{ fileNumber: 3, dataAt: 1, dataBytes: 4, dataCrc: 0xfffffffe, count: 5 }],
    },
    "0e" + "00000002" + "00000001" + "00000003" + "3ff0000000000000" + "00000004" + "fffffffe" + "00000005",
  ],
  [
    { type: "topic policy", topic: 1, settings: '{"ttl":5}' },
    "10" + "00000001" + "0009" + "7b2274746c223a357d",
  ],
  [{ type: "channel policy", channel: 2, settings: "{}" }, "11" + "00000002" + "0002" + "7b7d"],
  [
    { type: "dead", channel: 2, seq: 1, attempts: 5, reason: 1, diedMs: 2, consumer: "é" },
    "12" + "00000002" + "3ff0000000000000" + "00000005" + "00000001" + "4000000000000000" + "0002" + "c3a9",
  ],
  [
    { type: "dead moved", channel: 2, seq: 1, topic: 7, newSeq: 3 },
    "13" + "00000002" + "3ff0000000000000" + "00000007" + "4008000000000000",
  ],
];

function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

Deno.test("StateWriter.add() writes each record as FORMAT.md says, and readStateRecords() reads it", () => {
  for (const [record, hex] of records) {
    const writer = new StateWriter();
    writer.add(record);
    assert.equal(hexOf(writer.bytes), hex, record.type);
    assert.deepEqual([...readStateRecords(writer.bytes)], [record]);
  }
});

Deno.test("readStateRecords() reads many records, past every growth of the writer, in order", () => {
  const writer = new StateWriter(), expected: StateRecord[] = [];
  for (let i = 0; i < 2000; i++) {
    const [record] = records[i % records.length];
    writer.add(record);
    expected.push(record);
  }
  assert.equal(writer.count, 2000);
  assert.deepEqual([...readStateRecords(writer.bytes)], expected);
  writer.clear();
  assert.deepEqual([writer.count, writer.size, [...readStateRecords(writer.bytes)]], [0, 0, []]);
});

Deno.test("StateWriter.add() writes a list of tracked messages, and readStateRecords() reads it", () => {
  const list = new TrackedList(), writer = new StateWriter();
  list.add(300, 2, 0);
  list.add(299, 0, 0.001);
  writer.add({ type: "tracked list", channel: 2, list });
  assert.equal(hexOf(writer.bytes), "0d" + "00000002" + "00000002" + "00000006" + "10ac02" + "050101");
  const [record] = readStateRecords(writer.bytes);
  assert.ok(record.type === "tracked list");
  const { seqs, attempts, dueMs, count } = record.list;
  assert.deepEqual([count, seqs[0], attempts[0], dueMs[0]], [2, 300, 2, 0]);
  assert.deepEqual([seqs[1], attempts[1], dueMs[1]], [299, 0, 0.001]);
  for (let size = 1; size < writer.bytes.length; size++) {
    assert.throws(() => [...readStateRecords(writer.bytes.slice(0, size))], RangeError, `cut at ${size}`);
  }
});

Deno.test("StateWriter.add() takes names of the greatest length", () => {
  const writer = new StateWriter(), name = "n".repeat(64) + "#ephemeral";
  writer.add({ type: "channel", channel: 1, topic: 1, name, startSeq: 0 });
  const [record] = readStateRecords(writer.bytes);
  assert.ok(record.type === "channel" && record.name === name);
});

Deno.test("readStateRecords() refuses an unknown type, and bytes that end inside a record", () => {
  assert.throws(() => [...readStateRecords(new Uint8Array([200]))], RangeError);
  assert.throws(() => [...readStateRecords(new Uint8Array([0]))], RangeError);
  for (const [record] of records) {
    const writer = new StateWriter();
    writer.add(record);
    const { bytes } = writer;
    // A name that is cut is read as a shorter one; the fields behind it are then missing.
    for (let size = 1; size < bytes.length; size++) {
      assert.throws(
        () => [...readStateRecords(bytes.slice(0, size))],
        RangeError,
        `${record.type} cut at ${size}`,
      );
    }
  }
});

/** How FORMAT.md shows a field. */
function shown(name: string, kind: string): string {
  if (kind === "name") return `${name} text`;
  if (kind === "runs") return `count u32, count × (from f64, count u32)`;
  return `${name} ${kind}`;
}

Deno.test("FORMAT.md has the row of each state record in STATE_LAYOUTS, and no other", async () => {
  const text = await Deno.readTextFile(new URL("../../../src/storage/FORMAT.md", import.meta.url));
  const [, section] = text.split("### Data of kind 3: state records");
  const rows = section.split("\n### ")[0].split("\n")
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()))
    .filter(([number]) => /^\d+$/.test(number ?? ""));
  const expected = STATE_LAYOUTS.map(({ type, fields, meaning }, i) => [
    `${i + 1}`,
    type,
    Object.entries(fields).map(([name, kind]) => shown(name, kind)).join(", "),
    meaning,
  ]);
  assert.deepEqual(rows, expected);
});
