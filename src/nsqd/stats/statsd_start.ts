/**
 * Starts the pushes to statsd, when there is an address for them.
 *
 * Tested in test/nsqd/stats/statsd_test.ts.
 */
import type { Logger } from "../../log/logger.ts";
import type { NsqdOptions } from "../../options/tables/nsqd_options.ts";
import { Statsd } from "./statsd.ts";
import { expandPrefix, StatsdLines, type StatsdSources } from "./statsd_lines.ts";

/** @param httpPort the port that the HTTP API listens on; below 1 when there is none */
export function startStatsd(
  options: NsqdOptions,
  sources: StatsdSources,
  httpPort: number,
  logger: Logger,
): Statsd | null {
  if (options.statsdAddress === "") return null;
  const port = options.broadcastHttpPort || Math.max(0, httpPort);
  const lines = new StatsdLines(sources, {
    prefix: expandPrefix(options.statsdPrefix, options.broadcastAddress[0] ?? "", port),
    memStats: options.statsdMemStats,
    excludeEphemeral: options.statsdExcludeEphemeral,
  });
  const statsd = new Statsd(lines, {
    address: options.statsdAddress,
    intervalMs: options.statsdInterval,
    packetBytes: options.statsdUdpPacketSize,
  }, logger);
  statsd.start();
  return statsd;
}
