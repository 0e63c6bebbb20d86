/**
 * Holds our tables against the flags of the original, restated here: name, kind, default, and the key of the
 * config file where it is not the name. What we have besides is listed too, so that nothing comes in unnoticed.
 */
import assert from "node:assert/strict";
import { lookupdOptions } from "../../src/options/tables/lookupd_options.ts";
import { nsqdOptions } from "../../src/options/tables/nsqd_options.ts";
import { configKeyOf, defaultOf, type Option, type OptionTable } from "../../src/options/option.ts";

type Kind = Option["kind"];
type Row = [name: string, kind: Kind, fallback: unknown, key?: string | null];

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

const ORIGINAL_NSQD: Row[] = [
  ["version", "bool", false, null],
  ["config", "string", "", null],
  ["log-level", "enum", "info"],
  ["log-prefix", "string", "[nsqd] "],
  ["verbose", "bool", false, null],
  ["node-id", "int", 617, "id"],
  ["worker-id", "bool", false, null],
  ["tcp-address", "string", "0.0.0.0:4150"],
  ["http-address", "string", "0.0.0.0:4151"],
  ["https-address", "string", "0.0.0.0:4152"],
  // A list here, of which the first stands for the original's only one.
  ["broadcast-address", "string list", ["vm"]],
  ["broadcast-tcp-port", "int", 0],
  ["broadcast-http-port", "int", 0],
  ["lookupd-tcp-address", "string list", [], "nsqlookupd_tcp_addresses"],
  ["auth-http-address", "string list", [], "auth_http_addresses"],
  ["auth-http-request-method", "string", "get"],
  ["http-client-connect-timeout", "duration", 2 * SECOND],
  ["http-client-request-timeout", "duration", 5 * SECOND],
  ["topology-region", "string", ""],
  ["topology-zone", "string", ""],
  ["data-path", "string", ""],
  ["mem-queue-size", "int", 10_000],
  ["max-bytes-per-file", "bytes", 104_857_600],
  ["sync-every", "int", 2_500],
  ["sync-timeout", "duration", 2 * SECOND],
  ["queue-scan-worker-pool-max", "int", 4],
  ["queue-scan-selection-count", "int", 20],
  ["msg-timeout", "duration", MINUTE],
  ["max-msg-timeout", "duration", 15 * MINUTE],
  ["max-msg-size", "bytes", 1_048_576],
  ["max-body-size", "bytes", 5_242_880],
  ["max-req-timeout", "duration", 60 * MINUTE],
  ["max-heartbeat-interval", "duration", MINUTE],
  ["max-rdy-count", "int", 2_500],
  ["max-output-buffer-size", "bytes", 65_536],
  ["max-output-buffer-timeout", "duration", 30 * SECOND],
  ["min-output-buffer-timeout", "duration", 25],
  ["output-buffer-timeout", "duration", 250],
  ["max-channel-consumers", "int", 0],
  ["statsd-address", "string", ""],
  ["statsd-interval", "duration", MINUTE],
  ["statsd-mem-stats", "bool", true],
  ["statsd-prefix", "string", "nsq.%s"],
  ["statsd-udp-packet-size", "bytes", 508],
  ["statsd-exclude-ephemeral", "bool", false],
  ["e2e-processing-latency-percentile", "float list", [], "e2e_processing_latency_percentiles"],
  ["e2e-processing-latency-window-time", "duration", 10 * MINUTE],
  ["tls-cert", "string", ""],
  ["tls-key", "string", ""],
  ["tls-client-auth-policy", "string", ""],
  ["tls-root-ca-file", "string", ""],
  ["tls-required", "bool or word", false],
  ["tls-min-version", "enum", "tls1.0"],
  ["deflate", "bool", true],
  ["max-deflate-level", "int", 6],
  ["snappy", "bool", true],
  ["enable-experiment", "string list", []],
];

/** Of every server. */
const OURS: Row[] = [
  ["check-config", "bool", false, null],
  ["http-server-idle-timeout", "duration", 3 * MINUTE],
  ["http-server-request-timeout", "duration", 10 * MINUTE],
];

const OURS_NSQD: Row[] = [
  ...OURS,
  ["log-format", "enum", "text"],
  ["definitions", "string", ""],
  ["policy", "string list", []],
  ["durability", "enum", "os"],
  ["mem-limit", "bytes", 201_326_592],
  ["queue-scan-interval", "duration", 25],
];

const ORIGINAL_LOOKUPD: Row[] = [
  ["version", "bool", false, null],
  ["config", "string", "", null],
  ["log-level", "enum", "info"],
  ["log-prefix", "string", "[nsqlookupd] "],
  ["verbose", "bool", false, null],
  ["tcp-address", "string", "0.0.0.0:4160"],
  ["http-address", "string", "0.0.0.0:4161"],
  ["broadcast-address", "string", "vm"],
  ["inactive-producer-timeout", "duration", 5 * MINUTE],
  ["tombstone-lifetime", "duration", 45 * SECOND],
];

const OURS_LOOKUPD: Row[] = [
  ...OURS,
  ["log-format", "enum", "text"],
  ["data-path", "string", ""],
];

const machine = { hostname: () => "vm", memoryBytes: () => 2 ** 33 };

function describe(table: OptionTable): unknown[] {
  return table
    .map((option) => [option.name, option.kind, defaultOf(option, machine), configKeyOf(option)])
    .sort();
}

function complete(rows: Row[]): unknown[] {
  return rows.map(([name, kind, fallback, key = name.replaceAll("-", "_")]) => [name, kind, fallback, key])
    .sort();
}

Deno.test("nsqdOptions has every flag of the original with its kind, default and config key", () => {
  assert.deepEqual(describe(nsqdOptions), complete([...ORIGINAL_NSQD, ...OURS_NSQD]));
});

Deno.test("lookupdOptions has every flag of the original with its kind, default and config key", () => {
  assert.deepEqual(describe(lookupdOptions), complete([...ORIGINAL_LOOKUPD, ...OURS_LOOKUPD]));
});

Deno.test("the options without effect are those whose help says so", () => {
  const flags = (isDeprecated: boolean) =>
    nsqdOptions
      .filter((option: Option) => isDeprecated ? option.deprecated : /^Without effect/.test(option.help))
      .map(({ name }) => name);
  assert.deepEqual(flags(true), flags(false));
  assert.deepEqual(flags(true).sort(), [
    "queue-scan-selection-count",
    "queue-scan-worker-pool-max",
    "verbose",
    "worker-id",
  ]);
});
