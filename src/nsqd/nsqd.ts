/**
 * Puts an nsqd together from its parts, starts it, and stops it in order.
 *
 * Start: lock the data path, open the listeners, read what is on disk, serve. Stop: accept nothing more, let
 * the running group finish and its answers go out, end the connections, put everything on the disk.
 */
import { Broker } from "../broker/broker.ts";
import { loadMetadata, MetadataWriter } from "../broker/metadata.ts";
import { Persistence } from "../broker/persistence.ts";
import { restore } from "../broker/restore.ts";
import { takeOver } from "../broker/take_over.ts";
import { systemClock } from "../clock/clock.ts";
import { bindError } from "../http/server.ts";
import type { Logger } from "../log/logger.ts";
import { StartupError } from "../log/startup_error.ts";
import { formatAddress, parseAddress } from "../options/address.ts";
import type { NsqdOptions } from "../options/nsqd_options.ts";
import type { IdentifyLimits } from "../protocol/identify.ts";
import { BufferPool } from "../buffers/buffer_pool.ts";
import { denoFileSystem, type FileSystem } from "../storage/file_system.ts";
import { buildInfo, version } from "../version.ts";
import { DataPathLock } from "./data_path_lock.ts";
import { joinLookupds } from "./discovery.ts";
import { startHttp } from "./http_start.ts";
import { TcpServer } from "./tcp_server.ts";

/** A running nsqd. */
export interface RunningNsqd {
  /** Stops in order; with `force` at once, leaving recovery to the next start. */
  stop(force?: boolean): Promise<void>;
  /** Resolves with the exit code once stopped. */
  readonly done: Promise<number>;
  /** Where it listens, as `host:port` or a socket path. */
  readonly tcpAddress: string;
  readonly httpAddress: string;
}

/** Bytes of message buffers kept for reuse after a burst. */
const MAX_IDLE_BUFFER_BYTES = 32 << 20;
/** How long the answers of the last group may take to go out at a stop. */
const LAST_ANSWERS_MS = 1000;

/** @throws {StartupError} when the data path, a listener or the stored state cannot be used */
export async function runNsqd(
  options: NsqdOptions,
  logger: Logger,
  fileSystem: FileSystem = denoFileSystem,
): Promise<RunningNsqd> {
  logger.info(buildInfo("nsqd"));
  logger.info(`ID: ${options.nodeId}`);
  const directory = options.dataPath === "" ? "." : options.dataPath;
  const lock = await DataPathLock.take(directory);
  const listener = listen(options.tcpAddress);
  const pool = new BufferPool(MAX_IDLE_BUFFER_BYTES);
  const { persistence, broker, metadata } = openBroker(options, directory, fileSystem, pool, logger);
  try {
    await takeOver(broker, persistence, fileSystem, directory, logger);
  } catch (cause) {
    throw new StartupError(`failed to take over the queues in ${directory} - ${(cause as Error).message}`, {
      cause,
    });
  }
  writeMetadata(metadata);
  persistence.onMetadataChange = (now) => metadata.changed(now);

  const server = new TcpServer(broker, listener, {
    logger,
    identifyLimits: identifyLimits(options),
    maxMsgSize: options.maxMsgSize,
    maxBodySize: options.maxBodySize,
    maxMsgTimeoutMs: options.maxMsgTimeout,
    maxReqTimeoutMs: options.maxReqTimeout,
    maxRdyCount: options.maxRdyCount,
    maxChannelConsumers: options.maxChannelConsumers,
    holdsReplies: options.durability !== "memory",
    nodeId: options.nodeId,
  });
  const tcpAddress = addressOf(listener, options.tcpAddress);
  logger.info(`TCP: listening on ${tcpAddress}`);
  const http = startHttp({ options, broker, persistence, server, logger });
  const lookupds = joinLookupds(broker, options, { tcp: server.port, http: http.port }, logger);

  let exit: (code: number) => void = () => {};
  const done = new Promise<number>((resolve) => exit = resolve);
  let stopping: Promise<void> | null = null;
  const stopInOrder = async (code: number) => {
    server.close();
    await finishGroup(broker);
    await lookupds.stop();
    await http.shutdown();
    server.endAll();
    broker.endTurn();
    broker.stop();
    try {
      await persistence.stop();
      metadata.write();
    } catch (cause) {
      logger.error(`failed to save everything - ${(cause as Error).message}`);
      code = 1;
    }
    lock.release();
    logger.info("NSQ: bye");
    exit(code);
  };
  server.ended.then((failure) => {
    if (failure === null) return;
    logger.fatal(`TCP: accepting ended - ${failure.message}`);
    stopping ??= stopInOrder(1);
  });
  return {
    done,
    tcpAddress,
    httpAddress: http.address,
    stop(force = false) {
      if (force) {
        exit(1);
        return Promise.resolve();
      }
      return stopping ??= stopInOrder(0);
    },
  };
}

