import assert from "node:assert/strict";
import { get, header, post, postChunked, sendHalfClosed } from "../../http/raw_http.ts";
import { RunningBroker } from "../../support/running_broker.ts";

/** Sends a POST and returns `<status> <body>`. */
async function postTo(running: RunningBroker, target: string, body: string | Uint8Array = "") {
  const answer = await post(running.http.port, target, body);
  return `${answer.status} ${answer.body}`;
}

function refusal(status: number, code: string): string {
  return `${status} {"message":"${code}"}`;
}

/** int32 big-endian values and strings, one after the other. */
function packed(...parts: (number | string)[]): Uint8Array {
  const bytes: number[] = [];
  for (const part of parts) {
    if (typeof part === "string") bytes.push(...new TextEncoder().encode(part));
    else bytes.push(part >>> 24, part >>> 16 & 255, part >>> 8 & 255, part & 255);
  }
  return new Uint8Array(bytes);
}

/** Bodies that wait in a topic without channels, in order. */
function bodiesOf(running: RunningBroker, name: string): string[] {
  const bodies: string[] = [];
  for (let segment = running.broker.topics.get(name)!.log.first; segment !== null; segment = segment.next) {
    for (let i = 0; i < segment.count; i++) {
      const record = segment.buffer!.bytes.subarray(segment.index[i], segment.index[i + 1]);
      bodies.push(new TextDecoder().decode(record.subarray(34)));
    }
  }
  return bodies;
}

Deno.test("GET /info shows the broker in the shape of the captured answer", async () => {
  await using running = new RunningBroker();
  const answer = await get(running.http.port, "/info");
  assert.equal(
    answer.body,
    `{"version":"1.3.0","broadcast_address":"broker.example","hostname":"${Deno.hostname()}",` +
      `"http_port":${running.http.port},"tcp_port":${running.tcpPort},` +
      `"start_time":${Math.floor(running.startedAtMs / 1000)},"max_heartbeat_interval":60000000000,` +
      `"max_output_buffer_size":65536,"max_output_buffer_timeout":30000000000,"max_deflate_level":6,` +
      `"topology_zone":"","topology_region":""}`,
  );
});

Deno.test("GET /ping answers OK as plain text", async () => {
  await using running = new RunningBroker();
  const answer = await get(running.http.port, "/ping");
  assert.equal(answer.status, 200);
  assert.equal(answer.body, "OK");
  assert.equal(header(answer, "content-type"), "text/plain; charset=utf-8");
  assert.equal(header(answer, "x-nsq-content-type"), undefined);
});

Deno.test("POST /pub publishes the body at every durability level, and creates the topic", async () => {
  for (const durability of ["memory", "os", "disk"] as const) {
    await using running = new RunningBroker({ durability });
    assert.equal(await postTo(running, "/pub?topic=orders", "one\0\r\n"), "200 OK");
    assert.equal(await postTo(running, "/pub?topic=orders&topic=other", "x".repeat(1000)), "200 OK");
    assert.deepEqual(bodiesOf(running, "orders"), ["one\0\r\n", "x".repeat(1000)]);
    assert.deepEqual([...running.broker.topics.keys()], ["orders"]);
    const topic = running.broker.topics.get("orders")!;
    assert.equal(topic.pendingCount, 2, "an answered message is committed");
    assert.equal(topic.messageBytes, 1006);
    assert.deepEqual(running.lines.filter((line) => line.includes("/pub")), []);
  }
});

