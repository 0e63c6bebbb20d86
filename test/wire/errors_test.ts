/** Transcripts of everything a client can do wrong: the exact text, and what becomes of the connection. */
import assert from "node:assert/strict";
import { startNsqd } from "../support/running_nsqd.ts";
import { bytes, mpub, WireClient, withBody } from "./wire_client.ts";

const ID = "0123456789abcdef";

/** What is sent after the magic, and the error that ends the connection. */
const FATAL: [string, string | Uint8Array, string][] = [
  ["an unknown command", "FOO\n", "E_INVALID invalid command FOO"],
  ["an empty line", "\n", "E_INVALID invalid command "],
  ["a lower-case command", "nop\n", "E_INVALID invalid command nop"],
  ["a leading space", " NOP\n", "E_INVALID invalid command "],
  ["FIN before SUB", `FIN ${ID}\n`, "E_INVALID cannot FIN in current state"],
  ["REQ before SUB", `REQ ${ID} 0\n`, "E_INVALID cannot REQ in current state"],
  ["TOUCH before SUB", `TOUCH ${ID}\n`, "E_INVALID cannot TOUCH in current state"],
  ["RDY before SUB", "RDY 1\n", "E_INVALID cannot RDY in current state"],
  ["CLS before SUB", "CLS\n", "E_INVALID cannot CLS in current state"],
  ["SUB without channel", "SUB t\n", "E_INVALID SUB insufficient number of parameters"],
  ["SUB with a bad topic", "SUB b$d c\n", 'E_BAD_TOPIC SUB topic name "b$d" is not valid'],
  ["SUB with a bad channel", "SUB t b\td\n", 'E_BAD_CHANNEL SUB channel name "b\\td" is not valid'],
  ["PUB without topic", "PUB\n", "E_INVALID PUB insufficient number of parameters"],
  ["PUB with two spaces", "PUB  t\n", 'E_BAD_TOPIC PUB topic name "" is not valid'],
  ["PUB with #ephemeral alone", "PUB #ephemeral\n", 'E_BAD_TOPIC PUB topic name "#ephemeral" is not valid'],
  ["PUB with two returns", "PUB t\r\r\n", 'E_BAD_TOPIC PUB topic name "t\\r" is not valid'],
  ["PUB of nothing", bytes("PUB t\n", 0), "E_BAD_MESSAGE PUB invalid message body size 0"],
  ["PUB of a negative size", bytes("PUB t\n", -5), "E_BAD_MESSAGE PUB invalid message body size -5"],
  ["PUB of too much", bytes("PUB t\n", 1001), "E_BAD_MESSAGE PUB message too big 1001 > 1000"],
  ["MPUB with a bad topic", "MPUB b$d\n", 'E_BAD_TOPIC E_BAD_TOPIC MPUB topic name "b$d" is not valid'],
  ["MPUB of nothing", bytes("MPUB t\n", 0), "E_BAD_BODY MPUB invalid body size 0"],
  ["MPUB of too much", bytes("MPUB t\n", 2001), "E_BAD_BODY MPUB body too big 2001 > 2000"],
  ["MPUB of no messages", bytes("MPUB t\n", 4, 0), "E_BAD_BODY MPUB invalid message count 0"],
  ["MPUB of too many", bytes("MPUB t\n", 4, 400), "E_BAD_BODY MPUB invalid message count 400"],
  [
    "MPUB with an empty message",
    bytes("MPUB t\n", 20, 2, 1, "a", 0),
    "E_BAD_MESSAGE MPUB invalid message(1) body size 0",
  ],
  ["MPUB with a large one", bytes("MPUB t\n", 20, 1, 1001), "E_BAD_MESSAGE MPUB message too big 1001 > 1000"],
  ["DPUB without delay", "DPUB t\n", "E_INVALID DPUB insufficient number of parameters"],
  ["DPUB with a signed delay", "DPUB t -1\n", "E_INVALID DPUB could not parse timeout -1"],
  ["DPUB with a long delay", "DPUB t 3600001\n", "E_INVALID DPUB timeout 3600001 out of range 0-3600000"],
  ["IDENTIFY of nothing", bytes("IDENTIFY\n", 0), "E_BAD_BODY IDENTIFY invalid body size 0"],
  ["IDENTIFY of too much", bytes("IDENTIFY\n", 2001), "E_BAD_BODY IDENTIFY body too big 2001 > 2000"],
  ["IDENTIFY of no JSON", withBody("IDENTIFY", "{"), "E_BAD_BODY IDENTIFY failed to decode JSON body"],
  [
    "IDENTIFY with a short heartbeat",
    withBody("IDENTIFY", '{"heartbeat_interval":999}'),
    "E_BAD_BODY IDENTIFY heartbeat interval (999) is invalid",
  ],
  ["AUTH", withBody("AUTH", "secret"), "E_AUTH_DISABLED AUTH disabled"],
  ["AUTH with a parameter", "AUTH x\n", "E_INVALID AUTH invalid number of parameters"],
];

