/**
 * Opens a data path: the broker with all that is stored there, the queues of Go nsqd taken over, ready to serve.
 */
import { Broker, type BrokerOptions } from "../broker/broker.ts";
import type { BufferPool } from "../buffers/buffer_pool.ts";
import type { Clock } from "../clock/clock.ts";
import type { Logger } from "../log/logger.ts";
import { StartupError } from "../log/startup_error.ts";
import { removeLeftovers } from "../storage/atomic_file.ts";
import { type FileSystem, isDiskFull } from "../storage/file_system.ts";
import { toleratingUnsyncable } from "../storage/unsyncable_directories.ts";
import { loadMetadata, MetadataWriter } from "./metadata.ts";
import { Persistence, type PersistenceOptions } from "./persistence.ts";
import { checkRoom } from "./take_over/room.ts";
import { takeOver } from "./take_over/take_over.ts";

/** What the store works with. */
export interface StoreSurroundings {
  fileSystem: FileSystem;
  pool: BufferPool;
  clock: Clock;
  logger: Logger;
  /** Of the program, for `nsqd.dat`. */
  version: string;
}

export interface StoredBroker {
  broker: Broker;
  persistence: Persistence;
  /** Puts everything on the disk. @returns false when the disk refused some of it, which is logged */
  save(): Promise<boolean>;
  /** Closes the files and stops the timers, and writes nothing: the program does not start after all. */
  abandon(): Promise<void>;
}

const METADATA_NAME = "nsqd.dat";

/** @throws {StartupError} when what is stored cannot be read, or the disk refuses; nothing stays open then */
export async function openStoredBroker(
  options: BrokerOptions & PersistenceOptions,
  surroundings: StoreSurroundings,
): Promise<StoredBroker> {
  const { pool, clock, logger, version } = surroundings, { directory } = options;
  const fileSystem = toleratingUnsyncable(surroundings.fileSystem, (text) => logger.warn(`LOG: ${text}`));
  const metadataPath = `${directory}/${METADATA_NAME}`;
  const stored = startStep(
    "failed to load metadata",
    () => {
      removeLeftovers(fileSystem, directory, METADATA_NAME);
      return loadMetadata(fileSystem, metadataPath, logger);
    },
    true,
  );
  const persistence = new Persistence(fileSystem, pool, options, clock, logger);
  const broker = new Broker(options, clock, persistence, pool);
  const abandon = async () => {
    broker.stop();
    await persistence.abandon();
  };
  const file = { path: metadataPath, version, syncsName: options.durability === "disk" };
  const metadata = new MetadataWriter(fileSystem, file, () => broker.topics.values(), logger);
  try {
    const takeOverFailed = `failed to take over the queues in ${directory}`;
    startStep(`failed to open the log in ${directory}`, () =>
      persistence.open(broker, stored, () => {
        const placeOf = (queue: string) => persistence.imports.placeOf(queue);
        startStep(takeOverFailed, () => checkRoom(fileSystem, directory, placeOf));
      }));
    await takeOver(broker, persistence.imports, fileSystem, directory, clock, logger).catch((cause) => {
      throw startupError(takeOverFailed, cause as Error);
    });
    startStep("failed to persist metadata", () => writeMetadata(metadata), true);
  } catch (cause) {
    await abandon();
    throw cause;
  }
  persistence.onMetadataChange = (now) => metadata.changed(now);
  return {
    broker,
    persistence,
    abandon,
    async save() {
      const failures: Error[] = [];
      await persistence.stop().catch((cause: Error) => failures.push(cause));
      try {
        metadata.write();
      } catch (cause) {
        failures.push(cause as Error);
      }
      for (const { message } of failures) logger.error(`failed to save everything - ${message}`);
      return failures.length === 0;
    },
  };
}

/** A full disk is no reason not to serve what there is: it is written once there is room. */
function writeMetadata(metadata: MetadataWriter): void {
  try {
    metadata.write();
  } catch (cause) {
    if (!isDiskFull(cause)) throw cause;
    metadata.changed(true);
  }
}

function startStep<T>(action: string, work: () => T, standsAlone = false): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof StartupError) throw cause;
    throw startupError(action, cause as Error, standsAlone);
  }
}

function startupError(action: string, cause: Error, standsAlone = false): StartupError {
  return new StartupError(`${action} - ${cause.message}`, { cause, standsAlone });
}
