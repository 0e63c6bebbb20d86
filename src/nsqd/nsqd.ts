/**
 * Puts an nsqd together from its parts, starts it, and stops it in order.
 *
 * Start: lock the data path, open the listeners, read what is on disk, serve. Stop: accept nothing more, let
 * the running group finish and its answers go out, end the connections, put everything on the disk.
 */
import type { Broker } from "../broker/broker.ts";
import { keepSpareDescriptors } from "../descriptors/spare_descriptors.ts";
import { openStoredBroker } from "../durability/stored_broker.ts";
import { type Clock, systemClock } from "../clock/clock.ts";
import { boundAddress, listen, removeAbandonedSocket } from "../net/listen.ts";
import { ServerLife } from "../net/server_life.ts";
import type { Logger } from "../log/logger.ts";
import { ProcessMonitor } from "../metrics/process_monitor.ts";
import { LiveOptions } from "../options/live_options.ts";
import { type NsqdOptions, nsqdOptions } from "../options/tables/nsqd_options.ts";
import { BufferPool } from "../buffers/buffer_pool.ts";
import { denoFileSystem, type FileSystem } from "../storage/file_system.ts";
import { buildInfo, version } from "../version.ts";
import { Authenticator } from "./auth/authenticator.ts";
import { HttpAuth } from "./auth/http_auth.ts";
import { readDefinitions, readPolicies, startWithDefinitions } from "./definitions.ts";
import { DataPathLock } from "./data_path_lock.ts";
import { joinLookupds } from "./lookup/discovery.ts";
import { startHttp } from "./http/start.ts";
import { startStatsd } from "./stats/statsd_start.ts";
import { TcpServer } from "./tcp/tcp_server.ts";
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

/**
 * Starts an nsqd. When a step fails, what the steps before it opened is released, and nothing more is written.
 *
 * @throws {StartupError} when the data path, a listener or the stored state cannot be used
 */
export async function runNsqd(
  initialOptions: NsqdOptions,
  logger: Logger,
  fileSystem: FileSystem = denoFileSystem,
  clock: Clock = systemClock,
): Promise<RunningNsqd> {
  const live = new LiveOptions(nsqdOptions, initialOptions, logger), options = live.values;
  live.on("logLevel", (level) => logger.level = level);
  logger.info(buildInfo("nsqd"));
  logger.info(`ID: ${options.nodeId}`);
  await using opened = new AsyncDisposableStack();
  const letSparesGo = keepSpareDescriptors();
  opened.defer(letSparesGo);
  const directory = options.dataPath === "" ? "." : options.dataPath;
  const lock = await DataPathLock.take(directory);
  opened.defer(() => lock.release());
  await removeAbandonedSocket(options.tcpAddress);
  let tls = loadTlsSettings(options);
  const authenticator = Authenticator.of(options, logger);
  const listener = listen(options.tcpAddress);
  let server: TcpServer | null = null;
  opened.defer(() => server === null ? listener.close() : server.endAll());
  const http = await startHttp(live, tls, logger);
  opened.defer(() => http.shutdown());
  const pool = new BufferPool(MAX_IDLE_BUFFER_BYTES);
  // For whoever looks for a defect of ours: see the README.
  const checksInvariants = Deno.env.get("NSQ_CHECK") === "1";
  const policies = readPolicies(options.policy);
  const definitions = options.definitions === "" ? null : readDefinitions(options.definitions);
  const stored = await openStoredBroker(
    { ...options, directory, checksInvariants, policies },
    { fileSystem, pool, clock, logger, version },
  );
  opened.defer(() => stored.abandon());
  const { broker, persistence } = stored;
  if (definitions !== null) startWithDefinitions(broker, definitions, options.definitions);
  broker.observers.push({
    boundNeared({ topic, name }) {
      logger.warn(`CHANNEL(${topic.name}/${name}): 80% of the bound of its policy is reached`);
    },
  });

  const tcp = server = new TcpServer(listener, {
    broker,
    options,
    logger,
    authenticator,
    tls,
    checksInvariants,
  });
  const tcpAddress = boundAddress(listener.addr, options.tcpAddress);
  logger.info(`TCP: listening on ${tcpAddress}`);
  const monitor = new ProcessMonitor(activityOf(broker));
  const lookupds = joinLookupds(broker, live, { tcp: tcp.port, http: http.port }, logger);
  opened.defer(() => lookupds.stop());
  http.begin({
    broker,
    persistence,
    server: tcp,
    pool,
    monitor,
    lookupPeers: () => lookupds.peers,
    auth: authenticator === null ? null : new HttpAuth(authenticator, () => broker.monotonicMs()),
  });
  monitor.start();
  opened.defer(() => monitor.stop());
  const { garbageCollection } = monitor;
  const statsd = startStatsd(options, { broker, garbageCollection }, http.port, logger);
  // From here on it stops in order.
  opened.move();

  const stopInOrder = async () => {
    http.stopping();
    tcp.close();
    await finishGroup(broker);
    await lookupds.stop();
    await statsd?.stop();
    await http.shutdown();
    tcp.endAll();
    broker.endTurn();
    broker.stop();
    monitor.stop();
    const isSaved = await stored.save();
    lock.release();
    logger.info("NSQ: bye");
    return isSaved;
  };
  const life = new ServerLife(stopInOrder, logger);
  life.watch("TCP", tcp.ended);
  life.done.then(letSparesGo);
  return {
    done: life.done,
    tcpAddress,
    httpAddress: http.address,
    httpsAddress: http.httpsAddress,
    reload(next) {
      live.reload(next);
      const renewed = renewTlsSettings(tls, options, logger);
      if (renewed === tls || renewed === null) return;
      tls = renewed;
      http.renewTls(tls);
      tcp.renewTls(tls);
    },
    stop: (force) => life.stop(force),
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
