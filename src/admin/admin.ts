/**
 * Puts a console together from its parts, starts it, and stops it in order.
 *
 * Start: read users, audit log and history, then listen. Stop: take no more requests, ask nodes no more, write the
 * history. Tested in test/admin/admin_test.ts.
 */
import type { Hono } from "hono";
import { type Clock, systemClock } from "../clock/clock.ts";
import { Cluster } from "../cluster/cluster.ts";
import { Mutations } from "../cluster/mutations.ts";
import { Upstream } from "../cluster/upstream.ts";
import { HttpClient } from "../http/client/http_client.ts";
import type { RequestContext, Route } from "../http/router.ts";
import { serve, timeoutsOf } from "../http/server.ts";
import { webHandler } from "../http/web_handler.ts";
import type { Logger } from "../log/logger.ts";
import { StartupError } from "../log/startup_error.ts";
import { removeAbandonedSocket } from "../net/listen.ts";
import { type AdminOptions, adminOptions } from "../options/tables/admin_options.ts";
import { LiveOptions } from "../options/live_options.ts";
import { buildInfo, version } from "../version.ts";
import { Access, type AccessMode } from "./access/access.ts";
import { readUsersFile, Users } from "./access/users_file.ts";
import { Actions } from "./actions/actions.ts";
import { AuditLog } from "./actions/audit_log.ts";
import { Notifier } from "./actions/notifier.ts";
import { requesterOf } from "./actions/requester.ts";
import type { Console, ConsoleEnv, ConsoleSettings } from "./console.ts";
import { createConsole, markAction } from "./console_service.ts";
import { History } from "./history/history.ts";
import { HistoryKeeper } from "./history/history_keeper.ts";
import { nodeRoutes } from "./http/api_nodes.ts";
import { topicRoutes } from "./http/api_topics.ts";
import { createConsoleApp, userOf } from "./http/app.ts";
import { configRoutes } from "./http/config_routes.ts";
import { graphiteRoutes } from "./http/graphite.ts";
import { staticRoutes } from "./http/static_directory.ts";
import type { Api } from "./http/api.ts";
import {
  type AccessKind,
  accessKindOf,
  environmentOf,
  faultsOf,
  listenAddressOf,
  normalizeBasePath,
  tlsSettingsOf,
  usersFileOf,
} from "./options_meaning.ts";
import { mountPages } from "./pages/pages.tsx";
import { MessageDesk } from "./messages/message_desk.ts";
import { Tails } from "./tail/tails.ts";
import { Poller } from "./poller/poller.ts";

/** A running console. */
export interface RunningAdmin {
  /** Stops in order; with `force` at once. */
  stop(force?: boolean): Promise<void>;
  /** Puts those of `next` in force that may change while it runs. */
  reload(next: AdminOptions): void;
  /** Resolves with the exit code once stopped. */
  readonly done: Promise<number>;
  /** Where it listens, as `host:port` with the port that was really bound. */
  readonly httpAddress: string;
}

/** What a test puts in the place of the real thing. */
export interface AdminSurroundings {
  readonly clock?: Clock;
  readonly mountPages?: (app: Hono<ConsoleEnv>, console: Console) => void;
}

/** Statistics of a large node are many megabytes. */
const MAX_REPLY_BYTES = 512 << 20;
/** For each node: a poll, and what somebody does meanwhile. */
const MAX_IDLE_CONNECTIONS = 2;

