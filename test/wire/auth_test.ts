/** Transcripts of AUTH with a real auth server: what is allowed, every refusal, expiry, and waiting. */
import assert from "node:assert/strict";
import { allowAll, type AuthReply, AuthServer, reply } from "../support/auth_server.ts";
import { startNsqd, type TestNsqd } from "../support/running_nsqd.ts";
import { until } from "./observe.ts";
import { DeflateTransport } from "../../src/transport/deflate_transport.ts";
import { identify, openUpgraded, pem, TLS_FLAGS } from "./upgrade_client.ts";
import { bytes, mpub, WireClient, withBody } from "./wire_client.ts";

const AUTH = withBody("AUTH", "secret");
const WELCOME = 'response {"identity":"bob","identity_url":"http://x","permission_count":1}';

function allow(entry: object, ttl = 3600): AuthReply {
  return reply({ ttl, authorizations: [entry] });
}

function startWith(server: AuthServer, ...flags: string[]): Promise<TestNsqd> {
  return startNsqd([`--auth-http-address=${server.address}`, ...flags]);
}

async function identified(nsqd: TestNsqd, secret: string | Uint8Array = AUTH): Promise<WireClient> {
  const client = await WireClient.open(nsqd.tcpPort);
  assert.equal(await client.ask(secret), WELCOME);
  return client;
}

/** Answers of the auth server one by one, each given by the test when it wants to. */
function gate() {
  const waiting: ((reply: AuthReply) => void)[] = [];
  return {
    answer: () => new Promise<AuthReply>((resolve) => waiting.push(resolve)),
    open: (reply: AuthReply) => waiting.shift()!(reply),
    arrived: () => until("the request to the auth server", () => waiting.length > 0),
  };
}

Deno.test("AUTH answers who the client is, and IDENTIFY that it is required", async () => {
  await using auth = await AuthServer.start(allowAll());
  await using nsqd = await startWith(auth);
  using client = await WireClient.open(nsqd.tcpPort);
  const identify = await client.ask(withBody("IDENTIFY", '{"feature_negotiation":true}'));
  assert.equal(JSON.parse(identify.replace("response ", "")).auth_required, true);
  assert.equal(await client.ask(withBody("AUTH", "s3cr&t +")), WELCOME);
  assert.equal(
    auth.requests[0].target,
    "/auth?common_name=&remote_ip=127.0.0.1&secret=s3cr%26t+%2B&tls=false",
  );
  assert.equal(await client.ask(withBody("PUB t", "x")), "response OK");
  assert.equal(await client.ask(mpub("t", ["y"])), "response OK");
  assert.equal(await client.ask(withBody("DPUB t 1", "z")), "response OK");
  await client.subscribe("t", "c", 3);
  assert.equal((await client.message()).body, "x");
});

Deno.test("AUTH without an auth server is disabled, and nothing needs it", async () => {
  await using nsqd = await startNsqd();
  using client = await WireClient.open(nsqd.tcpPort);
  assert.equal(await client.ask(withBody("PUB t", "x")), "response OK");
  assert.equal(await client.ask(AUTH), "error E_AUTH_DISABLED AUTH disabled");
  assert.equal(await client.answer(), "closed");
});

Deno.test("AUTH refuses what is wrong, in the order of the checks", async () => {
  await using auth = await AuthServer.start(allowAll());
  await using nsqd = await startWith(auth, "--max-body-size=100");
  const before: [string | Uint8Array, string][] = [
    [withBody("AUTH now", "x"), "E_INVALID AUTH invalid number of parameters"],
    [bytes("AUTH\n", 101), "E_BAD_BODY AUTH body too big 101 > 100"],
    [bytes("AUTH\n", 0), "E_BAD_BODY AUTH invalid body size 0"],
    [withBody("PUB t", "x"), "E_AUTH_FIRST AUTH required before PUB"],
    [withBody("DPUB t 5", "x"), "E_AUTH_FIRST AUTH required before DPUB"],
    ["MPUB t\n", "E_AUTH_FIRST AUTH required before MPUB"],
    ["SUB t c\n", "E_AUTH_FIRST AUTH required before SUB"],
    ["SUB t\n", "E_INVALID SUB insufficient number of parameters"],
    ["SUB t $\n", 'E_BAD_CHANNEL SUB channel name "$" is not valid'],
    [bytes("PUB t\n", 0), "E_BAD_MESSAGE PUB invalid message body size 0"],
    ["DPUB t x\n", "E_INVALID DPUB could not parse timeout x"],
    ["MPUB $\n", 'E_BAD_TOPIC E_BAD_TOPIC MPUB topic name "$" is not valid'],
  ];
  for (const [sent, error] of before) {
    using client = await WireClient.open(nsqd.tcpPort);
    assert.equal(await client.ask(sent), `error ${error}`);
    assert.equal(await client.answer(), "closed");
  }
  assert.equal(auth.requests.length, 0);
  using client = await identified(nsqd);
  assert.equal(await client.ask(AUTH), "error E_INVALID AUTH already set");
  using subscribed = await identified(nsqd);
  await subscribed.subscribe("t", "c", 1);
  assert.equal(await subscribed.ask(AUTH), "error E_INVALID cannot AUTH in current state");
  const topics = JSON.parse(await nsqd.http("GET", "/stats?format=json")).topics;
  assert.deepEqual(topics.map((topic: { topic_name: string }) => topic.topic_name), ["t"]);
});

