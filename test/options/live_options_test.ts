import assert from "node:assert/strict";
import { Logger } from "../../src/log/logger.ts";
import { findRestartOptions, LiveOptions } from "../../src/options/live_options.ts";
import { resolveOptions } from "../../src/options/merge.ts";
import { type NsqdOptions, nsqdOptions } from "../../src/options/tables/nsqd_options.ts";

function optionsOf(...flags: string[]): NsqdOptions {
  const resolved = resolveOptions(nsqdOptions, flags, { name: "nsqd", summary: "", versionText: "" });
  assert.equal(resolved.kind, "values");
  return (resolved as unknown as { values: NsqdOptions }).values;
}

function setUp(...flags: string[]) {
  const lines: string[] = [];
  const logger = new Logger("info", "", (line) => lines.push(line.replace(/^\S+ \S+ /, "").trimEnd()));
  const live = new LiveOptions(nsqdOptions, optionsOf(...flags), logger);
  live.on("logLevel", (level) => logger.level = level);
  return { live, lines };
}

Deno.test("LiveOptions.set() changes the value, logs it and tells each listener", () => {
  const { live, lines } = setUp();
  const told: unknown[] = [];
  live.on("lookupdTcpAddress", (addresses) => told.push(addresses));
  live.on("lookupdTcpAddress", (addresses) => told.push(addresses.length));
  live.set("lookupdTcpAddress", ["a:1", "b:1"]);
  assert.deepEqual(live.values.lookupdTcpAddress, ["a:1", "b:1"]);
  assert.deepEqual(told, [["a:1", "b:1"], 2]);
  assert.deepEqual(lines, ["INFO: nsqlookupd_tcp_addresses is a:1,b:1 now, was none"]);
});

Deno.test("LiveOptions.set() does nothing for the value that it has already", () => {
  const { live, lines } = setUp("--lookupd-tcp-address=a:1");
  live.on("lookupdTcpAddress", () => assert.fail());
  live.set("lookupdTcpAddress", ["a:1"]);
  assert.deepEqual(lines, []);
});

Deno.test("LiveOptions.set() shows a change of the log level, up and down", () => {
  const { live, lines } = setUp();
  live.set("logLevel", "fatal");
  live.set("logLevel", "error");
  live.set("logLevel", "debug");
  assert.deepEqual(lines, [
    "INFO: log_level is fatal now, was info",
    "INFO: log_level is debug now, was error",
  ]);
});

Deno.test("LiveOptions.reload() takes over what may change and leaves the rest", () => {
  const { live, lines } = setUp();
  live.reload(optionsOf("--max-rdy-count=7", "--msg-timeout=90s", "--node-id=3", "--tcp-address=x:1"));
  const { maxRdyCount, msgTimeout, nodeId, tcpAddress } = live.values;
  assert.deepEqual([maxRdyCount, msgTimeout, tcpAddress], [7, 90_000, "0.0.0.0:4150"]);
  assert.equal(nodeId, optionsOf().nodeId);
  assert.deepEqual(lines, [
    "INFO: msg_timeout is 1m30s now, was 1m",
    "INFO: max_rdy_count is 7 now, was 2500",
  ]);
});

Deno.test("LiveOptions copies what it is given", () => {
  const initial = optionsOf();
  const live = new LiveOptions(nsqdOptions, initial, new Logger("fatal", "", () => {}));
  live.set("maxRdyCount", 7);
  assert.equal(initial.maxRdyCount, 2500);
});

Deno.test("findRestartOptions() names what differs but cannot change", () => {
  const next = optionsOf("--max-rdy-count=7", "--data-path=/x", "--broadcast-address=h", "--log-level=warn");
  const names = findRestartOptions(nsqdOptions, optionsOf(), next).map(({ name }) => name);
  assert.deepEqual(names, ["broadcast-address", "data-path"]);
});
