/**
 * The lock on the data path: one nsqd at a time, ours or the original, which both lock the directory itself.
 */
import { StartupError } from "../log/startup_error.ts";

export class DataPathLock {
  readonly #directory: Deno.FsFile;

  private constructor(directory: Deno.FsFile) {
    this.#directory = directory;
  }

  /** @throws {StartupError} when there is no such directory or another process holds it */
  static take(path: string): DataPathLock {
    let directory: Deno.FsFile;
    try {
      directory = Deno.openSync(path, { read: true });
    } catch (cause) {
      const reason = cause instanceof Deno.errors.NotFound
        ? "no such file or directory"
        : (cause as Error).message;
      throw new StartupError(`failed to lock data-path: open ${path}: ${reason}`, { cause });
    }
    if (!directory.statSync().isDirectory) {
      directory.close();
      throw new StartupError(`failed to lock data-path: ${path} is not a directory`);
    }
    if (!directory.tryLockSync(true)) {
      directory.close();
      throw new StartupError(
        `failed to lock data-path: cannot flock directory ${path} - resource temporarily unavailable ` +
          "(possibly in use by another instance of nsqd)",
      );
    }
    return new DataPathLock(directory);
  }

  release(): void {
    this.#directory.close();
  }
}
