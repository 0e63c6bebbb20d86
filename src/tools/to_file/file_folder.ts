/**
 * Where files begin and where they go when they are finished: how a name becomes an open file without overwriting
 * another, and how a finished one gets from the work directory to the output directory.
 *
 * Every entry is made durable before anybody relies on it. Tested in test/tools/to_file/topic_files_test.ts.
 */
import { dirname, join, relative } from "node:path";
import type { Logger } from "../../log/logger.ts";
import { withRevision } from "./file_name.ts";
import { OutputFile } from "./output_file.ts";

const DIRECTORY_MODE = 0o770;
const FILE_MODE = 0o666;
const NEWLINE = 10;

export interface FolderSettings {
  outputDir: string;
  /** Equal to `outputDir` when there is no other. */
  workDir: string;
  /** A file that exists is never gone on with. */
  isExclusive: boolean;
  /** A file with more bytes than this is not gone on with either; 0 is no limit. */
  rotateSize: number;
}

/** A file and where it stands in the sequence of those with its name. */
export interface OpenedFile {
  file: OutputFile;
  revision: number;
}

export class FileFolder {
  readonly #settings: FolderSettings;
  readonly #logger: Logger;

  constructor(settings: FolderSettings, logger: Logger) {
    this.#settings = settings;
    this.#logger = logger;
  }

  /** Whether finished files are moved. */
  get isApart(): boolean {
    return this.#settings.workDir !== this.#settings.outputDir;
  }

  /**
   * Opens the first file of `name` (see `FileName.at()`) from `revision` on that is free, or that may be gone on with.
   *
   * @throws when the disk refuses
   */
  async open(name: string, revision: number): Promise<OpenedFile> {
    for (;; revision++) {
      const path = join(this.#settings.workDir, withRevision(name, revision));
      const finished = join(this.#settings.outputDir, withRevision(name, revision));
      if (this.isApart && exists(finished)) {
        this.#logger.warn(`output file already exists: ${finished}`);
        continue;
      }
      makeDirectories(dirname(path));
      const file = this.#tryOpen(path);
      if (file === null) {
        this.#logger.warn(`file already exists: ${path}`);
        continue;
      }
      await syncDirectory(dirname(path));
      return { file, revision };
    }
  }

  /** Null when there is a file that must be left alone, and the name has a revision to tell the next one by. */
  #tryOpen(path: string): OutputFile | null {
    const { isExclusive, rotateSize } = this.#settings;
    let handle: Deno.FsFile;
    try {
      handle = isExclusive
        ? Deno.openSync(path, { write: true, createNew: true, mode: FILE_MODE })
        : Deno.openSync(path, { append: true, create: true, mode: FILE_MODE });
    } catch (cause) {
      if (isExclusive && cause instanceof Deno.errors.AlreadyExists) return null;
      throw cause;
    }
    const size = handle.statSync().size;
    if (rotateSize > 0 && size > rotateSize) {
      handle.close();
      return null;
    }
    lock(handle);
    this.#logger.info(`opening ${path}`);
    const file = new OutputFile(path, handle, size);
    if (size > 0 && lastByte(path, size) !== NEWLINE) {
      this.#logger.warn(`${path} ends within a message, which a crash left and which will come again`);
      file.append(Uint8Array.of(NEWLINE));
    }
    return file;
  }

  /** Moves a finished file from the work directory, if that is another, under a name that is free. */
  async finish(path: string, name: string, revision: number): Promise<void> {
    if (!this.isApart) return;
    const source = relative(this.#settings.workDir, path);
    for (let next = revision;; next++) {
      const target = join(this.#settings.outputDir, next === revision ? source : withRevision(name, next));
      makeDirectories(dirname(target));
      this.#logger.info(`moving finished file ${path} to ${target}`);
      try {
        Deno.linkSync(path, target);
      } catch (cause) {
        if (!(cause instanceof Deno.errors.AlreadyExists)) throw cause;
        this.#logger.warn(`destination file already exists: ${target}`);
        continue;
      }
      // The new name is on the disk before the old one goes.
      await syncDirectory(dirname(target));
      Deno.removeSync(path);
      return;
    }
  }

  /**
   * Moves what processes that are gone left in the work directory and what `pattern` knows as files of this topic.
   * What another process is writing stays.
   */
  async takeLeftovers(pattern: RegExp): Promise<void> {
    if (!this.isApart) return;
    const { workDir } = this.#settings;
    for (const source of filesBelow(workDir)) {
      const match = pattern.exec(source);
      if (match === null) continue;
      const path = join(workDir, source);
      if (!isUnused(path)) continue;
      this.#logger.warn(`${path} was left by a process that did not end in order`);
      const { name, revision } = nameOf(source, match);
      await this.finish(path, name, revision);
    }
  }
}

/** Takes apart what `FileName.pattern` matched: the name with its token, and the number. */
function nameOf(source: string, match: RegExpExecArray): { name: string; revision: number } {
  const place = match.indices?.groups?.revision;
  if (place === undefined) return { name: source, revision: 0 };
  const [start, end] = place;
  return {
    name: `${source.slice(0, start)}<REV>${source.slice(end)}`,
    revision: Number(source.slice(start + 1, end)),
  };
}

/** Relative paths; those of directories that cannot be read are left out. */
function filesBelow(directory: string, lead = ""): string[] {
  const found: string[] = [];
  try {
    for (const entry of Deno.readDirSync(join(directory, lead))) {
      const path = join(lead, entry.name);
      if (entry.isDirectory) found.push(...filesBelow(directory, path));
      else if (entry.isFile) found.push(path);
    }
  } catch (cause) {
    const isUnreadable = cause instanceof Deno.errors.NotFound ||
      cause instanceof Deno.errors.PermissionDenied;
    if (!isUnreadable) throw cause;
  }
  return found.sort();
}

/** Marks a file as being written, for as long as it is open. Releases of Deno that cannot try a lock do without. */
function lock(handle: Deno.FsFile): void {
  if ("tryLockSync" in handle) handle.tryLockSync(true);
}

function isUnused(path: string): boolean {
  const handle = Deno.openSync(path, { read: true });
  try {
    return "tryLockSync" in handle && handle.tryLockSync(true);
  } finally {
    handle.close();
  }
}

function lastByte(path: string, size: number): number {
  const handle = Deno.openSync(path, { read: true });
  try {
    handle.seekSync(size - 1, Deno.SeekMode.Start);
    const byte = new Uint8Array(1);
    return handle.readSync(byte) === 1 ? byte[0] : NEWLINE;
  } finally {
    handle.close();
  }
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return false;
    throw cause;
  }
}

function makeDirectories(path: string): void {
  Deno.mkdirSync(path, { recursive: true, mode: DIRECTORY_MODE });
}

async function syncDirectory(path: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  const directory = await Deno.open(path, { read: true });
  try {
    await directory.sync();
  } finally {
    directory.close();
  }
}
