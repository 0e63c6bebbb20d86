import assert from "node:assert/strict";
import { FrameReader, FrameStream, readInt32 } from "../../src/protocol/frame_reader.ts";
import { ProtocolFault } from "../../src/protocol/protocol_fault.ts";

function frame(type: number, data: string): Uint8Array {
  const body = new TextEncoder().encode(data), bytes = new Uint8Array(8 + body.length);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, 4 + body.length);
  view.setInt32(4, type);
  bytes.set(body, 8);
  return bytes;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

const FRAMES = [
  frame(0, "OK"),
  frame(2, "m".repeat(40)),
  frame(1, "E_X y"),
  frame(0, ""),
  frame(2, "last message"),
];
const STREAM = join(FRAMES);

/** The frames of `run`, which has to end with a frame. */
function split(run: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let at = 0; at < run.length;) {
    const end = at + 4 + readInt32(run, at);
    assert.ok(end <= run.length, "a run ends with a whole frame");
    frames.push(run.subarray(at, end));
    at = end;
  }
  return frames;
}

function read(pieces: readonly Uint8Array[], maxFrameBytes?: number): Uint8Array[] {
  const reader = new FrameReader(maxFrameBytes), frames: Uint8Array[] = [];
  for (const piece of pieces) reader.push(piece, (run) => frames.push(...split(run)));
  return frames;
}

Deno.test("FrameReader.push() gives the same frames for every pair of split points", () => {
  for (let first = 0; first <= STREAM.length; first++) {
    for (let second = first; second <= STREAM.length; second++) {
      const pieces = [STREAM.subarray(0, first), STREAM.subarray(first, second), STREAM.subarray(second)];
      assert.deepEqual(read(pieces), FRAMES, `split at ${first} and ${second}`);
    }
  }
});

Deno.test("FrameReader.push() gives the same frames byte by byte", () => {
  assert.deepEqual(read(Array.from(STREAM, (byte) => new Uint8Array([byte]))), FRAMES);
});

Deno.test("FrameReader.push() does not copy frames that come whole", () => {
  const runs: Uint8Array[] = [];
  new FrameReader().push(STREAM, (run) => runs.push(run));
  assert.equal(runs.length, 1);
  assert.equal(runs[0], STREAM);
});

Deno.test("FrameReader.push() refuses sizes that no frame has, before it takes memory for them", () => {
  for (const [size, text] of [[3, "min is 4"], [-1, "min is 4"], [101, "max is 100"]] as const) {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setInt32(0, size);
    for (const cut of [0, 1, 2, 3]) {
      assert.throws(
        () => read([bytes.subarray(0, cut), bytes.subarray(cut)], 100),
        (error: Error) =>
          error instanceof ProtocolFault && error.message.includes(`${size}`) && error.message.includes(text),
      );
    }
  }
});

Deno.test("FrameReader.push() keeps a large frame that comes in small pieces", () => {
  const large = frame(2, "x".repeat(100_000)), pieces: Uint8Array[] = [];
  for (let at = 0; at < large.length; at += 777) pieces.push(large.subarray(at, at + 777));
  assert.deepEqual(read([...pieces, FRAMES[0]]), [large, FRAMES[0]]);
});

Deno.test("FrameStream is the same as a transform of Web Streams", async () => {
  const pieces = Array.from({ length: STREAM.length }, (_, i) => STREAM.slice(i, i + 1));
  const frames: Uint8Array[] = [];
  for await (const run of ReadableStream.from(pieces).pipeThrough(new FrameStream())) {
    frames.push(...split(run));
  }
  assert.deepEqual(frames, FRAMES);
});

Deno.test("FrameStream fails when the stream ends inside of a frame", async () => {
  const cut = ReadableStream.from([STREAM.slice(0, STREAM.length - 1)]).pipeThrough(new FrameStream());
  await assert.rejects(
    async () => {
      for await (const run of cut) split(run);
    },
    (error: Error) => error instanceof ProtocolFault && /ended \d+ bytes into a frame/.test(error.message),
  );
});
