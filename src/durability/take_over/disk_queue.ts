/**
 * Reads the disk queues that Go nsqd leaves: `<name>.diskqueue.NNNNNN.dat` and `….meta.dat`.
 *
 * A data file is a row of records, each an int32 length and timestamp (8), attempts (2), id (16), body. There
 * is no checksum, so a record counts as sound when its length fits the file, its id is 16 hex digits, and what
 * follows does not tell that the length is wrong. After a damaged stretch the next sound record is searched for.
 * A flipped bit in a body cannot be seen.
 *
 * The meta file is text: `depth\nreadFile,readPosition\nwriteFile,writePosition\n`.
 *
 * Files are read in windows, since Go nsqd was free to make them larger than memory.
 *
 * Tested in test/durability/take_over/take_over_test.ts.
 */
import { type Buffer, wrapBuffer } from "../../buffers/buffer_pool.ts";
import { type FileHandle, type FileSystem, readAllSync, readWhole } from "../../storage/file_system.ts";

/** One queue of Go nsqd, and its files. */
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
  /** Those that Go nsqd put away as damaged. They are not read: what was sound at their start was consumed. */
  badFiles: string[];
  /** What the meta file says; null without one, or when `isMetaSound` is false. */
  meta: DiskQueueMeta | null;
  /** False when there is a meta file that cannot be understood: then all there is counts as unread. */
  isMetaSound: boolean;
}

/** The content of a meta file. */
export interface DiskQueueMeta {
  /** Unread messages; after a crash of Go nsqd it is too small. */
  depth: number;
  readFile: number;
  readPosition: number;
  writeFile: number;
  writePosition: number;
}

/** A record as it lies in the source of its batch. */
export interface DiskQueueRecord {
  timestampHigh: number;
  timestampLow: number;
  /** Deliveries before it was written. */
  attempts: number;
  bodyStart: number;
  bodyBytes: number;
}

/** Consecutive records of one data file, and the damage before them. */
export interface DiskQueueBatch {
  /** Holds the bodies until the next batch is read. */
  source: Buffer;
  records: DiskQueueRecord[];
  /** Stretches of the file in which no sound record begins. */
  damaged: { from: number; to: number }[];
  /** Offset in the file where the next batch starts. */
  end: number;
}

const FILE_NAME = /^(.+)\.diskqueue\.(?:(\d{6,})\.dat|meta\.dat)(\.bad|\..*\.tmp)?$/;
/** Timestamp, attempts and id. */
const RECORD_HEADER_BYTES = 26;
/** With the length before it: what there is of a record with an empty body. */
export const MIN_RECORD_BYTES = 4 + RECORD_HEADER_BYTES;
const ID_AT = 14;
/** Bytes read at once in the search for a sound record. */
const SEARCH_BYTES = 1 << 18;

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
      badFiles: [],
      meta: null,
      isMetaSound: true,
    };
    queues.set(name, queue);
    queue.files.push(file);
    if (suffix === ".bad") queue.badFiles.push(file);
    if (number !== undefined && suffix === undefined) queue.fileNumbers.push(Number(number));
  }
  for (const queue of queues.values()) applyMeta(fileSystem, directory, queue);
  return [...queues.values()].sort((a, b) => Number(a.channel === null) - Number(b.channel === null));
}

/** Leaves out what Go nsqd had read. Without a sound meta file all there is counts as unread. */
function applyMeta(fileSystem: FileSystem, directory: string, queue: DiskQueue): void {
  queue.fileNumbers.sort((a, b) => a - b);
  const path = `${directory}/${queue.name}.diskqueue.meta.dat`;
  if (!fileSystem.exists(path)) return;
  const meta = queue.meta = parseMeta(new TextDecoder().decode(readWhole(fileSystem, path)));
  if (meta === null) {
    queue.isMetaSound = false;
    return;
  }
  queue.fileNumbers = queue.fileNumbers.filter((number) => number >= meta.readFile);
  if (queue.fileNumbers[0] === meta.readFile) queue.readPosition = meta.readPosition;
}

function parseMeta(text: string): DiskQueueMeta | null {
  const match = /^(-?\d+)\r?\n(\d+),(\d+)\r?\n(\d+),(\d+)\r?\n/.exec(text);
  if (match === null) return null;
  const [depth, readFile, readPosition, writeFile, writePosition] = match.slice(1).map(Number);
  return { depth, readFile, readPosition, writeFile, writePosition };
}

/** The numbers of data files that should be there and are not, as ranges, both ends included. */
export function missingFiles({ fileNumbers, meta }: DiskQueue): { from: number; to: number }[] {
  const missing: { from: number; to: number }[] = [];
  let expected = meta === null ? fileNumbers[0] : meta.readFile;
  for (const number of fileNumbers) {
    if (number > expected) missing.push({ from: expected, to: number - 1 });
    expected = number + 1;
  }
  if (meta === null) return missing;
  // The file that is written next comes into being with its first record.
  const last = meta.writePosition > 0 ? meta.writeFile : meta.writeFile - 1;
  if (expected <= last) missing.push({ from: expected, to: last });
  return missing;
}

