import assert from "node:assert/strict";
import { encodeReplies, ReplyReader } from "../../../src/protocol/lookup/replies.ts";

const TEXTS = ["OK", "", '{"tcp_port":4160}', "E_INVALID x", "y".repeat(10_000), "OK"];

/** What `reader` finds in `bytes` when these come in pieces of `pieceBytes`. */
function readAll(reader: ReplyReader, bytes: Uint8Array, pieceBytes: number): string[] {
  const texts: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const space = reader.space();
    const piece = bytes.subarray(at, at + Math.min(pieceBytes, space.length));
    space.set(piece);
    reader.received(piece.length);
    at += piece.length;
    for (let text = reader.next(); text !== null; text = reader.next()) texts.push(text);
  }
  return texts;
}

Deno.test("encodeReplies() puts the length in front of each text", () => {
  assert.deepEqual([...encodeReplies(["OK", "\xff"])], [0, 0, 0, 2, 79, 75, 0, 0, 0, 1, 255]);
});

Deno.test("ReplyReader reads what encodeReplies() writes, wherever it is cut", () => {
  const bytes = encodeReplies(TEXTS);
  for (const pieceBytes of [1, 3, 4, 7, 4096, bytes.length]) {
    assert.deepEqual(readAll(new ReplyReader(10_000), bytes, pieceBytes), TEXTS);
  }
});

Deno.test("ReplyReader refuses a length that is negative or over its limit", () => {
  assert.throws(
    () => readAll(new ReplyReader(9), encodeReplies(["0123456789"]), 99),
    /^Error: reply of 10 bytes, max is 9$/,
  );
  assert.throws(
    () => readAll(new ReplyReader(9), new Uint8Array([255, 255, 255, 255]), 99),
    /reply of -1 bytes/,
  );
});
