/**
 * Micro-benchmarks of `src/protocol`: commands out of bytes, message ids to text and back. The copy of the bytes
 * into the reader, which a socket would make, is counted.
 */
import { BufferPool } from "../../src/buffers/buffer_pool.ts";
import type { CommandHandler } from "../../src/protocol/command.ts";
import { CommandReader } from "../../src/protocol/command_reader.ts";
import { ID_LENGTH, parseId, writeId } from "../../src/protocol/message.ts";
import { publishCommand } from "./load_client.ts";
import type { Benchmark } from "./measure.ts";

const NODE_ID = 617;
/** A sequence number as today's are: microseconds since the Unix epoch. */
const FIRST_SEQ = 1_760_000_000_000_000;
const LIMITS = { maxMsgSize: 1 << 20, maxBodySize: 5 << 20 };
/** What one read brings at most. */
const CHUNK_BYTES = 131_072;
const CHUNKS_PER_ROUND = 16;
const ID_COUNT = 10_000;

/** Takes everything and does nothing with it but count. */
class CountingHandler implements CommandHandler {
  messageCount = 0;

  finish(): void {
    this.messageCount++;
  }
  publish(): void {
    this.messageCount++;
  }
  publishMany(_source: unknown, _at: number, count: number): void {
    this.messageCount += count;
  }
  command(): void {}
  begin(): void {}
  body(): void {}
  unknown(word: Uint8Array): never {
    throw new Error(`Cannot run the command ${new TextDecoder().decode(word)}`);
  }
}

/** Reads chunks like `chunk`, which holds `messageCount` messages. */
function commandReader(name: string, chunk: Uint8Array, messageCount: number): Benchmark {
  return {
    name: `command_reader_${name}`,
    per: "message",
    setUp() {
      const handler = new CountingHandler();
      const reader = new CommandReader(handler, new BufferPool(1 << 20), LIMITS, NODE_ID);
      const count = CHUNKS_PER_ROUND * messageCount;
      return {
        count,
        round() {
          handler.messageCount = 0;
          for (let i = 0; i < CHUNKS_PER_ROUND; i++) {
            reader.push(chunk);
            reader.run();
            reader.fit();
          }
          if (handler.messageCount !== count) {
            throw new Error(`Cannot trust ${name}: ${handler.messageCount} messages came out, not ${count}`);
          }
        },
      };
    },
  };
}

/** As many commands as a read brings, each publishing `messageCount` messages of 200 bytes. */
function publishing(name: string, messageCount: number): Benchmark {
  const { bytes } = publishCommand("bench", messageCount, 200);
  const repeats = Math.floor(CHUNK_BYTES / bytes.length), chunk = new Uint8Array(repeats * bytes.length);
  for (let i = 0; i < repeats; i++) chunk.set(bytes, i * bytes.length);
  return commandReader(name, chunk, repeats * messageCount);
}

/** As many FINs of successive messages as a read brings. */
function finishing(): Benchmark {
  const line = new TextEncoder().encode(`FIN ${" ".repeat(ID_LENGTH)}\n`);
  const count = Math.floor(CHUNK_BYTES / line.length);
  const chunk = new Uint8Array(count * line.length), view = new DataView(chunk.buffer);
  for (let i = 0; i < count; i++) {
    chunk.set(line, i * line.length);
    writeId(view, i * line.length + 4, NODE_ID, FIRST_SEQ + i);
  }
  return commandReader("fin", chunk, count);
}

function idBenchmark(name: string, run: (ids: Uint8Array<ArrayBuffer>, view: DataView) => void): Benchmark {
  return {
    name,
    per: "id",
    setUp() {
      const ids = new Uint8Array(ID_COUNT * ID_LENGTH), view = new DataView(ids.buffer);
      writeIds(view);
      return { count: ID_COUNT, round: () => run(ids, view) };
    },
  };
}

function writeIds(view: DataView): void {
  for (let i = 0; i < ID_COUNT; i++) writeId(view, i * ID_LENGTH, NODE_ID, FIRST_SEQ + i);
}

function parseIds(ids: Uint8Array): void {
  let sum = 0;
  for (let i = 0; i < ID_COUNT; i++) sum += parseId(ids, i * ID_LENGTH, NODE_ID) - FIRST_SEQ;
  // The sum is looked at so that the work cannot be left out.
  if (sum !== ID_COUNT * (ID_COUNT - 1) / 2) throw new Error(`Cannot trust id_parse: the sum is ${sum}`);
}

export const protocolBenchmarks: readonly Benchmark[] = [
  finishing(),
  publishing("pub_200", 1),
  publishing("mpub_200x200", 200),
  idBenchmark("id_write", (_ids, view) => writeIds(view)),
  idBenchmark("id_parse", parseIds),
];