/** @throws {StartupError} when an option, a file or the listener cannot be used */
export async function runAdmin(
  initialOptions: AdminOptions,
  logger: Logger,
  surroundings: AdminSurroundings = {},
): Promise<RunningAdmin> {
  const [fault] = await faultsOf(initialOptions);
  if (fault !== undefined) throw new StartupError(fault);
  const live = new LiveOptions(adminOptions, initialOptions, logger), options = live.values;
  live.on("logLevel", (level) => logger.level = level);
  logger.info(buildInfo("nsqadmin"));
  const clock = surroundings.clock ?? systemClock;
  const accessKind = accessKindOf(options);
  const listenAddress = listenAddressOf(options, accessKind);
  const access = new Access(accessModeOf(accessKind, options, logger, clock), clock);
  sayWhoMay(accessKind, listenAddress, options, logger);
  const audit = await openAuditLog(options, logger);

  const http = httpClientOf(options);
  const addresses = () => ({
    lookupdHttpAddresses: live.values.lookupdHttpAddress,
    nsqdHttpAddresses: live.values.nsqdHttpAddress,
  });
  const upstream = new Upstream(http, logger, options.authSecret), cluster = new Cluster(upstream, addresses);
  const history = new History(options.historyLimit);
  const keeper = options.dataPath === ""
    ? null
    : new HistoryKeeper(`${options.dataPath}/nsqadmin_history.bin`, history, logger);
  await keeper?.read();
  const silent = upstream.silently();
  const poller = new Poller(
    {
      addresses: () => ({ lookupds: live.values.lookupdHttpAddress, nsqds: live.values.nsqdHttpAddress }),
      idleIntervalMs: options.historyInterval,
    },
    new Cluster(silent, addresses),
    silent,
    clock,
    logger,
  );
  poller.listen((snapshot) => history.record(snapshot));
  const plainHttp = new HttpClient({
    connectTimeoutMs: options.httpClientConnectTimeout,
    requestTimeoutMs: options.httpClientRequestTimeout,
    userAgent: `nsqadmin/v${version}`,
  });
  const notifier = new Notifier(options.notificationHttpEndpoint, plainHttp, logger, hostname());
  const actions = new Actions({
    mutations: new Mutations(cluster, upstream),
    upstream,
    audit,
    notifier,
    nowMs: () => clock.nowMs(),
    snapshot: () => poller.snapshot,
    producer: (id) => poller.producer(id),
  });
  let address = "";
  const basePath = normalizeBasePath(options.basePath);
  const streams = new AbortController();
  const tails = new Tails(() => poller.snapshot, clock, logger, options.authSecret);
  const desk = new MessageDesk(silent, () => poller.snapshot, () => clock.monotonicMs());
  const console = createConsole({
    stopping: streams.signal,
    settings: () => settingsOf(live.values, basePath, accessKind),
    address: () => `http://${address}${basePath === "/" ? "" : basePath}`,
    poller,
    history,
    actions,
    audit,
    tails,
    desk,
    access,
    clock,
    sessionLifetimeMs: options.sessionLifetime,
  });
  const api: Api = {
    cluster,
    nowMs: () => clock.nowMs(),
    authorize: (context, kind) => actions.authorize(userOf(context), kind),
    async run(context: RequestContext, action) {
      const { request, target, remoteAddress } = context;
      const record = await actions.run(action, requesterOf(request, target, remoteAddress, userOf(context)));
      markAction(history, action, record);
      return record;
    },
  };
  const app = createConsoleApp({
    basePath,
    access,
    isLoopbackOnly: accessKind === "loopback",
    console,
    routes: [
      { method: "GET", path: "/ping", style: "plain", handle: () => "OK" },
      ...topicRoutes(api),
      ...nodeRoutes(api),
      ...graphiteRoutes(options, plainHttp),
      ...configRoutes(live, (context) => {
        // Of those whom a header names scripts expect that they may; the range of addresses keeps others out.
        if (accessKind === "login") actions.authorize(userOf(context), "delete");
      }),
      ...(options.devStaticDir === "" ? [] : staticRoutes(options.devStaticDir)),
    ] satisfies Route[],
    mountPages: surroundings.mountPages ?? mountPages,
    imageOrigins: imageOriginsOf(options),
    logger,
  });
  await removeAbandonedSocket(listenAddress);
  const server = serve(listenAddress, webHandler(app), logger, timeoutsOf(live.values));
  address = server.address;
  logger.info(`HTTP: listening on ${server.address}`);
  keeper?.start();
  poller.start();

  let exit: (code: number) => void = () => {};
  const done = new Promise<number>((resolve) => exit = resolve);
  let stopping: Promise<void> | undefined;
  const stopInOrder = async () => {
    logger.info(`HTTP: closing ${server.address}`);
    streams.abort();
    const polled = Promise.all([poller.stop(), tails.stop()]);
    await server.shutdown();
    await polled;
    await notifier.settled;
    await keeper?.stop();
    http.close();
    plainHttp.close();
    exit(0);
  };
  return {
    httpAddress: server.address,
    done,
    reload: (next) => live.reload(next),
    stop(force = false) {
      if (!force) return stopping ??= stopInOrder();
      exit(1);
      return Promise.resolve();
    },
  };
}

