/**
 * `GET /metrics` of lookupd in the Prometheus text format, version 0.0.4.
 *
 * Counts are taken when they are asked for; the delay of the event loop is measured all the time,
 * because one loop serves all clients and its delay is what each of them feels first.
 *
 * Tested in test/lookupd/http_test.ts.
 */
import type { EventLoopDelay } from "../metrics/event_loop_delay.ts";
import { labelsText, MetricsWriter } from "../metrics/text_format.ts";
import type { Answers } from "./answers.ts";
import type { RegistrationDb } from "./registration_db.ts";
import type { LookupTcpServer } from "./tcp_server.ts";

/** What the metrics are read from. */
export interface MetricSources {
  db: RegistrationDb;
  answers: Answers;
  tcpServer: LookupTcpServer;
  eventLoopDelay: EventLoopDelay;
  /** HTTP requests since the start. */
  httpRequestCount: () => number;
  version: string;
}

/** Returns the text of `/metrics`. */
export function encodeMetrics(sources: MetricSources): string {
  const { db, answers, tcpServer, version, httpRequestCount, eventLoopDelay } = sources;
  const counts = countKeys(db), to = new MetricsWriter("nsqlookupd_");
  to.gauge("build_info", "Version of this nsqlookupd", 1, labelsText({ version }));
  to.gauge("topics", "Topics that /topics lists", counts.topics);
  to.gauge("channels", "Channels of all topics", counts.channels);
  to.gauge("abandoned_names", "Topics and channels that nobody has registered any more", db.abandonedCount);
  to.gauge("registrations", "Producers of all topics added up", counts.registrations);
  to.gauge("producers", "Producers, inactive ones included", db.producers.size);
  to.gauge("restored_producers", "Producers known from the snapshot alone", db.restoredCount);
  to.gauge("lookup_cache_bytes", "Answers kept for /lookup", answers.lookupCacheLength);
  to.gauge("tcp_connections", "Open TCP connections", tcpServer.connectionCount);
  to.counter("tcp_connections_total", "TCP connections accepted", tcpServer.acceptedCount);
  to.counter("tcp_commands_total", "Commands received over TCP", tcpServer.commandCount);
  to.counter("http_requests_total", "HTTP requests received", httpRequestCount());
  to.gauge("resident_memory_bytes", "Resident memory of the process", Deno.memoryUsage().rss);
  to.histogram("event_loop_delay_seconds", "How late the event loop is", eventLoopDelay.histogram);
  return to.take();
}

function countKeys(db: RegistrationDb): { topics: number; channels: number; registrations: number } {
  let [topics, channels, registrations] = [0, 0, 0];
  for (const topic of db.topics()) {
    if (topic.isRegistered) topics++;
    channels += topic.channels.size;
    registrations += topic.producers.size;
  }
  return { topics, channels, registrations };
}
