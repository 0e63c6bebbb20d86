/**
 * Keeps the history in a file, so that charts reach back behind a restart.
 *
 * The file: the text `NSQHIST1`, a length (uint32) and that many bytes of JSON that describe series, chunks and
 * marks, the bytes of all chunks in that order, and a CRC-32 of everything before it. Numbers are big-endian. A file
 * that is damaged, or of another version, is put aside. Tested in test/admin/history/history_file_test.ts.
 */
import { crc32 } from "node:zlib";
import { type HistoryMark, historyMetrics } from "../console.ts";
import type { Logger } from "../../log/logger.ts";
import type { StoredHistory } from "./history.ts";
import type { StoredChunk } from "./rows.ts";

const MAGIC = new TextEncoder().encode("NSQHIST1");
const LENGTH_BYTES = 4;
const CRC_BYTES = 4;

interface Head {
  metrics: readonly string[];
  /** Of each chunk: first step, last step, rows, bytes. */
  series: { key: string; tiers: [number, number, number, number][][] }[];
  marks: { key: string; mark: HistoryMark }[];
}

/** @throws {Error} when the file cannot be written; then the one before is still there */
export async function writeHistory(path: string, { series, marks }: StoredHistory): Promise<void> {
  const chunks: Uint8Array[] = [];
  const head: Head = {
    metrics: historyMetrics,
    marks: [...marks],
    series: series.map(({ key, tiers }) => ({
      key,
      tiers: tiers.map((tier) =>
        tier.map(({ firstStep, lastStep, rowCount, bytes }) => {
          chunks.push(bytes);
          return [firstStep, lastStep, rowCount, bytes.length];
        })
      ),
    })),
  };
  const json = new TextEncoder().encode(JSON.stringify(head));
  const length = new Uint8Array(LENGTH_BYTES);
  new DataView(length.buffer).setUint32(0, json.length);
  const body = joined([MAGIC, length, json, ...chunks], CRC_BYTES);
  const end = body.length - CRC_BYTES;
  new DataView(body.buffer).setUint32(end, crc32(body.subarray(0, end)));
  const next = `${path}.tmp`;
  await Deno.writeFile(next, body, { mode: 0o600 });
  await Deno.rename(next, path);
}

/** Null when there is none that can be used, which is logged unless it is just not there. */
export async function readHistory(path: string, logger: Logger): Promise<StoredHistory | null> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) {
      logger.error(`failed to read the history ${path} - ${(cause as Error).message}`);
    }
    return null;
  }
  try {
    return parse(bytes);
  } catch (cause) {
    const aside = `${path}.bad`;
    logger.warn(`cannot use the history ${path}, kept as ${aside} - ${(cause as Error).message}`);
    await Deno.rename(path, aside).catch((failure) => {
      logger.error(`failed to put ${path} aside - ${(failure as Error).message}`);
    });
    return null;
  }
}

function parse(bytes: Uint8Array): StoredHistory {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = MAGIC.length + LENGTH_BYTES, end = bytes.length - CRC_BYTES;
  const isWhole = end >= start && MAGIC.every((byte, at) => bytes[at] === byte) &&
    crc32(bytes.subarray(0, end)) === view.getUint32(end);
  if (!isWhole) throw new Error("it is damaged");
  let at = start + view.getUint32(MAGIC.length);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(start, at))) as Head;
  if (head.metrics.join() !== historyMetrics.join()) throw new Error("it is of another version");
  const take = ([firstStep, lastStep, rowCount, length]: [number, number, number, number]): StoredChunk => {
    const chunk = bytes.slice(at, at += length);
    return { firstStep, lastStep, rowCount, bytes: chunk };
  };
  return {
    series: head.series.map(({ key, tiers }) => ({ key, tiers: tiers.map((tier) => tier.map(take)) })),
    marks: head.marks,
  };
}

function joined(parts: readonly Uint8Array[], extraBytes: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((total, { length }) => total + length, extraBytes));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
