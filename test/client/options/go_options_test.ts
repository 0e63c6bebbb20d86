import assert from "node:assert/strict";
import { OptionError } from "../../../src/client/errors.ts";
import { applyGoOption, GO_OPTION_NAMES, type GoOptions } from "../../../src/client/options/go_options.ts";

/** Of each option of the official Go client: how it is written, and what it sets. */
const OPTIONS: readonly [string, GoOptions][] = [
  ["dial_timeout,2s", { dialTimeoutMs: 2000 }],
  ["read_timeout,30s", { readTimeoutMs: 30_000 }],
  ["write_timeout,250ms", { writeTimeoutMs: 250 }],
  ["local_addr,127.0.0.1:0", { localAddress: "127.0.0.1:0" }],
  ["lookupd_poll_interval,5s", { lookupdPollIntervalMs: 5000 }],
  ["lookupd_poll_jitter,0.5", { lookupdPollJitter: 0.5 }],
  ["lookupd_poll_timeout,3s", { lookupdPollTimeoutMs: 3000 }],
  ["max_requeue_delay,1m", { maxRequeueDelayMs: 60_000 }],
  ["default_requeue_delay,10s", { defaultRequeueDelayMs: 10_000 }],
  ["backoff_strategy,full_jitter", { backoffStrategy: "full_jitter" }],
  ["max_backoff_duration,0s", { maxBackoffMs: 0 }],
  ["backoff_multiplier,2s", { backoffMultiplierMs: 2000 }],
  ["max_attempts,7", { maxAttempts: 7 }],
  ["low_rdy_idle_timeout,2s", { lowRdyIdleTimeoutMs: 2000 }],
  ["low_rdy_timeout,3s", { lowRdyTimeoutMs: 3000 }],
  ["rdy_redistribute_interval,500ms", { rdyRedistributeIntervalMs: 500 }],
  ["client_id,me", { clientId: "me" }],
  ["hostname,here", { hostname: "here" }],
  ["user_agent,agent,1", { userAgent: "agent,1" }],
  ["heartbeat_interval,10s", { heartbeatIntervalMs: 10_000 }],
  ["sample_rate,50", { sampleRate: 50 }],
  ["tls_v1", { tls: {} }],
  ["tls_root_ca_file,ca.pem", { tls: false }],
  ["tls_cert,cert.pem", { tls: false }],
  ["tls_key,key.pem", { tls: false }],
  ["tls_insecure_skip_verify", { tls: false }],
  ["tls_min_version,tls1.2", { tls: false }],
  ["deflate", { deflate: true }],
  ["deflate_level,9", { deflateLevel: 9 }],
  ["snappy,true", { snappy: true }],
  ["output_buffer_size,4096", { outputBufferSize: 4096 }],
  ["output_buffer_timeout,50ms", { outputBufferTimeoutMs: 50 }],
  ["max_in_flight,20", { maxInFlight: 20 }],
  ["msg_timeout,90s", { msgTimeoutMs: 90_000 }],
  ["auth_secret,s3cret", { authSecret: "s3cret" }],
  ["skip_lookupd_authorization,false", { lookupdAuthorization: false }],
];

Deno.test("applyGoOption() sets every option of the official Go client", () => {
  assert.deepEqual(OPTIONS.map(([text]) => text.split(",")[0]), [...GO_OPTION_NAMES]);
  for (const [text, expected] of OPTIONS) {
    const options: GoOptions = {};
    applyGoOption(options, text);
    assert.deepEqual(options, expected, text);
  }
});

Deno.test("applyGoOption() takes names with - for _", () => {
  const options: GoOptions = {};
  applyGoOption(options, "max-in-flight,3");
  assert.deepEqual(options, { maxInFlight: 3 });
});

Deno.test("applyGoOption() gathers the options of TLS, which tls_v1 turns on in any order", () => {
  const options: GoOptions = {};
  for (
    const text of [
      "tls_root_ca_file,ca.pem",
      "tls_cert,c.pem",
      "tls_v1",
      "tls_key,k.pem",
      "tls_insecure_skip_verify,true",
      "tls_min_version,tls1.1",
    ]
  ) {
    applyGoOption(options, text);
  }
  assert.deepEqual(options.tls, {
    caFile: "ca.pem",
    certFile: "c.pem",
    keyFile: "k.pem",
    rejectUnauthorized: false,
    minVersion: "TLSv1.1",
  });
});

Deno.test("applyGoOption() refuses in the words of the official Go client", () => {
  const cases: [string, RegExp][] = [
    ["nope,1", /^invalid option nope$/],
    ["toString", /^invalid option toString$/],
    ["lookupd_poll_jitter,3", /^invalid lookupd_poll_jitter ! 3 > 1$/],
    ["lookupd_poll_jitter,-1", /^invalid lookupd_poll_jitter ! -1 < 0$/],
    ["read_timeout,1h", /^invalid read_timeout ! 1h0m0s > 5m0s$/],
    ["max_attempts,abc", /^failed to coerce option max_attempts \(abc\) - /],
    ["msg_timeout,60", /^failed to coerce option msg_timeout \(60\) - 60 has no unit/],
    ["max_in_flight", /^failed to coerce option max_in_flight \(true\) - /],
    ["deflate,perhaps", /^failed to coerce option deflate \(perhaps\) - /],
    [
      "backoff_strategy,linear",
      /^failed to coerce option backoff_strategy \(linear\) - must be one of exponential, full_jitter$/,
    ],
  ];
  for (const [text, expected] of cases) {
    assert.throws(
      () => applyGoOption({}, text),
      (error: Error) => error instanceof OptionError && expected.test(error.message),
      text,
    );
  }
});
