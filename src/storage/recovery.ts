/**
 * Reads the log files at start-up: which messages there are, and what every channel had done with them.
 *
 * Only the newest log file with a whole snapshot, and those after it, are read through; of the others the
 * index at their end is enough. A tail that was torn by a crash is cut off; a damaged stretch with sound
 * blocks behind it is reported, copied to a file of its own, and skipped.
 */
import { TIMESTAMP_OFFSET } from "../protocol/message.ts";
import {
  BLOCK_HEADER_BYTES,
  BLOCK_MAGIC,
  blockBytes,
  type BlockHeader,
  decodeBlock,
  DELAY_ENTRY_BYTES,
  FLAG_SNAPSHOT_BEGIN,
  FLAG_SNAPSHOT_END,
  FLAG_SNAPSHOT_PART,
  KIND_INDEX,
  KIND_MESSAGES,
  KIND_SPARSE,
  KIND_STATE,
  SEQ_ENTRY_BYTES,
} from "./block.ts";
import { type FileSystem, keepDamaged, readAllSync, readWhole, writeAllSync } from "./file_system.ts";
import {
  decodeIndex,
  type IndexEntry,
  LogFile,
  type LogFileKind,
  TRAILER_BYTES,
  TRAILER_MAGIC,
} from "./log_file.ts";
import { RecoveredState } from "./state/recovered_state.ts";
import { readStateRecords } from "./state/state_records.ts";
import { readBase } from "./state/tracked_base.ts";

/** A block of messages and where it is. */
export interface RecoveredBlock {
  file: LogFile;
  entry: IndexEntry;
  /** Sequence numbers of a sparse block. */
  seqs: Float64Array | null;
  /** True when its checksums were compared: of a file whose index was enough none were. */
  isVerified: boolean;
}

export interface Recovery {
  state: RecoveredState;
  /** By topic number; in order of files and places. */
  blocks: Map<number, RecoveredBlock[]>;
  files: LogFile[];
  nextLogNumber: number;
  nextKeptNumber: number;
  /** The log file whose snapshot the state begins with, -1 when there is none. */
  snapshotNumber: number;
  /** What was found damaged, for the log. */
  warnings: string[];
  /** Whether a block matches its checksums; of one that does not a copy is kept, with a warning in the list. */
  isSound(block: RecoveredBlock): boolean;
}

const FILE_NAME = /^(commit|kept)\.(\d{6,})\.log$/;
const SNAPSHOT_FLAGS = FLAG_SNAPSHOT_BEGIN | FLAG_SNAPSHOT_PART | FLAG_SNAPSHOT_END;

interface FoundFile {
  kind: LogFileKind;
  number: number;
  path: string;
}

/** What reading a file through found. */
interface Scan {
  /** Sound blocks; `isBehindDamage` is set for the first one behind a damaged stretch. */
  items: { header: BlockHeader; at: number; isBehindDamage: boolean }[];
  bytes: Uint8Array;
  view: DataView;
  /** End of the last sound block. */
  end: number;
  /** The items of a whole snapshot: those from..to. */
  snapshot: { from: number; to: number } | null;
}

/** @throws when a file cannot be read at all */
export function recover(fileSystem: FileSystem, directory: string): Recovery {
  const found = findFiles(fileSystem, directory);
  const recovery: Recovery = {
    state: new RecoveredState(),
    blocks: new Map(),
    files: [],
    nextLogNumber: 1 + Math.max(0, ...found.filter((f) => f.kind === "log").map((f) => f.number)),
    nextKeptNumber: 1 + Math.max(0, ...found.filter((f) => f.kind === "kept").map((f) => f.number)),
    snapshotNumber: -1,
    warnings: [],
    isSound: (block) => block.isVerified || isSound(fileSystem, block, recovery.warnings),
  };
  const logs = found.filter((f) => f.kind === "log"), scans = new Map<FoundFile, Scan>();
  // From the newest back to the first with a whole snapshot: a crash may have torn the last one.
  for (let i = logs.length - 1; i >= 0; i--) {
    const scan = scanFile(fileSystem, logs[i], recovery.warnings);
    scans.set(logs[i], scan);
    if (scan.snapshot === null) continue;
    recovery.snapshotNumber = logs[i].number;
    break;
  }
  if ([...scans.values()].every((scan) => scan.snapshot === null)) {
    keepStateless(fileSystem, scans, recovery.warnings);
  }
  for (const file of found) if (!scans.has(file)) addIndexed(fileSystem, file, recovery);
  for (const file of logs) {
    const scan = scans.get(file);
    if (scan !== undefined) replay(fileSystem, file, scan, recovery);
  }
  readBases(fileSystem, recovery);
  return recovery;
}

