/**
 * Snappy streams: what is put together by hand or by the writer comes out whole however it is cut, and of a spoilt
 * stream nothing comes out that did not go in.
 */
import assert from "node:assert/strict";
import {
  MAX_CHUNK_BYTES,
  SnappyError,
  SnappyFrameReader,
  SnappyFrameWriter,
} from "../../src/protocol/snappy_frames.ts";
import type { Random } from "../support/random.ts";
import { anyBody, latin1, mutate, pieceSizes, textOf } from "./bytes.ts";
import { excerpt, plainSession, type Tally, type Target } from "./target.ts";

const IDENTIFIER = "\xff\x06\0\0sNaPpY";
/** No reader needs more room than this for a chunk that it takes. */
const MAX_SPACE_BYTES = 1 << 20;

// ---- a writer of our own ----------------------------------------------------------------------

/** CRC-32C, bit by bit. */
function crc32c(text: string): number {
  let crc = 0xffffffff;
  for (let i = 0; i < text.length; i++) {
    crc ^= text.charCodeAt(i);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function littleEndian(value: number, byteCount: number): string {
  return Array.from({ length: byteCount }, (_, i) => String.fromCharCode(value >>> 8 * i & 255)).join("");
}

function chunk(type: number, rest: string): string {
  return String.fromCharCode(type) + littleEndian(rest.length, 3) + rest;
}

function dataChunk(type: number, data: string, content: string): string {
  const crc = crc32c(data), masked = ((crc >>> 15 | crc << 17) + 0xa282ead8) >>> 0;
  return chunk(type, littleEndian(masked, 4) + content);
}

function varint(value: number): string {
  let text = "";
  for (; value > 127; value >>>= 7) text += String.fromCharCode(value & 127 | 128);
  return text + String.fromCharCode(value);
}

/** A block of literals and copies of every form, and what it stands for. */
function anyBlock(random: Random): { block: string; data: string } {
  let elements = "", data = "";
  for (let left = 1 + random.int(12); left > 0; left--) {
    if (data === "" || random.chance(0.5)) {
      const literal = anyBody(random, 1 + random.int(random.chance(0.1) ? 400 : 70)),
        length = literal.length - 1;
      if (length < 60) elements += String.fromCharCode(length << 2);
      else if (length < 256) elements += "\xf0" + littleEndian(length, 1);
      else elements += "\xf4" + littleEndian(length, 2);
      elements += literal;
      data += literal;
    } else {
      const offset = 1 + random.int(data.length);
      let length = 1 + random.int(64);
      if (offset < 2048 && random.chance(0.5)) {
        length = 4 + random.int(8);
        elements += String.fromCharCode(1 | length - 4 << 2 | offset >> 8 << 5, offset & 255);
      } else if (random.chance(0.7)) {
        elements += String.fromCharCode(2 | length - 1 << 2) + littleEndian(offset, 2);
      } else {
        elements += String.fromCharCode(3 | length - 1 << 2) + littleEndian(offset, 4);
      }
      // A copy may reach into what it makes itself.
      for (let i = 0; i < length; i++) data += data[data.length - offset];
    }
  }
  return { block: varint(data.length) + elements, data };
}

interface Stream {
  text: string;
  /** The data of each chunk. */
  chunks: string[];
}

function anyStream(random: Random): Stream {
  const writer = new SnappyFrameWriter(), chunks: string[] = [];
  let text = "";
  const isWritten = random.chance(0.3);
  if (!isWritten) text += IDENTIFIER;
  for (let left = 1 + random.int(6); left > 0; left--) {
    if (isWritten) {
      const length = random.chance(0.02) ? MAX_CHUNK_BYTES + random.between(-1, 900) : 1 + random.int(500);
      const data = random.chance(0.5) ? "ab".repeat(length >> 1) + "c" : anyBody(random, length);
      text += textOf(writer.encode(latin1(data)));
      for (let at = 0; at < data.length; at += MAX_CHUNK_BYTES) {
        chunks.push(data.slice(at, at + MAX_CHUNK_BYTES));
      }
      continue;
    }
    if (random.chance(0.1)) text += IDENTIFIER;
    if (random.chance(0.1)) {
      text += chunk(random.pick([0x80, 0xc3, 0xfd, 0xfe]), anyBody(random, random.int(900)));
    }
    if (random.chance(0.5)) {
      const data = anyBody(random, 1 + random.int(300));
      text += dataChunk(1, data, data);
      chunks.push(data);
    } else {
      const { block, data } = anyBlock(random);
      text += dataChunk(0, data, block);
      chunks.push(data);
    }
  }
  return { text, chunks };
}

// ---- reading ----------------------------------------------------------------------------------

/** The data of all chunks, up to the end or to where the stream is refused. */
function readAll(random: Random, text: string): { chunks: string[]; isRefused: boolean } {
  const reader = new SnappyFrameReader(), bytes = latin1(text), nextSize = pieceSizes(random);
  const chunks: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const space = reader.space(), size = Math.min(nextSize(), space.length, bytes.length - at);
    assert.ok(size > 0 && space.length <= MAX_SPACE_BYTES, `${space.length} bytes to read into`);
    space.set(bytes.subarray(at, at + size));
    reader.filled(size);
    at += size;
    try {
      for (let data = reader.next(); data !== null; data = reader.next()) chunks.push(textOf(data));
    } catch (error) {
      if (!(error instanceof SnappyError)) throw error;
      return { chunks, isRefused: true };
    }
  }
  return { chunks, isRefused: false };
}

function batch(random: Random, rounds: number): Tally {
  const tally: Tally = { streams: 0, chunks: 0, spoilt: 0, refused: 0 };
  for (; tally.streams < rounds; tally.streams++) {
    const { text, chunks } = anyStream(random);
    assert.deepEqual(readAll(random, text), { chunks, isRefused: false }, excerpt(text, 3000));
    tally.chunks += chunks.length;
    let spoilt = text;
    for (let left = 1 + random.int(2); left > 0; left--) spoilt = mutate(random, spoilt);
    const read = readAll(random, spoilt), known = new Set(chunks);
    for (const data of read.chunks) {
      assert.ok(known.has(data), `${excerpt(data)} came out of ${excerpt(spoilt, 3000)}`);
    }
    tally.spoilt++;
    if (read.isRefused) tally.refused++;
  }
  return tally;
}

export const snappy: Target = {
  name: "snappy",
  summary: "the snappy framing",
  batchRounds: 2_000,
  shortRounds: 300,
  open: () => plainSession(batch),
};
