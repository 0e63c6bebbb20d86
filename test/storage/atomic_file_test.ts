/** Files that are replaced as a whole. */
import assert from "node:assert/strict";
import { replaceInTurns } from "../../src/storage/atomic_file.ts";
import { MemoryFileSystem } from "../support/memory_file_system.ts";

const PATH = "/data/snapshot.dat";

Deno.test("replaceInTurns() leaves the old content or the new at every death, power cuts included", async () => {
  const files = new MemoryFileSystem(), old = new Uint8Array([1]);
  files.put(PATH, old);
  files.losesNames = true;
  files.syncDirectorySync();
  const batches = [new Uint8Array([2, 2]), new Uint8Array([3])], found: string[] = [];
  function* watched() {
    for (const batch of batches) {
      yield batch;
      found.push([...files.afterKill().content(PATH)].join());
    }
  }
  await replaceInTurns(files, PATH, watched());
  assert.deepEqual(found, ["1", "1"]);
  assert.deepEqual([...files.afterPowerCut().content(PATH)], [2, 2, 3]);
  assert.deepEqual(files.list("/data"), ["snapshot.dat"]);
});

Deno.test("replaceInTurns() that the disk refuses leaves the old file", async () => {
  const files = new MemoryFileSystem();
  files.put(PATH, new Uint8Array([1]));
  files.freeBytes = 1;
  await assert.rejects(() => replaceInTurns(files, PATH, [new Uint8Array(5)]), /No space left/);
  assert.deepEqual([...files.content(PATH)], [1]);
});