/** The same after `SUB t c`. */
const FATAL_SUBSCRIBED: [string, string | Uint8Array, string][] = [
  ["IDENTIFY", withBody("IDENTIFY", "{}"), "E_INVALID cannot IDENTIFY in current state"],
  ["AUTH", withBody("AUTH", "x"), "E_INVALID cannot AUTH in current state"],
  ["SUB again", "SUB t c\n", "E_INVALID cannot SUB in current state"],
  ["RDY of no number", "RDY x\n", "E_INVALID RDY could not parse count x"],
  ["RDY over the limit", "RDY 2501\n", "E_INVALID RDY count 2501 out of range 0-2500"],
  ["FIN without id", "FIN\n", "E_INVALID FIN insufficient number of params"],
  ["FIN of a short id", "FIN abc\n", "E_INVALID invalid message ID"],
  ["REQ without delay", `REQ ${ID}\n`, "E_INVALID REQ insufficient number of params"],
  ["REQ with a signed delay", `REQ ${ID} +1\n`, "E_INVALID REQ could not parse timeout +1"],
];

const FLAGS = ["--max-msg-size=1000", "--max-body-size=2000"];

Deno.test("nsqd answers each fatal error with its exact text and closes that connection only", async () => {
  await using server = await startNsqd(FLAGS);
  using bystander = await WireClient.open(server.tcpPort);
  await bystander.subscribe("watched", "c", 1);
  for (const [what, sent, expected] of FATAL) {
    using client = await WireClient.open(server.tcpPort);
    assert.equal(await client.ask(sent), `error ${expected}`, what);
    assert.equal(await client.answer(), "closed", what);
  }
  for (const [what, sent, expected] of FATAL_SUBSCRIBED) {
    using client = await WireClient.open(server.tcpPort);
    await client.subscribe("t", "c", 1);
    assert.equal(await client.ask(sent), `error ${expected}`, what);
    assert.equal(await client.answer(), "closed", what);
  }
  await server.http("POST", "/pub?topic=watched", "still here");
  assert.equal((await bystander.message()).body, "still here");
});

Deno.test("nsqd goes on after FIN, REQ and TOUCH of a message that is not in flight", async () => {
  await using server = await startNsqd();
  using client = await WireClient.open(server.tcpPort);
  await client.subscribe("t", "c", 1);
  const failed = "failed ID not in flight";
  assert.equal(await client.ask(`FIN ${ID}\n`), `error E_FIN_FAILED FIN ${ID} ${failed}`);
  assert.equal(await client.ask(`REQ ${ID} 0\n`), `error E_REQ_FAILED REQ ${ID} ${failed}`);
  assert.equal(await client.ask(`TOUCH ${ID}\n`), `error E_TOUCH_FAILED TOUCH ${ID} ${failed}`);
  assert.equal(
    await client.ask("FIN 0123456789ABCDEF\n"),
    `error E_FIN_FAILED FIN 0123456789ABCDEF ${failed}`,
  );
  await server.http("POST", "/pub?topic=t", "still here");
  assert.equal((await client.message()).body, "still here");
});

