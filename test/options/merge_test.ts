import assert from "node:assert/strict";
import { join } from "node:path";
import { lookupdOptions } from "../../src/options/tables/lookupd_options.ts";
import { examineOptions, type Exit, type Resolved, resolveOptions } from "../../src/options/merge.ts";
import { type NsqdOptions, nsqdOptions } from "../../src/options/tables/nsqd_options.ts";
import type { Machine, OptionTable } from "../../src/options/option.ts";

const machine: Machine = { hostname: () => "vm", memoryBytes: () => 2 ** 30 };
const program = { name: "nsqd", summary: "a broker", versionText: "nsqd v1.3.0 (built w/test)" };

function resolve<const T extends OptionTable>(table: T, ...args: string[]): Resolved<T> | Exit {
  return resolveOptions(table, args, program, machine);
}

function valuesOf(...args: string[]): NsqdOptions {
  const resolved = resolve(nsqdOptions, ...args);
  assert.equal(resolved.kind, "values");
  return (resolved as Resolved<typeof nsqdOptions>).values;
}

function exitOf(...args: string[]): Exit {
  const resolved = resolve(nsqdOptions, ...args);
  assert.equal(resolved.kind, "exit");
  return resolved as Exit;
}

/** Calls `use` with the path of a config file that holds `text`. */
function withConfig(text: string, use: (path: string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    const path = join(folder, "nsqd.toml");
    Deno.writeTextFileSync(path, text);
    use(path);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("resolveOptions() takes a flag before the config file, and that before the default", () => {
  withConfig('id = 7\nmsg_timeout = "90s"\nnsqlookupd_tcp_addresses = ["a:1", "b:1"]\n', (path) => {
    const fromFile = valuesOf("--config", path);
    assert.equal(fromFile.nodeId, 7);
    assert.equal(fromFile.msgTimeout, 90_000);
    assert.deepEqual(fromFile.lookupdTcpAddress, ["a:1", "b:1"]);
    assert.equal(fromFile.config, path);

    const given = valuesOf("-msg-timeout=1m", `-config=${path}`, "-lookupd-tcp-address=c:1");
    assert.equal(given.msgTimeout, 60_000, "a flag wins although it equals the default");
    assert.deepEqual(given.lookupdTcpAddress, ["c:1"], "given flags replace the list");
    assert.equal(given.nodeId, 7);
  });
  assert.equal(valuesOf().nodeId, 617);
  assert.deepEqual(valuesOf().broadcastAddress, ["vm"]);
});

Deno.test("resolveOptions() gives each resolution a list of its own", () => {
  const first = valuesOf();
  first.lookupdTcpAddress.push("a:1");
  assert.deepEqual(valuesOf().lookupdTcpAddress, []);
});

Deno.test("resolveOptions() warns of unknown keys, and of options without effect", () => {
  withConfig("bogus = 1\nqueue_scan_selection_count = 7\n", (path) => {
    const resolved = resolve(nsqdOptions, "--config", path, "--verbose");
    assert.deepEqual("warnings" in resolved && resolved.warnings, [
      `config file ${path} - line 1: bogus is an unknown key, ignored`,
      "--verbose has no effect",
      `config file ${path} - line 2: queue_scan_selection_count has no effect`,
    ]);
  });
});

Deno.test("resolveOptions() exits with 0 for help and version, on standard output", () => {
  for (const flag of ["-h", "-help", "--help"]) {
    const { code, to, text } = exitOf(flag);
    assert.deepEqual([code, to], [0, "stdout"], flag);
    assert.match(text, /^nsqd - a broker\n/);
  }
  assert.deepEqual(exitOf("--version"), {
    kind: "exit",
    code: 0,
    text: "nsqd v1.3.0 (built w/test)",
    to: "stdout",
  });
  assert.equal(valuesOf("--version=false").version, false);
});

Deno.test("resolveOptions() exits with 2 for a command line it cannot understand", () => {
  assert.deepEqual(exitOf("--bogus"), {
    kind: "exit",
    code: 2,
    text: "flag provided but not defined: -bogus (see nsqd --help)",
    to: "stderr",
  });
});

Deno.test("resolveOptions() exits with 1 for a config file it cannot use", () => {
  const { code, to, text } = exitOf("--config=/nonexistent/nsqd.toml");
  assert.deepEqual([code, to], [1, "log"]);
  assert.equal(text, "failed to load config file /nonexistent/nsqd.toml - there is no such file");
});

Deno.test("resolveOptions() names flag, value and limits of what is out of range, and its file", () => {
  const table: [string, string][] = [
    ["--node-id=1024", "--node-id must be [0,1024)"],
    ["--node-id=-1", "--node-id must be [0,1024)"],
    ["--max-deflate-level=10", "--max-deflate-level must be [1,9]"],
    ["--mem-limit=512KiB", "--mem-limit must be at least 1MiB, is 512KiB"],
    ["--e2e-processing-latency-percentile=0.5,0", "invalid E2E processing latency percentile: 0"],
    ["--e2e-processing-latency-percentile=1.01", "invalid E2E processing latency percentile: 1.01"],
  ];
  for (const [flag, fault] of table) {
    const { code, to, text } = exitOf(flag);
    assert.deepEqual([code, to, text], [1, "log", `failed to instantiate nsqd - ${fault}`]);
  }
  withConfig("mem_limit = 1\n", (path) => {
    const fault = `--mem-limit must be at least 1MiB, is 1 (config file ${path} - line 1: mem_limit)`;
    assert.equal(exitOf("--config", path).text, `failed to instantiate nsqd - ${fault}`);
    assert.equal(valuesOf("--config", path, "--mem-limit=1MiB").memLimit, 1 << 20);
  });
});

Deno.test("resolveOptions() takes the nearest for what Go nsqd takes and this cannot, with a warning that names both", () => {
  const cases: [flag: string, property: keyof NsqdOptions, value: number, warning: string][] = [
    ["mem-queue-size=-1", "memQueueSize", 0, "must be at least 0, is -1; 0 is used"],
    ["max-msg-size=5000000000", "maxMsgSize", 2 ** 30, "must be from 1 to 1GiB, is 5000000000; 1GiB is used"],
    ["msg-timeout=0", "msgTimeout", 1, "must be at least 1ms, is 0s; 1ms is used"],
    ["max-req-timeout=-1s", "maxReqTimeout", 0, "must be at least 0s, is -1s; 0s is used"],
    ["max-heartbeat-interval=0", "maxHeartbeatInterval", 1000, "must be at least 1s, is 0s; 1s is used"],
    ["max-output-buffer-size=1", "maxOutputBufferSize", 64, "must be from 64 to 1GiB, is 1; 64 is used"],
    [
      "broadcast-tcp-port=70000",
      "broadcastTcpPort",
      65535,
      "must be from 0 to 65535, is 70000; 65535 is used",
    ],
    [
      "max-bytes-per-file=1024",
      "maxBytesPerFile",
      1 << 20,
      "must be from 1MiB to 2147483647, is 1KiB; 1MiB is used",
    ],
    ["statsd-interval=0", "statsdInterval", 10, "must be from 10ms to 24h, is 0s; 10ms is used"],
    ["sync-every=0", "syncEvery", 1, "must be at least 1, is 0; 1 is used"],
  ];
  for (const [flag, property, value, warning] of cases) {
    const resolved = resolve(nsqdOptions, `--${flag}`);
    assert.ok(resolved.kind === "values", flag);
    assert.equal(resolved.values[property], value, flag);
    assert.deepEqual(resolved.warnings, [`--${flag.split("=")[0]} ${warning}`]);
  }
  withConfig('msg_timeout = "0s"\n', (path) => {
    const resolved = resolve(nsqdOptions, "--config", path);
    assert.ok(resolved.kind === "values");
    assert.deepEqual(resolved.warnings, [
      `--msg-timeout must be at least 1ms, is 0s; 1ms is used (config file ${path} - line 1: msg_timeout)`,
    ]);
  });
  const lookupd = resolve(lookupdOptions, "--tombstone-lifetime=-1s");
  assert.ok(lookupd.kind === "values" && lookupd.values.tombstoneLifetime === 0);
});

Deno.test("resolveOptions() of a lenient program ends the flags at a word that is none, with a warning", () => {
  const lenient = { ...program, isLenient: true };
  const resolved = resolveOptions(nsqdOptions, ["--node-id=7", "start", "--node-id=8"], lenient, machine);
  assert.ok(resolved.kind === "values");
  assert.equal(resolved.values.nodeId, 7);
  assert.deepEqual(resolved.warnings, [
    'unexpected argument "start": only flags are allowed here; it and what follows it is ignored',
  ]);
});

Deno.test("resolveOptions() puts the last of several broadcast addresses first, as it is the one of old clients", () => {
  assert.deepEqual(valuesOf("--broadcast-address=a", "--broadcast-address=b").broadcastAddress, ["b", "a"]);
  assert.deepEqual(valuesOf("--broadcast-address=a").broadcastAddress, ["a"]);
  withConfig('broadcast_address = ["a", "b"]\n', (path) => {
    assert.deepEqual(valuesOf("--config", path).broadcastAddress, ["a", "b"]);
  });
});

Deno.test("resolveOptions() keeps percentiles in the order given", () => {
  const flags = ["0.5", "0.999,1"].map((list) => `--e2e-processing-latency-percentile=${list}`);
  assert.deepEqual(valuesOf(...flags).e2eProcessingLatencyPercentile, [0.5, 0.999, 1]);
  withConfig("e2e_processing_latency_percentiles = [0.95, 0.99]\n", (path) => {
    assert.deepEqual(valuesOf("--config", path).e2eProcessingLatencyPercentile, [0.95, 0.99]);
  });
});

Deno.test("resolveOptions() resolves the options of lookupd", () => {
  const resolved = resolve(lookupdOptions, "-tombstone-lifetime=1m", "-data-path=/x");
  assert.deepEqual("values" in resolved && resolved.values, {
    version: false,
    config: "",
    checkConfig: false,
    logLevel: "info",
    logFormat: "text",
    logPrefix: "[nsqlookupd] ",
    verbose: false,
    httpServerIdleTimeout: 180_000,
    httpServerRequestTimeout: 600_000,
    tcpAddress: "0.0.0.0:4160",
    httpAddress: "0.0.0.0:4161",
    broadcastAddress: "vm",
    inactiveProducerTimeout: 300_000,
    tombstoneLifetime: 60_000,
    dataPath: "/x",
  });
});

Deno.test("examineOptions() finds all problems of file and ranges, and has defaults in their place", () => {
  const text = 'id = 1.5\nsync_every = 0\nmsg_timeout = "90"\nmax_rdy_count = 5\nbogus = 1\n';
  withConfig(text, (path) => {
    const found = examineOptions(nsqdOptions, ["--config", path, "--max-deflate-level=10"], program, machine);
    assert.equal(found.kind, "examined");
    if (found.kind !== "examined") return;
    assert.deepEqual(found.problems.map((problem) => problem.text.replaceAll(path, "FILE")), [
      "config file FILE - line 1: id = 1.5: use a whole number",
      'config file FILE - line 3: msg_timeout = "90": 90 has no unit, write for example 90s or 90ms',
      "--max-deflate-level must be [1,9]",
    ]);
    assert.deepEqual(found.warnings.map((text) => text.replaceAll(path, "FILE")), [
      "config file FILE - line 5: bogus is an unknown key, ignored",
      "--sync-every must be at least 1, is 0; 1 is used (config file FILE - line 2: sync_every)",
    ]);
    const { nodeId, syncEvery, msgTimeout, maxDeflateLevel, maxRdyCount } = found.values;
    assert.deepEqual([nodeId, syncEvery, msgTimeout, maxDeflateLevel], [617, 1, 60_000, 6]);
    assert.equal(maxRdyCount, 5);
  });
});
