/** The HTTP API of nsqd: health, information and statistics here, the rest in the files it puts together. */
import type { Broker } from "../../broker/broker.ts";
import { HttpError } from "../../http/errors.ts";
import { debugRoutes } from "../../http/debug/routes.ts";
import type { Query } from "../../http/query.ts";
import { createApp, type Route } from "../../http/router.ts";
import type { Handler } from "../../http/server.ts";
import type { Logger } from "../../log/logger.ts";
import type { LiveOptions } from "../../options/live_options.ts";
import type { NsqdOptions, nsqdOptions } from "../../options/tables/nsqd_options.ts";
import { version } from "../../version.ts";
import type { HttpAuth } from "../auth/http_auth.ts";
import { configRoutes } from "./config.ts";
import { booleanParameter } from "./parameters.ts";
import { publishRoutes } from "./publish.ts";
import { metricsResponse, type MetricsSources } from "../stats/metrics.ts";
import type { Readiness } from "./readiness.ts";
import { deadLetterRoutes } from "./dead_letters.ts";
import { lookingRoutes } from "./looking.ts";
import { policyRoutes } from "./policies.ts";
import { topicRoutes } from "./topics.ts";
import { Jobs } from "../jobs/jobs.ts";
import { collectMemory, collectStats, type StatsClient } from "../stats/stats.ts";
import { formatStats } from "../stats/stats_text.ts";
import type { BrokerStats } from "../../api/stats.ts";

/** The options that the API goes by or shows. */
export type NsqdHttpOptions = Pick<
  NsqdOptions,
  | "broadcastAddress"
  | "maxBodySize"
  | "maxDeflateLevel"
  | "maxHeartbeatInterval"
  | "maxMsgSize"
  | "maxOutputBufferSize"
  | "maxOutputBufferTimeout"
  | "maxReqTimeout"
  | "topologyRegion"
  | "topologyZone"
>;

/** What the API stands beside. */
export interface NsqdHttpDependencies extends MetricsSources {
  readonly broker: Broker;
  /** The TCP connections of the moment. */
  readonly connections: Iterable<StatsClient>;
  readonly options: NsqdHttpOptions;
  /** What `/config` shows and changes; without it there is no `/config`. */
  readonly live?: LiveOptions<typeof nsqdOptions>;
  /** The ports that were really bound: -1 on a Unix socket, 0 without a listener. */
  ports(): { tcp: number; http: number };
  /** When the process started, Unix ms. */
  readonly startedAtMs: number;
  readonly readiness: Readiness;
  /** Who may look at messages; null or absent for everybody. */
  readonly auth?: HttpAuth | null;
  /** By default jobs of its own. */
  readonly jobs?: Jobs;
  /** Lets go of buffers that are kept for reuse. */
  freeMemory?(): void;
  readonly logger: Logger;
}

const NS_PER_MS = 1_000_000;

/** Makes the handler for `serve()`. */
export function createNsqdApp(dependencies: NsqdHttpDependencies): Handler {
  const { broker, options, logger } = dependencies;
  const routes: Route[] = [
    ...publishRoutes(broker, options, logger),
    ...topicRoutes(broker),
    ...policyRoutes(broker),
    ...lookingRoutes(broker, dependencies.auth ?? null),
    ...deadLetterRoutes(broker, dependencies.jobs ?? new Jobs(() => broker.wallMs())),
    ...(dependencies.live === undefined ? [] : configRoutes(dependencies.live, dependencies.ports)),
    ...debugRoutes({ indexPath: "/debug/pprof/", freeMemory: () => dependencies.freeMemory?.() }),
    { method: "GET", path: "/ping", style: "plain", handle: () => ping(dependencies) },
    { method: "GET", path: "/ready", style: "plain", handle: () => ready(dependencies) },
    { method: "GET", path: "/live", style: "plain", handle: () => "OK" },
    { method: "GET", path: "/info", handle: () => info(dependencies) },
    { method: "GET", path: "/metrics", handle: ({ query }) => metrics(dependencies, query) },
    { method: "GET", path: "/stats", handle: ({ query }) => stats(dependencies, query) },
  ];
  return createApp(routes, { logger });
}

function healthText(dependencies: NsqdHttpDependencies): string {
  const failure = dependencies.health();
  return failure === null ? "OK" : `NOK - ${failure}`;
}

function ping(dependencies: NsqdHttpDependencies): string {
  const text = healthText(dependencies);
  if (text !== "OK") throw new HttpError(500, text);
  return text;
}

function ready({ readiness, health }: NsqdHttpDependencies): string {
  return readiness.check(health());
}

function info(dependencies: NsqdHttpDependencies) {
  const { options, startedAtMs } = dependencies, ports = dependencies.ports();
  return {
    version,
    broadcast_address: options.broadcastAddress[0] ?? "",
    hostname: hostname(),
    http_port: ports.http,
    tcp_port: ports.tcp,
    start_time: Math.floor(startedAtMs / 1000),
    max_heartbeat_interval: nanoseconds(options.maxHeartbeatInterval),
    max_output_buffer_size: options.maxOutputBufferSize,
    max_output_buffer_timeout: nanoseconds(options.maxOutputBufferTimeout),
    max_deflate_level: options.maxDeflateLevel,
    topology_zone: options.topologyZone,
    topology_region: options.topologyRegion,
  };
}

function hostname(): string {
  try {
    return Deno.hostname();
  } catch (cause) {
    throw new HttpError(500, (cause as Error).message, { cause });
  }
}

function nanoseconds(ms: number): number {
  return Math.round(ms * NS_PER_MS);
}

function metrics(dependencies: NsqdHttpDependencies, query: Query): Promise<Response> {
  return metricsResponse(dependencies, {
    includeTopics: booleanParameter(query, "include_topics", true, dependencies.logger),
    includeClients: booleanParameter(query, "include_clients", false, dependencies.logger),
  });
}

function stats(dependencies: NsqdHttpDependencies, query: Query): BrokerStats | string {
  const { broker, connections, logger, startedAtMs } = dependencies;
  const filter = {
    topic: query.get("topic") ?? "",
    channel: query.get("channel") ?? "",
    includeClients: booleanParameter(query, "include_clients", true, logger),
  };
  const includeMemory = booleanParameter(query, "include_mem", true, logger);
  const { topics, producers } = collectStats(broker, connections, filter);
  const answer: BrokerStats = {
    version,
    health: healthText(dependencies),
    start_time: Math.floor(startedAtMs / 1000),
    topics,
    ...(includeMemory ? { memory: collectMemory(dependencies.monitor.garbageCollection) } : {}),
    producers,
  };
  return query.get("format") === "json" ? answer : formatStats(answer, startedAtMs, broker.wallMs());
}
