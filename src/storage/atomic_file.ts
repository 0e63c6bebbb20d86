/**
 * Files that are replaced as a whole, so that a crash leaves the old content or the new, never a mixture: written
 * beside, synced, renamed.
 */
import { setImmediate } from "node:timers";
import { type FileSystem, writeAllSync } from "./file_system.ts";

/** A temporary name, by this program or an older one, or by Go nsqd. */
const TEMPORARY = /^(?:\..*)?\.tmp$/;

/** Removes what a crash left beside the file `name` of `directory` while that was replaced. */
export function removeLeftovers(fileSystem: FileSystem, directory: string, name: string): void {
  for (const entry of fileSystem.list(directory)) {
    if (!entry.startsWith(name) || !TEMPORARY.test(entry.slice(name.length))) continue;
    fileSystem.remove(`${directory}/${entry}`);
  }
}

/**
 * Replaces a file.
 *
 * @param syncsName true when a power cut may not bring the old content back once this has returned
 * @throws when the disk refuses; the old file stays, and nothing of the new one
 */
export function writeAtomically(
  fileSystem: FileSystem,
  path: string,
  bytes: Uint8Array,
  syncsName: boolean,
): void {
  const temporary = `${path}.tmp`;
  try {
    const file = fileSystem.open(temporary, "create");
    try {
      writeAllSync(file, bytes);
      file.syncDataSync();
    } finally {
      file.close();
    }
    fileSystem.rename(temporary, path);
  } catch (cause) {
    // On a full disk a trial each second would fill the directory.
    if (fileSystem.exists(temporary)) fileSystem.remove(temporary);
    throw cause;
  }
  if (syncsName) fileSystem.syncDirectorySync(directoryOf(path));
}

/**
 * Replaces a file by `batches`, one a turn of the event loop, and makes the name durable too.
 *
 * @throws when the disk refuses; the old file stays
 */
export async function replaceInTurns(
  fileSystem: FileSystem,
  path: string,
  batches: Iterable<Uint8Array>,
): Promise<void> {
  const temporary = `${path}.tmp`, file = fileSystem.open(temporary, "create");
  try {
    for (const batch of batches) {
      writeAllSync(file, batch);
      await new Promise<void>((resolve) => setImmediate(() => resolve()));
    }
    await file.syncData();
    fileSystem.rename(temporary, path);
  } catch (cause) {
    if (fileSystem.exists(temporary)) fileSystem.remove(temporary);
    throw cause;
  } finally {
    file.close();
  }
  await fileSystem.syncDirectory(directoryOf(path));
}

function directoryOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/"))) || ".";
}
