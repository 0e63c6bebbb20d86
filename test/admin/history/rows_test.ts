import assert from "node:assert/strict";
import { Chunk, type Row } from "../../../src/admin/history/rows.ts";
import { Random } from "../../support/random.ts";

Deno.test("Chunk gives back the rows that were added, in a byte or two for each change", () => {
  const chunk = Chunk.begin(1_000, 3);
  const rows: Row[] = [
    { step: 1_000, values: [5, 0, -1] },
    { step: 1_001, values: [5, 0, -1] },
    { step: 1_004, values: [9_000_000_000_000, 1, -1] },
    { step: 1_005, values: [0, 0, 7] },
  ];
  for (const { step, values } of rows) chunk.add(step, values);
  assert.deepEqual([...chunk.rows(3)], rows);
  assert.deepEqual([chunk.firstStep, chunk.lastStep, chunk.rowCount, chunk.isFull], [1_000, 1_005, 4, false]);
  const quiet = Chunk.begin(0, 9);
  for (let step = 0; step < 60; step++) quiet.add(step, Array(9).fill(4));
  assert.ok(quiet.byteLength < 150, `${quiet.byteLength} bytes`);
  assert.equal(quiet.isFull, true);
});

Deno.test("Chunk holds whatever figures there are, also after it was stored and read back", () => {
  const random = new Random(42);
  for (let run = 0; run < 50; run++) {
    const width = 1 + random.int(9), rows: Row[] = [];
    let step = random.int(2 ** 31);
    const chunk = Chunk.begin(step, width);
    for (let row = 0; row < 60; row++) {
      const values = Array.from(
        { length: width },
        () => random.int(3) === 0 ? -1 : random.int(2 ** random.int(48)),
      );
      chunk.add(step, values);
      rows.push({ step, values });
      step += random.int(300);
    }
    assert.deepEqual([...chunk.rows(width)], rows);
    assert.deepEqual([...Chunk.restore(structuredClone(chunk.store())).rows(width)], rows);
  }
});
