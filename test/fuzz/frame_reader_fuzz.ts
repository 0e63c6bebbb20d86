/**
 * Frames from a server: whatever the pieces, the same frames come out; and what is no stream of frames is refused
 * without memory for what it claims.
 */
import assert from "node:assert/strict";
import { FrameReader, readInt32 } from "../../src/protocol/frame_reader.ts";
import { ProtocolFault } from "../../src/protocol/protocol_fault.ts";
import type { Random } from "../support/random.ts";
import { count, plainSession, type Tally, type Target } from "./target.ts";

const MAX_FRAME_BYTES = 4096;

function anyFrame(random: Random): number[] {
  const dataBytes = random.int(random.chance(0.1) ? MAX_FRAME_BYTES - 4 : 60), size = dataBytes + 4;
  const bytes = [size >>> 24, size >>> 16 & 255, size >>> 8 & 255, size & 255, 0, 0, 0, random.int(3)];
  for (let i = 0; i < dataBytes; i++) bytes.push(random.int(256));
  return bytes;
}

/** Frames as one stream, which may be spoilt in one byte. */
function anyStream(random: Random): { bytes: Uint8Array; isSpoilt: boolean } {
  const bytes: number[] = [];
  for (let left = 1 + random.int(12); left > 0; left--) bytes.push(...anyFrame(random));
  const isSpoilt = random.chance(0.3);
  if (isSpoilt) bytes[random.int(bytes.length)] ^= 1 + random.int(255);
  return { bytes: new Uint8Array(bytes), isSpoilt };
}

/** The frames of `bytes` by the rules alone, up to a size that is none. */
function expected(bytes: Uint8Array): { frames: Uint8Array[]; isRefused: boolean } {
  const frames: Uint8Array[] = [];
  for (let at = 0; at + 4 <= bytes.length;) {
    const size = new DataView(bytes.buffer, at).getInt32(0);
    if (size < 4 || size > MAX_FRAME_BYTES) return { frames, isRefused: true };
    if (at + 4 + size > bytes.length) break;
    frames.push(bytes.slice(at, at += 4 + size));
  }
  return { frames, isRefused: false };
}

function read(bytes: Uint8Array, random: Random): { frames: Uint8Array[]; isRefused: boolean } {
  const reader = new FrameReader(MAX_FRAME_BYTES), frames: Uint8Array[] = [];
  const pieceBytes = 1 + random.int(random.chance(0.5) ? 10 : 3000);
  try {
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(bytes.length, at + 1 + random.int(pieceBytes));
      reader.push(bytes.subarray(at, end), (run) => {
        for (let from = 0; from < run.length;) {
          const to = from + 4 + readInt32(run, from);
          assert.ok(to <= run.length, "a run ends with a whole frame");
          frames.push(run.slice(from, from = to));
        }
      });
      assert.ok(reader.partialBytes < 4 + MAX_FRAME_BYTES);
      at = end;
    }
    return { frames, isRefused: false };
  } catch (error) {
    assert.ok(error instanceof ProtocolFault, String(error));
    return { frames, isRefused: true };
  }
}

function batch(random: Random, rounds: number): Tally {
  const tally: Tally = {};
  for (let round = 0; round < rounds; round++) {
    const { bytes, isSpoilt } = anyStream(random);
    const wanted = expected(bytes), got = read(bytes, random);
    assert.equal(got.isRefused, wanted.isRefused);
    // Of the piece with the size that is none, frames in front of it may be dropped with it: the connection ends.
    const frames = wanted.isRefused ? wanted.frames.slice(0, got.frames.length) : wanted.frames;
    assert.deepEqual(got.frames, frames);
    count(tally, "frames", got.frames.length);
    if (isSpoilt) count(tally, "spoilt streams", 1);
    if (wanted.isRefused) count(tally, "refused", 1);
  }
  return tally;
}

export const frameReader: Target = {
  name: "frame_reader",
  summary: "frames from a server, cut anywhere and spoilt",
  batchRounds: 500,
  shortRounds: 1000,
  open: () => plainSession(batch),
};
