import assert from "node:assert/strict";
import { crc32c } from "../../src/protocol/crc32c.ts";
import { Random } from "../support/random.ts";

/** Bit by bit, as the definition says. */
function slowCrc32c(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ -1) >>> 0;
}

Deno.test("crc32c() gives the known values", () => {
  const text = (value: string) => new TextEncoder().encode(value);
  assert.equal(crc32c(text("")), 0);
  assert.equal(crc32c(text("123456789")), 0xe3069283);
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e);
});

Deno.test("crc32c() agrees with the definition at every length and offset", () => {
  const random = new Random(1);
  const bytes = Uint8Array.from({ length: 80 }, () => random.int(256));
  for (let from = 0; from < 10; from++) {
    for (let to = from; to <= bytes.length; to++) {
      assert.equal(crc32c(bytes, from, to), slowCrc32c(bytes.subarray(from, to)));
    }
  }
});
