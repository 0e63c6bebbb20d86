/**
 * Tracked bases: the tracked messages of a channel with many, in blocks of a kept file, which snapshots refer to
 * instead of repeating them. A block lies there twice, one copy behind the other: one damaged byte costs nothing.
 *
 * Tested in test/durability/tracked_bases_test.ts.
 */
import { BLOCK_HEADER_BYTES, dataChecksum, KIND_TRACKED } from "../block.ts";
import { type FileHandle, type FileSystem, readAllSync } from "../file_system.ts";
import type { LogFile } from "../log_file.ts";
import type { RecoveredChannel } from "./recovered_channel.ts";
import type { BasePlace } from "./state_records.ts";
import { TrackedList } from "./tracked_list.ts";

const EMPTY = new Uint8Array(0);

/** Bytes that a place takes in its file: both copies, with their headers. */
export function placeBytes({ dataBytes }: BasePlace): number {
  return 2 * (BLOCK_HEADER_BYTES + dataBytes);
}

/** Appends `list` to `file`, both copies. @throws when the disk refuses; then `file` is as before */
export function appendBase(file: LogFile, list: TrackedList): BasePlace {
  const data = list.encode(), { count } = list;
  try {
    const { dataAt, dataBytes, dataCrc } = file.append(KIND_TRACKED, 0, 0, 0, count, EMPTY, data);
    file.append(KIND_TRACKED, 0, 0, 0, count, EMPTY, data);
    file.flush();
    return { fileNumber: file.number, dataAt, dataBytes, dataCrc, count };
  } catch (cause) {
    file.rewind();
    throw cause;
  }
}

/**
 * Reads the base of `channel`; its places count as live in their files.
 *
 * @param keptFiles by number
 * @returns a warning when a part of it could not be read
 */
export function readBase(
  fileSystem: FileSystem,
  keptFiles: ReadonlyMap<number, LogFile>,
  channel: RecoveredChannel,
): string | null {
  const list = new TrackedList(), handles = new Map<LogFile, FileHandle>();
  let missing = 0;
  try {
    for (const place of channel.base) {
      const file = keptFiles.get(place.fileNumber);
      const data = file === undefined ? null : readPlace(fileSystem, file, handles, place);
      if (file !== undefined) {
        file.liveBytes += placeBytes(place);
        channel.placedBase.push({ file, place });
      }
      if (data === null) missing += place.count;
      else list.decode(data, place.count);
    }
  } finally {
    for (const handle of handles.values()) handle.close();
  }
  channel.baseList = list;
  if (missing === 0) return null;
  return `${missing} unfinished messages of channel ${channel.name} are not known any more: ` +
    `kept file ${channel.base[0].fileNumber} is damaged`;
}

function readPlace(
  fileSystem: FileSystem,
  file: LogFile,
  handles: Map<LogFile, FileHandle>,
  { dataAt, dataBytes, dataCrc }: BasePlace,
): Uint8Array | null {
  const handle = handles.get(file) ?? fileSystem.open(file.path, "read"), data = new Uint8Array(dataBytes);
  handles.set(file, handle);
  for (const at of [dataAt, dataAt + dataBytes + BLOCK_HEADER_BYTES]) {
    handle.seekSync(at);
    if (readAllSync(handle, data) === dataBytes && dataChecksum(data) === dataCrc) return data;
  }
  return null;
}
