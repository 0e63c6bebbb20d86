/**
 * Starts nsqd's HTTP API, over HTTP and HTTPS, where there are addresses for it.
 *
 * Tested in test/nsqd/http/https_test.ts.
 */
import type { Broker } from "../../broker/broker.ts";
import type { Persistence } from "../../durability/persistence.ts";
import type { BufferPool } from "../../buffers/buffer_pool.ts";
import { endProfiles } from "../../http/debug/routes.ts";
import { removeAbandonedSocket } from "../../net/listen.ts";
import { type HttpsListener, serveHttps } from "../../http/https_server.ts";
import { Answer, AnswerHead } from "../../http/answer.ts";
import { type Handler, type HttpServer, serve, timeoutsOf } from "../../http/server.ts";
import type { Logger } from "../../log/logger.ts";
import type { ProcessMonitor } from "../../metrics/process_monitor.ts";
import type { LiveOptions } from "../../options/live_options.ts";
import type { nsqdOptions } from "../../options/tables/nsqd_options.ts";
import type { HttpAuth } from "../auth/http_auth.ts";
import { Jobs } from "../jobs/jobs.ts";
import { createNsqdApp } from "./routes.ts";
import { Readiness } from "./readiness.ts";
import type { LookupPeerStatus } from "../lookup/lookup_loop.ts";
import type { TcpServer } from "../tcp/tcp_server.ts";
import type { TlsSettings } from "../../net/tls_settings.ts";

/** What the API is put together from. */
export interface HttpParts {
  broker: Broker;
  persistence: Persistence;
  server: TcpServer;
  pool: BufferPool;
  monitor: ProcessMonitor;
  lookupPeers(): readonly LookupPeerStatus[];
  /** Who may look at messages; null for everybody. */
  auth: HttpAuth | null;
}

/** A listening HTTP API, or none. */
export interface StartedHttp {
  /** Empty when there is none. */
  address: string;
  /** 0 when there is none, -1 on a Unix socket. */
  port: number;
  /** Of HTTPS; empty when there is none. */
  httpsAddress: string;
  /** Answers that it starts until here, and as the API from here on. */
  begin(parts: HttpParts): void;
  /** HTTPS takes other certificates for the connections from now on. */
  renewTls(tls: TlsSettings): void;
  /** `/ready` answers that the node stops. */
  stopping(): void;
  shutdown(): Promise<void>;
}

/**
 * Opens the listeners.
 *
 * @param tls null when there is no certificate, and then no HTTPS
 * @throws {StartupError} when an address cannot be bound
 */
export async function startHttp(
  live: LiveOptions<typeof nsqdOptions>,
  tls: TlsSettings | null,
  logger: Logger,
): Promise<StartedHttp> {
  const options = live.values, startedAtMs = Date.now();
  const ports = { tcp: 0, http: 0, https: 0 };
  const readiness = new Readiness(), app = readiness.handle;
  let jobs: Jobs | undefined;
  const begin = ({ broker, persistence, server, pool, monitor, lookupPeers, auth }: HttpParts) => {
    ports.tcp = server.port;
    jobs = new Jobs(() => broker.wallMs());
    readiness.serve(createNsqdApp({
      broker,
      persistence,
      server,
      monitor,
      lookupPeers,
      connections: server.connections,
      options,
      live,
      ports: () => ports,
      startedAtMs,
      health: () => (broker.committer.failure ?? persistence.failure)?.message ?? null,
      readiness,
      auth,
      jobs,
      freeMemory() {
        pool.trim();
        server.trimBuffers();
      },
      logger,
    }));
    if (result.address !== "") logger.info(`HTTP: listening on ${result.address}`);
    if (result.httpsAddress !== "") logger.info(`HTTPS: listening on ${result.httpsAddress}`);
  };
  const servers: HttpServer[] = [];
  let https: HttpsListener | undefined;
  const renewTls = (renewed: TlsSettings) => https?.renew(renewed);
  const shutdown = async () => {
    endProfiles();
    jobs?.stopAll();
    await Promise.all(servers.map((started) => started.shutdown()));
  };
  const stopping = () => readiness.stop();
  const result = { address: "", port: 0, httpsAddress: "", begin, renewTls, stopping, shutdown };
  if (options.httpAddress !== "") {
    await removeAbandonedSocket(options.httpAddress);
    const handler = tls?.required === "yes" ? refuseWithoutTls(() => ports.https) : app;
    const http = serve(options.httpAddress, handler, logger, timeoutsOf(options));
    servers.push(http);
    result.address = http.address;
    result.port = ports.http = http.port;
  }
  if (tls !== null && options.httpsAddress !== "") {
    try {
      https = serveHttps(options.httpsAddress, tls, app, logger, timeoutsOf(options));
    } catch (cause) {
      await shutdown();
      throw cause;
    }
    servers.push(https);
    result.httpsAddress = https.address;
    ports.https = https.port;
  }
  return result;
}

/** Answers whatever is asked without TLS, where TLS is required. */
function refuseWithoutTls(httpsPort: () => number): Handler {
  const head = new AnswerHead(403, [["Content-Type", "application/json; charset=utf-8"]]);
  // The text has its spaces, and no version of the API, in other implementations too.
  return () => new Answer(head, `{"message": "TLS_REQUIRED", "https_port": ${httpsPort()}}`);
}
