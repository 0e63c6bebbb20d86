/**
 * Locks by which one process keeps others from the same files.
 *
 * Tested in test/nsqd/data_path_test.ts.
 */

/** How long a lock that cannot be tried is waited for before it counts as held. */
const LOCK_WAIT_MS = 500;

/**
 * Locks a file or directory for this process alone; false when another one holds it. Closing it ends the lock.
 *
 * Older releases of Deno, with which the executable can be compiled too, can only wait for a lock.
 */
export async function tryLock(file: Deno.FsFile): Promise<boolean> {
  if ("tryLock" in file) return await file.tryLock(true);
  const { lock } = file as { lock(exclusive: boolean): Promise<void> };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLong = new Promise<boolean>((resolve) => timer = setTimeout(() => resolve(false), LOCK_WAIT_MS));
  const isLocked = await Promise.race([lock.call(file, true).then(() => true), tooLong]);
  clearTimeout(timer);
  return isLocked;
}