Deno.test("POST /pub refuses in the order of the checks", async () => {
  await using running = new RunningBroker();
  const cases: [string, string, string][] = [
    ["/pub", "x".repeat(1001), refusal(413, "MSG_TOO_BIG")],
    ["/pub?a;b", "", refusal(400, "MSG_EMPTY")],
    ["/pub?topic=a&%zz", "m", refusal(400, "INVALID_REQUEST")],
    ["/pub?channel=c", "m", refusal(400, "MISSING_ARG_TOPIC")],
    ["/pub?topic=", "m", refusal(400, "INVALID_TOPIC")],
    ["/pub?topic=bad%24name&defer=x", "m", refusal(400, "INVALID_TOPIC")],
    [`/pub?topic=${"x".repeat(65)}`, "m", refusal(400, "INVALID_TOPIC")],
  ];
  for (const [target, body, expected] of cases) {
    assert.equal(await postTo(running, target, body), expected, target);
  }
  assert.equal(running.broker.topics.size, 0);
  for (const defer of ["", "1s", "-1", "3600001", "1.5", "0x1", "%201", "NaN"]) {
    assert.equal(
      await postTo(running, `/pub?topic=t&defer=${defer}`, "m"),
      refusal(400, "INVALID_DEFER"),
      defer,
    );
  }
  assert.equal(running.broker.topics.get("t")!.messageCount, 0, "the topic is created, the message refused");
});

Deno.test("POST /pub measures a body that comes in chunks", async () => {
  await using running = new RunningBroker();
  const status = async (pieces: string[]) =>
    (await postChunked(running.http.port, "/pub?topic=t", pieces)).body;
  assert.equal(await status(["a".repeat(500), "b".repeat(500)]), "OK");
  assert.equal(await status(["a".repeat(500), "b".repeat(501)]), `{"message":"MSG_TOO_BIG"}`);
  assert.equal(await status([]), `{"message":"MSG_EMPTY"}`);
  assert.equal(running.broker.topics.get("t")!.messageCount, 1);
});

Deno.test("POST /pub with defer holds the message back in each channel", async () => {
  await using running = new RunningBroker();
  await postTo(running, "/topic/create?topic=t");
  await postTo(running, "/channel/create?topic=t&channel=c");
  for (const defer of ["60000", "3600000", "%2B60000"]) {
    assert.equal(await postTo(running, `/pub?topic=t&defer=${defer}`, "later"), "200 OK", defer);
  }
  assert.equal(await postTo(running, "/pub?topic=t&defer=0", "now"), "200 OK");
  const channel = running.broker.topics.get("t")!.channels.get("c")!;
  assert.equal(channel.deferredCount, 3);
  assert.equal(channel.depth, 1);
});

Deno.test("POST /pub to an ephemeral topic keeps the message in memory", async () => {
  await using running = new RunningBroker();
  assert.equal(await postTo(running, "/pub?topic=t%23ephemeral", "m"), "200 OK");
  assert.equal(running.broker.topics.get("t#ephemeral")!.ephemeral, true);
  assert.equal(running.broker.topics.get("t#ephemeral")!.messageCount, 1);
});

Deno.test("POST /mpub takes a message from each line that is not empty", async () => {
  await using running = new RunningBroker();
  const cases: [string, string[]][] = [
    ["a\nbb\r\n\n\nccc", ["a", "bb\r", "ccc"]],
    ["\n\n", []],
    ["", []],
    ["one\n", ["one"]],
    ["x".repeat(1000) + "\n" + "y".repeat(999), ["x".repeat(1000), "y".repeat(999)]],
  ];
  for (const [i, [body, expected]] of cases.entries()) {
    assert.equal(await postTo(running, `/mpub?topic=t${i}&defer=bad`, body), "200 OK", body);
    assert.deepEqual(bodiesOf(running, `t${i}`), expected);
  }
  assert.equal(running.broker.topics.get("t0")!.messageBytes, 7);
  for (const binary of ["false", "0"]) await postTo(running, `/mpub?topic=t&binary=${binary}`, "a\nb");
  assert.deepEqual(bodiesOf(running, "t"), ["a", "b", "a", "b"]);
});

