/** Buffers in size classes: what is lent, what is kept. */
import assert from "node:assert/strict";
import { BufferPool, newBuffer, SIZE_CLASSES, wrapBuffer } from "../../src/buffers/buffer_pool.ts";

Deno.test("BufferPool.take() lends the smallest class that is large enough", () => {
  const pool = new BufferPool(0);
  const cases = [[1, 512], [512, 512], [513, 2048], [2048, 2048], [100_000, 131_072], [1_114_112, 1_114_112]];
  for (const [wanted, size] of cases) assert.equal(pool.take(wanted).bytes.length, size, `${wanted} bytes`);
  assert.equal(pool.lentBytes, cases.reduce((sum, [, size]) => sum + size, 0));
});

Deno.test("BufferPool.take() of more than the largest class lends exactly that, and give() forgets it", () => {
  const pool = new BufferPool(1 << 30), byteLength = SIZE_CLASSES.at(-1)! + 1;
  const buffer = pool.take(byteLength);
  assert.equal(buffer.bytes.length, byteLength);
  assert.equal(pool.lentBytes, byteLength);
  pool.give(buffer);
  assert.deepEqual([pool.lentBytes, pool.idleBytes], [0, 0]);
  assert.notEqual(pool.take(byteLength), buffer);
});

Deno.test("BufferPool lends a returned buffer again, to one at a time", () => {
  const pool = new BufferPool(1 << 20), first = pool.take(600);
  pool.give(first);
  assert.deepEqual([pool.lentBytes, pool.idleBytes], [0, 2048]);
  assert.equal(pool.take(2000), first);
  assert.notEqual(pool.take(2000), first);
  assert.deepEqual([pool.lentBytes, pool.idleBytes], [4096, 0]);
});

Deno.test("BufferPool.give() keeps no more than the idle bytes allowed, and trim() none", () => {
  const pool = new BufferPool(1100), buffers = [pool.take(512), pool.take(512), pool.take(512)];
  for (const buffer of buffers) pool.give(buffer);
  assert.equal(pool.idleBytes, 1024);
  pool.trim();
  assert.equal(pool.idleBytes, 0);
  assert.ok(!buffers.includes(pool.take(512)));
});

Deno.test("newBuffer() and wrapBuffer() give two views of the same bytes", () => {
  const made = newBuffer(8), bytes = new Uint8Array(20), wrapped = wrapBuffer(bytes.subarray(4, 12));
  made.view.setUint32(0, 0x01020304);
  assert.deepEqual([...made.bytes.subarray(0, 4)], [1, 2, 3, 4]);
  wrapped.view.setUint8(0, 9);
  assert.equal(bytes[4], 9);
  assert.equal(wrapped.view.byteLength, 8);
});
