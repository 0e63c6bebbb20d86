/** Starts nsqd's HTTP API, when there is an address for it. */
import type { Broker } from "../broker/broker.ts";
import type { Persistence } from "../broker/persistence.ts";
import { serve } from "../http/server.ts";
import type { Logger } from "../log/logger.ts";
import type { NsqdOptions } from "../options/nsqd_options.ts";
import { createNsqdApp } from "./http.ts";
import type { TcpServer } from "./tcp_server.ts";

/** What the API is put together from. */
export interface HttpParts {
  options: NsqdOptions;
  broker: Broker;
  persistence: Persistence;
  server: TcpServer;
  logger: Logger;
}

/** A listening HTTP API, or none. */
export interface StartedHttp {
  /** Empty when there is none. */
  address: string;
  /** 0 when there is none, -1 on a Unix socket. */
  port: number;
  shutdown(): Promise<void>;
}

/** @throws {StartupError} when the address cannot be bound */
export function startHttp({ options, broker, persistence, server, logger }: HttpParts): StartedHttp {
  if (options.httpAddress === "") return { address: "", port: 0, shutdown: () => Promise.resolve() };
  const ports = { tcp: server.port, http: 0 };
  const app = createNsqdApp({
    broker,
    connections: server.connections,
    options,
    ports: () => ports,
    startedAtMs: Date.now(),
    health: () => (broker.committer.failure ?? persistence.failure)?.message ?? null,
    logger,
  });
  const http = serve(options.httpAddress, app);
  ports.http = http.port;
  logger.info(`HTTP: listening on ${http.address}`);
  return http;
}
