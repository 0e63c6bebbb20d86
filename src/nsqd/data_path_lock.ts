/**
 * The lock on the data path: one nsqd at a time, ours or Go nsqd, which both lock the directory itself.
 *
 * Tested in test/nsqd/data_path_test.ts.
 */
import { StartupError } from "../log/startup_error.ts";
import { tryLock } from "../storage/file_lock.ts";

export class DataPathLock {
  readonly #directory: Deno.FsFile;

  private constructor(directory: Deno.FsFile) {
    this.#directory = directory;
  }

  /** @throws {StartupError} when there is no such directory or another process holds it */
  static async take(path: string): Promise<DataPathLock> {
    let directory: Deno.FsFile;
    try {
      directory = Deno.openSync(path, { read: true });
    } catch (cause) {
      const reason = reasonOf(cause as Error);
      throw new StartupError(`failed to lock data-path: open ${path}: ${reason}`, { cause });
    }
    if (!directory.statSync().isDirectory) {
      directory.close();
      throw new StartupError(`failed to lock data-path: ${path} is not a directory`);
    }
    if (!await tryLock(directory)) {
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

/** Why the directory could not be opened, without the path, which is in the message already. */
function reasonOf(cause: Error): string {
  if (cause instanceof Deno.errors.NotFound) return "no such file or directory";
  if (cause instanceof Deno.errors.PermissionDenied) return "permission denied";
  return cause.message;
}
