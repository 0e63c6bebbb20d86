/**
 * Whether the disk has room for what a take-over writes, told before it writes anything: the files of Go nsqd stay until
 * all of their messages are safe, so for a while there are two copies.
 *
 * Tested in test/durability/take_over/take_over_test.ts.
 */
import { isEphemeral, isValidName } from "../../protocol/names.ts";
import { RECORD_OVERHEAD } from "../../protocol/message.ts";
import type { FileSystem } from "../../storage/file_system.ts";
import { dataFileName, findDiskQueues, MIN_RECORD_BYTES } from "./disk_queue.ts";
import type { QueuePlace } from "./imported_queues.ts";

/** For snapshots, positions and the reserve. */
const OTHER_BYTES = 2 << 20;

/**
 * @param placeOf how far a start before has taken a queue over
 * @throws {Error} that names what is missing
 */
export function checkRoom(
  fileSystem: FileSystem,
  directory: string,
  placeOf: (queue: string) => QueuePlace | undefined,
): void {
  const queuedBytes = unreadBytes(fileSystem, directory, placeOf);
  const freeBytes = queuedBytes === 0 ? null : fileSystem.availableBytes(directory);
  if (freeBytes === null) return;
  // The smallest records grow the most.
  const neededBytes = Math.ceil(queuedBytes * RECORD_OVERHEAD / MIN_RECORD_BYTES) + OTHER_BYTES;
  if (freeBytes >= neededBytes) return;
  throw new Error(
    `${neededBytes - freeBytes} bytes of disk are missing: ${queuedBytes} bytes are queued, ` +
      `writing their messages anew takes up to ${neededBytes} and ${freeBytes} are free; nothing was changed`,
  );
}

function unreadBytes(
  fileSystem: FileSystem,
  directory: string,
  placeOf: (queue: string) => QueuePlace | undefined,
): number {
  let byteCount = 0;
  for (const { name, topic, channel, fileNumbers, readPosition } of findDiskQueues(fileSystem, directory)) {
    if (!isTaken(topic) || (channel !== null && !isTaken(channel))) continue;
    const place = placeOf(name);
    for (const number of fileNumbers) {
      if (place !== undefined && number < place.fileNumber) continue;
      const size = fileSystem.status(`${directory}/${dataFileName(name, number)}`)?.byteCount ?? 0;
      let from = number === fileNumbers[0] ? readPosition : 0;
      if (place?.fileNumber === number) from = Math.max(from, place.position);
      byteCount += Math.max(0, size - from);
    }
  }
  return byteCount;
}

function isTaken(name: string): boolean {
  return isValidName(name) && !isEphemeral(name);
}