function openBroker(
  options: NsqdOptions,
  directory: string,
  fileSystem: FileSystem,
  pool: BufferPool,
  logger: Logger,
) {
  const metadataPath = `${directory}/nsqd.dat`;
  let stored;
  try {
    stored = loadMetadata(fileSystem, metadataPath, logger);
  } catch (cause) {
    throw new StartupError(`failed to load metadata - ${(cause as Error).message}`, { cause });
  }
  try {
    const persistence = new Persistence(
      fileSystem,
      pool,
      {
        directory,
        maxBytesPerFile: options.maxBytesPerFile,
        durability: options.durability,
        memLimit: options.memLimit,
        syncEvery: options.syncEvery,
        syncTimeout: options.syncTimeout,
      },
      systemClock,
      logger,
    );
    const broker = new Broker(options, systemClock, persistence, pool);
    restore(broker, persistence, stored, logger, broker.nowMs);
    persistence.start(broker);
    const metadata = new MetadataWriter(
      fileSystem,
      metadataPath,
      version,
      () => broker.topics.values(),
      logger,
    );
    return { persistence, broker, metadata };
  } catch (cause) {
    throw new StartupError(`failed to open the log in ${directory} - ${(cause as Error).message}`, { cause });
  }
}

function writeMetadata(metadata: MetadataWriter): void {
  try {
    metadata.write();
  } catch (cause) {
    throw new StartupError(`failed to persist metadata - ${(cause as Error).message}`, { cause });
  }
}

/** Lets what was published become safe and its answers go out. */
async function finishGroup(broker: Broker): Promise<void> {
  const answered = broker.committer.wait().catch(() => {/* the publishers were told */});
  broker.beginTurn();
  await Promise.race([answered, new Promise((resolve) => setTimeout(resolve, LAST_ANSWERS_MS))]);
  // The answers are staged when the group is decided and written at the end of that turn.
  await new Promise((resolve) => setTimeout(resolve, 0));
}

function listen(address: string): Deno.Listener {
  const parsed = parseAddress(address);
  try {
    if (parsed.kind === "unix") return Deno.listen({ transport: "unix", path: parsed.path });
    return Deno.listen({ hostname: parsed.hostname, port: parsed.port });
  } catch (cause) {
    throw new StartupError(`listen (${address}) failed - ${bindError(address, parsed, cause as Error)}`, {
      cause,
    });
  }
}

function addressOf(listener: Deno.Listener, asked: string): string {
  const { addr } = listener;
  return "hostname" in addr ? formatAddress(addr.hostname, addr.port) : asked;
}

function identifyLimits(options: NsqdOptions): IdentifyLimits {
  return {
    maxHeartbeatIntervalMs: options.maxHeartbeatInterval,
    maxOutputBufferSize: options.maxOutputBufferSize,
    minOutputBufferTimeoutMs: options.minOutputBufferTimeout,
    maxOutputBufferTimeoutMs: options.maxOutputBufferTimeout,
    outputBufferTimeoutMs: options.outputBufferTimeout,
    maxMsgTimeoutMs: options.maxMsgTimeout,
    msgTimeoutMs: options.msgTimeout,
    maxRdyCount: options.maxRdyCount,
    maxDeflateLevel: options.maxDeflateLevel,
    deflateEnabled: false,
    snappyEnabled: false,
    tlsEnabled: false,
    authRequired: false,
    version,
    topologyRegion: "",
    topologyZone: "",
  };
}
