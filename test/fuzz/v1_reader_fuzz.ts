/** The reader of lookupd's protocol beside a model, wherever the stream is cut. */
import assert from "node:assert/strict";
import { LookupProtocolError, MAX_IDENTIFY_BYTES } from "../../src/protocol/lookup/errors.ts";
import { MAX_LINE_BYTES, V1Reader } from "../../src/protocol/lookup/v1_reader.ts";
import type { Random } from "../support/random.ts";
import { anyBody, int32, latin1, mutate, pieceSizes, readInt32, textOf } from "./bytes.ts";
import { excerpt, plainSession, type Tally, type Target } from "./target.ts";

const REFUSED = "refused";

/** The parts of a stream, and `REFUSED` last when it is not read further. */
function modelParts(stream: string): string[] {
  if (stream.length < 4) return [];
  const parts = [stream.slice(0, 4)];
  for (let at = 4;;) {
    const newline = stream.indexOf("\n", at);
    if (newline < 0 && stream.length - at <= MAX_LINE_BYTES) return parts;
    if (newline < 0 || newline - at > MAX_LINE_BYTES) return [...parts, REFUSED];
    const line = stream.slice(at, newline);
    parts.push(line);
    at = newline + 1;
    if (line !== "IDENTIFY") continue;
    if (stream.length - at < 4) return parts;
    const size = readInt32(stream, at);
    if (size < 0 || size > MAX_IDENTIFY_BYTES) return [...parts, REFUSED];
    if (stream.length - at - 4 < size) return parts;
    parts.push(stream.slice(at + 4, at + 4 + size));
    at += 4 + size;
  }
}

function readParts(bytes: Uint8Array, random: Random): string[] {
  const reader = new V1Reader(), parts: string[] = [], nextSize = pieceSizes(random);
  for (let at = 0; at < bytes.length;) {
    const space = reader.space(), size = Math.min(nextSize(), space.length, bytes.length - at);
    assert.ok(size > 0, "there is no space to read into");
    // A body has the buffer that it was announced to need, and a line what the longest one needs.
    assert.ok(
      space.length <= Math.max(MAX_LINE_BYTES + 1, MAX_IDENTIFY_BYTES),
      `${space.length} bytes of space`,
    );
    space.set(bytes.subarray(at, at + size));
    reader.received(size);
    at += size;
    try {
      for (let part = reader.next(); part !== undefined; part = reader.next()) {
        if (part.kind === "line" && part.text === "IDENTIFY") reader.expectBody();
        parts.push(part.kind === "body" ? textOf(part.body) : part.text);
      }
    } catch (error) {
      if (!(error instanceof LookupProtocolError)) throw error;
      return [...parts, REFUSED];
    }
  }
  return parts;
}

function anyStream(random: Random): string {
  let stream = random.chance(0.95) ? "  V1" : anyBody(random, random.int(8));
  for (let left = random.int(12); left > 0; left--) {
    const bodyBytes = random.chance(0.1) ? random.int(6000) : random.int(300);
    let command = random.pick([
      () => "PING\n",
      () => "REGISTER topic channel\r\n",
      () => `UNREGISTER ${anyBody(random, random.int(20)).replaceAll("\n", "")}\n`,
      () => `IDENTIFY\n${int32(bodyBytes)}${anyBody(random, bodyBytes)}`,
      () => `${"x".repeat(MAX_LINE_BYTES + (random.chance(0.1) ? random.between(-2, 2) : -3000))}\n`,
    ])();
    if (random.chance(0.05)) command = mutate(random, command);
    stream += command;
  }
  return stream;
}

function batch(random: Random, rounds: number): Tally {
  const tally: Tally = { parts: 0, refused: 0 };
  while (tally.parts < rounds) {
    const stream = anyStream(random), expected = modelParts(stream);
    assert.deepEqual(readParts(latin1(stream), random), expected, excerpt(stream, 4000));
    tally.parts += expected.length + 1;
    if (expected[expected.length - 1] === REFUSED) tally.refused++;
  }
  return tally;
}

export const v1Reader: Target = {
  name: "v1_reader",
  summary: "lookupd's reader",
  batchRounds: 10_000,
  shortRounds: 10_000,
  open: () => plainSession(batch),
};
