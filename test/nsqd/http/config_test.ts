import assert from "node:assert/strict";
import { createApp } from "../../../src/http/router.ts";
import { Logger } from "../../../src/log/logger.ts";
import { runLookupd } from "../../../src/lookupd/lookupd.ts";
import { configRoutes } from "../../../src/nsqd/http/config.ts";
import { LiveOptions } from "../../../src/options/live_options.ts";
import { lookupdOptions } from "../../../src/options/tables/lookupd_options.ts";
import { resolveOptions } from "../../../src/options/merge.ts";
import { nsqdOptions } from "../../../src/options/tables/nsqd_options.ts";
import { configKeyOf, type OptionTable, type OptionValues } from "../../../src/options/option.ts";
import { until } from "../../support/program_process.ts";
import { startNsqd } from "../../support/running_nsqd.ts";
import { serveHandler } from "../../http/raw_http.ts";

const machine = { hostname: () => "vm", memoryBytes: () => 2 ** 33 };
function optionsOf<const T extends OptionTable>(table: T, flags: string[]): OptionValues<T> {
  const program = { name: "", summary: "", versionText: "" };
  const resolved = resolveOptions(table, flags, program, machine);
  if (resolved.kind === "exit") throw new Error(resolved.text);
  return resolved.values;
}

function setUp(...flags: string[]) {
  const logger = new Logger("fatal", "", () => {});
  const live = new LiveOptions(nsqdOptions, optionsOf(nsqdOptions, flags), logger);
  const app = createApp(configRoutes(live, () => ({ tcp: 5162, http: 5163 })), { logger });
  const ask = async (method: string, path: string, body?: BodyInit) => {
    await using api = serveHandler(app);
    const response = await fetch(`http://127.0.0.1:${api.port}${path}`, { method, body });
    return {
      status: response.status,
      type: response.headers.get("content-type"),
      body: await response.text(),
    };
  };
  return { live, ask };
}

const JSON_TYPE = "application/json; charset=utf-8";
const TEXT_TYPE = "text/plain; charset=utf-8";

Deno.test("GET /config/<opt> shows each kind of option as the original does", async () => {
  const { ask } = setUp(
    "--lookupd-tcp-address=127.0.0.1:5160",
    "--e2e-processing-latency-percentile=0.95,0.99,1.0",
    "--broadcast-address=127.0.0.1",
    "--tls-min-version=tls1.2",
    "--tls-required=tcp-https",
  );
  const table: [string, string, string | null][] = [
    ["nsqlookupd_tcp_addresses", '["127.0.0.1:5160"]', JSON_TYPE],
    ["auth_http_addresses", "[]", JSON_TYPE],
    ["e2e_processing_latency_percentiles", "[0.95,0.99,1]", JSON_TYPE],
    ["log_level", "2", JSON_TYPE],
    ["id", "617", JSON_TYPE],
    ["max_msg_size", "1048576", JSON_TYPE],
    ["snappy", "true", JSON_TYPE],
    ["statsd_exclude_ephemeral", "false", JSON_TYPE],
    ["log_prefix", "[nsqd] ", TEXT_TYPE],
    ["msg_timeout", "60000000000", JSON_TYPE],
    ["output_buffer_timeout", "250000000", JSON_TYPE],
    ["statsd_prefix", "nsq.127_0_0_1_5163.", TEXT_TYPE],
    ["broadcast_address", "127.0.0.1", TEXT_TYPE],
    ["broadcast_tcp_port", "5162", JSON_TYPE],
    ["broadcast_http_port", "5163", JSON_TYPE],
    ["data_path", "", null],
    ["tls_min_version", "771", JSON_TYPE],
    ["tls_required", "1", JSON_TYPE],
  ];
  for (const [key, body, type] of table) {
    assert.deepEqual(await ask("GET", `/config/${key}`), { status: 200, type, body }, key);
  }
});

Deno.test("GET /config/tls_required is 2 once a policy for client certificates is set", async () => {
  assert.equal((await setUp().ask("GET", "/config/tls_required")).body, "0");
  assert.equal((await setUp("--tls-required").ask("GET", "/config/tls_required")).body, "2");
  assert.equal((await setUp("--tls-client-auth-policy=x").ask("GET", "/config/tls_required")).body, "2");
});

Deno.test("GET /config/<opt> knows every key of the config file, and only those", async () => {
  const { ask } = setUp();
  for (const key of nsqdOptions.map(configKeyOf)) {
    if (key !== null) assert.equal((await ask("GET", `/config/${key}`)).status, 200, key);
  }
  const refused = { status: 400, type: JSON_TYPE, body: '{"message":"INVALID_OPTION"}' };
  for (const key of ["version", "config", "verbose", "worker_id", "node_id", "msg-timeout", "x"]) {
    assert.deepEqual(await ask("GET", `/config/${key}`), refused, key);
  }
  for (const path of ["/config", "/config/", "/config/id/x"]) {
    assert.equal((await ask("GET", path)).status, 404, path);
  }
  assert.equal((await ask("POST", "/config/id")).status, 405);
});

