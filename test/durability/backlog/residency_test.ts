/** Reading segments back from a disk that refuses, on a source of a segment's bytes that the test holds. */
import assert from "node:assert/strict";
import { type ReadFaults, Residency, type ResidencyHost } from "../../../src/durability/backlog/residency.ts";
import { Topic } from "../../../src/broker/topic.ts";
import { Broker } from "../../../src/broker/broker.ts";
import { BufferPool, newBuffer } from "../../../src/buffers/buffer_pool.ts";
import { Logger } from "../../../src/log/logger.ts";
import { dataChecksum } from "../../../src/storage/block.ts";
import { Segment, type SegmentSource } from "../../../src/storage/segment.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { NEVER_MS } from "../../support/persistent_broker.ts";
import { until } from "../../support/program_process.ts";

/** A disk with the bytes of one segment after the other. */
class Fixture implements ResidencyHost, ReadFaults, SegmentSource {
  readonly faults = this;
  readonly pool = new BufferPool(0);
  readonly lines: string[] = [];
  readonly logger = new Logger(
    "info",
    "",
    (line) => this.lines.push(line.replace(/^\S+ \S+ /, "").trimEnd()),
  );
  readonly residency = new Residency(this.pool, 1 << 30, this, this.logger);
  readonly broker = new Broker(
    { nodeId: 5, durability: "os", memQueueSize: 100, queueScanInterval: NEVER_MS },
    new FakeClock(),
    new MemoryStore(),
    this.pool,
  );
  readonly topic = new Topic(this.broker, "orders", 1, 0, false);
  /** What became of records, as `lost 0..2 of 100`. */
  readonly events: string[] = [];
  readonly path = "commit.000001.log";
  liveBytes = 0;
  /** Thrown by reads of the bytes [from, to). */
  refuse: (from: number, to: number) => Error | null = () => null;
  #bytes = new Uint8Array(0);

