/**
 * `GET /metrics` of lookupd in the Prometheus text format, version 0.0.4.
 *
 * Counts are taken when they are asked for; the delay of the event loop is measured all the time,
 * because one loop serves all clients and its delay is what each of them feels first.
 */
import type { Answers } from "./answers.ts";
import type { RegistrationDb } from "./registration_db.ts";
import type { LookupTcpServer } from "./tcp_server.ts";

const SAMPLE_INTERVAL_MS = 100;
/** Upper bounds of the histogram, seconds. */
const DELAY_BOUNDS_S = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

/** How late timers fire, as a histogram since `start()`. */
export class EventLoopDelay {
  /** Of each bound the samples up to it; the last element counts those above all bounds too. */
  readonly counts: number[] = new Array(DELAY_BOUNDS_S.length + 1).fill(0);
  sumSeconds = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  start(): void {
    const dueMs = performance.now() + SAMPLE_INTERVAL_MS;
    this.#timer = setTimeout(() => {
      this.add(Math.max(0, performance.now() - dueMs) / 1000);
      this.start();
    }, SAMPLE_INTERVAL_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  add(seconds: number): void {
    this.sumSeconds += seconds;
    for (let i = 0; i < DELAY_BOUNDS_S.length; i++) if (seconds <= DELAY_BOUNDS_S[i]) this.counts[i]++;
    this.counts[DELAY_BOUNDS_S.length]++;
  }
}

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
  const { db, answers, tcpServer } = sources;
  const counts = countKeys(db);
  const lines = [
    ...metric("build_info", "gauge", "Version of this nsqlookupd", 1, `{version="${sources.version}"}`),
    ...metric("topics", "gauge", "Topics that /topics lists", counts.topics),
    ...metric("channels", "gauge", "Channels of all topics", counts.channels),
    ...metric("registrations", "gauge", "Producers of all topics added up", counts.registrations),
    ...metric("producers", "gauge", "Producers, inactive ones included", db.producers.size),
    ...metric("restored_producers", "gauge", "Producers known from the snapshot alone", db.restoredCount),
    ...metric("lookup_cache_bytes", "gauge", "Answers kept for /lookup", answers.lookupCacheLength),
    ...metric("tcp_connections", "gauge", "Open TCP connections", tcpServer.connectionCount),
    ...metric("tcp_connections_total", "counter", "TCP connections accepted", tcpServer.acceptedCount),
    ...metric("tcp_commands_total", "counter", "Commands received over TCP", tcpServer.commandCount),
    ...metric("http_requests_total", "counter", "HTTP requests received", sources.httpRequestCount()),
    ...metric("resident_memory_bytes", "gauge", "Resident memory of the process", Deno.memoryUsage().rss),
    ...histogram("event_loop_delay_seconds", "How late the event loop is", sources.eventLoopDelay),
  ];
  return lines.join("\n") + "\n";
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

function metric(name: string, type: "gauge" | "counter", help: string, value: number, labels = ""): string[] {
  return [...head(name, type, help), `nsqlookupd_${name}${labels} ${value}`];
}

function histogram(name: string, help: string, { counts, sumSeconds }: EventLoopDelay): string[] {
  const full = `nsqlookupd_${name}`;
  const total = counts[DELAY_BOUNDS_S.length];
  return [
    ...head(name, "histogram", help),
    ...DELAY_BOUNDS_S.map((bound, i) => `${full}_bucket{le="${bound}"} ${counts[i]}`),
    `${full}_bucket{le="+Inf"} ${total}`,
    `${full}_sum ${sumSeconds}`,
    `${full}_count ${total}`,
  ];
}

function head(name: string, type: string, help: string): string[] {
  return [`# HELP nsqlookupd_${name} ${help}`, `# TYPE nsqlookupd_${name} ${type}`];
}
