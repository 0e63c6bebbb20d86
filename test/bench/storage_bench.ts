/**
 * Micro-benchmarks of `src/storage`: appending to a segment, writing groups to the commit log, recovery.
 *
 * Policies: `memory` writes nothing, `os` writes each group to the operating system, `disk` waits for its
 * fdatasync as well.
 */
import { systemClock } from "../../src/clock/clock.ts";
import { newBuffer, wrapBuffer } from "../../src/buffers/buffer_pool.ts";
import { RECORD_OVERHEAD } from "../../src/protocol/message.ts";
import { CommitLog } from "../../src/storage/commit_log.ts";
import type { SnapshotSource } from "../../src/storage/snapshot.ts";
import { denoFileSystem } from "../../src/storage/file_system.ts";
import { recover } from "../../src/storage/recovery.ts";
import { Segment } from "../../src/storage/segment.ts";
import { publishCommand } from "./load_client.ts";
import type { Benchmark } from "./measure.ts";

const NODE_ID = 617;
const FIRST_SEQ = 1_760_000_000_000_000;
const TIME = { high: 400_000_000, low: 0 };
const BODY_BYTES = 200;
const SEGMENT_BYTES = 1 << 20;
const FILE_BYTES = 64 << 20;
const TOPIC_NUMBER = 1;
const RECOVERED_BYTES = 64 << 20;

/** As many 200-byte records as a full segment holds. */
const SEGMENT_RECORDS = Math.floor(SEGMENT_BYTES / (RECORD_OVERHEAD + BODY_BYTES));
const batch = publishCommand("bench", SEGMENT_RECORDS, BODY_BYTES);
const bodies = wrapBuffer(batch.bytes);
const firstSizeAt = batch.bodyAt - 4;

function emptySegment(firstSeq = FIRST_SEQ): Segment {
  return new Segment(firstSeq, newBuffer(SEGMENT_BYTES));
}

/** A segment of `count` records of 200 bytes. */
function segmentOf(count: number, firstSeq?: number): Segment {
  const segment = emptySegment(firstSeq);
  segment.appendSized(bodies, firstSizeAt, count, TIME, NODE_ID);
  return segment;
}

function segmentBenchmark(name: string, fill: (segment: Segment) => void): Benchmark {
  return {
    name,
    per: "message",
    setUp() {
      const segment = emptySegment();
      return {
        count: SEGMENT_RECORDS,
        prepare: () => segment.truncate(0),
        round: () => fill(segment),
      };
    },
  };
}

function appendOneByOne(segment: Segment): void {
  for (let i = 0; i < SEGMENT_RECORDS; i++) {
    segment.append(bodies, batch.bodyAt + i * (4 + BODY_BYTES), BODY_BYTES, TIME, NODE_ID);
  }
}

// ---- commit log -------------------------------------------------------------------------------

/** The log has no topics and channels to write into its snapshots. */
const nothingToTell: SnapshotSource = () => () => {};

function openLog(directory: string, policy: "os" | "disk"): CommitLog {
  const options = { directory, maxBytesPerFile: FILE_BYTES, syncsOften: policy === "disk" };
  const log = new CommitLog(denoFileSystem, options, nothingToTell, systemClock);
  log.start();
  return log;
}

/** Writes groups of `messageCount` messages; a round is so many groups. */
function putBenchmark(messageCount: number, policy: "os" | "disk", groupsPerRound: number): Benchmark {
  return {
    name: `put_${messageCount}x${BODY_BYTES}_${policy}`,
    per: "message",
    setUp() {
      const directory = Deno.makeTempDirSync({ prefix: "nsq_bench_" });
      const log = openLog(directory, policy), segment = segmentOf(messageCount);
      const put = () => {
        log.appendMessages(segment, TOPIC_NUMBER, 0, messageCount, []);
        log.commit();
        // As if all channels had finished it, so that the files can go.
        log.forget(segment);
      };
      let putBytes = 0;
      return {
        count: groupsPerRound * messageCount,
        async prepare() {
          putBytes += groupsPerRound * segment.usedBytes;
          if (putBytes < FILE_BYTES) return;
          putBytes = 0;
          log.rollIfFull();
          await log.sync();
          log.reclaim(true);
        },
        round: policy === "os" ? () => repeat(groupsPerRound, put) : async () => {
          for (let i = 0; i < groupsPerRound; i++) {
            put();
            await log.sync();
          }
        },
        async tearDown() {
          await log.close();
          Deno.removeSync(directory, { recursive: true });
        },
      };
    },
  };
}

function repeat(count: number, run: () => void): void {
  for (let i = 0; i < count; i++) run();
}

// ---- recovery ---------------------------------------------------------------------------------

/** Reads a log as a crash leaves it: one file without an index, in groups of `messageCount` messages. */
function recoverBenchmark(messageCount: number): Benchmark {
  return {
    name: `recover_${RECOVERED_BYTES >> 20}mb_of_${messageCount}x${BODY_BYTES}`,
    per: "MB",
    async setUp() {
      const directory = Deno.makeTempDirSync({ prefix: "nsq_bench_" });
      await writeLog(directory, messageCount);
      return {
        count: RECOVERED_BYTES / 1e6,
        round() {
          const { files, blocks } = recover(denoFileSystem, directory);
          for (const file of files) file.close();
          const blockCount = blocks.get(TOPIC_NUMBER)?.length ?? 0;
          const bytes = blockCount * messageCount * (RECORD_OVERHEAD + BODY_BYTES);
          if (bytes < RECOVERED_BYTES) throw new Error(`Cannot trust recovery: it found ${bytes} bytes`);
        },
        tearDown: () => Deno.removeSync(directory, { recursive: true }),
      };
    },
  };
}

async function writeLog(directory: string, messageCount: number): Promise<void> {
  const options = { directory, maxBytesPerFile: 2 * RECOVERED_BYTES, syncsOften: false };
  const log = new CommitLog(denoFileSystem, options, nothingToTell, systemClock);
  log.start();
  let seq = FIRST_SEQ;
  for (let bytes = 0; bytes < RECOVERED_BYTES;) {
    const segment = segmentOf(messageCount, seq);
    log.appendMessages(segment, TOPIC_NUMBER, 0, messageCount, []);
    log.commit();
    seq += messageCount;
    bytes += segment.usedBytes;
  }
  await log.close();
}

export const storageBenchmarks: readonly Benchmark[] = [
  segmentBenchmark(`segment_append_1x${BODY_BYTES}_memory`, appendOneByOne),
  segmentBenchmark(`segment_append_${SEGMENT_RECORDS}x${BODY_BYTES}_memory`, (segment) => {
    segment.appendSized(bodies, firstSizeAt, SEGMENT_RECORDS, TIME, NODE_ID);
  }),
  putBenchmark(200, "os", 50),
  putBenchmark(1, "os", 200),
  putBenchmark(200, "disk", 5),
  putBenchmark(1, "disk", 5),
  recoverBenchmark(200),
];
