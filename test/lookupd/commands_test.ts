import assert from "node:assert/strict";
import { type LookupdIdentity, LookupSession } from "../../src/lookupd/commands.ts";
import {
  checkIdentifySize,
  LookupProtocolError,
  MAX_IDENTIFY_BYTES,
} from "../../src/protocol/lookup/errors.ts";
import { TestDb } from "./fixtures.ts";

const IDENTITY: LookupdIdentity = {
  broadcastAddress: "127.0.0.1",
  hostname: "vm",
  tcpPort: 5160,
  httpPort: 5161,
  version: "1.3.0",
};
const NODE = {
  broadcast_address: "10.0.0.1",
  tcp_port: 4150,
  http_port: 4151,
  version: "1.0",
  hostname: "h1",
};

function session(db = new TestDb(), id = "127.0.0.1:1"): LookupSession {
  return new LookupSession(db, IDENTITY, id);
}

function identified(db: TestDb): LookupSession {
  const client = session(db);
  client.executeIdentify(json(NODE));
  return client;
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function errorOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof LookupProtocolError) return error.text;
    throw error;
  }
  assert.fail("no error");
}

Deno.test("LookupSession.executeIdentify() answers with what lookupd is", () => {
  const db = new TestDb();
  assert.equal(
    session(db).executeIdentify(json(NODE)),
    `{"broadcast_address":"127.0.0.1","hostname":"vm","http_port":5161,"tcp_port":5160,"version":"1.3.0"}`,
  );
  const [producer] = db.producers;
  assert.equal(producer.id, "127.0.0.1:1");
  assert.equal(producer.node, "10.0.0.1:4151");
});

Deno.test("LookupSession.executeIdentify() ignores unknown keys, letter case and null", () => {
  const db = new TestDb();
  const body =
    `{"Broadcast_Address":"a","TCP_PORT":1,"http_port":2,"hostname":null,"version":"v","x":{"y":1}}`;
  session(db).executeIdentify(new TextEncoder().encode(body));
  const [producer] = db.producers;
  assert.equal(producer.info.broadcastAddress, "a");
  assert.equal(producer.info.hostname, "");
  assert.deepEqual(producer.info.broadcastAddresses, []);
});

Deno.test("LookupSession.executeIdentify() takes several broadcast addresses, the main one first", () => {
  const db = new TestDb();
  session(db).executeIdentify(json({ ...NODE, broadcast_addresses: ["x", "10.0.0.1", "y", "x"] }));
  session(db, "127.0.0.1:2").executeIdentify(json({ ...NODE, broadcast_addresses: ["10.0.0.1"] }));
  const [several, one] = db.producers;
  assert.deepEqual(several.info.broadcastAddresses, ["10.0.0.1", "x", "y"]);
  assert.deepEqual(one.info.broadcastAddresses, []);
});

Deno.test("LookupSession.executeIdentify() refuses a body that is no JSON object of the right types", () => {
  const bodies = [
    "",
    "not json",
    "[]",
    `"text"`,
    "{",
    JSON.stringify({ ...NODE, tcp_port: "4150" }),
    JSON.stringify({ ...NODE, tcp_port: 1.5 }),
    JSON.stringify({ ...NODE, version: 1 }),
    JSON.stringify({ ...NODE, broadcast_addresses: "x" }),
    JSON.stringify({ ...NODE, broadcast_addresses: [1] }),
    JSON.stringify(NODE) + "x",
  ];
  for (const body of bodies) {
    assert.equal(
      errorOf(() => session().executeIdentify(new TextEncoder().encode(body))),
      "E_BAD_BODY IDENTIFY failed to decode JSON body",
      body,
    );
  }
});

Deno.test("LookupSession.executeIdentify() refuses a body without a required field", () => {
  const bodies = [
    null,
    {},
    { ...NODE, broadcast_address: "" },
    { ...NODE, tcp_port: 0 },
    { ...NODE, http_port: 0 },
    { ...NODE, version: null },
  ];
  for (const body of bodies) {
    assert.equal(
      errorOf(() => session().executeIdentify(json(body))),
      "E_BAD_BODY IDENTIFY missing fields",
      JSON.stringify(body),
    );
  }
});

