/** Records in a segment: appended, indexed, dropped, pinned. */
import assert from "node:assert/strict";
import { BufferPool, newBuffer } from "../../src/buffers/buffer_pool.ts";
import { Segment, setTimestamp } from "../../src/storage/segment.ts";
import { Random } from "../support/random.ts";

const NODE_ID = 5;
const TIME = { high: 0x1a46e833, low: 0x35d51234 };

/** Bodies laid out as in MPUB, from `at` on. */
function sized(bodies: Uint8Array[], at: number) {
  const source = newBuffer(bodies.reduce((sum, body) => sum + 4 + body.length, at) + 8);
  for (const body of bodies) {
    source.view.setInt32(at, body.length);
    source.bytes.set(body, at + 4);
    at += 4 + body.length;
  }
  return source;
}

function randomBody(random: Random, byteLength: number): Uint8Array {
  return Uint8Array.from({ length: byteLength }, () => random.int(256));
}

/** Bytes of record `i`. */
function record(segment: Segment, i: number): Uint8Array {
  return segment.buffer!.bytes.slice(segment.index[i], segment.index[i + 1]);
}

Deno.test("Segment.append() writes the frame that a consumer receives", () => {
  const segment = new Segment(2 ** 33 + 7, newBuffer(2048)), source = newBuffer(8);
  source.bytes.set([1, 2, 3, 4, 5, 6, 7, 8]);
  segment.append(source, 2, 3, TIME, NODE_ID);
  const hex = [...record(segment, 0)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  assert.equal(
    hex,
    "00000021" + "00000002" + "1a46e83335d51234" + "0001" +
      [..."00a0000200000007"].map((digit) => digit.charCodeAt(0).toString(16)).join("") + "030405",
  );
  assert.deepEqual([segment.count, segment.usedBytes, segment.endSeq], [1, 37, 2 ** 33 + 8]);
});

Deno.test("Segment.appendSized() writes the same bytes as append(), for bodies of all small sizes", () => {
  const random = new Random(1);
  const bodies = Array.from({ length: 300 }, (_, size) => randomBody(random, size + 1));
  const one = new Segment(70_000, newBuffer(1 << 17)), many = new Segment(70_000, newBuffer(1 << 17));
  const source = sized(bodies, 3);
  let at = 3;
  for (const body of bodies) {
    one.append(source, at + 4, body.length, TIME, NODE_ID);
    at += 4 + body.length;
  }
  assert.equal(many.appendSized(source, 3, bodies.length, TIME, NODE_ID), at);
  assert.equal(many.count, bodies.length);
  assert.deepEqual(many.buffer!.bytes, one.buffer!.bytes);
  assert.deepEqual(many.index.subarray(0, 301), one.index.subarray(0, 301));
});

Deno.test("Segment.appendSized() stops before the first body that does not fit, and at the most asked for", () => {
  const bodies = [10, 20, 30, 40].map((size) => new Uint8Array(size).fill(size));
  const source = sized(bodies, 0);
  const segment = new Segment(1, newBuffer(2048), undefined, 34 * 3 + 60);
  assert.equal(segment.appendSized(source, 0, 2, TIME, NODE_ID), 14 + 24);
  assert.equal(segment.count, 2);
  assert.equal(segment.appendSized(source, 38, 2, TIME, NODE_ID), 38 + 34);
  assert.equal(segment.count, 3);
  assert.equal(segment.hasRoom(0), false);
  assert.equal(segment.appendSized(source, 72, 1, TIME, NODE_ID), 72, "a body that does not fit was taken");
});

Deno.test("Segment.appendSized() numbers messages across a wrap of the low 32 bits", () => {
  const bodies = Array.from({ length: 6 }, () => new Uint8Array(4)), source = sized(bodies, 0);
  const segment = new Segment(2 ** 32 - 3, newBuffer(2048));
  let at = 0;
  while (segment.count < 6) at = segment.appendSized(source, at, 6 - segment.count, TIME, 0);
  const ids = bodies.map((_, i) => new TextDecoder().decode(record(segment, i).subarray(18, 34)));
  assert.deepEqual(ids.map((id) => parseInt(id, 16)), bodies.map((_, i) => 2 ** 32 - 3 + i));
});

Deno.test("Segment.rebuildIndex() finds the records of a buffer, and refuses one that does not add up", () => {
  const segment = new Segment(1, newBuffer(2048));
  segment.appendSized(sized([5, 1, 9].map((size) => new Uint8Array(size)), 0), 0, 3, TIME, NODE_ID);
  const index = [...segment.index.subarray(0, 4)];
  segment.index = new Uint32Array(1);
  segment.rebuildIndex();
  assert.deepEqual([...segment.index], index);
  segment.buffer!.view.setUint32(0, 77);
  assert.throws(() => segment.rebuildIndex(), /Segment 1 is damaged/);
});

Deno.test("Segment.truncate() forgets records, and the extents of their group with the bytes they kept alive", () => {
  const segment = new Segment(1, newBuffer(2048));
  segment.appendSized(sized([5, 1, 9].map((size) => new Uint8Array(size)), 0), 0, 3, TIME, NODE_ID);
  const file = { path: "commit.000001.log", liveBytes: 117, read: () => Promise.resolve() };
  segment.extents = [
    { file, fileOffset: 0, byteLength: 39, count: 1, checksum: 0 },
    { file, fileOffset: 90, byteLength: 78, count: 2, checksum: 0 },
  ];
  segment.loggedCount = 3;
  segment.truncate(1);
  assert.deepEqual([segment.count, segment.usedBytes, segment.loggedCount, segment.endSeq], [1, 39, 1, 2]);
  assert.equal(segment.extents.length, 1);
  assert.equal(file.liveBytes, 39);
});

Deno.test("Segment.indexOf() finds sequence numbers, dense and sparse", () => {
  const dense = new Segment(100, newBuffer(2048));
  dense.appendSized(sized([1, 1, 1].map((size) => new Uint8Array(size)), 0), 0, 3, TIME, NODE_ID);
  assert.deepEqual([99, 100, 102, 103].map((seq) => dense.indexOf(seq)), [-1, 0, 2, -1]);
  const sparse = new Segment(100, newBuffer(2048), new Uint32Array(5));
  sparse.seqs = Float64Array.from([100, 107, 2 ** 40]);
  for (let i = 0; i < 3; i++) sparse.appendRecord(record(dense, i), 0, 35);
  assert.deepEqual([100, 107, 2 ** 40, 101, 99, 2 ** 41].map((seq) => sparse.indexOf(seq)), [
    0,
    1,
    2,
    -1,
    -1,
    -1,
  ]);
  assert.equal(sparse.seqAt(1), 107);
});

Deno.test("Segment.fit() counts the records whose bytes fit, at least one", () => {
  const segment = new Segment(1, newBuffer(2048));
  segment.appendSized(sized([6, 6, 66, 6].map((size) => new Uint8Array(size)), 0), 0, 4, TIME, NODE_ID);
  assert.equal(segment.fit(0, 4, 80), 2);
  assert.equal(segment.fit(0, 4, 79), 1);
  assert.equal(segment.fit(2, 4, 10), 3);
  assert.equal(segment.fit(0, 4, 10_000), 4);
});

Deno.test("Segment.dropBuffer() waits for the last pin of an unclaimed segment", () => {
  const pool = new BufferPool(0), segment = new Segment(1, pool.take(100));
  segment.pins = 2;
  segment.isUnclaimed = true;
  segment.dropBuffer(pool);
  assert.equal(pool.lentBytes, 512);
  segment.unpin(pool);
  assert.equal(pool.lentBytes, 512);
  segment.unpin(pool);
  assert.equal(pool.lentBytes, 0);
  assert.ok(segment.buffer === null);
});

Deno.test("Segment.unpin() leaves the buffer of a segment that is still wanted", () => {
  const pool = new BufferPool(0), segment = new Segment(1, pool.take(100));
  segment.pins = 1;
  segment.unpin(pool);
  assert.ok(segment.buffer !== null);
});

Deno.test("setTimestamp() splits milliseconds into the words of nanoseconds", () => {
  const time = { high: 0, low: 0 };
  setTimestamp(time, 1_893_456_000_123.5);
  assert.equal((BigInt(time.high) << 32n) + BigInt(time.low), 1_893_456_000_123_500_000n);
});
