/**
 * The JSON of `/stats`, member by member in the order in which it is written. Counts are since the start.
 *
 * Tested in test/nsqd/stats/stats_test.ts.
 */

/** Latencies from publish to FIN in the current window. */
export interface LatencyStats {
  /** Samples in the window. */
  count: number;
  /** Nanoseconds for each quantile, in the order of the option; null when none is configured. */
  percentiles: { quantile: number; value: number }[] | null;
}

export interface TopicStats {
  topic_name: string;
  channels: ChannelStats[];
  /** Messages that no channel has been given yet. */
  depth: number;
  /** Of those, how many are beyond `--mem-queue-size`, which is what Go nsqd has on disk. */
  backend_depth: number;
  message_count: number;
  /** Of bodies. */
  message_bytes: number;
  paused: boolean;
  e2e_processing_latency: LatencyStats;
}

export interface ChannelStats {
  channel_name: string;
  /** Messages that wait for a consumer; neither those in flight nor deferred ones. */
  depth: number;
  /** Of those, how many are beyond `--mem-queue-size`, which is what Go nsqd has on disk. */
  backend_depth: number;
  in_flight_count: number;
  deferred_count: number;
  message_count: number;
  /** The next ones are left out while the channel has no policy and no dead letters. */
  dead_count?: number;
  /** Of those, how many died of which reason: `attempts`, `expired`, `overflow`. */
  dead_reasons?: Readonly<Record<string, number>>;
  /** Messages that the policy took off for their age, and for the bounds. */
  expired_count?: number;
  overflow_count?: number;
  /** True from when it reaches 80% of a bound of its policy. */
  is_near_bound?: boolean;
  /** Deliveries to consumers of this node's zone, of its region, and others, redeliveries among them; left out when 0. */
  zone_local_msg_count?: number;
  region_local_msg_count?: number;
  global_msg_count?: number;
  requeue_count: number;
  timeout_count: number;
  client_count: number;
  /** Null when clients were not asked for. */
  clients: ClientStats[] | null;
  paused: boolean;
  e2e_processing_latency: LatencyStats;
}

/** A connection; the counts of a consumer are 0 for one that never subscribed. */
export interface ClientStats {
  client_id: string;
  hostname: string;
  version: string;
  remote_address: string;
  /** 0 before SUB, 3 after, 4 after CLS. */
  state: number;
  ready_count: number;
  in_flight_count: number;
  message_count: number;
  finish_count: number;
  requeue_count: number;
  /** Unix seconds. */
  connect_ts: number;
  sample_rate: number;
  deflate: boolean;
  snappy: boolean;
  user_agent: string;
  /** True when an auth server allows the client something; left out otherwise. */
  authed?: boolean;
  /** As the auth server names the client; left out when empty, as the next. */
  auth_identity?: string;
  auth_identity_url?: string;
  topology_zone: string;
  topology_region: string;
  /** At most one entry; left out when there is none. */
  pub_counts?: { topic: string; count: number }[];
  tls: boolean;
  /** Empty without TLS, as the next two. */
  tls_cipher_suite: string;
  tls_version: string;
  tls_negotiated_protocol: string;
  tls_negotiated_protocol_is_mutual: boolean;
}

/** Non-negative integers. The names are Go's; 0 where V8 has nothing like it. */
export interface MemoryStats {
  heap_objects: number;
  heap_idle_bytes: number;
  heap_in_use_bytes: number;
  heap_released_bytes: number;
  gc_pause_usec_100: number;
  gc_pause_usec_99: number;
  gc_pause_usec_95: number;
  next_gc_bytes: number;
  gc_total_runs: number;
}

export interface BrokerStats {
  version: string;
  /** `OK`, or `NOK - ` and the error. */
  health: string;
  /** Unix seconds. */
  start_time: number;
  /** Null when the topic that was asked for does not exist. */
  topics: TopicStats[] | null;
  /** Left out when it was not asked for. */
  memory?: MemoryStats;
  /** Connections that published; null instead of none. */
  producers: ClientStats[] | null;
}