function readBases(fileSystem: FileSystem, { state, files, warnings }: Recovery): void {
  const keptFiles = new Map(files.filter(({ kind }) => kind === "kept").map((file) => [file.number, file]));
  for (const { channel } of state.channels.values()) {
    const warning = channel.base.length === 0 ? null : readBase(fileSystem, keptFiles, channel);
    if (warning !== null) warnings.push(warning);
  }
}

function findFiles(fileSystem: FileSystem, directory: string): FoundFile[] {
  const found: FoundFile[] = [];
  for (const name of fileSystem.list(directory)) {
    const match = FILE_NAME.exec(name);
    if (match === null) continue;
    const kind = match[1] === "commit" ? "log" : "kept";
    found.push({ kind, number: Number(match[2]), path: `${directory}/${name}` });
  }
  return found.sort((a, b) => a.number - b.number);
}

// ---- files that are read through --------------------------------------------------------------

function scanFile(fileSystem: FileSystem, file: FoundFile, warnings: string[]): Scan {
  const bytes = readWhole(fileSystem, file.path),
    view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const items: Scan["items"] = [];
  let at = 0, end = 0, beganAt = -1, snapshot: Scan["snapshot"] = null, isBehindDamage = false;
  while (at + BLOCK_HEADER_BYTES <= bytes.length) {
    const header = decodeBlock(bytes, view, at, file.number);
    if (header === null) {
      const next = findNextBlock(bytes, view, at + 1, file.number);
      if (next < 0) break;
      beganAt = -1;
      const copyPath = keepDamaged(fileSystem, file.path, at, bytes.subarray(at, next));
      warnings.push(
        `${next - at} bytes at ${at} of ${file.path} are damaged and were skipped; a copy is in ${copyPath}`,
      );
      at = next;
      isBehindDamage = true;
      continue;
    }
    items.push({ header, at, isBehindDamage });
    isBehindDamage = false;
    if (header.kind === KIND_STATE) {
      if ((header.flags & FLAG_SNAPSHOT_BEGIN) !== 0) beganAt = items.length - 1;
      if ((header.flags & FLAG_SNAPSHOT_END) !== 0 && beganAt >= 0) {
        snapshot = { from: beganAt, to: items.length - 1 };
        beganAt = -1;
      }
    }
    at += blockBytes(header);
    end = at;
    if (header.kind === KIND_INDEX) break;
  }
  return { items, bytes, view, end, snapshot };
}

/** The offset of the next sound block of this file at or after `from`, or -1. */
function findNextBlock(bytes: Uint8Array, view: DataView, from: number, fileNumber: number): number {
  const first = BLOCK_MAGIC >>> 24;
  for (let at = bytes.indexOf(first, from); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (at + BLOCK_HEADER_BYTES > bytes.length) return -1;
    if (view.getUint32(at) === BLOCK_MAGIC && decodeBlock(bytes, view, at, fileNumber) !== null) return at;
  }
  return -1;
}

/**
 * No file has a whole snapshot, so nobody knows whose the messages are, and the files go as soon as nothing in
 * them is wanted: copies stay.
 */
