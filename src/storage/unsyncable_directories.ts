/**
 * Directories that cannot be synced, as on network, FUSE and shared folders: what can be done there is done, with
 * one warning, in place of a failure at every sync.
 *
 * Tested in test/durability/stored_broker_test.ts.
 */
import type { FileSystem } from "./file_system.ts";

/** The same files; that directories cannot be synced is told to `warn` once, and is no error. */
export function toleratingUnsyncable(fileSystem: FileSystem, warn: (text: string) => void): FileSystem {
  let hasWarned = false;
  const tolerate = (path: string, cause: unknown) => {
    if (!isUnsyncable(cause)) throw cause;
    if (hasWarned) return;
    hasWarned = true;
    warn(
      `directory ${path} cannot be synced (${(cause as Error).message}): ` +
        "after a power cut, files that are new or renamed may be missing",
    );
  };
  return {
    open: (path, mode) => fileSystem.open(path, mode),
    list: (directory) => fileSystem.list(directory),
    exists: (path) => fileSystem.exists(path),
    status: (path) => fileSystem.status(path),
    rename: (from, to) => fileSystem.rename(from, to),
    remove: (path) => fileSystem.remove(path),
    removeInBackground: (path) => fileSystem.removeInBackground(path),
    makeDirectory: (path) => fileSystem.makeDirectory(path),
    availableBytes: (directory) => fileSystem.availableBytes(directory),
    async syncDirectory(path) {
      try {
        await fileSystem.syncDirectory(path);
      } catch (cause) {
        tolerate(path, cause);
      }
    },
    syncDirectorySync(path) {
      try {
        fileSystem.syncDirectorySync(path);
      } catch (cause) {
        tolerate(path, cause);
      }
    },
  };
}

/** EINVAL, ENOTSUP and their like: the file system has no such operation. */
function isUnsyncable(cause: unknown): boolean {
  const { code, message } = cause as { code?: string; message?: string };
  return code === "EINVAL" || code === "ENOTSUP" || code === "EOPNOTSUPP" || code === "ENOSYS" ||
    /\(os error (?:22|38|45|95|524)\)/.test(message ?? "");
}
