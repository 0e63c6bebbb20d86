import assert from "node:assert/strict";
import { call, type RunningBroker, withBroker } from "../../support/policy_http.ts";

async function orders(running: RunningBroker): Promise<void> {
  await call(running, "POST", "/topic/create?topic=orders");
  await call(running, "POST", "/channel/create?topic=orders&channel=mail");
}

const MAIL = "/channel/policy?topic=orders&channel=mail";

Deno.test("GET /channel/policy shows every key, its value and where it comes from; PUT sets and takes back", () =>
  withBroker(async (running) => {
    await orders(running);
    const before = await call(running, "GET", MAIL);
    assert.deepEqual(before.json.max_attempts, { value: 0, source: "default" });
    const set = await call(running, "PUT", MAIL, { max_attempts: 4, ttl: "1h30m" });
    assert.equal(set.status, 200);
    assert.deepEqual(set.json.ttl, { value: "1h30m0s", source: "set" });
    assert.equal(running.broker.topics.get("orders")!.channels.get("mail")!.policy.maxAttempts, 4);
    await call(running, "PUT", MAIL, { max_attempts: null });
    const after = await call(running, "GET", MAIL);
    assert.deepEqual([after.json.max_attempts.value, after.json.ttl.value], [0, "1h30m0s"]);
  }));

Deno.test("PUT of a policy refuses with the key and the limit, and nothing of the request is applied", () =>
  withBroker(async (running) => {
    await orders(running);
    const cases: [string, unknown, number, RegExp][] = [
      [MAIL, { max_attempts: 4, ttl: "soon" }, 400, /INVALID_POLICY: ttl = \\"soon\\"/],
      [MAIL, { max_attempts: 99_999 }, 400, /must be from 0 to 65535/],
      [MAIL, { dead_letter_topic: "orders" }, 400, /is the channel's own topic/],
      ["/topic/policy?topic=none", { ttl: 1 }, 404, /TOPIC_NOT_FOUND/],
      ["/channel/policy?topic=orders&channel=none", { ttl: 1 }, 404, /CHANNEL_NOT_FOUND/],
    ];
    for (const [path, body, status, message] of cases) {
      const answer = await call(running, "PUT", path, body);
      assert.equal(answer.status, status, path);
      assert.match(answer.text, message);
    }
    const { status, text } = await call(running, "PUT", MAIL, "no json{");
    assert.equal(status, 400);
    assert.match(text, /INVALID_JSON/);
    assert.equal((await call(running, "GET", MAIL)).json.max_attempts.value, 0);
  }));

Deno.test("a topic that is full answers publishers with 507, and takes nothing of a batch that does not fit", () =>
  withBroker(async (running) => {
    await orders(running);
    await call(running, "PUT", "/topic/policy?topic=orders", { max_depth: 3 });
    assert.equal((await call(running, "POST", "/mpub?topic=orders", "a\nb")).text, "OK");
    const full = await call(running, "POST", "/mpub?topic=orders", "c\nd");
    assert.equal(full.status, 507);
    assert.match(full.text, /FULL: channel orders\/mail is full: 2 messages, 2 more would pass max_depth 3/);
    assert.equal((await call(running, "POST", "/pub?topic=orders", "c")).text, "OK");
    assert.equal((await call(running, "POST", "/pub?topic=orders", "d")).status, 507);
    assert.equal(running.broker.topics.get("orders")!.channels.get("mail")!.depth, 3);
  }));

Deno.test("definitions of a node can be put onto another, dry first", () =>
  withBroker(async (first) => {
    await orders(first);
    await call(first, "PUT", MAIL, { max_attempts: 4 });
    await call(first, "POST", "/channel/pause?topic=orders&channel=mail");
    const { json } = await call(first, "GET", "/definitions");
    assert.deepEqual(json, {
      version: 1,
      topics: [{
        name: "orders",
        paused: false,
        policy: {},
        channels: [{ name: "mail", paused: true, policy: { max_attempts: 4 } }],
      }],
    });
    await withBroker(async (second) => {
      const expected = [
        "create orders",
        "create orders/mail",
        "pause orders/mail",
        "set orders/mail max_attempts = 4",
      ];
      const dry = await call(second, "PUT", "/definitions?dry_run=true", json);
      assert.deepEqual(dry.json, { dry_run: true, changes: expected });
      assert.equal(second.broker.topics.size, 0);
      assert.deepEqual((await call(second, "PUT", "/definitions", json)).json, {
        dry_run: false,
        changes: expected,
      });
      assert.deepEqual((await call(second, "GET", "/definitions")).json, json);
      assert.deepEqual((await call(second, "PUT", "/definitions", json)).json.changes, []);
    });
  }));

Deno.test("PUT /definitions applies nothing when one policy of it cannot be", () =>
  withBroker(async (running) => {
    const answer = await call(running, "PUT", "/definitions", {
      topics: [{ name: "a" }, { name: "b", channels: [{ name: "c", policy: { dead_letter_topic: "b" } }] }],
    });
    assert.equal(answer.status, 400);
    assert.match(answer.text, /own topic/);
    assert.equal(running.broker.topics.size, 0);
  }));