Deno.test("AUTH fails on a bad reply or without a server, and tells a client that may do nothing", async () => {
  await using auth = await AuthServer.start(allowAll());
  await using nsqd = await startWith(auth);
  const replies: [AuthReply, string][] = [
    [{ status: 500, body: "" }, "E_AUTH_FAILED AUTH failed"],
    [{ body: "{}" }, "E_AUTH_FAILED AUTH failed"],
    [allow({ topic: "(", channels: [], permissions: [] }), "E_AUTH_FAILED AUTH failed"],
    [allow({ topic: "", channels: [], permissions: ["own"] }), "E_AUTH_FAILED AUTH failed"],
    [reply({ ttl: 5, authorizations: [] }), "E_UNAUTHORIZED AUTH no authorizations found"],
  ];
  for (const [answer, error] of replies) {
    auth.answer = () => answer;
    using client = await WireClient.open(nsqd.tcpPort);
    assert.equal(await client.ask(AUTH), `error ${error}`);
    assert.equal(await client.answer(), "closed");
  }
  await auth[Symbol.asyncDispose]();
  using client = await WireClient.open(nsqd.tcpPort);
  assert.equal(await client.ask(AUTH), "error E_AUTH_FAILED AUTH failed");
  assert.doesNotMatch(nsqd.lines.join("\n"), /secret=/);
});

Deno.test("AUTH permissions decide over SUB, PUB, MPUB and DPUB", async () => {
  await using auth = await AuthServer.start(allowAll());
  await using nsqd = await startWith(auth);
  auth.answer = () => allow({ topic: "^t$", channels: ["^c$"], permissions: ["publish", "subscribe"] });
  const refused: [string | Uint8Array, string][] = [
    [withBody("PUB t", "x"), 'PUB on "t" ""'],
    [withBody("DPUB t 0", "x"), 'DPUB on "t" ""'],
    ["MPUB t\n", 'MPUB on "t" ""'],
    ["SUB t d\n", 'SUB on "t" "d"'],
    ["SUB u c\n", 'SUB on "u" "c"'],
  ];
  for (const [sent, what] of refused) {
    using client = await identified(nsqd);
    assert.equal(await client.ask(sent), `error E_UNAUTHORIZED AUTH failed for ${what}`);
    assert.equal(await client.answer(), "closed");
  }
  assert.equal(JSON.parse(await nsqd.http("GET", "/stats?format=json")).topics.length, 0);
  using consumer = await identified(nsqd);
  await consumer.subscribe("t", "c", 1);
  auth.answer = () => allow({ topic: "", channels: [".*"], permissions: ["publish"] });
  using producer = await identified(nsqd);
  assert.equal(await producer.ask(mpub("t", ["x"])), "response OK");
  assert.equal(await producer.ask("SUB t c\n"), 'error E_UNAUTHORIZED AUTH failed for SUB on "t" "c"');
});

Deno.test("nsqd asks again once what it knows has expired, before it decides", async () => {
  await using auth = await AuthServer.start(allowAll(1));
  await using nsqd = await startWith(auth);
  using client = await identified(nsqd), consumer = await identified(nsqd);
  await consumer.subscribe("t", "c", 10);
  const expired = performance.now() + 1001;
  auth.requests.length = 0;
  await until("the expiry", () => performance.now() > expired);
  // One request for all that is sent, in order.
  await client.send(bytes(withBody("PUB t", "1"), mpub("t", ["2"]), withBody("DPUB t 0", "3"), "NOP\n"));
  for (let i = 0; i < 3; i++) assert.equal(await client.answer(), "response OK");
  assert.equal(auth.requests.length, 1);
  assert.match(auth.requests[0].target, /secret=secret/);
  for (const body of ["1", "2", "3"]) assert.equal((await consumer.message()).body, body);
});

