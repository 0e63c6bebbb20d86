/** Writes the files of an installation. Tested in test/packaging/systemd_test.ts. */
import { dirname } from "node:path";
import type { InstalledFile } from "./units.ts";

/** What became of a file. */
export interface Outcome {
  readonly path: string;
  readonly did: "wrote" | "kept" | "unchanged";
}

/**
 * Writes `files` below `root`, each under its name by a rename, so that nobody reads half of one. Config files that
 * are there stay as they are.
 *
 * @throws naming the file that could not be written
 */
export function installFiles(files: readonly InstalledFile[], root: string): Outcome[] {
  return files.map(({ path, text, isConfig }) => {
    const place = root + path;
    const present = readIfThere(place);
    if (present === text) return { path: place, did: "unchanged" };
    if (present !== null && isConfig) return { path: place, did: "kept" };
    const partial = `${place}.${Deno.pid}.tmp`;
    try {
      Deno.mkdirSync(dirname(place), { recursive: true });
      Deno.writeTextFileSync(partial, text, { mode: 0o644 });
      Deno.renameSync(partial, place);
    } catch (cause) {
      throw new Error(`Cannot write ${place}: ${(cause as Error).message}`, { cause });
    }
    return { path: place, did: "wrote" };
  });
}

function readIfThere(path: string): string | null {
  try {
    return Deno.readTextFileSync(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return null;
    throw new Error(`Cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
}
