import assert from "node:assert/strict";
import { LookupError } from "../../../src/client/errors.ts";
import { LookupdClient } from "../../../src/client/nodes/lookupd_client.ts";
import { FakeLookupd } from "../support/fake_lookupd.ts";

const SETTINGS = { timeoutMs: 60_000, secret: "", userAgent: "test" };
const producer = (host: string, tcpPort: number, more: object = {}) => ({
  broadcast_address: host,
  tcp_port: tcpPort,
  http_port: tcpPort + 1,
  hostname: host,
  version: "1.3.0",
  ...more,
});

Deno.test("LookupdClient.nodesOf() names each node of all lookupds once, with all its addresses", async () => {
  await using first = await FakeLookupd.start(() => ({ producers: [producer("a", 1), producer("b", 2)] }));
  await using second = await FakeLookupd.start(() => ({
    producers: [producer("b", 2), producer("::1", 3, { broadcast_addresses: ["::1", "c"] })],
  }));
  const client = new LookupdClient([first.address, second.address], SETTINGS);
  const { value, errors } = await client.nodesOf("orders & more");
  assert.deepEqual(value.map(({ key, addresses, httpAddress }) => [key, addresses, httpAddress]), [
    ["a:1", ["a:1"], "a:2"],
    ["b:2", ["b:2"], "b:3"],
    ["[::1]:3", ["[::1]:3", "c:3"], "[::1]:4"],
  ]);
  assert.deepEqual(errors, []);
  assert.deepEqual(first.requests.map(({ url }) => url), ["/lookup?topic=orders%20%26%20more"]);
});

Deno.test("LookupdClient keeps what a lookupd said while it is down, and forgets it when it says otherwise", async () => {
  let answer: object | null = { producers: [producer("a", 1)] };
  await using lookupd = await FakeLookupd.start(() => answer);
  const client = new LookupdClient([lookupd.address], SETTINGS);
  await client.nodesOf("orders");
  lookupd.status = 500;
  const failed = await client.nodesOf("orders");
  assert.deepEqual(failed.value.map(({ key }) => key), ["a:1"]);
  assert.ok(failed.errors[0] instanceof LookupError);
  assert.match(failed.errors[0].message, new RegExp(`lookupd ${lookupd.address} answered 500`));
  lookupd.status = 200;
  answer = { producers: [] };
  assert.deepEqual((await client.nodesOf("orders")).value, []);
});

Deno.test("LookupdClient takes 404 as no nodes, answers of old lookupds, and refuses what is no JSON", async () => {
  await using lookupd = await FakeLookupd.start(() => ({
    status_code: 200,
    data: { producers: [producer("a", 1)] },
  }));
  const client = new LookupdClient([lookupd.address], SETTINGS);
  assert.equal((await client.nodesOf("orders")).value.length, 1);
  lookupd.status = 404;
  assert.deepEqual(await client.nodesOf("orders"), { value: [], errors: [] });
  lookupd.status = 200;
  lookupd.answer = () => "hello";
  assert.match((await client.nodesOf("orders")).errors[0].message, /answered no JSON object: "hello"/);
});

Deno.test("LookupdClient sends its secret, and keeps the path of a URL for lookups", async () => {
  await using lookupd = await FakeLookupd.start(() => ({ producers: [], topics: ["b", "a"] }));
  const client = new LookupdClient([`http://${lookupd.address}/proxy/lookup?zone=x`], {
    ...SETTINGS,
    secret: "s3cret",
  });
  await client.nodesOf("orders");
  assert.deepEqual((await client.topics()).value, ["a", "b"]);
  assert.deepEqual(lookupd.requests.map(({ url, authorization }) => [url, authorization]), [
    ["/proxy/lookup?zone=x&topic=orders", "Bearer s3cret"],
    ["/topics?zone=x", "Bearer s3cret"],
  ]);
});

Deno.test("LookupdClient gives up a lookupd that does not answer in time", async () => {
  await using lookupd = await FakeLookupd.start(() => null);
  const client = new LookupdClient([lookupd.address], { ...SETTINGS, timeoutMs: 30 });
  assert.match((await client.nodes()).errors[0].message, /no answer within 30 ms/);
});
