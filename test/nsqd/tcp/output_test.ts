import assert from "node:assert/strict";
import type { Flushable } from "../../../src/broker/broker.ts";
import { BufferPool, wrapBuffer } from "../../../src/buffers/buffer_pool.ts";
import { Output, type OutputOwner, type OutputTurn, type Sink } from "../../../src/nsqd/tcp/output.ts";
import { Segment } from "../../../src/storage/segment.ts";
import { Random } from "../../support/random.ts";

/** Takes what is written when the test says so. */
class SlowSink implements Sink {
  text = "";
  /** Of the write that is out. */
  #bytes: Uint8Array | null = null;
  #settle: PromiseWithResolvers<number> = Promise.withResolvers();

  get isBusy(): boolean {
    return this.#bytes !== null;
  }

  write(bytes: Uint8Array): Promise<number> {
    assert.equal(this.#bytes, null, "two writes are out");
    assert.ok(bytes.length > 0, "an empty write");
    this.#bytes = bytes;
    this.#settle = Promise.withResolvers();
    return this.#settle.promise;
  }

  /** Takes at most `byteCount` bytes of the write that is out. */
  async take(byteCount = Infinity): Promise<void> {
    const part = this.#bytes!.subarray(0, byteCount);
    this.text += String.fromCharCode(...part);
    this.#bytes = null;
    this.#settle.resolve(part.length);
    await settled();
  }

  async takeAll(): Promise<void> {
    while (this.isBusy) await this.take();
  }

  async fail(cause: Error): Promise<void> {
    this.#bytes = null;
    this.#settle.reject(cause);
    await settled();
  }
}

async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) await Promise.resolve();
}

/** An output, its surroundings, and the turn that flushes it. */
class Bench implements OutputOwner, OutputTurn {
  readonly sink = new SlowSink();
  readonly pool = new BufferPool(1 << 20);
  readonly output = new Output(this.sink, this.pool, this, this);
  writtenCount = 0;
  failure: unknown = null;
  timeMs = 0;
  #marked: Flushable[] = [];

  outputWritten(): void {
    this.writtenCount++;
  }

  streamFailed(cause: unknown): void {
    this.failure = cause;
  }

  markOutput(output: Flushable): void {
    this.#marked.push(output);
  }

  monotonicMs(): number {
    return this.timeMs;
  }

  /** True when something was marked. */
  endTurn(): boolean {
    const marked = this.#marked;
    this.#marked = [];
    assert.ok(marked.length <= 1, "an output is marked once a turn");
    for (const output of marked) output.flush();
    this.output.invariants();
    return marked.length > 0;
  }
}

/** The text of a frame. */
function frame(type: number, data: string): string {
  return `\0\0\0${String.fromCharCode(4 + data.length)}\0\0\0${String.fromCharCode(type)}${data}`;
}

const OK = frame(0, "OK");

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** A sealed segment of records with these bodies, and the text of each. */
function segmentOf(pool: BufferPool, bodies: string[]): { segment: Segment; records: string[] } {
  const segment = new Segment(1, pool.take(131_072));
  for (const body of bodies) {
    const source = wrapBuffer(bytesOf(body));
    segment.append(source, 0, body.length, { high: 0, low: 0 }, 0);
  }
  const records = bodies.map((_, i) =>
    String.fromCharCode(...segment.buffer!.bytes.subarray(segment.index[i], segment.index[i + 1]))
  );
  return { segment, records };
}

Deno.test("Output writes what was staged in a turn with one write at its end, in order", async () => {
  const bench = new Bench(), { output, sink } = bench;
  output.ok();
  output.response(bytesOf("hello"));
  output.error(bytesOf("E_BAD"));
  assert.ok(!sink.isBusy);
  bench.endTurn();
  await sink.take();
  assert.equal(sink.text, OK + frame(0, "hello") + frame(1, "E_BAD"));
  assert.equal(bench.writtenCount, 1);
  assert.ok(!bench.endTurn(), "nothing is left");
});

Deno.test("Output goes on with the rest of a write of which a part was taken, and with what came meanwhile", async () => {
  const bench = new Bench(), { output, sink } = bench;
  output.ok();
  bench.endTurn();
  output.response(bytesOf("later"));
  bench.endTurn();
  await sink.take(3);
  assert.ok(output.isWriting && !output.isAccepting);
  await sink.takeAll();
  assert.equal(sink.text, OK + frame(0, "later"));
  assert.equal(bench.writtenCount, 1);
  assert.ok(output.isAccepting);
});

Deno.test("Output keeps what is held until its group is decided, and what follows it", async () => {
  const bench = new Bench(), { output, sink } = bench;
  output.response(bytesOf("first"));
  assert.ok(output.hold(7));
  assert.ok(!output.hold(7), "the same group is told once");
  output.ok();
  assert.ok(output.hold(8));
  output.ok();
  bench.endTurn();
  await sink.takeAll();
  assert.equal(sink.text, frame(0, "first"));
  assert.ok(output.isPending && output.isHeld);
  output.lift(7);
  bench.endTurn();
  await sink.takeAll();
  assert.equal(sink.text, frame(0, "first") + OK);
  output.lift(8);
  bench.endTurn();
  await sink.takeAll();
  assert.equal(sink.text, frame(0, "first") + OK + OK);
  assert.ok(!output.isPending && !output.isHeld);
});

