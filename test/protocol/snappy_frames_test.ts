import assert from "node:assert/strict";
import { compress } from "snappyjs";
import {
  maskedChecksum,
  MAX_CHUNK_BYTES,
  SnappyFrameReader,
  SnappyFrameWriter,
} from "../../src/protocol/snappy_frames.ts";
import { Random } from "../support/random.ts";

const IDENTIFIER = unhex("ff060000734e61507059");
/** What NSQ sends first on snappy: the identifier, and a frame with OK in a plain chunk. */
const CAPTURED = unhex("ff060000734e61507059010e000026982bcf00000006000000004f4b");
const OK_FRAME = unhex("00000006000000004f4b");

function unhex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g)!, (byte) => parseInt(byte, 16));
}

function join(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function chunk(type: number, rest: Uint8Array): Uint8Array {
  return join(Uint8Array.of(type, rest.length, rest.length >> 8, rest.length >> 16), rest);
}

function checksum(data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, maskedChecksum(data), true);
  return bytes;
}

/** Feeds `stream` in pieces of `pieceBytes`. @throws {SnappyError} */
function read(stream: Uint8Array, pieceBytes = stream.length): Uint8Array {
  const reader = new SnappyFrameReader(), out: number[] = [];
  for (let at = 0; at < stream.length;) {
    const space = reader.space();
    assert.ok(space.length > 0);
    const taken = Math.min(space.length, pieceBytes, stream.length - at);
    space.set(stream.subarray(at, at + taken));
    reader.filled(taken);
    at += taken;
    for (let data; (data = reader.next()) !== null;) {
      assert.ok(data.length > 0 && data.length <= MAX_CHUNK_BYTES);
      for (const byte of data) out.push(byte);
    }
  }
  return Uint8Array.from(out);
}

/** Bytes that compress more or less. */
function sample(random: Random, byteCount: number, values: number): Uint8Array {
  return Uint8Array.from({ length: byteCount }, () => random.int(values));
}

Deno.test("SnappyFrameWriter.encode() makes the bytes that NSQ makes", () => {
  const writer = new SnappyFrameWriter();
  assert.deepEqual(writer.encode(OK_FRAME), CAPTURED);
  assert.deepEqual(
    writer.encode(OK_FRAME),
    CAPTURED.subarray(IDENTIFIER.length),
    "the identifier comes once",
  );
});

Deno.test("SnappyFrameWriter.encode() compresses what shrinks, in chunks of 65536 bytes", () => {
  const data = new Uint8Array(2 * MAX_CHUNK_BYTES + 1).fill(7);
  const encoded = new SnappyFrameWriter().encode(data);
  assert.ok(encoded.length < data.length / 10);
  const types: number[] = [];
  for (let at = 0; at < encoded.length;) {
    types.push(encoded[at]);
    at += 4 + (encoded[at + 1] | encoded[at + 2] << 8 | encoded[at + 3] << 16);
  }
  assert.deepEqual(types, [0xff, 0, 0, 1]);
  const noise = sample(new Random(3), 1000, 256);
  assert.equal(new SnappyFrameWriter().encode(noise)[IDENTIFIER.length], 1);
});

Deno.test("SnappyFrameReader.next() gives back what SnappyFrameWriter.encode() was given", () => {
  const random = new Random(4);
  for (const byteCount of [0, 1, 31, 32, 33, 1000, 65_535, 65_536, 65_537, 200_000]) {
    for (const values of [1, 4, 256]) {
      const data = sample(random, byteCount, values);
      assert.deepEqual(read(new SnappyFrameWriter().encode(data), 10_000), data);
    }
  }
});

Deno.test("SnappyFrameReader.next() takes a stream that is cut anywhere", () => {
  const data = new TextEncoder().encode("to be or not to be, to be or not to be, that is the question");
  const stream = join(
    CAPTURED,
    chunk(0xfe, new Uint8Array(600)),
    chunk(0x80, new Uint8Array(0)),
    IDENTIFIER,
    chunk(0, join(checksum(data), compress(data))),
    chunk(1, checksum(new Uint8Array(0))),
    chunk(0xfd, new Uint8Array(5)),
    chunk(1, join(checksum(data), data)),
  );
  for (let pieceBytes = 1; pieceBytes <= stream.length; pieceBytes++) {
    assert.deepEqual(read(stream, pieceBytes), join(OK_FRAME, data, data), `${pieceBytes}`);
  }
});

