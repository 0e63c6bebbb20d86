/**
 * The options of nsqd. Their meaning stands here and nowhere else.
 *
 * Tested in test/options/option_tables_test.ts.
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { authOptions, topologyOptions } from "./auth_options.ts";
import { policyOptions } from "./policy_options.ts";
import type { Machine, OptionTable, OptionValues } from "../option.ts";
import { serverOptions } from "./server_options.ts";
import { upgradeOptions } from "./upgrade_options.ts";

const MIB = 1 << 20;
const GIB = 1 << 30;
const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const MAX_INT32 = 2 ** 31 - 1;
const MIN_STATSD_INTERVAL_MS = 10;
/** Ids of nodes are stored in 10 bits. */
const NODE_ID_COUNT = 1024;

/** When a publisher gets its OK; what survives at each level is promised in `src/README.md`. */
export const durabilityLevels = ["memory", "os", "disk"] as const;

export const nsqdOptions = [
  ...serverOptions,
  {
    name: "log-prefix",
    group: "General",
    kind: "string",
    default: "[nsqd] ",
    help: "Text at the start of each log line",
  },
  {
    name: "node-id",
    configKey: "id",
    group: "General",
    kind: "int",
    default: defaultNodeId,
    min: 0,
    max: NODE_ID_COUNT - 1,
    rangeError: "--node-id must be [0,1024)",
    help: "Number of this node in message ids, unique in the cluster; by default derived from the hostname",
  },
  {
    name: "worker-id",
    configKey: null,
    group: "General",
    kind: "bool",
    default: false,
    deprecated: true,
    help: "Without effect, use --node-id",
  },

  {
    name: "tcp-address",
    group: "Addresses",
    kind: "string",
    default: "0.0.0.0:4150",
    help: "Where clients connect: host:port, or the path of a Unix socket",
  },
  {
    name: "http-address",
    group: "Addresses",
    kind: "string",
    default: "0.0.0.0:4151",
    help: "Where the HTTP API listens: host:port, the path of a Unix socket, or empty for no HTTP",
  },
  {
    name: "https-address",
    group: "Addresses",
    kind: "string",
    default: "0.0.0.0:4152",
    help:
      "Where the HTTP API listens with TLS, once there are --tls-cert and --tls-key: host:port, or empty for none",
  },
  {
    name: "broadcast-address",
    group: "Addresses",
    kind: "string list",
    default: (machine: Machine) => [machine.hostname()],
    isLastFirst: true,
    help:
      "Host that is announced to lookupd, and that clients must be able to reach; repeat it to announce more, of which old clients see the last",
  },
  {
    name: "broadcast-tcp-port",
    group: "Addresses",
    kind: "int",
    default: 0,
    min: 0,
    max: 65535,
    isClamped: true,
    help: "TCP port that is announced to lookupd; 0 is the one that is listened on",
  },
  {
    name: "broadcast-http-port",
    group: "Addresses",
    kind: "int",
    default: 0,
    min: 0,
    max: 65535,
    isClamped: true,
    help: "HTTP port that is announced to lookupd; 0 is the one that is listened on",
  },

  {
    name: "lookupd-tcp-address",
    configKey: "nsqlookupd_tcp_addresses",
    group: "Discovery",
    kind: "string list",
    default: [],
    reloadable: true,
    help: "host:port of a lookupd to register with",
  },
  {
    name: "http-client-connect-timeout",
    group: "Discovery",
    kind: "duration",
    default: 2 * SECOND_MS,
    min: 1,
    max: DAY_MS,
    isClamped: true,
    help: "Time to connect to the HTTP API of a lookupd, or to an auth server",
  },
  {
    name: "http-client-request-timeout",
    group: "Discovery",
    kind: "duration",
    default: 5 * SECOND_MS,
    min: 1,
    max: DAY_MS,
    isClamped: true,
    help: "Time for a whole request to the HTTP API of a lookupd, or to an auth server",
  },

  {
    name: "data-path",
    group: "Storage",
    kind: "string",
    default: "",
    help: "Existing directory for messages and metadata; empty is the working directory",
  },
  {
    name: "durability",
    group: "Storage",
    kind: "enum",
    values: durabilityLevels,
    default: "os",
    help: "What OK to a publisher means: held in memory (survives a clean stop), written to the operating " +
      "system (survives a kill), or synced to disk (survives a power loss)",
  },
  {
    name: "mem-limit",
    group: "Storage",
    kind: "bytes",
    default: defaultMemLimitBytes,
    min: MIB,
    help: "Messages kept in memory before backlog is read back from disk; by default 1/16 of the memory " +
      "of the machine, from 64MiB to 192MiB",
  },
  {
    name: "mem-queue-size",
    group: "Storage",
    kind: "int",
    unit: "messages",
    default: 10_000,
    min: 0,
    isClamped: true,
    help: "What an ephemeral topic or channel holds before new messages are dropped; other topics keep " +
      "their backlog in the log, and what is over this is their backend_depth",
  },
  {
    name: "max-bytes-per-file",
    group: "Storage",
    kind: "bytes",
    default: 100 * MIB,
    min: MIB,
    max: MAX_INT32,
    isClamped: true,
    help: "Size at which a new log file is started",
  },
  {
    name: "sync-every",
    group: "Storage",
    kind: "int",
    unit: "log writes",
    default: 2500,
    min: 1,
    isClamped: true,
    help: "Log writes after which a sync is started in the background, at durability os",
  },
  {
    name: "sync-timeout",
    group: "Storage",
    kind: "duration",
    default: 2 * SECOND_MS,
    min: 1,
    max: HOUR_MS,
    isClamped: true,
    help: "Positions of channels and unsynced messages go to disk at least this often",
  },

  {
    name: "msg-timeout",
    group: "Messages",
    kind: "duration",
    default: MINUTE_MS,
    min: 1,
    reloadable: true,
    isClamped: true,
    help: "Time a consumer may hold a message before it is requeued, unless the consumer asks for another",
  },
  {
    name: "max-msg-timeout",
    group: "Messages",
    kind: "duration",
    default: 15 * MINUTE_MS,
    min: 1,
    reloadable: true,
    isClamped: true,
    help: "Longest time a consumer may ask for, and longest time to hold a message in all by touching it",
  },
  {
    name: "max-req-timeout",
    group: "Messages",
    kind: "duration",
    default: HOUR_MS,
    min: 0,
    reloadable: true,
    isClamped: true,
    help: "Longest delay of a requeued or deferred message",
  },
  {
    name: "max-msg-size",
    group: "Messages",
    kind: "bytes",
    default: MIB,
    min: 1,
    max: GIB,
    reloadable: true,
    isClamped: true,
    help: "Largest body of one message",
  },
  {
    name: "max-body-size",
    group: "Messages",
    kind: "bytes",
    default: 5 * MIB,
    min: 1,
    max: GIB,
    reloadable: true,
    isClamped: true,
    help: "Largest body of one command, such as all messages of an MPUB together",
  },
  {
    name: "queue-scan-interval",
    group: "Messages",
    kind: "duration",
    default: 25,
    min: 1,
    max: MINUTE_MS,
    isClamped: true,
    help: "How often timed out and deferred messages are looked for",
  },
  {
    name: "queue-scan-worker-pool-max",
    group: "Messages",
    kind: "int",
    default: 4,
    deprecated: true,
    help: "Without effect, since one scan looks only at channels with something due",
  },
  {
    name: "queue-scan-selection-count",
    group: "Messages",
    kind: "int",
    default: 20,
    deprecated: true,
    help: "Without effect, since every channel with something due is looked at",
  },

  {
    name: "max-heartbeat-interval",
    group: "Clients",
    kind: "duration",
    default: MINUTE_MS,
    min: SECOND_MS,
    reloadable: true,
    isClamped: true,
    help: "Longest heartbeat interval a client may ask for",
  },
  {
    name: "max-rdy-count",
    group: "Clients",
    kind: "int",
    unit: "messages",
    default: 2500,
    min: 1,
    max: MAX_INT32,
    reloadable: true,
    isClamped: true,
    help: "Largest RDY count of a client",
  },
  {
    name: "max-channel-consumers",
    group: "Clients",
    kind: "int",
    unit: "clients",
    default: 0,
    min: 0,
    reloadable: true,
    isClamped: true,
    help: "Consumers that one channel admits; 0 is unlimited",
  },
  {
    name: "max-output-buffer-size",
    group: "Clients",
    kind: "bytes",
    default: 64 << 10,
    min: 64,
    max: GIB,
    reloadable: true,
    isClamped: true,
    help: "Largest output buffer a client may ask for",
  },
  {
    name: "output-buffer-timeout",
    group: "Clients",
    kind: "duration",
    default: 250,
    min: 0,
    reloadable: true,
    isClamped: true,
    help: "Flush interval of the output buffer for clients that ask for none",
  },
  {
    name: "min-output-buffer-timeout",
    group: "Clients",
    kind: "duration",
    default: 25,
    min: 0,
    reloadable: true,
    isClamped: true,
    help: "Shortest flush interval a client may ask for",
  },
  {
    name: "max-output-buffer-timeout",
    group: "Clients",
    kind: "duration",
    default: 30 * SECOND_MS,
    min: 0,
    reloadable: true,
    isClamped: true,
    help: "Longest flush interval a client may ask for",
  },
  {
    name: "max-deflate-level",
    group: "Clients",
    kind: "int",
    default: 6,
    min: 1,
    max: 9,
    rangeError: "--max-deflate-level must be [1,9]",
    reloadable: true,
    help: "Highest deflate level a client may ask for",
  },
  ...upgradeOptions,
  ...policyOptions,
  ...authOptions,
  ...topologyOptions,

  {
    name: "statsd-address",
    group: "Statistics",
    kind: "string",
    default: "",
    help: "host:port of a statsd daemon that statistics are sent to by UDP; empty for none",
  },
  {
    name: "statsd-interval",
    group: "Statistics",
    kind: "duration",
    default: MINUTE_MS,
    min: MIN_STATSD_INTERVAL_MS,
    max: DAY_MS,
    isClamped: true,
    help: "Time between pushes to statsd; each is done a second before the next, if the interval allows",
  },
  {
    name: "statsd-mem-stats",
    group: "Statistics",
    kind: "bool",
    default: true,
    help: "Push memory and garbage collection figures too",
  },
  {
    name: "statsd-prefix",
    group: "Statistics",
    kind: "string",
    default: "nsq.%s",
    help: "In front of every name sent to statsd; %s stands for the broadcast address and HTTP port",
  },
  {
    name: "statsd-udp-packet-size",
    group: "Statistics",
    kind: "bytes",
    default: 508,
    min: 1,
    isClamped: true,
    help: "Largest packet sent to statsd; a longer line goes alone",
  },
  {
    name: "statsd-exclude-ephemeral",
    group: "Statistics",
    kind: "bool",
    default: false,
    help: "Leave ephemeral topics and channels out of what is pushed to statsd",
  },
  {
    name: "e2e-processing-latency-percentile",
    configKey: "e2e_processing_latency_percentiles",
    group: "Statistics",
    kind: "float list",
    default: [],
    above: 0,
    max: 1,
    rangeError: "invalid E2E processing latency percentile: %v",
    help: "Percentiles of the time from publish to FIN to keep track of, such as 0.99",
  },
  {
    name: "e2e-processing-latency-window-time",
    group: "Statistics",
    kind: "duration",
    default: 10 * MINUTE_MS,
    min: SECOND_MS,
    max: DAY_MS,
    isClamped: true,
    help: "Sliding window over which these percentiles are taken",
  },
] as const satisfies OptionTable;

/** The resolved options of nsqd: durations in milliseconds, sizes in bytes. */
export type NsqdOptions = OptionValues<typeof nsqdOptions>;

/** The same number as other implementations derive, so that a node keeps its id when it changes over. */
function defaultNodeId(machine: Machine): number {
  const digest = createHash("md5").update(Buffer.from(machine.hostname(), "utf8")).digest();
  return crc32(digest) % NODE_ID_COUNT;
}

function defaultMemLimitBytes(machine: Machine): number {
  return Math.min(Math.max(Math.floor(machine.memoryBytes() / 16), 64 * MIB), 192 * MIB);
}