  /** An evicted segment of `extentCount` extents, each of `count` records. */
  segment(firstSeq: number, extentCount: number, count: number): Segment {
    const segment = new Segment(firstSeq, this.pool.take(2048), new Uint32Array(64)), source = newBuffer(8);
    for (let extent = 0; extent < extentCount; extent++) {
      const from = segment.usedBytes;
      for (let i = 0; i < count; i++) {
        source.bytes.fill(48 + segment.count);
        segment.append(source, 0, 8, { high: 0, low: 1 }, 5);
      }
      const written = segment.buffer!.bytes.slice(from, segment.usedBytes), fileOffset = this.#bytes.length;
      const joined = new Uint8Array(fileOffset + written.length);
      joined.set(this.#bytes);
      joined.set(written, fileOffset);
      this.#bytes = joined;
      const byteLength = written.length, checksum = dataChecksum(written);
      segment.extents.push({ file: this, fileOffset, byteLength, count, checksum });
    }
    segment.sealed = true;
    segment.loggedCount = segment.count;
    segment.claims = 1;
    segment.dropBuffer(this.pool);
    this.residency.addEvicted(this.topic, segment);
    return segment;
  }

  flip(offset: number): void {
    this.#bytes[offset] ^= 1;
  }

  read(into: Uint8Array, fileOffset: number): Promise<void> {
    const error = this.refuse(fileOffset, fileOffset + into.length);
    if (error !== null) return Promise.reject(error);
    into.set(this.#bytes.subarray(fileOffset, fileOffset + into.length));
    return Promise.resolve();
  }

  makeEvictable(): void {}
  enforceBudget(): void {}

  damaged(path: string, offset: number, bytes: Uint8Array): void {
    this.events.push(`${bytes.length} bytes at ${offset} of ${path}`);
  }

  lost(_topic: Topic, segment: Segment, from: number, to: number): void {
    this.events.push(`lost ${from}..${to} of ${segment.firstSeq}`);
  }

  unreadable(_topic: Topic, segment: Segment, from: number, to: number, retryMs: number): void {
    this.events.push(`deferred ${from}..${to} of ${segment.firstSeq} for ${retryMs} ms`);
  }

  [Symbol.dispose](): void {
    this.residency.stop();
    this.broker.stop();
  }
}

/** The bodies of a resident segment, as their first character. */
function bodies(segment: Segment): string {
  const { bytes } = segment.buffer!;
  return Array.from({ length: segment.count }, (_, i) => {
    const from = segment.index[i] + 34;
    return from < segment.index[i + 1] && bytes[from] > 0 ? String.fromCharCode(bytes[from]) : "-";
  }).join("");
}

const refused = new Error("Input/output error (os error 5)");

Deno.test("Residency.load() puts the records of an extent off that cannot be read, and reads them later", async () => {
  using f = new Fixture();
  const segment = f.segment(100, 3, 2), [, second] = segment.extents;
  f.refuse = (from, to) =>
    from < second.fileOffset + second.byteLength && second.fileOffset < to ? refused : null;
  await f.residency.load(segment);
  assert.equal(bodies(segment), "01--45");
  assert.deepEqual([0, 1, 2, 3, 4, 5].map((i) => segment.lacks(i)), [false, false, true, true, false, false]);
  assert.equal(f.residency.failure, refused);
  await f.residency.load(segment);
  assert.deepEqual(f.events, ["deferred 2..4 of 100 for 1000 ms", "deferred 2..4 of 100 for 2000 ms"]);
  f.refuse = () => null;
  await f.residency.load(segment);
  assert.equal(bodies(segment), "012345");
  assert.equal(segment.lacks(2), false);
  assert.equal(f.residency.failure, null);
  assert.deepEqual(f.lines, [
    "ERROR: TOPIC(orders): 2 messages from 102 on cannot be read and are put off - Input/output error (os error 5)",
    "INFO: TOPIC(orders): messages from 100 on can be read again",
  ]);
});

Deno.test("Residency.load() gives up records that are damaged or whose file is gone", async () => {
  using f = new Fixture();
  const damaged = f.segment(100, 3, 2), gone = f.segment(200, 2, 1);
  f.flip(damaged.extents[0].fileOffset + 40);
  await f.residency.load(damaged);
  assert.equal(bodies(damaged), "--2345");
  f.refuse = () => new Deno.errors.NotFound("No such file or directory (os error 2)");
  await f.residency.load(gone);
  assert.deepEqual(f.events, [
    "84 bytes at 0 of commit.000001.log",
    "lost 0..2 of 100",
    "lost 0..1 of 200",
    "lost 1..2 of 200",
  ]);
  assert.equal(f.residency.failure, null);
});

Deno.test("Residency.load() finds damage in what it reads later too", async () => {
  using f = new Fixture();
  const segment = f.segment(100, 2, 2), [first] = segment.extents;
  f.refuse = (from) => from === first.fileOffset ? refused : null;
  await f.residency.load(segment);
  f.flip(first.fileOffset + 40);
  f.refuse = () => null;
  await f.residency.load(segment);
  assert.deepEqual(f.events, [
    "deferred 0..2 of 100 for 1000 ms",
    "84 bytes at 0 of commit.000001.log",
    "lost 0..2 of 100",
  ]);
  assert.equal(f.residency.failure, null);
});

Deno.test("Residency.load() waits for a read once many segments are deferred, and goes on when it heals", async () => {
  using f = new Fixture();
  const segments = Array.from({ length: 17 }, (_, i) => f.segment(100 * i, 1, 1));
  f.refuse = () => refused;
  const loads = segments.map((segment) => f.residency.load(segment));
  await until("all but one are deferred", () => f.events.length === 16);
  f.refuse = () => null;
  await Promise.all(loads);
  assert.equal(f.events.length, 16);
  const [waited] = segments.filter((segment) => !segment.lacks(0));
  assert.equal(bodies(waited), "0");
});

Deno.test("Residency.stop() ends the wait for a read", async () => {
  const f = new Fixture();
  const segments = Array.from({ length: 17 }, (_, i) => f.segment(100 * i, 1, 1));
  f.refuse = () => refused;
  const loads = segments.map((segment) => f.residency.load(segment));
  await until("all but one are deferred", () => f.events.length === 16);
  f[Symbol.dispose]();
  await Promise.all(loads);
  assert.equal(f.events.length, 17);
});