Deno.test("SnappyFrameReader.next() skips a chunk of 16 MiB without keeping it", () => {
  const reader = new SnappyFrameReader();
  let left = 0xffffff, seen = 0;
  const feed = (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length;) {
      const space = reader.space();
      seen = Math.max(seen, space.length);
      const taken = Math.min(space.length, bytes.length - at);
      space.set(bytes.subarray(at, at + taken));
      reader.filled(taken);
      at += taken;
      assert.equal(reader.next(), null);
    }
  };
  feed(IDENTIFIER);
  feed(Uint8Array.of(0x90, 0xff, 0xff, 0xff));
  for (; left > 0; left -= Math.min(left, 65_536)) feed(new Uint8Array(Math.min(left, 65_536)));
  assert.ok(seen <= 4096, `a buffer of ${seen} bytes`);
});

Deno.test("SnappyFrameReader.next() refuses what is no snappy stream", () => {
  const data = new Uint8Array(100).fill(7), block: Uint8Array = compress(data);
  const lies = block.slice();
  lies[0] = 101;
  const table: [string, Uint8Array, RegExp][] = [
    ["no identifier", chunk(1, join(checksum(data), data)), /does not begin with its identifier/],
    ["padding first", chunk(0xfe, data), /does not begin with its identifier/],
    ["a wrong identifier", unhex("ff060000734e6150705a"), /wrong stream identifier/],
    ["a long identifier", unhex("ff070000734e6150705900"), /type 255 is 7 bytes, must be 6 to 6/],
    ["a reserved type", join(IDENTIFIER, chunk(2, data)), /reserved type 2/],
    ["the last reserved type", join(IDENTIFIER, chunk(0x7f, data)), /reserved type 127/],
    ["no checksum", join(IDENTIFIER, chunk(1, data.subarray(0, 3))), /type 1 is 3 bytes, must be 4 to 65540/],
    ["a large plain chunk", join(IDENTIFIER, unhex("01050001")), /is 65541 bytes/],
    ["a large block", join(IDENTIFIER, unhex("00ffffff")), /is 16777215 bytes/],
    ["a wrong checksum", join(IDENTIFIER, chunk(1, join(checksum(block), data))), /checksum/],
    ["a wrong checksum of a block", join(IDENTIFIER, chunk(0, join(checksum(block), block))), /checksum/],
    [
      "a block that is too short",
      join(IDENTIFIER, chunk(0, join(checksum(data), lies))),
      /instead of 101/,
    ],
    ["an empty block", join(IDENTIFIER, chunk(0, checksum(data))), /incomplete/],
    [
      "a literal of negative length, on which snappyjs would never end",
      join(IDENTIFIER, chunk(0, join(checksum(data), unhex("05fcfaffffff00000000")))),
      /literal of a block is too long/,
    ],
    [
      "a literal that goes past the block",
      join(IDENTIFIER, chunk(0, join(checksum(data), unhex("05106162")))),
      /incomplete/,
    ],
    [
      "a copy that is cut off",
      join(IDENTIFIER, chunk(0, join(checksum(data), unhex("0500610e09")))),
      /incomplete/,
    ],
    [
      "a block that yields more than it claims",
      join(IDENTIFIER, chunk(0, join(checksum(data), unhex("02006101010000")))),
      /instead of 2/,
    ],
    [
      "a block that claims 4 GiB",
      join(IDENTIFIER, chunk(0, join(checksum(data), unhex("ffffffff0f00")))),
      /too large/,
    ],
    [
      "a block that claims 65537 bytes",
      join(IDENTIFIER, chunk(0, join(checksum(data), unhex("81800400")))),
      /block of 65537 bytes, max is 65536/,
    ],
    [
      "a block that copies from before its start",
      join(IDENTIFIER, chunk(0, join(checksum(data), unhex("0500610e0900")))),
      /uncompressed/,
    ],
  ];
  for (const [name, stream, message] of table) {
    assert.throws(() => read(stream), { name: "SnappyError", message }, name);
  }
});

Deno.test("SnappyFrameReader.next() answers damaged streams with data or a SnappyError", () => {
  const random = new Random(5);
  const stream = new SnappyFrameWriter().encode(sample(random, 3000, 3));
  for (let i = 0; i < 3000; i++) {
    const damaged = stream.slice(0, 1 + random.int(stream.length));
    damaged[random.int(damaged.length)] = random.int(256);
    try {
      read(damaged, 1 + random.int(500));
    } catch (cause) {
      assert.equal((cause as Error).name, "SnappyError");
    }
  }
});

Deno.test("SnappyFrameReader.next() comes to an end on blocks of random elements", () => {
  const random = new Random(6);
  for (let i = 0; i < 20_000; i++) {
    const block = sample(random, 1 + random.int(40), 256);
    block[0] &= 0x7f;
    // Long literals and copies with long offsets are what goes wrong.
    for (let at = 1; at < block.length; at += 1 + random.int(6)) {
      block[at] = random.pick([0xfc, 0xf8, 0x03, 0xff]);
    }
    const stream = join(IDENTIFIER, chunk(0, join(checksum(block), block)));
    assert.throws(() => read(stream), { name: "SnappyError" });
  }
});
