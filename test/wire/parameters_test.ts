/** Transcripts of numbers, sizes and limits: what RDY, REQ, DPUB, MPUB and SUB make of theirs. */
import assert from "node:assert/strict";
import { startNsqd } from "../support/running_nsqd.ts";
import { channelStats, topicNames, until } from "./observe.ts";
import { bytes, mpub, WireClient, withBody } from "./wire_client.ts";

const FLAGS = ["--max-msg-size=1000", "--max-body-size=2000"];

Deno.test("nsqd reads RDY's count modulo 2^64: none is 1, an empty one is 0", async () => {
  await using server = await startNsqd();
  const counts: [string, number][] = [
    ["RDY", 1],
    ["RDY ", 0],
    ["RDY 0", 0],
    ["RDY 003", 3],
    ["RDY 2500", 5],
    ["RDY 18446744073709551617", 1],
    ["RDY 18446744073709551616", 0],
  ];
  using producer = await WireClient.open(server.tcpPort);
  for (const [i, [line, expected]] of counts.entries()) {
    assert.equal(await producer.ask(mpub(`t${i}`, ["1", "2", "3", "4", "5"])), "response OK");
    using client = await WireClient.open(server.tcpPort);
    assert.equal(await client.ask(`SUB t${i} c\n`), "response OK");
    await client.send(`${line}\n`);
    for (let n = 0; n < expected; n++) await client.message();
    // Had more been sent, this answer would come behind it.
    assert.equal(await client.ask(withBody("PUB probe", "x")), "response OK", line);
    assert.equal((await channelStats(server, `t${i}`)).in_flight_count, expected, line);
  }
});

Deno.test("nsqd shows counts and delays that are out of range as their 64 bits say", async () => {
  await using server = await startNsqd();
  const cases: [string, string][] = [
    ["RDY 2501", "E_INVALID RDY count 2501 out of range 0-2500"],
    ["RDY 9223372036854775807", "E_INVALID RDY count 9223372036854775807 out of range 0-2500"],
    ["RDY 9223372036854775808", "E_INVALID RDY count -9223372036854775808 out of range 0-2500"],
    ["RDY 18446744073709551615", "E_INVALID RDY count -1 out of range 0-2500"],
    ["RDY -1", "E_INVALID RDY could not parse count -1"],
    ["RDY +1", "E_INVALID RDY could not parse count +1"],
    ["RDY 1.0", "E_INVALID RDY could not parse count 1.0"],
    ["DPUB t +1", "E_INVALID DPUB could not parse timeout +1"],
    ["DPUB t 1s", "E_INVALID DPUB could not parse timeout 1s"],
    ["DPUB t 3600001", "E_INVALID DPUB timeout 3600001 out of range 0-3600000"],
    ["REQ 0123456789abcdef -1", "E_INVALID REQ could not parse timeout -1"],
    ["TOUCH", "E_INVALID TOUCH insufficient number of params"],
    ["TOUCH 0123456789abcde", "E_INVALID invalid message ID"],
    ["REQ 0123456789abcdef0 0", "E_INVALID invalid message ID"],
  ];
  for (const [line, expected] of cases) {
    using client = await WireClient.open(server.tcpPort);
    await client.subscribe("t", "c", 1);
    assert.equal(await client.ask(`${line}\n`), `error ${expected}`);
    assert.equal(await client.answer(), "closed", line);
  }
  assert.deepEqual(await topicNames(server), ["t"]);
});

Deno.test("nsqd clamps the delay of REQ, and takes one that overflows as none", async () => {
  await using server = await startNsqd(["--max-req-timeout=1h"]);
  using client = await WireClient.open(server.tcpPort);
  await client.ask(mpub("t", ["far", "overflown"]));
  await client.subscribe("t", "c", 2);
  const far = await client.message(), overflown = await client.message();
  await client.send(`REQ ${far.id} 9223372036854\nREQ ${overflown.id} 9223372036855\n`);
  const again = await client.message();
  assert.deepEqual([again.id, again.attempts], [overflown.id, 2]);
  await until("the deferral", async () => (await channelStats(server)).deferred_count === 1);
  // It is not in flight any more.
  const gone = `FIN ${far.id} failed ID not in flight`;
  assert.equal(await client.ask(`FIN ${far.id}\n`), `error E_FIN_FAILED ${gone}`);
});

Deno.test("nsqd takes the size that MPUB announces for a bound only, and reads by count and sizes", async () => {
  await using server = await startNsqd(FLAGS);
  using client = await WireClient.open(server.tcpPort);
  const messages = bytes(2, 1, "a", 2, "bc");
  for (const announced of [1, messages.length - 3, messages.length + 100, 2000]) {
    assert.equal(await client.ask(bytes("MPUB t\n", announced, messages)), "response OK", `${announced}`);
  }
  await client.subscribe("t", "c", 100);
  for (let i = 0; i < 4; i++) {
    assert.deepEqual([(await client.message()).body, (await client.message()).body], ["a", "bc"]);
  }
});