/** One data file, read batch by batch. */
export class DiskQueueFile {
  readonly sizeBytes: number;
  readonly #file: FileHandle;
  readonly #path: string;
  #window: Buffer = wrapBuffer(new Uint8Array(0));
  /** Offset of the window in the file. */
  #windowAt = 0;
  readonly #header = wrapBuffer(new Uint8Array(MIN_RECORD_BYTES));

  /** @throws when the file cannot be opened */
  constructor(fileSystem: FileSystem, path: string) {
    this.#path = path;
    this.#file = fileSystem.open(path, "read");
    this.sizeBytes = this.#file.sizeSync();
  }

  close(): void {
    this.#file.close();
  }

  /**
   * Reads records from offset `from` on, about `maxBytes` of them and at least one unless the rest is damaged.
   *
   * @throws when the disk refuses
   */
  readBatch(from: number, maxBytes: number): DiskQueueBatch {
    const damaged: DiskQueueBatch["damaged"] = [];
    let start = from;
    while (start < this.sizeBytes && !this.#isSound(start)) start = this.#findNext(start + 1);
    if (start > from) damaged.push({ from, to: start });
    const records: DiskQueueRecord[] = [];
    if (start >= this.sizeBytes) return { source: this.#window, records, damaged, end: this.sizeBytes };
    this.#load(start, Math.max(maxBytes, 4 + this.#lengthAt(start)));
    const { view } = this.#window;
    let at = 0;
    // What follows a damaged stretch is for the next batch.
    while (start + at < this.sizeBytes && (at === 0 || this.#isSound(start + at))) {
      if (at + MIN_RECORD_BYTES > view.byteLength) break;
      const length = view.getInt32(at);
      if (at + 4 + length > view.byteLength) break;
      records.push({
        timestampHigh: view.getUint32(at + 4),
        timestampLow: view.getUint32(at + 8),
        attempts: view.getUint16(at + 12),
        bodyStart: at + MIN_RECORD_BYTES,
        bodyBytes: length - RECORD_HEADER_BYTES,
      });
      at += 4 + length;
    }
    return { source: this.#window, records, damaged, end: start + at };
  }

  /** Whether a record begins at `at` of which nothing tells that it is damaged. */
  #isSound(at: number): boolean {
    const length = this.#lengthAt(at);
    if (length < 0) return false;
    const end = at + 4 + length;
    if (end === this.sizeBytes || this.#lengthAt(end) >= 0) return true;
    // The next record is damaged, or the length of this one is: then a record begins too early or too soon after.
    const next = this.#findNext(at + 1);
    return next >= end && (next === this.sizeBytes || next - end >= MIN_RECORD_BYTES);
  }

  /** The length of what looks like a record at `at`, or -1. */
  #lengthAt(at: number): number {
    if (at + MIN_RECORD_BYTES > this.sizeBytes) return -1;
    const inWindow = at - this.#windowAt;
    if (inWindow >= 0 && inWindow + MIN_RECORD_BYTES <= this.#window.bytes.length) {
      return recordLength(this.#window, inWindow, this.sizeBytes - at);
    }
    this.#readInto(this.#header.bytes, at);
    return recordLength(this.#header, 0, this.sizeBytes - at);
  }

  /** The offset of the next thing that looks like a record, or the end of the file. */
  #findNext(from: number): number {
    const buffer = wrapBuffer(new Uint8Array(SEARCH_BYTES));
    for (let at = from; at + MIN_RECORD_BYTES <= this.sizeBytes;) {
      const end = this.#readInto(buffer.bytes, at) - MIN_RECORD_BYTES;
      for (let i = 0; i <= end; i++) {
        if (recordLength(buffer, i, this.sizeBytes - at - i) >= 0) return at + i;
      }
      at += end + 1;
    }
    return this.sizeBytes;
  }

  #load(at: number, byteLength: number): void {
    const bytes = new Uint8Array(Math.min(byteLength, this.sizeBytes - at));
    this.#readInto(bytes, at);
    this.#window = wrapBuffer(bytes);
    this.#windowAt = at;
  }

  /** @returns how many bytes there were; fewer than asked for only at the end of the file */
  #readInto(bytes: Uint8Array, at: number): number {
    let read: number;
    try {
      this.#file.seekSync(at);
      read = readAllSync(this.#file, bytes);
    } catch (cause) {
      throw new Error(
        `Cannot read ${bytes.length} bytes at ${at} of ${this.#path}: ${(cause as Error).message}`,
        { cause },
      );
    }
    if (read < Math.min(bytes.length, this.sizeBytes - at)) {
      throw new Error(`${this.#path} ended at ${at + read}, its size was ${this.sizeBytes} bytes`);
    }
    return read;
  }
}

/** The length field at `at` when it fits into the `rest` of the file and an id follows, else -1. */
function recordLength({ bytes, view }: Buffer, at: number, rest: number): number {
  const length = view.getInt32(at);
  if (length < RECORD_HEADER_BYTES || 4 + length > rest) return -1;
  for (let i = at + ID_AT; i < at + MIN_RECORD_BYTES; i++) if (!isHexDigit(bytes[i])) return -1;
  return length;
}

function isHexDigit(byte: number): boolean {
  return byte >= 48 && byte <= 57 || byte >= 97 && byte <= 102;
}