function keepStateless(fileSystem: FileSystem, scans: Map<FoundFile, Scan>, warnings: string[]): void {
  for (const [{ path }, { items, bytes }] of scans) {
    const messages = items.filter(({ header }) => header.kind === KIND_MESSAGES);
    if (messages.length === 0) continue;
    const copyPath = `${path}.damaged.whole`,
      count = messages.reduce((sum, { header }) => sum + header.count, 0);
    warnings.push(
      `${count} messages of ${path} have no topic, for its snapshot is damaged; a copy is in ${copyPath}`,
    );
    const copy = fileSystem.open(copyPath, "create");
    try {
      writeAllSync(copy, bytes);
    } finally {
      copy.close();
    }
  }
}

function replay(fileSystem: FileSystem, found: FoundFile, scan: Scan, recovery: Recovery): void {
  const { bytes, view } = scan;
  const writer = fileSystem.open(found.path, "write");
  writer.seekSync(scan.end);
  writer.truncateSync(scan.end);
  const file = new LogFile(fileSystem, found.path, found.kind, found.number, writer, scan.end);
  const { items, snapshot } = scan;
  for (let i = 0; i < items.length; i++) {
    const { header, at } = items[i], dataAt = at + BLOCK_HEADER_BYTES + header.extraBytes;
    if (items[i].isBehindDamage) recovery.state.ignoresPositions = true;
    if (header.kind === KIND_STATE) {
      // Of a torn or damaged snapshot nothing is applied: another one and all changes since are complete.
      const isPart = (header.flags & SNAPSHOT_FLAGS) !== 0;
      if (isPart && (snapshot === null || i < snapshot.from || i > snapshot.to)) continue;
      if (i === snapshot?.from) recovery.state.clear();
      for (const record of readStateRecords(bytes.subarray(dataAt, dataAt + header.dataBytes))) {
        recovery.state.apply(record);
      }
      continue;
    }
    if (header.kind === KIND_MESSAGES || header.kind === KIND_SPARSE) {
      const entry: IndexEntry = { ...header, dataAt };
      file.index!.push(entry);
      addBlock(recovery, file, entry, seqsOf(view, at, header), true);
      recovery.state.messages(header.topicNumber, header.firstSeq + header.count);
      if (header.kind === KIND_MESSAGES && header.extraBytes > 0) applyDelays(recovery, view, at, header);
    }
  }
  recovery.files.push(file);
}

function seqsOf(view: DataView, at: number, header: BlockHeader): Float64Array | null {
  if (header.kind !== KIND_SPARSE) return null;
  const seqs = new Float64Array(header.count);
  for (let i = 0; i < seqs.length; i++) {
    seqs[i] = view.getFloat64(at + BLOCK_HEADER_BYTES + i * SEQ_ENTRY_BYTES);
  }
  return seqs;
}

function applyDelays(recovery: Recovery, view: DataView, at: number, header: BlockHeader): void {
  const extraAt = at + BLOCK_HEADER_BYTES, dataAt = extraAt + header.extraBytes;
  let recordAt = dataAt, record = 0;
  for (let entryAt = extraAt; entryAt < dataAt; entryAt += DELAY_ENTRY_BYTES) {
    const index = view.getUint32(entryAt), delayMs = view.getFloat64(entryAt + 4);
    for (; record < index; record++) recordAt += 4 + view.getUint32(recordAt);
    const publishedNs = view.getBigInt64(recordAt + TIMESTAMP_OFFSET);
    recovery.state.delay(
      header.topicNumber,
      header.firstSeq + index,
      delayMs,
      Number(publishedNs / 1000n) / 1000,
    );
  }
}

// ---- files whose index is enough --------------------------------------------------------------

function addIndexed(fileSystem: FileSystem, found: FoundFile, recovery: Recovery): void {
  const entries = readIndex(fileSystem, found);
  if (entries === null) {
    const scan = scanFile(fileSystem, found, recovery.warnings);
    addScanned(fileSystem, found, scan, recovery);
    return;
  }
  const file = new LogFile(fileSystem, found.path, found.kind, found.number, null, entries.fileBytes);
  file.index = null;
  for (const entry of entries.entries) {
    const seqs = entry.kind === KIND_SPARSE ? readSeqs(fileSystem, found.path, entry) : null;
    addBlock(recovery, file, entry, seqs, false);
  }
  recovery.files.push(file);
}