Deno.test("Output.dropHeld() drops what was staged from the first OK of the group on, and nothing before", async () => {
  const bench = new Bench(), { output, sink } = bench;
  output.response(bytesOf("stays"));
  output.hold(3);
  output.ok();
  output.response(bytesOf("behind"));
  assert.ok(!output.dropHeld(2));
  assert.ok(output.dropHeld(3));
  output.error(bytesOf("E_PUB_FAILED"));
  bench.endTurn();
  await sink.takeAll();
  assert.equal(sink.text, frame(0, "stays") + frame(1, "E_PUB_FAILED"));
});

Deno.test("Output.blockMessages() keeps messages behind what is held, and does nothing when nothing is", () => {
  const { output } = new Bench();
  output.blockMessages();
  assert.ok(output.isAccepting);
  output.hold(1);
  output.ok();
  output.blockMessages();
  assert.ok(!output.isAccepting);
  output.lift(1);
  assert.ok(output.isAccepting);
});

Deno.test("Output is full while many answers wait, staged or written, and messages do not count", async () => {
  const bench = new Bench(), { output, sink, pool } = bench;
  const answer = new Uint8Array(1000);
  for (let i = 0; i < 65; i++) output.response(answer);
  assert.ok(!output.isFull);
  output.response(answer);
  assert.ok(output.isFull);
  bench.endTurn();
  assert.ok(output.isFull, "until it is written");
  await sink.takeAll();
  assert.ok(!output.isFull);
  const { segment } = segmentOf(pool, ["x".repeat(60_000)]);
  for (let i = 0; i < 3; i++) output.record(segment, 0, 2);
  assert.ok(!output.isFull);
});

Deno.test("Output copies small runs behind the frames, writes large ones from their segment, and unpins both", async () => {
  for (const bodyBytes of [10, 20_000]) {
    const bench = new Bench(), { output, sink, pool } = bench;
    const { segment, records } = segmentOf(pool, ["a", "b", "c"].map((char) => char.repeat(bodyBytes)));
    output.ok();
    output.run(segment, 0, 2);
    output.run(segment, 2, 3);
    assert.equal(segment.pins, 1, "runs that follow one another are one");
    bench.endTurn();
    await sink.takeAll();
    assert.equal(sink.text, OK + records.join(""));
    assert.equal(segment.pins, 0);
  }
});

Deno.test("Output.record() sends a copy with its attempts changed", async () => {
  const bench = new Bench(), { output, sink, pool } = bench;
  const { segment, records } = segmentOf(pool, ["body"]);
  output.record(segment, 0, 258);
  bench.endTurn();
  await sink.takeAll();
  assert.equal(sink.text, `${records[0].slice(0, 16)}\x01\x02${records[0].slice(18)}`);
});

Deno.test("Output.written() resolves when all that is staged is written", async () => {
  const bench = new Bench(), { output, sink } = bench;
  output.ok();
  let isWritten = false;
  output.written().then(() => isWritten = true);
  bench.endTurn();
  output.ok();
  await sink.take();
  assert.ok(!isWritten);
  await sink.take();
  assert.ok(isWritten);
});

Deno.test("Output tells when its write last moved on", async () => {
  const bench = new Bench(), { output, sink } = bench;
  bench.timeMs = 100;
  output.ok();
  bench.endTurn();
  assert.equal(output.progressMs, 100);
  bench.timeMs = 250;
  await sink.take(1);
  assert.equal(output.progressMs, 250);
});

Deno.test("Output tells of a write that fails, lets everything go and stages nothing more", async () => {
  const bench = new Bench(), { output, sink, pool } = bench;
  const { segment } = segmentOf(pool, ["x"]);
  output.ok();
  bench.endTurn();
  output.run(segment, 0, 1);
  const cause = new Error("broken pipe");
  await sink.fail(cause);
  assert.equal(bench.failure, cause);
  assert.equal(segment.pins, 0);
  assert.ok(!output.isAccepting && !output.isPending);
  output.invariants();
});

Deno.test("Output.end() while a write is out returns its buffer only when that is over", async () => {
  const bench = new Bench(), { output, sink, pool } = bench;
  const lent = pool.lentBytes;
  output.ok();
  bench.endTurn();
  output.end();
  assert.ok(pool.lentBytes > lent);
  await sink.take(2);
  assert.equal(pool.lentBytes, lent);
  assert.ok(!sink.isBusy, "the rest is not written");
});

Deno.test("Output keeps its invariants, and the order of all, in random use", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed), bench = new Bench(), { output, sink, pool } = bench;
    const { segment, records } = segmentOf(pool, Array.from({ length: 20 }, (_, i) => `${i}`.repeat(900)));
    let staged = "", group = 1, lifted = 0;
    for (let step = 0; step < 300; step++) {
      const dice = random.int(10);
      if (dice < 3) {
        output.ok();
        staged += OK;
      } else if (dice < 5) {
        if (output.hold(group)) assert.ok(group > lifted);
      } else if (dice === 5 && group - lifted < 2) group++;
      else if (dice === 6 && output.isHeld) output.lift(++lifted);
      else if (dice === 7 && output.isAccepting && !output.isHeld) {
        const from = random.int(20), to = from + 1 + random.int(20 - from);
        bench.endTurn();
        await sink.takeAll();
        output.run(segment, from, to);
        staged += records.slice(from, to).join("");
        // Within a turn frames go before runs.
        bench.endTurn();
      } else if (dice === 8) bench.endTurn();
      else if (sink.isBusy) await sink.take(1 + random.int(5000));
      if (group <= lifted) group = lifted + 1;
      output.invariants();
    }
    output.lift(group);
    bench.endTurn();
    await sink.takeAll();
    assert.ok(sink.text === staged, `seed ${seed}: what was written is not what was staged`);
    assert.equal(segment.pins, 0);
  }
});
