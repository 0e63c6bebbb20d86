/** Message ids and the record layout. */
import assert from "node:assert/strict";
import { HEX_WORDS, idHighWord, parseHex4, parseId, writeId } from "../../src/protocol/message.ts";
import { Random } from "../support/random.ts";

const MAX_SEQ = 2 ** 53 - 1;
const ascii = new TextEncoder();

function idText(nodeId: number, seq: number): string {
  const view = new DataView(new ArrayBuffer(18));
  writeId(view, 1, nodeId, seq);
  return new TextDecoder().decode(new Uint8Array(view.buffer, 1, 16));
}

const golden: [nodeId: number, seq: number, id: string][] = [
  [0, 0, "0000000000000000"],
  [0, 1, "0000000000000001"],
  [0, 0xffffffff, "00000000ffffffff"],
  [0, 2 ** 32, "0000000100000000"],
  [1, 0, "0020000000000000"],
  [5, 1_893_456_000_000_000, "00a6ba1694472000"],
  [1023, MAX_SEQ, "7fffffffffffffff"],
  [512, 0x1234_5678_9abc, "4000123456789abc"],
];

Deno.test("writeId() writes 10 bits of node and 53 of sequence number as 16 hex digits", () => {
  for (const [nodeId, seq, id] of golden) assert.equal(idText(nodeId, seq), id);
});

Deno.test("parseId() reads what writeId() wrote, for this node only", () => {
  for (const [nodeId, seq, id] of golden) {
    const bytes = ascii.encode(`..${id}..`);
    assert.equal(parseId(bytes, 2, nodeId), seq, id);
    assert.equal(parseId(bytes, 2, nodeId ^ 1), -1, `${id} of another node`);
  }
});

Deno.test("parseId() reads random ids back", () => {
  const random = new Random(1);
  for (let i = 0; i < 5000; i++) {
    const nodeId = random.int(1024), seq = Math.floor(random.next() * 2 ** random.between(1, 53));
    assert.equal(parseId(ascii.encode(idText(nodeId, seq)), 0, nodeId), seq);
  }
});

Deno.test("parseId() refuses every byte that is no lower-case hex digit, at every place", () => {
  const id = ascii.encode("00a6ba1694472000");
  for (let at = 0; at < 16; at++) {
    for (let byte = 0; byte < 256; byte++) {
      if (/[0-9a-f]/.test(String.fromCharCode(byte))) continue;
      const wrong = id.slice();
      wrong[at] = byte;
      assert.equal(parseId(wrong, 0, 5), -1, `byte ${byte} at ${at}`);
    }
  }
});

Deno.test("parseId() refuses an id with the sign bit", () => {
  assert.equal(parseId(ascii.encode("8000000000000000"), 0, 0), -1);
  assert.equal(parseId(ascii.encode("ffffffffffffffff"), 0, 1023), -1);
});

Deno.test("parseHex4() and HEX_WORDS agree on all 65536 values", () => {
  const bytes = new Uint8Array(4), view = new DataView(bytes.buffer);
  for (let value = 0; value < 65_536; value++) {
    view.setUint32(0, HEX_WORDS[value]);
    if (parseHex4(bytes, 0) !== value) assert.fail(`${value} is read as ${parseHex4(bytes, 0)}`);
  }
  assert.equal(HEX_WORDS[0x09af], 0x30396166);
});

Deno.test("idHighWord() is the upper half of the id", () => {
  for (const [nodeId, seq, id] of golden) assert.equal(idHighWord(nodeId, seq), parseInt(id.slice(0, 8), 16));
});
