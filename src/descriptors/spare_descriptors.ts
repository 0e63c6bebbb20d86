/**
 * File descriptors that are kept back for when all are used up, as by a crowd of connections: whoever must open a
 * file then, such as the next one of the log, gets one of them.
 *
 * They are the process's, like the limit; a listener never gets them, so that clients cannot use them up too.
 */

/** The log may roll a few times before the file that it left is synced and closed. */
const SPARE_COUNT = 16;
const REFILL_MS = 1000;
const NOTHING = Deno.build.os === "windows" ? "NUL" : "/dev/null";

const spares: Deno.FsFile[] = [];
let userCount = 0;
let refillTimer: ReturnType<typeof setTimeout> | undefined;

/** Keeps descriptors back from now on. Returns the function that lets them go; the last of several calls counts. */
export function keepSpareDescriptors(): () => void {
  userCount++;
  refillSpareDescriptors();
  let isKept = true;
  return () => {
    if (!isKept) return;
    isKept = false;
    if (--userCount > 0) return;
    clearTimeout(refillTimer);
    refillTimer = undefined;
    for (const spare of spares.splice(0)) spare.close();
  };
}

/** The result of `open`, which opens at most one file; if there are no descriptors, with one that was kept back. */
export function withSpareDescriptor<T>(open: () => T): T {
  for (;;) {
    try {
      return open();
    } catch (cause) {
      const spare = isOutOfDescriptors(cause) ? spares.pop() : undefined;
      if (spare === undefined) throw cause;
      spare.close();
      scheduleRefill();
    }
  }
}

/**
 * Makes room for one more descriptor at this moment, for operations of the runtime that take one for themselves: an
 * asynchronous one on a file duplicates its descriptor, and where it cannot, keeps the file from being written.
 */
export function freeDescriptor(): void {
  try {
    withSpareDescriptor(() => Deno.openSync(NOTHING)).close();
  } catch {
    // Without any it has to do.
  }
}

/** Whether the process, or the machine, has no descriptors left. */
export function isOutOfDescriptors(cause: unknown): boolean {
  const { code } = cause as { code?: string };
  return code === "EMFILE" || code === "ENFILE";
}

/**
 * Keeps back again what was given up. False when that is not possible yet: whoever accepts connections waits until it
 * is, or they would take every descriptor that becomes free.
 */
export function refillSpareDescriptors(): boolean {
  while (userCount > 0 && spares.length < SPARE_COUNT) {
    try {
      spares.push(Deno.openSync(NOTHING));
    } catch {
      scheduleRefill();
      return false;
    }
  }
  return true;
}

function scheduleRefill(): void {
  if (refillTimer !== undefined || userCount === 0) return;
  refillTimer = setTimeout(() => {
    refillTimer = undefined;
    refillSpareDescriptors();
  }, REFILL_MS);
  // Being short of descriptors keeps no process alive.
  Deno.unrefTimer(refillTimer as unknown as number);
}
