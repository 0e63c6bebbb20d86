/**
 * `nsqd.dat`: the names and paused flags of topics and channels, in Go nsqd's JSON.
 *
 * Compact JSON, `{"topics":[{"name","paused","channels":[{"name","paused"}]}],"version"}`; empty lists are
 * null. Ephemeral topics and channels are not in it. Positions and messages are in the commit log.
 */
import { dirname } from "node:path";
import type { Logger } from "../log/logger.ts";
import { isEphemeral, isValidName } from "../protocol/names.ts";
import { writeAtomically } from "../storage/atomic_file.ts";
import { type FileSystem, readWhole } from "../storage/file_system.ts";
import type { Topic } from "../broker/topic.ts";

/** Characters of a name that the log shows. */
const MAX_SHOWN_NAME = 100;

export interface ChannelMetadata {
  name: string;
  paused: boolean;
}

export interface TopicMetadata {
  name: string;
  paused: boolean;
  channels: ChannelMetadata[];
}

/** Changes within this time are written together. */
const DEBOUNCE_MS = 50;
/** After a write that failed the next one is tried. */
const RETRY_MS = 1000;

export class Metadata {
  readonly topics: readonly TopicMetadata[];
  readonly #byName: ReadonlyMap<string, TopicMetadata>;

  constructor(topics: readonly TopicMetadata[]) {
    this.topics = topics;
    // The first of a name counts.
    this.#byName = new Map([...topics].reverse().map((topic) => [topic.name, topic]));
  }

  topic(name: string): TopicMetadata | undefined {
    return this.#byName.get(name);
  }
}

/**
 * Reads the metadata file; a missing one is empty. Topics and channels with invalid names are left out with a
 * warning.
 *
 * @throws {Error} `failed to parse metadata in <path> - <cause>`
 */
export function loadMetadata(fileSystem: FileSystem, path: string, logger: Logger): Metadata {
  if (!fileSystem.exists(path)) {
    warnOfOldFile(fileSystem, path, logger);
    return new Metadata([]);
  }
  try {
    const text = new TextDecoder().decode(readWhole(fileSystem, path));
    return new Metadata(readTopics(JSON.parse(text), logger));
  } catch (cause) {
    throw new Error(`failed to parse metadata in ${path} - ${(cause as Error).message}`, { cause });
  }
}

/** NSQ before 0.4 put the id of its node into the name. */
const OLD_NAME = /^nsqd\.\d+\.dat$/;

function warnOfOldFile(fileSystem: FileSystem, path: string, logger: Logger): void {
  const directory = dirname(path);
  for (const name of fileSystem.list(directory)) {
    if (!OLD_NAME.test(name)) continue;
    const advice = `copy it to ${path} to have its topics and channels`;
    logger.warn(
      `there is no ${path}, but a ${directory}/${name} of an old version, which is not read: ${advice}`,
    );
  }
}

/** What a topic or channel is called, for the log: the entry may be of any kind and size. */
function nameIn(entry: unknown): string {
  const name = typeof entry === "object" && entry !== null && "name" in entry ? entry.name : entry;
  const text = JSON.stringify(name);
  return text.length <= MAX_SHOWN_NAME ? text : `${text.slice(0, MAX_SHOWN_NAME)}...`;
}

function readTopics(document: unknown, logger: Logger): TopicMetadata[] {
  const topics: TopicMetadata[] = [];
  for (const entry of entriesOf(document, "topics")) {
    if (!isNamed(entry)) {
      logger.warn(`skipping creation of invalid topic ${nameIn(entry)}`);
      continue;
    }
    const channels: ChannelMetadata[] = [];
    for (const channel of entriesOf(entry, "channels")) {
      if (isNamed(channel)) channels.push({ name: channel.name, paused: channel.paused === true });
      else logger.warn(`skipping creation of invalid channel ${nameIn(channel)}`);
    }
    topics.push({ name: entry.name, paused: entry.paused === true, channels });
  }
  return topics;
}

function entriesOf(value: unknown, key: string): unknown[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`${key}: expected an object`);
  }
  const entries = (value as Record<string, unknown>)[key] ?? [];
  if (!Array.isArray(entries)) throw new TypeError(`${key}: expected an array`);
  return entries;
}

function isNamed(entry: unknown): entry is { name: string; paused?: unknown } {
  if (typeof entry !== "object" || entry === null) return false;
  const name = (entry as { name?: unknown }).name;
  return typeof name === "string" && isValidName(name);
}

export interface MetadataFile {
  path: string;
  /** Version of the program, for the file. */
  version: string;
  /** True when what was answered must survive a power cut: then the file's name is synced with it. */
  syncsName: boolean;
}

/** Keeps the file up to date. */
export class MetadataWriter {
  readonly #fileSystem: FileSystem;
  readonly #file: MetadataFile;
  readonly #topics: () => Iterable<Topic>;
  readonly #logger: Logger;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failed = false;

  constructor(
    fileSystem: FileSystem,
    file: MetadataFile,
    topics: () => Iterable<Topic>,
    logger: Logger,
  ) {
    this.#fileSystem = fileSystem;
    this.#file = file;
    this.#topics = topics;
    this.#logger = logger;
  }

  /** Something changed: the file is written now, or soon with what else changes. */
  changed(now: boolean): void {
    if (now) return this.#writeOrLog();
    this.#timer ??= setTimeout(() => this.#writeOrLog(), DEBOUNCE_MS);
  }

  /** A failure is logged once, and tried again until the file is right. */
  #writeOrLog(): void {
    try {
      this.write();
      if (this.#failed) this.#logger.info("persisting metadata works again");
      this.#failed = false;
    } catch (cause) {
      if (!this.#failed) this.#logger.error(`failed to persist metadata - ${(cause as Error).message}`);
      this.#failed = true;
      this.#timer = setTimeout(() => this.#writeOrLog(), RETRY_MS);
    }
  }

  /** @throws when the disk refuses; the old file stays */
  write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { path, syncsName } = this.#file, text = JSON.stringify(this.#document());
    writeAtomically(this.#fileSystem, path, new TextEncoder().encode(text), syncsName);
  }

  #document() {
    const topics = [];
    for (const topic of this.#topics()) {
      if (topic.ephemeral) continue;
      const channels = [];
      for (const channel of topic.channels.values()) {
        if (!isEphemeral(channel.name)) channels.push({ name: channel.name, paused: channel.paused });
      }
      topics.push({
        name: topic.name,
        paused: topic.paused,
        channels: channels.length > 0 ? channels : null,
      });
    }
    return { topics: topics.length > 0 ? topics : null, version: this.#file.version };
  }
}