Deno.test("nsqd refuses an answer for a message that another consumer holds", async () => {
  await using server = await startNsqd();
  using holder = await WireClient.open(server.tcpPort);
  using other = await WireClient.open(server.tcpPort);
  await holder.subscribe("t", "c", 1);
  await other.subscribe("t", "c", 0);
  await server.http("POST", "/pub?topic=t", "held");
  const { id } = await holder.message();
  assert.equal(
    await other.ask(`FIN ${id}\n`),
    `error E_FIN_FAILED FIN ${id} failed client does not own message`,
  );
});

Deno.test("nsqd closes a connection with another magic, and one whose line is too long", async () => {
  await using server = await startNsqd();
  using stranger = await WireClient.open(server.tcpPort, "GET ");
  assert.equal(await stranger.answer(), "error E_BAD_PROTOCOL");
  assert.equal(await stranger.answer(), "closed");
  using talker = await WireClient.open(server.tcpPort);
  assert.equal(await talker.ask("N".repeat(16_384)), "closed");
});

Deno.test("nsqd names what was cut off when a client stops sending inside a body", async () => {
  await using server = await startNsqd();
  const cases: [string | Uint8Array, string][] = [
    ["PUB t\n", "E_BAD_MESSAGE PUB failed to read message body size"],
    [bytes("PUB t\n", 10, "abc"), "E_BAD_MESSAGE PUB failed to read message body"],
    [bytes("MPUB t\n", 10), "E_BAD_BODY MPUB failed to read message count"],
    [bytes("MPUB t\n", 30, 2, 1, "a"), "E_BAD_MESSAGE MPUB failed to read message(1) body size"],
    [bytes("IDENTIFY\n", 10, "{"), "E_BAD_BODY IDENTIFY failed to read body"],
  ];
  for (const [sent, expected] of cases) {
    using client = await WireClient.open(server.tcpPort);
    await client.send(sent);
    await client.closeWrite();
    assert.equal(await client.answer(), `error ${expected}`);
    assert.equal(await client.answer(), "closed");
  }
});

Deno.test("nsqd leaves the topic of a refused MPUB behind, and none of a refused PUB", async () => {
  await using server = await startNsqd(FLAGS);
  using first = await WireClient.open(server.tcpPort);
  await first.ask(bytes("MPUB kept\n", 4, 0));
  using second = await WireClient.open(server.tcpPort);
  await second.ask(bytes("PUB none\n", 1001));
  using third = await WireClient.open(server.tcpPort);
  assert.equal(await third.ask(mpub("kept", ["a", "b"])), "response OK");
  const { topics } = JSON.parse(await server.http("GET", "/stats?format=json"));
  assert.deepEqual(
    topics.map((topic: { topic_name: string; depth: number }) => [topic.topic_name, topic.depth]),
    [
      ["kept", 2],
    ],
  );
});

Deno.test("nsqd survives garbage on many connections while a consumer keeps consuming", async () => {
  await using server = await startNsqd();
  using consumer = await WireClient.open(server.tcpPort);
  await consumer.subscribe("t", "c", 10);
  let seed = 20_261_123;
  const random = () => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
  for (let round = 0; round < 60; round++) {
    const garbage = Uint8Array.from({ length: 1 + Math.floor(random() * 400) }, () => random() * 256);
    using client = await WireClient.open(server.tcpPort, random() < 0.3 ? "" : "  V2");
    await client.send(random() < 0.5 ? bytes("PUB t\n", garbage) : garbage);
    await client.closeWrite();
    while (await client.answer() !== "closed") { /* read to its end */ }
    await server.http("POST", "/pub?topic=t", `message ${round}`);
    let message = await consumer.message();
    // Garbage may happen to be a publish.
    while (message.body !== `message ${round}`) {
      await consumer.send(`FIN ${message.id}\n`);
      message = await consumer.message();
    }
    await consumer.send(`FIN ${message.id}\n`);
  }
});