Deno.test("LookupSession.executeLine() answers each error with its exact text", () => {
  const cases: [line: string, text: string][] = [
    ["FOO", "E_INVALID invalid command FOO"],
    ["", "E_INVALID invalid command "],
    ["ping", "E_INVALID invalid command ping"],
    ["IDENTIFY", "E_INVALID cannot IDENTIFY again"],
    ["REGISTER", "E_INVALID REGISTER insufficient number of params"],
    ["UNREGISTER", "E_INVALID UNREGISTER insufficient number of params"],
    ["REGISTER bad$topic", "E_BAD_TOPIC REGISTER topic name 'bad$topic' is not valid"],
    ["UNREGISTER bad$topic", "E_BAD_TOPIC UNREGISTER topic name 'bad$topic' is not valid"],
    ["REGISTER  t", "E_BAD_TOPIC REGISTER topic name '' is not valid"],
    ["REGISTER t bad$chan", "E_BAD_CHANNEL REGISTER channel name 'bad$chan' is not valid"],
    ["UNREGISTER t bad$chan", "E_BAD_CHANNEL UNREGISTER channel name 'bad$chan' is not valid"],
    [`REGISTER ${"t".repeat(65)}`, `E_BAD_TOPIC REGISTER topic name '${"t".repeat(65)}' is not valid`],
  ];
  for (const [line, text] of cases) {
    const client = identified(new TestDb());
    assert.equal(errorOf(() => client.executeLine(line)), text);
  }
});

Deno.test("LookupSession.executeLine() refuses registrations before IDENTIFY and allows PING", () => {
  const client = session();
  assert.equal(errorOf(() => client.executeLine("REGISTER t c")), "E_INVALID client must IDENTIFY");
  assert.equal(errorOf(() => client.executeLine("UNREGISTER")), "E_INVALID client must IDENTIFY");
  assert.deepEqual(client.executeLine("PING"), { kind: "answer", text: "OK" });
  assert.deepEqual(client.executeLine("IDENTIFY foo"), { kind: "identify-body" });
});

Deno.test("LookupSession.executeLine() ignores extra tokens and space around the line", () => {
  const db = new TestDb();
  const client = identified(db);
  for (
    const line of [
      "PING extra",
      "REGISTER t c junk",
      "  REGISTER t2 \r",
      "UNREGISTER t2 c x",
      "REGISTER t3  c",
    ]
  ) {
    assert.deepEqual(client.executeLine(line), { kind: "answer", text: "OK" }, line);
  }
  assert.deepEqual(db.lookupChannels("t"), ["c"]);
  assert.deepEqual(db.lookupChannels("t2"), []);
  assert.deepEqual(db.lookupChannels("t3"), [], "an empty channel is none");
});

Deno.test("LookupSession.executeLine() counts PING as a sign of life", () => {
  const db = new TestDb();
  const client = identified(db);
  db.advance(1000);
  client.executeLine("PING");
  assert.equal(client.producer?.lastUpdateMs, db.nowMs);
});

Deno.test("LookupSession.close() removes the producer", () => {
  const db = new TestDb();
  const client = identified(db);
  client.executeLine("REGISTER t c");
  client.close();
  client.close();
  assert.deepEqual(db.lookupAddresses("t"), []);
  assert.equal(db.producers.size, 0);
});

Deno.test("checkIdentifySize() refuses negative and large sizes", () => {
  checkIdentifySize(0);
  checkIdentifySize(MAX_IDENTIFY_BYTES);
  assert.equal(errorOf(() => checkIdentifySize(-1)), "E_BAD_BODY IDENTIFY invalid body size -1");
  assert.equal(
    errorOf(() => checkIdentifySize(MAX_IDENTIFY_BYTES + 1)),
    `E_BAD_BODY IDENTIFY body too big ${MAX_IDENTIFY_BYTES + 1} > ${MAX_IDENTIFY_BYTES}`,
  );
});