Deno.test("PUT /config/log_level takes a bare word in either case and nothing else", async () => {
  const { live, ask } = setUp();
  for (const [word, answer] of [["debug", "1"], ["ERROR", "4"], ["Fatal", "5"], ["info", "2"]]) {
    assert.deepEqual(await ask("PUT", "/config/log_level", word), {
      status: 200,
      type: JSON_TYPE,
      body: answer,
    });
    assert.equal(live.values.logLevel, word.toLowerCase());
  }
  for (const word of ["warning", '"debug"', "debug\n", " debug", "1"]) {
    const { status, body } = await ask("PUT", "/config/log_level", word);
    assert.deepEqual([status, body], [400, '{"message":"INVALID_VALUE"}'], word);
  }
  assert.equal(live.values.logLevel, "info");
});

Deno.test("PUT /config/nsqlookupd_tcp_addresses takes a JSON array of texts, all of it or nothing", async () => {
  const { live, ask } = setUp("--lookupd-tcp-address=old:1");
  const put = async (body: string) => {
    const answer = await ask("PUT", "/config/nsqlookupd_tcp_addresses", body);
    return `${answer.status} ${answer.body}`;
  };
  for (const body of ["a:1", '"a:1"', "5", "{}", '["x:1", 5]', '["a:1"]x', "[", "true"]) {
    assert.equal(await put(body), '400 {"message":"INVALID_VALUE"}', body);
  }
  assert.deepEqual(live.values.lookupdTcpAddress, ["old:1"]);
  assert.equal(await put(' ["a:1", "b:1"]\n'), '200 ["a:1","b:1"]');
  assert.equal(await put('["a:1", null]'), '200 ["a:1",""]');
  assert.equal(await put("null"), "200 []");
  assert.equal(await put('["c:1"]'), '200 ["c:1"]');
  assert.equal(await put("[]"), "200 []");
});

Deno.test("PUT /config/<opt> judges the size before the option, and the option before the value", async () => {
  const { ask } = setUp("--max-msg-size=10");
  const tooBig = { status: 413, type: JSON_TYPE, body: '{"message":"INVALID_VALUE"}' };
  assert.deepEqual(await ask("PUT", "/config/nope", ""), tooBig);
  assert.deepEqual(await ask("PUT", "/config/nope", "12345678901"), tooBig);
  assert.deepEqual(await ask("PUT", "/config/log_level"), tooBig);
  const invalid = { status: 400, type: JSON_TYPE, body: '{"message":"INVALID_OPTION"}' };
  assert.deepEqual(await ask("PUT", "/config/nope", "1234567890"), invalid);
  assert.deepEqual(await ask("PUT", "/config/msg_timeout", "1"), invalid);
});

Deno.test("PUT /config/nsqlookupd_tcp_addresses registers with new lookupds and leaves old ones", async () => {
  const lookupdLines: string[] = [];
  const flags = ["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0", "--broadcast-address=127.0.0.1"];
  const lookupd = await runLookupd(
    optionsOf(lookupdOptions, flags),
    new Logger("info", "", (line) => lookupdLines.push(line)),
  );
  try {
    await using running = await startNsqd(["--broadcast-address=127.0.0.1"]);
    const topics = async () => await (await fetch(`http://${lookupd.httpAddress}/topics`)).text();
    const nodes = async () => await (await fetch(`http://${lookupd.httpAddress}/nodes`)).json();
    await running.http("POST", "/topic/create?topic=orders");
    const key = "/config/nsqlookupd_tcp_addresses";
    const list = JSON.stringify([lookupd.tcpAddress]);
    assert.equal(await running.http("PUT", key, list), list);
    assert.equal(await running.http("GET", key), list);
    await until("registered", async () => (await topics()).includes("orders"));
    assert.equal((await nodes()).producers.length, 1);
    assert.equal(await running.http("PUT", key, "[]"), "[]");
    await until("unregistered", async () => (await nodes()).producers.length === 0);
  } finally {
    await lookupd.stop();
  }
});

Deno.test("PUT /config/log_level is in force at once", async () => {
  await using running = await startNsqd(["--log-level=debug"]);
  await running.http("PUT", "/config/log_level", "error");
  const before = running.lines.length;
  await running.http("GET", "/ping");
  assert.equal(running.lines.length, before);
  await running.http("PUT", "/config/log_level", "info");
  await running.http("GET", "/ping");
  assert.match(running.lines.at(-1)!, / INFO: 200 GET \/ping /);
});