function httpClientOf(options: AdminOptions): HttpClient {
  return new HttpClient({
    connectTimeoutMs: options.httpClientConnectTimeout,
    requestTimeoutMs: options.httpClientRequestTimeout,
    maxReplyBytes: MAX_REPLY_BYTES,
    maxIdleConnections: MAX_IDLE_CONNECTIONS,
    tls: tlsSettingsOf(options),
    userAgent: `nsqadmin/v${version}`,
  });
}

/** @throws {StartupError} when the users cannot be read */
function accessModeOf(kind: AccessKind, options: AdminOptions, logger: Logger, clock: Clock): AccessMode {
  if (kind === "header") {
    return { kind, header: options.aclHttpHeader, adminUsers: options.adminUser };
  }
  if (kind !== "login") return { kind: "open" };
  const path = usersFileOf(options);
  try {
    readUsersFile(path);
  } catch (cause) {
    throw new StartupError(`failed to read users - ${(cause as Error).message}`, { cause });
  }
  const users = new Users(path, logger, () => clock.monotonicMs());
  return { kind, users, sessionLifetimeMs: options.sessionLifetime };
}

function sayWhoMay(kind: AccessKind, address: string, options: AdminOptions, logger: Logger): void {
  if (kind === "open") logger.warn(`open: everybody who reaches ${address} may do everything (--open)`);
  if (kind === "header") logger.info(`changes need the header ${options.aclHttpHeader}; everybody may look`);
  if (kind === "login") logger.info(`users of ${usersFileOf(options)} may log in`);
  if (kind !== "loopback") return;
  const isOther = address !== options.httpAddress;
  const text = "nobody has to log in, so only this machine is served";
  if (isOther) logger.warn(`${text}: listening on ${address} and not on ${options.httpAddress}`);
  else logger.info(text);
}

async function openAuditLog({ auditLog, dataPath }: AdminOptions, logger: Logger): Promise<AuditLog> {
  const path = auditLog !== "" || dataPath === "" ? auditLog : `${dataPath}/nsqadmin_audit.jsonl`;
  try {
    return await AuditLog.open(path, logger);
  } catch (cause) {
    throw new StartupError(`failed to open the audit log ${path} - ${(cause as Error).message}`, { cause });
  }
}

function settingsOf(options: AdminOptions, basePath: string, accessKind: AccessKind): ConsoleSettings {
  return {
    basePath,
    version,
    environment: environmentOf(options.adminEnvironment) ?? null,
    graphite: options.graphiteUrl === "" ? null : {
      url: options.proxyGraphite ? "" : options.graphiteUrl,
      statsdPrefix: options.statsdPrefix,
      statsdCounterFormat: options.statsdCounterFormat,
      statsdGaugeFormat: options.statsdGaugeFormat,
      statsdIntervalSeconds: Math.trunc(options.statsdInterval / 1000),
    },
    lookupdHttpAddresses: options.lookupdHttpAddress,
    nsqdHttpAddresses: options.nsqdHttpAddress,
    hasUsers: accessKind === "login",
  };
}

function imageOriginsOf({ graphiteUrl, proxyGraphite }: AdminOptions): string[] {
  if (graphiteUrl === "" || proxyGraphite) return [];
  const origin = URL.parse(graphiteUrl)?.origin;
  return origin === undefined || origin === "null" ? [] : [origin];
}

function hostname(): string {
  try {
    return Deno.hostname();
  } catch {
    return "";
  }
}
