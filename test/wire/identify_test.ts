/** Transcripts of IDENTIFY without upgrades, and of heartbeats and deadlines. */
import assert from "node:assert/strict";
import { startNsqd } from "../support/running_nsqd.ts";
import { bytes, WireClient, withBody } from "./wire_client.ts";

/** What nsqd answers to `{"feature_negotiation":true}`, to the letter. */
const ANSWER = '{"max_rdy_count":2500,"version":"1.3.0","max_msg_timeout":900000,"msg_timeout":60000,' +
  '"tls_v1":false,"deflate":false,"deflate_level":6,"max_deflate_level":6,"snappy":false,"sample_rate":0,' +
  '"auth_required":false,"output_buffer_size":16384,"output_buffer_timeout":250,"topology_region":"",' +
  '"topology_zone":""}';

function identify(body: string): Uint8Array {
  return withBody("IDENTIFY", body);
}

Deno.test("nsqd answers IDENTIFY with OK, or with all it settled when features are negotiated", async () => {
  await using server = await startNsqd();
  const cases: [string, string][] = [
    ["{}", "OK"],
    ["null", "OK"],
    [' {"unknown":[{"a":1e400}],"client_id":null} \n', "OK"],
    ['{"feature_negotiation":false,"deflate":true,"snappy":true,"tls_v1":true}', "OK"],
    ['{"feature_negotiation":true}', ANSWER],
    [
      '{"Feature_Negotiation":true,"MSG_TIMEOUT":5000}',
      ANSWER.replace('"msg_timeout":60000', '"msg_timeout":5000'),
    ],
    ['{"feature_negotiation":true,"tls_v1":true}', ANSWER],
    [
      '{"feature_negotiation":true,"output_buffer_size":-1}',
      ANSWER.replace("16384", "1").replace('"output_buffer_timeout":250', '"output_buffer_timeout":0'),
    ],
    [
      '{"feature_negotiation":true,"output_buffer_timeout":-1,"sample_rate":99,"output_buffer_size":64}',
      ANSWER.replace("16384", "64").replace('timeout":250,', 'timeout":0,').replace(
        '"sample_rate":0',
        '"sample_rate":99',
      ),
    ],
  ];
  for (const [body, expected] of cases) {
    using client = await WireClient.open(server.tcpPort);
    assert.equal(await client.ask(identify(body)), `response ${expected}`, body);
  }
});

Deno.test("nsqd takes each field of IDENTIFY up to its bounds and says which value lies outside", async () => {
  await using server = await startNsqd();
  const bounds: [field: string, words: string, valid: number[], invalid: number[]][] = [
    ["heartbeat_interval", "heartbeat interval", [-1, 0, 1000, 60_000], [-2, 1, 999, 60_001]],
    ["output_buffer_size", "output buffer size", [-1, 0, 64, 65_536], [-2, 63, 65_537]],
    ["output_buffer_timeout", "output buffer timeout", [-1, 0, 25, 30_000], [-2, 24, 30_001]],
    ["sample_rate", "sample rate", [0, 1, 99], [-1, 100]],
    ["msg_timeout", "msg timeout", [0, 1000, 900_000], [-1, 999, 900_001]],
  ];
  for (const [field, words, valid, invalid] of bounds) {
    for (const value of valid) {
      using client = await WireClient.open(server.tcpPort);
      assert.equal(await client.ask(identify(`{"${field}":${value}}`)), "response OK", `${field} ${value}`);
    }
    for (const value of invalid) {
      using client = await WireClient.open(server.tcpPort);
      assert.deepEqual(
        [await client.ask(identify(`{"${field}":${value}}`)), await client.answer()],
        [`error E_BAD_BODY IDENTIFY ${words} (${value}) is invalid`, "closed"],
      );
    }
  }
});

Deno.test("nsqd finds the first wrong field of IDENTIFY in its own order, whatever theirs is", async () => {
  await using server = await startNsqd();
  const wrong: [string, string][] = [
    ['"msg_timeout":1', "msg timeout (1)"],
    ['"sample_rate":-1', "sample rate (-1)"],
    ['"output_buffer_size":1', "output buffer size (1)"],
    ['"output_buffer_timeout":1', "output buffer timeout (1)"],
    ['"heartbeat_interval":1', "heartbeat interval (1)"],
  ];
  for (let count = 1; count <= wrong.length; count++) {
    const fields = wrong.slice(0, count);
    using client = await WireClient.open(server.tcpPort);
    const answer = await client.ask(identify(`{${fields.map(([field]) => field).join(",")}}`));
    assert.equal(answer, `error E_BAD_BODY IDENTIFY ${fields[count - 1][1]} is invalid`);
  }
});

