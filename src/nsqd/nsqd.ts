/**
 * Puts an nsqd together from its parts, starts it, and stops it in order.
 *
 * Start: lock the data path, open the listeners, read what is on disk, serve. Stop: accept nothing more, let
 * the running group finish and its answers go out, end the connections, put everything on the disk.
 */
import type { Topology } from "../broker/consumer/place.ts";
import type { Broker } from "../broker/broker.ts";
import { openStoredBroker } from "../durability/stored_broker.ts";
import { systemClock } from "../clock/clock.ts";
import { boundAddress, listen, removeAbandonedSocket } from "../net/listen.ts";
import type { Logger } from "../log/logger.ts";
import { ProcessMonitor } from "../metrics/process_monitor.ts";
import { LiveOptions } from "../options/live_options.ts";
import { type NsqdOptions, nsqdOptions } from "../options/nsqd_options.ts";
import type { IdentifyLimits } from "../protocol/identify.ts";
import { BufferPool } from "../buffers/buffer_pool.ts";
import { denoFileSystem, type FileSystem } from "../storage/file_system.ts";
import { buildInfo, version } from "../version.ts";
import { Authenticator } from "./auth/authenticator.ts";
import { DataPathLock } from "./data_path_lock.ts";
import { joinLookupds } from "./lookup/discovery.ts";
import { startHttp } from "./http/start.ts";
import { startStatsd } from "./stats/statsd_start.ts";
import { type ConnectionLimits, TcpServer } from "./tcp/tcp_server.ts";
import { renewTlsSettings } from "./tls/tls_renewal.ts";
import { loadTlsSettings } from "../net/tls_settings.ts";

/** A running nsqd. */
export interface RunningNsqd {
  /** Stops in order; with `force` at once, leaving recovery to the next start. */
  stop(force?: boolean): Promise<void>;
  /** Puts those of `next` in force that may change while it runs. */
  reload(next: NsqdOptions): void;
  /** Resolves with the exit code once stopped. */
  readonly done: Promise<number>;
  /** Where it listens, as `host:port` or a socket path. */
  readonly tcpAddress: string;
  readonly httpAddress: string;
  readonly httpsAddress: string;
}

/** Bytes of message buffers kept for reuse after a burst. */
const MAX_IDLE_BUFFER_BYTES = 32 << 20;
/** How long the answers of the last group may take to go out at a stop. */
const LAST_ANSWERS_MS = 1000;

/** @throws {StartupError} when the data path, a listener or the stored state cannot be used */
export async function runNsqd(
  initialOptions: NsqdOptions,
  logger: Logger,
  fileSystem: FileSystem = denoFileSystem,
): Promise<RunningNsqd> {
  const live = new LiveOptions(nsqdOptions, initialOptions, logger), options = live.values;
  live.on("logLevel", (level) => logger.level = level);
  logger.info(buildInfo("nsqd"));
  logger.info(`ID: ${options.nodeId}`);
  const directory = options.dataPath === "" ? "." : options.dataPath;
  const lock = await DataPathLock.take(directory);
  await removeAbandonedSocket(options.tcpAddress);
  let tls = loadTlsSettings(options);
  const authenticator = Authenticator.of(options, logger);
  const listener = listen(options.tcpAddress);
  const http = await startHttp(live, tls, logger);
  const pool = new BufferPool(MAX_IDLE_BUFFER_BYTES);
  const { persistence, broker, save } = await openStoredBroker(
    // `NSQ_CHECK` is for whoever looks for a defect of ours: see the README.
    { ...options, directory, checksInvariants: Deno.env.get("NSQ_CHECK") === "1" },
    { fileSystem, pool, clock: systemClock, logger, version },
  );

  const server = new TcpServer(broker, listener, {
    logger,
    ...connectionLimits(options, tls !== null),
    holdsReplies: options.durability !== "memory",
    nodeId: options.nodeId,
    authenticator,
    topology: topologyOf(options),
    tls,
  });
  const tcpAddress = boundAddress(listener.addr, options.tcpAddress);
  logger.info(`TCP: listening on ${tcpAddress}`);
  const monitor = new ProcessMonitor(activityOf(broker));
  http.begin({ broker, persistence, server, pool, monitor });
  const lookupds = joinLookupds(broker, live, { tcp: server.port, http: http.port }, logger);

  monitor.start();
  const { garbageCollection } = monitor;
  const statsd = startStatsd(options, { broker, garbageCollection }, http.port, logger);

  let exit: (code: number) => void = () => {};
  const done = new Promise<number>((resolve) => exit = resolve);
  let stopping: Promise<void> | null = null;
  const stopInOrder = async (code: number) => {
    http.stopping();
    server.close();
    await finishGroup(broker);
    await lookupds.stop();
    await statsd?.stop();
    await http.shutdown();
    server.endAll();
    broker.endTurn();
    broker.stop();
    monitor.stop();
    if (!await save()) code = 1;
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
    httpsAddress: http.httpsAddress,
    reload(next) {
      live.reload(next);
      const renewed = renewTlsSettings(tls, options, logger);
      if (renewed !== tls && renewed !== null) http.renewTls(tls = renewed);
      server.renew({ ...connectionLimits(options, tls !== null), tls });
    },
    stop(force = false) {
      if (force) {
        exit(1);
        return Promise.resolve();
      }
      return stopping ??= stopInOrder(0);
    },
  };
}

/** Tells at each call whether the broker had a turn since the last one. */
function activityOf(broker: Broker): () => boolean {
  let seenMs = 0;
  return () => {
    const isActive = broker.nowMs !== seenMs;
    seenMs = broker.nowMs;
    return isActive;
  };
}

/** Lets what was published become safe and its answers go out. */
async function finishGroup(broker: Broker): Promise<void> {
  const answered = broker.committer.wait().catch(() => {/* the publishers were told */});
  broker.beginTurn();
  await Promise.race([answered, new Promise((resolve) => setTimeout(resolve, LAST_ANSWERS_MS))]);
  // The answers are staged when the group is decided and written at the end of that turn.
  await new Promise((resolve) => setTimeout(resolve, 0));
}

function topologyOf(options: NsqdOptions): Topology | null {
  if (!options.enableExperiment.includes("topology-aware-consumption")) return null;
  return { region: options.topologyRegion, zone: options.topologyZone };
}

function connectionLimits(options: NsqdOptions, tlsEnabled: boolean): ConnectionLimits {
  return {
    identifyLimits: identifyLimits(options, tlsEnabled),
    maxMsgSize: options.maxMsgSize,
    maxBodySize: options.maxBodySize,
    maxMsgTimeoutMs: options.maxMsgTimeout,
    maxReqTimeoutMs: options.maxReqTimeout,
    maxRdyCount: options.maxRdyCount,
    maxChannelConsumers: options.maxChannelConsumers,
  };
}

function identifyLimits(options: NsqdOptions, tlsEnabled: boolean): IdentifyLimits {
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
    deflateEnabled: options.deflate,
    snappyEnabled: options.snappy,
    tlsEnabled,
    authRequired: options.authHttpAddress.length > 0,
    version,
    topologyRegion: options.topologyRegion,
    topologyZone: options.topologyZone,
  };
}