Deno.test("nsqd refuses with what is new after the expiry: MPUB, SUB, no entries, no server", async () => {
  await using auth = await AuthServer.start(allowAll(1));
  await using nsqd = await startWith(auth);
  const clients: WireClient[] = [];
  for (let i = 0; i < 5; i++) clients.push(await identified(nsqd));
  const [publisher, batch, subscriber, nobody, consumer] = clients;
  await consumer.subscribe("t", "c", 1);
  const expired = performance.now() + 1001;
  await until("the expiry", () => performance.now() > expired);
  auth.answer = () => allow({ topic: "^other$", channels: [".*"], permissions: ["publish", "subscribe"] });
  assert.equal(
    await publisher.ask(withBody("PUB t", "x")),
    'error E_UNAUTHORIZED AUTH failed for PUB on "t" ""',
  );
  assert.equal(
    await batch.ask(mpub("new", ["x"])),
    'error E_UNAUTHORIZED AUTH failed for MPUB on "new" ""',
  );
  assert.equal(await subscriber.ask("SUB other c\nRDY 1\nNOP\n"), "response OK");
  auth.answer = () => reply({ ttl: 1, authorizations: [] });
  assert.equal(await nobody.ask("SUB t c\n"), 'error E_UNAUTHORIZED AUTH failed for SUB on "t" "c"');
  // A consumer keeps receiving, whatever became of its permissions and of the auth server.
  await auth[Symbol.asyncDispose]();
  await nsqd.http("POST", "/pub?topic=t", "still");
  assert.equal((await consumer.message()).body, "still");
  const topics = JSON.parse(await nsqd.http("GET", "/stats?format=json")).topics;
  assert.deepEqual(topics.map((topic: { topic_name: string }) => topic.topic_name), ["other", "t"]);
  assert.equal(await consumer.ask(withBody("PUB t", "x")), "error E_AUTH_FAILED AUTH failed");
  for (const client of clients) client[Symbol.dispose]();
});

Deno.test("AUTH holds up the commands behind it, and no other connection", async () => {
  const { answer, open, arrived } = gate();
  await using auth = await AuthServer.start(answer);
  await using nsqd = await startWith(auth);
  using client = await WireClient.open(nsqd.tcpPort);
  await client.send(bytes(AUTH, withBody("PUB t", "1"), "SUB t c\nRDY 1\n"));
  await arrived();
  await client.send(bytes(withBody("PUB t", "2"), withBody("PUB t", "x".repeat(300_000))));
  using other = await WireClient.open(nsqd.tcpPort);
  assert.equal(await other.ask(withBody("PUB t", "x")), "error E_AUTH_FIRST AUTH required before PUB");
  assert.equal(JSON.parse(await nsqd.http("GET", "/stats?format=json")).topics.length, 0);
  open(allowAll());
  assert.equal(await client.answer(), WELCOME);
  const frames: string[] = [];
  for (let i = 0; i < 5; i++) {
    const frame = (await client.frame())!;
    frames.push(frame.type === 2 ? new TextDecoder().decode(frame.data.subarray(26)) : frame.text);
  }
  assert.deepEqual(frames.sort(), ["1", "OK", "OK", "OK", "OK"]);
});