Deno.test("POST /mpub in text refuses what is too big, and then publishes nothing", async () => {
  await using running = new RunningBroker();
  const lines = "m\n".repeat(1000), long = "x".repeat(1001);
  assert.equal(await postTo(running, "/mpub", lines + "m"), refusal(413, "BODY_TOO_BIG"));
  assert.equal(await postTo(running, "/mpub", "m"), refusal(400, "MISSING_ARG_TOPIC"));
  assert.equal(await postTo(running, "/mpub?topic=%20", "m"), refusal(400, "INVALID_TOPIC"));
  assert.equal(await postTo(running, "/mpub?topic=t", `m\n${long}\nm`), refusal(413, "MSG_TOO_BIG"));
  const chunked = async (text: string) =>
    (await postChunked(running.http.port, "/mpub?topic=t", [text])).body;
  assert.equal(await chunked(lines), "OK");
  assert.equal(await chunked(lines + "m"), `{"message":"BODY_TOO_BIG"}`);
  assert.equal(await chunked("a\n" + "x".repeat(3000)), `{"message":"BODY_TOO_BIG"}`);
  assert.equal(await chunked(`${long}\n${lines}`), `{"message":"MSG_TOO_BIG"}`);
  assert.equal(running.broker.topics.get("t")!.messageCount, 1000);
});

Deno.test("POST /mpub?binary takes sized messages and ignores what follows them", async () => {
  await using running = new RunningBroker();
  const body = packed(2, 3, "a\nb", 1, "c", "rest");
  for (const [i, binary] of ["binary=true", "binary=1", "binary", "binary=yes"].entries()) {
    assert.equal(await postTo(running, `/mpub?topic=t${i}&${binary}`, body), "200 OK", binary);
    assert.deepEqual(bodiesOf(running, `t${i}`), ["a\nb", "c"]);
    assert.equal(running.broker.topics.get(`t${i}`)!.messageBytes, 4);
  }
  assert.equal(running.lines.filter((line) => /WARNING.*binary=/.test(line)).length, 2);
});

Deno.test("POST /mpub?binary refuses a body that is not laid out so, and then publishes nothing", async () => {
  await using running = new RunningBroker();
  const badBody = refusal(413, "BAD_BODY"), badMessage = refusal(413, "BAD_MESSAGE");
  const cases: [Uint8Array, string][] = [
    [packed(), badBody],
    [packed("abc"), badBody],
    [packed(0), badBody],
    [packed(-1, 1, "a"), badBody],
    [packed(400, 1, "a"), badBody],
    [packed(1), badMessage],
    [packed(1, "abc"), badMessage],
    [packed(1, 0), badMessage],
    [packed(1, -5), badMessage],
    [packed(1, 2, "a"), badMessage],
    [packed(2, 1, "a"), badMessage],
    [packed(1, 1001, "x".repeat(1001)), badMessage],
    [packed(1, 1000, "x".repeat(1993)), refusal(413, "BODY_TOO_BIG")],
  ];
  for (const [body, expected] of cases) {
    assert.equal(await postTo(running, "/mpub?topic=t&binary=true", body), expected, String(body));
  }
  assert.equal(running.broker.topics.get("t")!.messageCount, 0);
  assert.equal(
    await postTo(running, "/mpub?topic=t&binary=true", packed(399, 1, "a")),
    badMessage,
    "the largest count",
  );
});

Deno.test("POST /topic/* answers its errors in order, and else does its work", async () => {
  await using running = new RunningBroker();
  const { broker } = running;
  for (const action of ["create", "delete", "empty", "pause", "unpause"]) {
    assert.equal(await postTo(running, `/topic/${action}?a;b`), refusal(400, "INVALID_REQUEST"));
    assert.equal(await postTo(running, `/topic/${action}`), refusal(400, "MISSING_ARG_TOPIC"));
    const validated = action === "create" || action === "empty";
    const onInvalid = validated ? refusal(400, "INVALID_TOPIC") : refusal(404, "TOPIC_NOT_FOUND");
    assert.equal(await postTo(running, `/topic/${action}?topic=a$b`), onInvalid, action);
    if (action === "create") continue;
    assert.equal(
      await postTo(running, `/topic/${action}?topic=none`),
      refusal(404, "TOPIC_NOT_FOUND"),
      action,
    );
  }
  assert.equal(await postTo(running, "/topic/create?topic=t", "a body that is ignored"), "200 ");
  assert.equal(await postTo(running, "/topic/create?topic=t"), "200 ");
  assert.equal(await postTo(running, "/topic/create?topic=e%23ephemeral"), "200 ");
  assert.deepEqual([...broker.topics.keys()], ["t", "e#ephemeral"]);
  await postTo(running, "/mpub?topic=t", "a\nb\nc");
  const topic = broker.topics.get("t")!;
  assert.equal(topic.pendingCount, 3);
  assert.equal(await postTo(running, "/topic/empty?topic=t"), "200 ");
  assert.equal(topic.pendingCount, 0);
  assert.equal(topic.messageCount, 3);
  for (const [action, paused] of [["pause", true], ["pause", true], ["unpause", false]] as const) {
    assert.equal(await postTo(running, `/topic/${action}?topic=t`), "200 ");
    assert.equal(topic.paused, paused);
  }
  assert.equal(await postTo(running, "/topic/delete?topic=t"), "200 ");
  assert.equal(await postTo(running, "/topic/delete?topic=e%23ephemeral"), "200 ");
  assert.equal(broker.topics.size, 0);
});

