/**
 * The percentiles of the time from publish to FIN, as statistics show them.
 *
 * Tested in test/nsqd/stats/stats_test.ts.
 */
import type { Broker } from "../../broker/broker.ts";
import type { Channel } from "../../broker/channel.ts";
import { LatencySketch } from "../../broker/latency/latency_sketch.ts";
import type { Topic } from "../../broker/topic.ts";
import type { LatencyStats } from "../../api/stats.ts";

const NO_LATENCY: LatencyStats = { count: 0, percentiles: null };

/** Reads latencies at one moment, that of its making. */
export class LatencyReader {
  readonly #quantiles: readonly number[];
  readonly #nowMs: number;

  constructor(broker: Broker) {
    this.#quantiles = broker.latencyPercentiles;
    this.#nowMs = broker.monotonicMs();
  }

  ofChannel(channel: Channel): LatencyStats {
    return this.#statsOf([channel]);
  }

  /** Of all channels of the topic together; as if none were kept when it has no channel. */
  ofTopic(topic: Topic): LatencyStats {
    return topic.channels.size === 0 ? NO_LATENCY : this.#statsOf(topic.channels.values());
  }

  #statsOf(channels: Iterable<Channel>): LatencyStats {
    if (this.#quantiles.length === 0) return NO_LATENCY;
    const sketch = new LatencySketch();
    for (const channel of channels) channel.latency?.addTo(sketch, this.#nowMs);
    return {
      count: sketch.count,
      percentiles: this.#quantiles.map((quantile) => ({ quantile, value: sketch.quantile(quantile) })),
    };
  }
}