Deno.test("AUTH holds up an IDENTIFY behind it that changes the stream", async () => {
  const { answer, open, arrived } = gate();
  await using auth = await AuthServer.start(answer);
  await using nsqd = await startWith(auth);
  using client = await WireClient.open(nsqd.tcpPort);
  await client.send(bytes(AUTH, identify({ deflate: true })));
  await arrived();
  open(allowAll());
  assert.equal(await client.answer(), WELCOME);
  assert.match(await client.answer(), /^response \{.*"deflate":true/);
  await client.change((conn) => new DeflateTransport(conn, 6));
  assert.equal(await client.answer(), "response OK");
  assert.equal(await client.ask(withBody("PUB t", "x")), "response OK");
});

Deno.test("AUTH bounds what is taken in of the commands behind it, which all run in the end", async () => {
  const { answer, open, arrived } = gate();
  await using auth = await AuthServer.start(answer);
  await using nsqd = await startWith(auth);
  using client = await WireClient.open(nsqd.tcpPort);
  assert.equal(await client.ask(identify({})).then((text) => text.slice(0, 10)), "response {");
  const count = 400, body = "x".repeat(20_000);
  const sending = client.send(bytes(AUTH, ...Array.from({ length: count }, () => withBody("PUB t", body))));
  await arrived();
  open(allowAll());
  assert.equal(await client.answer(), WELCOME);
  for (let i = 0; i < count; i++) assert.equal(await client.answer(), "response OK");
  await sending;
  assert.equal(JSON.parse(await nsqd.http("GET", "/stats?format=json")).topics[0].message_count, count);
});

Deno.test("AUTH tells the auth server of TLS and of the client's certificate", async () => {
  await using auth = await AuthServer.start(allowAll());
  await using nsqd = await startWith(auth, ...TLS_FLAGS, "--tls-client-auth-policy=require");
  const certificate = { cert: pem("client"), key: pem("client_key") };
  using client = await openUpgraded(nsqd.tcpPort, { tls_v1: true }, certificate);
  assert.equal(await client.ask(AUTH), WELCOME);
  assert.equal(
    auth.requests[0].target,
    "/auth?common_name=consumer+one&remote_ip=127.0.0.1&secret=secret&tls=true",
  );
  using plain = await WireClient.open(nsqd.tcpPort);
  assert.equal(await plain.ask(AUTH), "error E_INVALID cannot AUTH in current state (TLS required)");
});

Deno.test("AUTH that is refused drops the commands behind it", async () => {
  const { answer, open, arrived } = gate();
  await using auth = await AuthServer.start(answer);
  await using nsqd = await startWith(auth);
  using client = await WireClient.open(nsqd.tcpPort);
  await client.send(bytes(AUTH, withBody("PUB t", "x".repeat(500_000))));
  await arrived();
  open({ status: 403, body: "" });
  assert.equal(await client.answer(), "error E_AUTH_FAILED AUTH failed");
  assert.equal(await client.answer(), "closed");
  assert.equal(JSON.parse(await nsqd.http("GET", "/stats?format=json")).topics.length, 0);
});

Deno.test("a client that waits for the auth server gets heartbeats, and is not ended for its silence", async () => {
  const { answer, open, arrived } = gate();
  await using auth = await AuthServer.start(answer);
  await using nsqd = await startWith(auth);
  using client = await WireClient.open(nsqd.tcpPort);
  assert.equal(await client.ask(withBody("IDENTIFY", '{"heartbeat_interval":1000}')), "response OK");
  await client.send(AUTH);
  await arrived();
  // Two intervals without a command would end it otherwise.
  for (let i = 0; i < 3; i++) assert.equal((await client.frame())!.text, "_heartbeat_");
  open(allowAll());
  assert.equal(await client.answer(), WELCOME);
  assert.equal(await client.ask(withBody("PUB t", "x")), "response OK");
});

Deno.test("a client that closes its sending half behind AUTH still gets all its answers", async () => {
  const { answer, open, arrived } = gate();
  await using auth = await AuthServer.start(answer);
  await using nsqd = await startWith(auth);
  using client = await WireClient.open(nsqd.tcpPort);
  await client.send(bytes(AUTH, withBody("PUB t", "x"), bytes("PUB t\n", 5, "ab")));
  await client.closeWrite();
  await arrived();
  open(allowAll());
  assert.equal(await client.answer(), WELCOME);
  assert.equal(await client.answer(), "response OK");
  assert.equal(await client.answer(), "error E_BAD_MESSAGE PUB failed to read message body");
  assert.equal(await client.answer(), "closed");
});

Deno.test("AUTH fails when the auth server takes too long, and the connection ends", async () => {
  await using auth = await AuthServer.start(() => new Promise<never>(() => {}));
  await using nsqd = await startWith(auth, "--http-client-request-timeout=50ms");
  using client = await WireClient.open(nsqd.tcpPort);
  assert.equal(await client.ask(bytes(AUTH, "NOP\n")), "error E_AUTH_FAILED AUTH failed");
  assert.equal(await client.answer(), "closed");
  assert.match(nsqd.lines.join("\n"), /AUTH: auth server http:\/\/127.*: no reply from it within 50 ms/);
});

Deno.test("nsqd stops asking the auth server for a connection that has ended", async () => {
  const { answer, arrived } = gate();
  await using auth = await AuthServer.start(answer);
  const nsqd = await startWith(auth);
  using client = await WireClient.open(nsqd.tcpPort);
  await client.send(AUTH);
  await arrived();
  await nsqd[Symbol.asyncDispose]();
  await until("the end of the request", () => auth.abandoned === 1);
});

Deno.test("/stats tells who a client is, by the auth server", async () => {
  await using auth = await AuthServer.start(allowAll());
  await using nsqd = await startWith(auth);
  using client = await identified(nsqd);
  await client.ask(withBody("PUB t", "x"));
  await client.subscribe("t", "c", 0);
  const { topics, producers } = JSON.parse(await nsqd.http("GET", "/stats?format=json"));
  for (const stats of [topics[0].channels[0].clients[0], producers[0]]) {
    assert.deepEqual([stats.authed, stats.auth_identity, stats.auth_identity_url], [true, "bob", "http://x"]);
    const keys = Object.keys(stats), at = keys.indexOf("user_agent");
    assert.deepEqual(keys.slice(at + 1, at + 4), ["authed", "auth_identity", "auth_identity_url"]);
  }
});
