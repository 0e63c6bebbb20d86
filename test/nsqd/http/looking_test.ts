import assert from "node:assert/strict";
import type { MessageJson } from "../../../src/nsqd/http/looking.ts";
import { call, type JsonAnswer, type RunningBroker, withBroker } from "../../support/policy_http.ts";
import { FakeConsumer } from "../../support/fake_consumer.ts";

const HERE = "topic=t&channel=c";

async function fill(running: RunningBroker, count: number): Promise<void> {
  await call(running, "POST", "/topic/create?topic=t");
  await call(running, "POST", "/channel/create?topic=t&channel=c");
  const lines = Array.from({ length: count }, (_, i) => `message ${i}`);
  for (let at = 0; at < count; at += 50) {
    await call(running, "POST", "/mpub?topic=t", lines.slice(at, at + 50).join("\n"));
  }
}

function bodies({ json }: JsonAnswer): string[] {
  return (json.messages as MessageJson[]).map(({ body }) => body!);
}

Deno.test("GET /channel/messages pages through what waits, from either end, and changes nothing", () =>
  withBroker(async (running) => {
    await fill(running, 250);
    for (const from of ["oldest", "newest"]) {
      const seen: string[] = [];
      let place = from;
      for (let page = 0; page < 10; page++) {
        const answer = await call(running, "GET", `/channel/messages?${HERE}&limit=60&from=${place}`);
        seen.push(...bodies(answer));
        if (answer.json.next === undefined) break;
        place = answer.json.next;
      }
      const expected = Array.from({ length: 250 }, (_, i) => `message ${i}`);
      assert.deepEqual(seen, from === "oldest" ? expected : expected.reverse());
    }
    const channel = running.broker.topics.get("t")!.channels.get("c")!;
    assert.deepEqual([channel.depth, channel.deliveredCount], [250, 0]);
    channel.invariants();
  }));

Deno.test("a page goes on where the last one ended while messages are consumed", () =>
  withBroker(async (running) => {
    await fill(running, 100);
    const first = await call(running, "GET", `/channel/messages?${HERE}&limit=10`);
    const channel = running.broker.topics.get("t")!.channels.get("c")!;
    const consumer = FakeConsumer.to(channel, running.broker);
    consumer.subscription.setRdy(30);
    running.broker.endTurn();
    const second = await call(running, "GET", `/channel/messages?${HERE}&limit=10&from=${first.json.next}`);
    assert.deepEqual(bodies(second).slice(0, 2), ["message 30", "message 31"]);
    const held = await call(running, "GET", `/channel/messages?${HERE}&limit=50&state=in_flight`);
    assert.equal(held.json.messages.length, 30);
    assert.equal(held.json.messages[0].consumer, "a consumer");
    assert.ok(Date.parse(held.json.messages[0].timeout_at) > Date.now() - 10_000);
    channel.unsubscribe(consumer.subscription);
    const requeued = await call(running, "GET", `/channel/messages?${HERE}&limit=50&state=requeued`);
    assert.deepEqual([requeued.json.messages.length, requeued.json.messages[0].attempts], [30, 1]);
  }));

Deno.test("messages are filtered by text, expression and JSON value, and the scan is counted", () =>
  withBroker(async (running) => {
    await fill(running, 30);
    const matching = async (match: string) =>
      await call(running, "GET", `/channel/messages?${HERE}&match=${encodeURIComponent(match)}`);
    const contains = await matching("contains:message 2");
    assert.deepEqual([contains.json.scanned, contains.json.matched, bodies(contains).length], [30, 11, 11]);
    assert.deepEqual(bodies(await matching("re:e [13]$")), ["message 1", "message 3"]);
    await call(running, "POST", "/pub?topic=t", '{"order":{"id":17}}');
    assert.equal((await matching("json:order.id=17")).json.matched, 1);
    assert.equal((await matching("json:order.id=18")).json.matched, 0);
    for (const wrong of ["message", "re:(", "json:=5", "xml:a", "contains:"]) {
      const answer = await matching(wrong);
      assert.equal(answer.status, 400, wrong);
      assert.match(answer.text, /INVALID_ARG_MATCH/);
    }
  }));

