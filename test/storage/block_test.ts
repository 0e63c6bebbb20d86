/** The layout of a block, and that nothing but a sound one is taken for one. */
import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import {
  BLOCK_HEADER_BYTES,
  blockBytes,
  type BlockHeader,
  dataChecksum,
  decodeBlock,
  encodeHeader,
  KIND_MESSAGES,
} from "../../src/storage/block.ts";

const EXTRA = new Uint8Array([0, 0, 0, 1, 0x40, 0x8f, 0x40, 0, 0, 0, 0, 0]);
const DATA = new TextEncoder().encode("some records");
const HEADER: BlockHeader = {
  kind: KIND_MESSAGES,
  flags: 0,
  fileNumber: 7,
  topicNumber: 3,
  firstSeq: 2 ** 32 * 5 + 9,
  count: 2,
  extraBytes: EXTRA.length,
  dataBytes: DATA.length,
  dataCrc: dataChecksum(DATA),
};
const AT = 5;

/** The block behind five bytes of something else. */
function encode(): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(AT + blockBytes(HEADER)), view = new DataView(bytes.buffer);
  bytes.set(EXTRA, AT + BLOCK_HEADER_BYTES);
  bytes.set(DATA, AT + BLOCK_HEADER_BYTES + EXTRA.length);
  encodeHeader(bytes, view, AT, HEADER);
  return { bytes, view };
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

Deno.test("encodeHeader() writes the header of FORMAT.md", () => {
  const { bytes, view } = encode(), header = bytes.subarray(AT, AT + BLOCK_HEADER_BYTES);
  assert.equal(hex(header.subarray(0, 4)), "4e535142");
  assert.equal(
    hex(header.subarray(8)),
    "00000007" + "01" + "00" + "0000" + "00000003" + "0000000500000009" + "00000002" + "0000000c" +
      "0000000c",
  );
  const checked = bytes.subarray(AT + 8, AT + BLOCK_HEADER_BYTES + EXTRA.length);
  assert.equal(view.getUint32(AT + 4), crc32(checked, crc32(DATA)));
});

Deno.test("decodeBlock() reads what encodeHeader() wrote", () => {
  const { bytes, view } = encode();
  assert.deepEqual(decodeBlock(bytes, view, AT, 7), HEADER);
});

Deno.test("decodeBlock() refuses a block with any bit changed", () => {
  const { bytes, view } = encode();
  for (let i = AT; i < bytes.length; i++) {
    for (let bit = 0; bit < 8; bit++) {
      bytes[i] ^= 1 << bit;
      assert.equal(decodeBlock(bytes, view, AT, 7), null, `bit ${bit} of byte ${i - AT}`);
      bytes[i] ^= 1 << bit;
    }
  }
});

Deno.test("decodeBlock() refuses a block that is cut anywhere, and one of another file", () => {
  const { bytes } = encode();
  for (let size = AT; size < bytes.length; size++) {
    const cut = bytes.slice(0, size);
    assert.equal(decodeBlock(cut, new DataView(cut.buffer), AT, 7), null, `cut at ${size}`);
  }
  assert.equal(decodeBlock(bytes, new DataView(bytes.buffer), AT, 8), null);
});
