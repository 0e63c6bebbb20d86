/** Found by the recovery fuzzer: the trailer of a finished log file has no checksum, and was believed. */
import assert from "node:assert/strict";
import { recover } from "../../src/storage/recovery.ts";
import { TRAILER_BYTES, TRAILER_MAGIC } from "../../src/storage/log_file.ts";
import { MemoryFileSystem } from "../support/memory_file_system.ts";

Deno.test("recover() reads a file through whose trailer says that its index is where none can be", () => {
  const size = 200;
  for (const indexAt of [size - 1, size - TRAILER_BYTES + 1, 0.5, -1, NaN, Infinity, 2 ** 60]) {
    const bytes = new Uint8Array(size), trailer = new DataView(bytes.buffer, size - TRAILER_BYTES);
    trailer.setFloat64(0, indexAt);
    trailer.setUint32(8, 1);
    trailer.setUint32(12, TRAILER_MAGIC);
    const files = new MemoryFileSystem();
    files.put("/data/kept.000001.log", bytes);
    const { files: found, blocks } = recover(files, "/data");
    assert.deepEqual([found.length, blocks.size], [1, 0], `an index at ${indexAt}`);
  }
});
