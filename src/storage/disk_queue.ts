/**
 * Reads the disk queues that the original nsqd leaves: `<name>.diskqueue.NNNNNN.dat` and `….meta.dat`.
 *
 * A data file is a row of records, each an int32 length and timestamp (8), attempts (2), id (16), body. There
 * is no checksum, so a record counts as sound when its length fits the file and its id is 16 hex digits. After a
 * damaged stretch the next sound record is searched for.
 *
 * The meta file is text: `depth\nreadFile,readPosition\nwriteFile,writePosition\n`.
 */
import { type FileSystem, readWhole } from "./file_system.ts";

/** One queue of the original, and its files. */
export interface DiskQueue {
  /** `topic` or `topic:channel`. */
  name: string;
  topic: string;
  /** Null for the queue of the topic itself. */
  channel: string | null;
  /** Data files that hold unread records, ascending. */
  fileNumbers: number[];
  /** Where reading starts in the first of them. */
  readPosition: number;
  /** Names of all its files, the read and the damaged ones too. */
  files: string[];
}

/** A record as it lies in `bytes`. */
export interface DiskQueueRecord {
  timestampHigh: number;
  timestampLow: number;
  /** Deliveries before it was written. */
  attempts: number;
  bodyStart: number;
  bodyBytes: number;
  /** Offset behind the record. */
  end: number;
}

const FILE_NAME = /^(.+)\.diskqueue\.(?:(\d{6,})\.dat|meta\.dat)(\.bad|\..*\.tmp)?$/;
/** Timestamp, attempts and id. */
const RECORD_HEADER_BYTES = 26;

/** The name of data file `number` of a queue. */
export function dataFileName(queue: string, number: number): string {
  return `${queue}.diskqueue.${String(number).padStart(6, "0")}.dat`;
}

/** All queues in `directory`: first those of channels, then those of topics, by name. */
export function findDiskQueues(fileSystem: FileSystem, directory: string): DiskQueue[] {
  const queues = new Map<string, DiskQueue>();
  for (const file of fileSystem.list(directory).sort()) {
    const match = FILE_NAME.exec(file);
    if (match === null) continue;
    const [, name, number, suffix] = match;
    const separator = name.search(/[:;]/);
    const queue = queues.get(name) ?? {
      name,
      topic: separator < 0 ? name : name.slice(0, separator),
      channel: separator < 0 ? null : name.slice(separator + 1),
      fileNumbers: [],
      readPosition: 0,
      files: [],
    };
    queues.set(name, queue);
    queue.files.push(file);
    if (number !== undefined && suffix === undefined) queue.fileNumbers.push(Number(number));
  }
  for (const queue of queues.values()) applyMeta(fileSystem, directory, queue);
  return [...queues.values()].sort((a, b) => Number(a.channel === null) - Number(b.channel === null));
}

/** Leaves out what the original had read. Without a sound meta file all there is counts as unread. */
function applyMeta(fileSystem: FileSystem, directory: string, queue: DiskQueue): void {
  queue.fileNumbers.sort((a, b) => a - b);
  const path = `${directory}/${queue.name}.diskqueue.meta.dat`;
  if (!fileSystem.exists(path)) return;
  const text = new TextDecoder().decode(readWhole(fileSystem, path));
  const match = /^-?\d+\n(\d+),(\d+)\n\d+,\d+\n/.exec(text);
  if (match === null) return;
  const readFile = Number(match[1]);
  queue.fileNumbers = queue.fileNumbers.filter((number) => number >= readFile);
  if (queue.fileNumbers[0] === readFile) queue.readPosition = Number(match[2]);
}

/** The record at `at`, or null when there is no sound one. */
export function readDiskQueueRecord(bytes: Uint8Array, view: DataView, at: number): DiskQueueRecord | null {
  if (at + 4 + RECORD_HEADER_BYTES > bytes.length) return null;
  const length = view.getInt32(at);
  if (length <= RECORD_HEADER_BYTES || at + 4 + length > bytes.length) return null;
  for (let i = at + 14; i < at + 30; i++) if (!isHexDigit(bytes[i])) return null;
  return {
    timestampHigh: view.getUint32(at + 4),
    timestampLow: view.getUint32(at + 8),
    attempts: view.getUint16(at + 12),
    bodyStart: at + 4 + RECORD_HEADER_BYTES,
    bodyBytes: length - RECORD_HEADER_BYTES,
    end: at + 4 + length,
  };
}

/** The offset of the next sound record after a damaged stretch, or the end of the file. */
export function findNextRecord(bytes: Uint8Array, view: DataView, from: number): number {
  for (let at = from; at + 4 + RECORD_HEADER_BYTES <= bytes.length; at++) {
    if (readDiskQueueRecord(bytes, view, at) !== null) return at;
  }
  return bytes.length;
}

function isHexDigit(byte: number): boolean {
  return byte >= 48 && byte <= 57 || byte >= 97 && byte <= 102;
}