/** A file that was not finished, of which only the messages matter. */
function addScanned(fileSystem: FileSystem, found: FoundFile, scan: Scan, recovery: Recovery): void {
  const file = new LogFile(fileSystem, found.path, found.kind, found.number, null, scan.end);
  file.index = null;
  for (const { header, at } of scan.items) {
    if (header.kind !== KIND_MESSAGES && header.kind !== KIND_SPARSE) continue;
    const entry: IndexEntry = { ...header, dataAt: at + BLOCK_HEADER_BYTES + header.extraBytes };
    addBlock(recovery, file, entry, seqsOf(scan.view, at, header), true);
  }
  recovery.files.push(file);
}

function readIndex(
  fileSystem: FileSystem,
  found: FoundFile,
): { entries: IndexEntry[]; fileBytes: number } | null {
  const file = fileSystem.open(found.path, "read");
  try {
    const fileBytes = file.sizeSync();
    if (fileBytes < TRAILER_BYTES) return null;
    const trailer = new DataView(new ArrayBuffer(TRAILER_BYTES));
    file.seekSync(fileBytes - TRAILER_BYTES);
    if (readAllSync(file, new Uint8Array(trailer.buffer)) < TRAILER_BYTES) return null;
    const indexAt = trailer.getFloat64(0);
    if (trailer.getUint32(12) !== TRAILER_MAGIC || trailer.getUint32(8) !== found.number) return null;
    // The trailer has no checksum: what it says may be anything.
    if (!Number.isSafeInteger(indexAt) || indexAt < 0 || indexAt > fileBytes - TRAILER_BYTES) return null;
    const bytes = new Uint8Array(fileBytes - TRAILER_BYTES - indexAt);
    file.seekSync(indexAt);
    if (readAllSync(file, bytes) < bytes.length) return null;
    const header = decodeBlock(bytes, new DataView(bytes.buffer), 0, found.number);
    if (header === null || header.kind !== KIND_INDEX) return null;
    return { entries: decodeIndex(bytes.subarray(BLOCK_HEADER_BYTES), header.count), fileBytes };
  } finally {
    file.close();
  }
}

function readSeqs(fileSystem: FileSystem, path: string, entry: IndexEntry): Float64Array {
  const file = fileSystem.open(path, "read");
  try {
    const bytes = new Uint8Array(entry.extraBytes), view = new DataView(bytes.buffer);
    file.seekSync(entry.dataAt - entry.extraBytes);
    readAllSync(file, bytes);
    return Float64Array.from({ length: entry.count }, (_, i) => view.getFloat64(i * SEQ_ENTRY_BYTES));
  } finally {
    file.close();
  }
}

function addBlock(
  { blocks }: Recovery,
  file: LogFile,
  entry: IndexEntry,
  seqs: Float64Array | null,
  isVerified: boolean,
): void {
  const block = { file, entry, seqs, isVerified }, known = blocks.get(entry.topicNumber);
  if (known === undefined) blocks.set(entry.topicNumber, [block]);
  else known.push(block);
}

function isSound(fileSystem: FileSystem, { file, entry }: RecoveredBlock, warnings: string[]): boolean {
  const at = entry.dataAt - entry.extraBytes - BLOCK_HEADER_BYTES;
  const bytes = new Uint8Array(BLOCK_HEADER_BYTES + entry.extraBytes + entry.dataBytes);
  const handle = fileSystem.open(file.path, "read");
  try {
    handle.seekSync(at);
    readAllSync(handle, bytes);
  } finally {
    handle.close();
  }
  if (decodeBlock(bytes, new DataView(bytes.buffer), 0, file.number) !== null) return true;
  const copyPath = keepDamaged(fileSystem, file.path, at, bytes);
  warnings.push(
    `${bytes.length} bytes at ${at} of ${file.path} are damaged; where there is another copy of their messages ` +
      `that is used; these bytes are in ${copyPath}`,
  );
  return false;
}
