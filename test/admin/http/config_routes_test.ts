import assert from "node:assert/strict";
import { FakeNode, startAdmin } from "../fixtures.ts";

Deno.test("GET /config/:opt shows text as it is, and all else as JSON", async () => {
  await using admin = await startAdmin([
    "--lookupd-http-address=127.0.0.1:1",
    "--statsd-interval=90s",
    "--admin-user=a",
    "--admin-user=b",
  ]);
  const table: [key: string, answer: string][] = [
    ["log_level", "200 2"],
    ["statsd_prefix", "200 nsq.%s"],
    ["graphite_url", "200 "],
    ["statsd_interval", "200 90000000000"],
    ["http_client_connect_timeout", "200 2000000000"],
    ["proxy_graphite", "200 false"],
    ["admin_users", '200 ["a","b"]'],
    ["nsqlookupd_http_addresses", '200 ["127.0.0.1:1"]'],
    ["nsqd_http_addresses", "200 []"],
    ["config", '400 {"message":"INVALID_OPTION"}'],
    ["version", '400 {"message":"INVALID_OPTION"}'],
    ["nope", '400 {"message":"INVALID_OPTION"}'],
  ];
  for (const [key, answer] of table) assert.equal(await admin.ask("GET", `/config/${key}`), answer, key);
});

Deno.test("PUT /config/:opt changes the log level and the lookupds, from then on", async () => {
  await using lookupd = new FakeNode({ "/topics": { topics: ["t"] } });
  await using admin = await startAdmin(["--nsqd-http-address=127.0.0.1:1"]);
  assert.match(await admin.ask("GET", "/api/topics"), /^502 .*failed to query any nsqd/);
  const addresses = JSON.stringify([lookupd.address]);
  assert.equal(await admin.ask("PUT", "/config/nsqlookupd_http_addresses", addresses), `200 ${addresses}`);
  assert.equal(await admin.ask("GET", "/api/topics"), '200 {"topics":["t"],"message":""}');
  assert.equal(await admin.ask("PUT", "/config/log_level", "WARN"), "200 3");
  const before = admin.lines.length;
  await admin.ask("GET", "/ping");
  assert.equal(admin.lines.length, before);
});

Deno.test("PUT /config/:opt refuses what it cannot be, and changes nothing", async () => {
  await using admin = await startAdmin(["--lookupd-http-address=127.0.0.1:1"]);
  const table: [key: string, body: string, answer: string][] = [
    ["log_level", "loud", '400 {"message":"INVALID_VALUE"}'],
    ["log_level", "", '413 {"message":"INVALID_VALUE"}'],
    ["log_level", "x".repeat((1 << 20) + 1), '413 {"message":"INVALID_VALUE"}'],
    ["nsqlookupd_http_addresses", "text", '400 {"message":"INVALID_VALUE"}'],
    ["nsqlookupd_http_addresses", "[5]", '400 {"message":"INVALID_VALUE"}'],
    ["statsd_prefix", "x", '400 {"message":"INVALID_OPTION"}'],
  ];
  for (const [key, body, answer] of table) {
    assert.equal(await admin.ask("PUT", `/config/${key}`, body), answer, `${key} ${body.slice(0, 9)}`);
  }
  assert.equal(await admin.ask("GET", "/config/nsqlookupd_http_addresses"), '200 ["127.0.0.1:1"]');
});

Deno.test("/config/:opt is for addresses in the range alone, whoever the user is", async () => {
  await using admin = await startAdmin([
    "--lookupd-http-address=127.0.0.1:1",
    "--allow-config-from-cidr=10.0.0.0/8",
  ]);
  assert.equal(await admin.ask("GET", "/config/log_level"), '403 {"message":"FORBIDDEN"}');
  assert.equal(await admin.ask("PUT", "/config/log_level", "debug"), '403 {"message":"FORBIDDEN"}');
  await using open = await startAdmin(["--lookupd-http-address=127.0.0.1:1", "--allow-config-from-cidr="]);
  assert.equal(await open.ask("GET", "/config/log_level"), "200 2");
});
