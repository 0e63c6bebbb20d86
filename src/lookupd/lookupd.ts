/**
 * Puts a lookupd together from its parts, starts it, and stops it in order.
 *
 * Start: read the snapshot, open the listeners, serve; nobody is told "no such topic" by a lookupd that
 * has not read its snapshot yet. Stop: write a snapshot with everybody who is connected, then close TCP,
 * then HTTP.
 *
 * Tested in test/lookupd/http_test.ts and in test/lookupd/restart_test.ts.
 */
import { systemClock } from "../clock/clock.ts";
import { keepSpareDescriptors } from "../descriptors/spare_descriptors.ts";
import { createApp } from "../http/router.ts";
import { endProfiles } from "../http/debug/routes.ts";
import { boundAddress, boundPort, listen, removeAbandonedSocket } from "../net/listen.ts";
import { ServerLife } from "../net/server_life.ts";
import { type Handler, serve, timeoutsOf } from "../http/server.ts";
import type { Logger } from "../log/logger.ts";
import { StartupError } from "../log/startup_error.ts";
import { EventLoopDelay } from "../metrics/event_loop_delay.ts";
import { LiveOptions } from "../options/live_options.ts";
import { type LookupdOptions, lookupdOptions } from "../options/tables/lookupd_options.ts";
import { buildInfo, version } from "../version.ts";
import { Answers } from "./answers.ts";
import { lookupdRoutes } from "./http.ts";
import { encodeMetrics } from "./metrics.ts";
import { RegistrationDb } from "./registration_db.ts";
import { Snapshot } from "./snapshot.ts";
import { LookupTcpServer } from "./tcp_server.ts";

/** How often names that nobody has registered for long are looked for. */
const FORGET_INTERVAL_MS = 2_000;
/** At once: about 20 ms of work. */
const MAX_FORGOTTEN = 5_000;
/** An empty HTTP address does not switch the API off, which everything else needs. */
const ANY_HTTP_ADDRESS = "0.0.0.0:0";

/** A running lookupd. */
export interface RunningLookupd {
  /** Stops in order; with `force` at once, without a last snapshot. */
  stop(force?: boolean): Promise<void>;
  /** Puts those of `next` in force that may change while it runs. */
  reload(next: LookupdOptions): void;
  /** Resolves with the exit code once stopped. */
  readonly done: Promise<number>;
  /** Where it listens, as `host:port` with the ports that were really bound. */
  readonly tcpAddress: string;
  readonly httpAddress: string;
}

/** @throws {StartupError} when the data path or a listener cannot be used */
export async function runLookupd(initialOptions: LookupdOptions, logger: Logger): Promise<RunningLookupd> {
  const live = new LiveOptions(lookupdOptions, initialOptions, logger), options = live.values;
  live.on("logLevel", (level) => logger.level = level);
  logger.info(buildInfo("nsqlookupd"));
  const db = new RegistrationDb({
    inactiveProducerTimeoutMs: options.inactiveProducerTimeout,
    tombstoneLifetimeMs: options.tombstoneLifetime,
  }, steadyClock());
  const letSparesGo = keepSpareDescriptors();
  let snapshot: Snapshot | undefined;
  let listener: Deno.Listener | undefined;
  try {
    snapshot = await openSnapshot(options.dataPath, db, logger);
    await removeAbandonedSocket(options.tcpAddress);
    listener = listen(options.tcpAddress);
    await removeAbandonedSocket(options.httpAddress);
    const running = start(live, db, snapshot, listener, logger);
    running.done.then(letSparesGo);
    return running;
  } catch (cause) {
    listener?.close();
    await snapshot?.stop();
    letSparesGo();
    throw cause;
  }
}

function start(
  live: LiveOptions<typeof lookupdOptions>,
  db: RegistrationDb,
  snapshot: Snapshot | undefined,
  listener: Deno.Listener,
  logger: Logger,
): RunningLookupd {
  const options = live.values;
  const answers = new Answers(db);
  const eventLoopDelay = new EventLoopDelay();
  let httpRequestCount = 0;
  const metrics = () =>
    encodeMetrics({
      db,
      answers,
      tcpServer,
      eventLoopDelay,
      httpRequestCount: () => httpRequestCount,
      version,
    });
  const app = createApp(lookupdRoutes({ db, answers, metrics }), { logger });
  const counted: Handler = (request) => {
    httpRequestCount++;
    return app(request);
  };
  const address = options.httpAddress === "" ? ANY_HTTP_ADDRESS : options.httpAddress;
  const http = serve(address, counted, logger, timeoutsOf(options));
  const tcpServer = new LookupTcpServer(listener, {
    db,
    logger,
    identity: {
      broadcastAddress: options.broadcastAddress,
      hostname: Deno.hostname(),
      tcpPort: boundPort(listener.addr),
      httpPort: http.port,
      version,
    },
  });
  eventLoopDelay.start();
  const forgetting = setInterval(() => {
    const count = db.forgetAbandoned(MAX_FORGOTTEN);
    if (count > 0) logger.info(`DB: forgot ${count} topics and channels that nobody has registered any more`);
  }, FORGET_INTERVAL_MS);
  const tcpAddress = boundAddress(listener.addr, options.tcpAddress);
  logger.info(`TCP: listening on ${tcpAddress}`);
  logger.info(`HTTP: listening on ${http.address}`);
  const closeAll = async () => {
    eventLoopDelay.stop();
    clearInterval(forgetting);
    await snapshot?.stop();
    logger.info(`TCP: closing ${tcpAddress}`);
    await tcpServer.close();
    logger.info(`HTTP: closing ${http.address}`);
    endProfiles();
    await http.shutdown();
    return true;
  };
  const life = new ServerLife(closeAll, logger);
  life.watch("TCP", tcpServer.ended);
  return {
    done: life.done,
    stop: (force) => life.stop(force),
    reload: (next) => live.reload(next),
    tcpAddress,
    httpAddress: http.address,
  };
}

/**
 * The time since the epoch at the start, moved on by the monotonic clock: a wall clock that is set
 * forward must not make every producer look as if it had been silent.
 */
function steadyClock(): () => number {
  const originMs = systemClock.nowMs() - systemClock.monotonicMs();
  return () => originMs + systemClock.monotonicMs();
}

async function openSnapshot(
  dataPath: string,
  db: RegistrationDb,
  logger: Logger,
): Promise<Snapshot | undefined> {
  if (dataPath === "") return undefined;
  try {
    return await Snapshot.open(dataPath, db, logger);
  } catch (cause) {
    throw new StartupError(`failed to use the data path ${dataPath} - ${(cause as Error).message}`, {
      cause,
    });
  }
}