Deno.test("POST /channel/* answers its errors in order, and else does its work", async () => {
  await using running = new RunningBroker();
  const { broker } = running;
  await postTo(running, "/topic/create?topic=t");
  for (const action of ["create", "delete", "empty", "pause", "unpause"]) {
    const cases: [string, string][] = [
      ["?%", refusal(400, "INVALID_REQUEST")],
      ["?channel=c", refusal(400, "MISSING_ARG_TOPIC")],
      ["?topic=&channel=c", refusal(400, "INVALID_ARG_TOPIC")],
      ["?topic=none", refusal(400, "MISSING_ARG_CHANNEL")],
      ["?topic=none&channel=a%20b", refusal(400, "INVALID_ARG_CHANNEL")],
      ["?topic=none&channel=c", refusal(404, "TOPIC_NOT_FOUND")],
    ];
    for (const [query, expected] of cases) {
      assert.equal(await postTo(running, `/channel/${action}${query}`), expected);
    }
    if (action === "create") continue;
    assert.equal(
      await postTo(running, `/channel/${action}?topic=t&channel=c`),
      refusal(404, "CHANNEL_NOT_FOUND"),
    );
  }
  const on = (action: string) => postTo(running, `/channel/${action}?topic=t&channel=c`);
  await postTo(running, "/mpub?topic=t", "a\nb\nc");
  assert.equal(await on("create"), "200 ");
  assert.equal(await on("create"), "200 ");
  const channel = broker.topics.get("t")!.channels.get("c")!;
  assert.equal(channel.depth, 3, "the first channel gets the backlog");
  assert.equal(await on("empty"), "200 ");
  assert.equal(channel.depth, 0);
  for (const [action, paused] of [["pause", true], ["unpause", false], ["unpause", false]] as const) {
    assert.equal(await on(action), "200 ");
    assert.equal(channel.paused, paused);
  }
  assert.equal(await on("delete"), "200 ");
  assert.equal(broker.topics.get("t")!.channels.size, 0);
});

Deno.test("POST /channel/delete of the last channel deletes an ephemeral topic too", async () => {
  await using running = new RunningBroker();
  await postTo(running, "/topic/create?topic=t%23ephemeral");
  await postTo(running, "/channel/create?topic=t%23ephemeral&channel=c");
  assert.equal(await postTo(running, "/channel/delete?topic=t%23ephemeral&channel=c"), "200 ");
  assert.equal(running.broker.topics.size, 0);
});

Deno.test("a client that closes its sending side behind its request is answered by every endpoint", async () => {
  await using running = new RunningBroker();
  const { port } = running.http;
  for (const size of [1, 300, 500, 1_000]) {
    const { status, body } = await sendHalfClosed(port, "POST /pub?topic=t", "x".repeat(size));
    assert.deepEqual([status, body], [200, "OK"], String(size));
  }
  assert.equal((await sendHalfClosed(port, "POST /mpub?topic=t", "a\nb\n".repeat(500))).body, "OK");
  assert.equal((await sendHalfClosed(port, "POST /channel/create?topic=t&channel=c")).status, 200);
  assert.equal((await sendHalfClosed(port, "GET /ping")).body, "OK");
  assert.match((await sendHalfClosed(port, "GET /stats?format=json")).body, /"message_count":1004,/);
  assert.equal((await sendHalfClosed(port, "GET /nope")).status, 404);
});
