import assert from "node:assert/strict";
import { readRecords, RecordTooLong } from "../../../src/tools/pub/record_reader.ts";

async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield await Promise.resolve(new TextEncoder().encode(text));
}

async function read(texts: string[], delimiter = "\n"): Promise<string[]> {
  const found: string[] = [];
  for await (const records of readRecords(pieces(...texts), delimiter.charCodeAt(0))) {
    found.push(...records.map((record) => new TextDecoder().decode(record)));
  }
  return found;
}

Deno.test("readRecords() strips the delimiter and nothing else, and leaves empty messages out", async () => {
  assert.deepEqual(await read(["a\nb\r\n\n\nlast"]), ["a", "b\r", "last"]);
  assert.deepEqual(await read(["a|b\n|c|"], "|"), ["a", "b\n", "c"]);
  assert.deepEqual(await read([]), []);
  assert.deepEqual(await read(["\n\n"]), []);
});

Deno.test("readRecords() finds the same messages wherever the input is cut", async () => {
  const text = "one\ntwo\n\nthree\nfour";
  const whole = await read([text]);
  for (let i = 0; i <= text.length; i++) {
    for (let j = i; j <= text.length; j++) {
      assert.deepEqual(await read([text.slice(0, i), text.slice(i, j), text.slice(j)]), whole);
    }
  }
});

Deno.test("readRecords() refuses a message that has no end", async () => {
  const reading = async () => {
    for await (const _ of readRecords(pieces("aaaa", "bbbb", "cccc"), 10, 10));
  };
  await assert.rejects(reading, RecordTooLong);
});
