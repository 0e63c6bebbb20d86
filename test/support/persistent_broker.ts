/** A broker on files in memory, which can be stopped, killed and cut off from power, and started again. */
import { Broker } from "../../src/broker/broker.ts";
import { loadMetadata, MetadataWriter } from "../../src/durability/metadata.ts";
import { Persistence } from "../../src/durability/persistence.ts";
import type { Durability } from "../../src/broker/store.ts";
import { BufferPool } from "../../src/buffers/buffer_pool.ts";
import { Logger } from "../../src/log/logger.ts";
import type { FakeClock } from "./fake_clock.ts";
import type { MemoryFileSystem } from "./memory_file_system.ts";

/** Timers never fire in a test: it does what they do. */
export const NEVER_MS = 2 ** 30;
export const DIRECTORY = "/data";
const METADATA_PATH = `${DIRECTORY}/nsqd.dat`;

export interface PersistentOptions {
  durability: Durability;
  maxBytesPerFile: number;
  memLimit: number;
}

export class PersistentBroker {
  readonly fileSystem: MemoryFileSystem;
  readonly broker: Broker;
  readonly clock: FakeClock;
  readonly persistence: Persistence;
  readonly pool = new BufferPool(1 << 20);
  readonly logLines: string[] = [];
  readonly #metadata: MetadataWriter;

  /** Starts a broker on what `fileSystem` holds. */
  constructor(fileSystem: MemoryFileSystem, clock: FakeClock, options: PersistentOptions) {
    this.fileSystem = fileSystem;
    this.clock = clock;
    const logger = new Logger("info", "", (line) => this.logLines.push(line), clock);
    this.persistence = new Persistence(
      fileSystem,
      this.pool,
      { ...options, directory: DIRECTORY, syncEvery: 2500, syncTimeout: NEVER_MS },
      clock,
      logger,
    );
    const brokerOptions = {
      nodeId: 5,
      durability: options.durability,
      memQueueSize: 1_000_000,
      queueScanInterval: NEVER_MS,
    };
    const broker = this.broker = new Broker(brokerOptions, clock, this.persistence, this.pool);
    this.persistence.open(broker, loadMetadata(fileSystem, METADATA_PATH, logger));
    this.#metadata = new MetadataWriter(
      fileSystem,
      { path: METADATA_PATH, version: "test", syncsName: options.durability === "disk" },
      () => broker.topics.values(),
      logger,
    );
    broker.endTurn();
  }

  writeMetadata(): void {
    this.#metadata.write();
  }

  /** A clean stop. */
  async stop(): Promise<MemoryFileSystem> {
    this.broker.endTurn();
    this.broker.stop();
    await this.persistence.stop();
    this.writeMetadata();
    return this.fileSystem.afterKill();
  }

  /** Ends what still runs in a process that is gone, on files that nobody looks at any more. */
  async bury(): Promise<void> {
    const { fileSystem } = this;
    fileSystem.freeBytes = Infinity;
    fileSystem.syncError = fileSystem.readError = null;
    this.broker.stop();
    try {
      await this.persistence.stop();
    } catch (cause) {
      this.logLines.push(`buried: ${(cause as Error).message}`);
    }
  }

  /** What the background of a running broker does now and then. */
  async background(): Promise<void> {
    await this.persistence.upkeep();
  }
}