Deno.test("nsqd refuses an IDENTIFY that is no JSON object of the right types", async () => {
  await using server = await startNsqd();
  const bodies = [
    "[]",
    '"text"',
    "{}x",
    "{}{}",
    '{"client_id":1}',
    '{"msg_timeout":"1000"}',
    '{"msg_timeout":1000.5}',
    '{"msg_timeout":1e3}',
    '{"feature_negotiation":1}',
    '{"sample_rate":2147483648}',
    '{"heartbeat_interval":9223372036854775808}',
  ];
  for (const body of bodies) {
    using client = await WireClient.open(server.tcpPort);
    const answers = [await client.ask(identify(body)), await client.answer()];
    assert.deepEqual(answers, ["error E_BAD_BODY IDENTIFY failed to decode JSON body", "closed"], body);
  }
});

Deno.test("nsqd names a client by its address until IDENTIFY, which overwrites both names", async () => {
  await using server = await startNsqd();
  const names = async (topic: string) => {
    const { topics } = JSON.parse(await server.http("GET", `/stats?format=json&topic=${topic}`));
    const [client] = topics[0].channels[0].clients;
    return [client.client_id, client.hostname];
  };
  const cases: [string, string | null, string[]][] = [
    ["silent", null, ["127.0.0.1", "127.0.0.1"]],
    ["named", '{"client_id":"me","hostname":"here"}', ["me", "here"]],
    ["bare", "{}", ["", ""]],
    ["old", '{"short_id":"me","long_id":"me.here"}', ["", ""]],
  ];
  for (const [topic, body, expected] of cases) {
    using client = await WireClient.open(server.tcpPort);
    if (body !== null) assert.equal(await client.ask(identify(body)), "response OK");
    await client.subscribe(topic, "c", 0);
    assert.deepEqual(await names(topic), expected, topic);
  }
});

Deno.test("nsqd publishes for a client without heartbeats, and lets it not subscribe", async () => {
  await using server = await startNsqd();
  using client = await WireClient.open(server.tcpPort);
  assert.equal(await client.ask(identify('{"heartbeat_interval":-1}')), "response OK");
  assert.equal(await client.ask(withBody("PUB t", "x")), "response OK");
  assert.deepEqual(
    [await client.ask("SUB t c\n"), await client.answer()],
    ["error E_INVALID cannot SUB with heartbeats disabled", "closed"],
  );
});

Deno.test("nsqd sends heartbeats also while it answers much else", async () => {
  await using server = await startNsqd();
  using client = await WireClient.open(server.tcpPort);
  assert.equal(await client.ask(identify('{"heartbeat_interval":1000}')), "response OK");
  let heartbeats = 0, answers = 0;
  while (heartbeats < 2) {
    await client.send(withBody("PUB t", "x"));
    const frame = (await client.frame())!;
    if (frame.text === "_heartbeat_") heartbeats++;
    else answers++;
    assert.equal(frame.type, 0);
  }
  assert.ok(answers > 10, `${answers} answers`);
});

Deno.test("nsqd says what it waited for when the deadline passes inside a body, and nothing inside a line", async () => {
  await using server = await startNsqd();
  const cases: [string | Uint8Array, string[]][] = [
    [bytes("PUB t\n", 10, "abc"), ["error E_BAD_MESSAGE PUB failed to read message body", "closed"]],
    [bytes("MPUB t\n", 10), ["error E_BAD_BODY MPUB failed to read message count", "closed"]],
    ["PUB t", ["closed"]],
  ];
  await Promise.all(cases.map(async ([sent, expected]) => {
    using client = await WireClient.open(server.tcpPort);
    assert.equal(await client.ask(identify('{"heartbeat_interval":1000}')), "response OK");
    await client.send(sent);
    for (const answer of expected) assert.equal(await client.answer(), answer);
  }));
});

Deno.test("nsqd keeps heartbeat, message timeout and sample rate of the first IDENTIFY", async () => {
  await using server = await startNsqd();
  using client = await WireClient.open(server.tcpPort);
  const first = identify('{"heartbeat_interval":1000,"msg_timeout":1000}');
  const second = identify('{"heartbeat_interval":60000,"msg_timeout":60000,"sample_rate":1}');
  assert.equal(await client.ask(first), "response OK");
  assert.equal(await client.ask(second), "response OK");
  assert.equal(await client.ask("SUB t c\n"), "response OK");
  await client.send(bytes("RDY 1\n", withBody("PUB t", "x")));
  const answers: string[] = [];
  while (answers.filter((answer) => answer.includes("_heartbeat_")).length < 2) {
    answers.push((await client.frame())!.text.slice(0, 11));
    await client.send("NOP\n");
  }
  // The message times out a second after it came, and comes again: no sample was taken of it.
  assert.ok(answers.length >= 5, answers.join());
});