Deno.test("bodies that are no UTF-8 are base64, long ones are cut, and one message is had as it is", () =>
  withBroker(async (running) => {
    await fill(running, 1);
    const { port } = running.http;
    await fetch(`http://127.0.0.1:${port}/pub?topic=t`, {
      method: "POST",
      body: new Uint8Array([0xff, 0, 1]),
    }).then((r) => r.text());
    await call(running, "POST", "/pub?topic=t", "x".repeat(500));
    const { json } = await call(running, "GET", `/channel/messages?${HERE}&max_body=100`);
    assert.equal(json.messages[1].body_base64, "/wAB");
    assert.deepEqual([json.messages[2].body.length, json.messages[2].size, json.messages[2].truncated], [
      100,
      500,
      true,
    ]);
    const one = await call(running, "GET", `/message?${HERE}&id=${json.messages[2].id}`);
    assert.equal(one.text, "x".repeat(500));
    assert.equal(one.headers.get("x-nsq-state"), "waiting");
    assert.equal(one.headers.get("content-type"), "application/octet-stream");
    assert.equal((await call(running, "GET", `/message?${HERE}&id=0000000000000001`)).status, 400);
    assert.equal((await call(running, "GET", `/message?${HERE}`)).status, 400);
  }));

Deno.test("deferred messages show when they are due, and lists begin at a time", () =>
  withBroker(async (running) => {
    await fill(running, 2);
    await call(running, "POST", "/pub?topic=t&defer=60000", "later");
    const { json } = await call(running, "GET", `/channel/messages?${HERE}&state=deferred`);
    assert.equal(json.messages.length, 1);
    const inMs = Date.parse(json.messages[0].due) - Date.now();
    assert.ok(inMs > 50_000 && inMs <= 60_000, `${inMs}`);
    const future = new Date(Date.now() + 60_000).toISOString();
    assert.deepEqual(bodies(await call(running, "GET", `/channel/messages?${HERE}&from=${future}`)), []);
    assert.equal(bodies(await call(running, "GET", `/channel/messages?${HERE}&from=1`)).length, 2);
    assert.equal((await call(running, "GET", `/channel/messages?${HERE}&from=yesterday`)).status, 400);
  }));

Deno.test("GET /topic/messages shows what a topic without channels holds", () =>
  withBroker(async (running) => {
    await call(running, "POST", "/mpub?topic=held", "a\nb");
    const held = await call(running, "GET", "/topic/messages?topic=held&state=held");
    assert.deepEqual(bodies(held), ["a", "b"]);
    assert.equal(held.json.messages[0].state, "held");
    await call(running, "POST", "/channel/create?topic=held&channel=c");
    assert.deepEqual(bodies(await call(running, "GET", "/topic/messages?topic=held&state=held")), []);
    assert.deepEqual(bodies(await call(running, "GET", "/topic/messages?topic=held")), ["a", "b"]);
  }));

Deno.test("bad parameters of lists are named with what may be", () =>
  withBroker(async (running) => {
    await fill(running, 1);
    for (
      const [query, message] of [
        ["limit=0", /INVALID_ARG_LIMIT: \\"0\\" is no whole number from 1 to 1000/],
        ["limit=1001", /from 1 to 1000/],
        ["state=gone", /INVALID_ARG_STATE: \\"gone\\" is none of waiting, in_flight/],
        ["max_body=x", /INVALID_ARG_MAX_BODY/],
      ] as const
    ) {
      const answer = await call(running, "GET", `/channel/messages?${HERE}&${query}`);
      assert.equal(answer.status, 400);
      assert.match(answer.text, message);
    }
  }));