Deno.test("nsqd queues nothing of an MPUB of which one message is refused", async () => {
  await using server = await startNsqd(FLAGS);
  for (const last of [bytes(0), bytes(-1), bytes(1001)]) {
    using client = await WireClient.open(server.tcpPort);
    assert.match(await client.ask(bytes("MPUB t\n", 20, 2, 1, "a", last)), /^error E_BAD_MESSAGE MPUB /);
  }
  const { topics } = JSON.parse(await server.http("GET", "/stats?format=json"));
  assert.deepEqual([topics[0].topic_name, topics[0].depth, topics[0].message_count], ["t", 0, 0]);
});

Deno.test("nsqd takes the largest message and the largest body, and says what is one byte too many", async () => {
  await using server = await startNsqd(FLAGS);
  const largest = "x".repeat(1000);
  using client = await WireClient.open(server.tcpPort);
  assert.equal(await client.ask(withBody("PUB t", largest)), "response OK");
  assert.equal(await client.ask(withBody("DPUB t 0", largest)), "response OK");
  assert.equal(await client.ask(mpub("t", [largest, "x".repeat(988)])), "response OK");
  assert.equal(await client.ask(withBody("IDENTIFY", `{}${" ".repeat(1998)}`)), "response OK");
  const refused: [Uint8Array, string][] = [
    [bytes("DPUB t 0\n", 1001), "E_BAD_MESSAGE DPUB message too big 1001 > 1000"],
    [bytes("DPUB t 0\n", 0), "E_BAD_MESSAGE DPUB invalid message body size 0"],
    [bytes("DPUB t 0\n", -2147483648), "E_BAD_MESSAGE DPUB invalid message body size -2147483648"],
    [bytes("PUB t\n", 2147483647), "E_BAD_MESSAGE PUB message too big 2147483647 > 1000"],
    [bytes("IDENTIFY\n", -1), "E_BAD_BODY IDENTIFY invalid body size -1"],
    [bytes("MPUB t\n", -1), "E_BAD_BODY MPUB invalid body size -1"],
    [bytes("MPUB t\n", 8, -1), "E_BAD_BODY MPUB invalid message count -1"],
  ];
  for (const [sent, expected] of refused) {
    using other = await WireClient.open(server.tcpPort);
    assert.equal(await other.ask(sent), `error ${expected}`);
  }
});

Deno.test("nsqd names what is missing when a client stops within DPUB, MPUB or IDENTIFY", async () => {
  await using server = await startNsqd();
  const cases: [string | Uint8Array, string][] = [
    ["DPUB t 0\n", "E_BAD_MESSAGE DPUB failed to read message body size"],
    [bytes("DPUB t 0\n", 2, "a"), "E_BAD_MESSAGE DPUB failed to read message body"],
    ["MPUB t\n\0\0\0", "E_BAD_BODY MPUB failed to read body size"],
    [bytes("MPUB t\n", 12, 1, 3, "ab"), "E_BAD_MESSAGE MPUB failed to read message body"],
    ["IDENTIFY\n\0", "E_BAD_BODY IDENTIFY failed to read body size"],
  ];
  for (const [sent, expected] of cases) {
    using client = await WireClient.open(server.tcpPort);
    await client.send(sent);
    await client.closeWrite();
    assert.deepEqual([await client.answer(), await client.answer()], [`error ${expected}`, "closed"]);
  }
  // A line without its end is no command.
  using client = await WireClient.open(server.tcpPort);
  await client.send("NO SUCH COMMAND");
  await client.closeWrite();
  assert.equal(await client.answer(), "closed");
});

Deno.test("nsqd lets no more consumers on a channel than --max-channel-consumers", async () => {
  await using server = await startNsqd(["--max-channel-consumers=2"]);
  using first = await WireClient.open(server.tcpPort);
  using third = await WireClient.open(server.tcpPort);
  {
    using second = await WireClient.open(server.tcpPort);
    for (const client of [first, second]) assert.equal(await client.ask("SUB t c\n"), "response OK");
    const expected = "error E_SUB_FAILED SUB failed consumers for t:c exceeds limit of 2";
    assert.deepEqual([await third.ask("SUB t c\n"), await third.answer()], [expected, "closed"]);
    using elsewhere = await WireClient.open(server.tcpPort);
    assert.equal(await elsewhere.ask("SUB t other\n"), "response OK");
  }
  await until("the end of a consumer", async () => (await channelStats(server)).client_count === 1);
  using next = await WireClient.open(server.tcpPort);
  assert.equal(await next.ask("SUB t c\n"), "response OK");
});
