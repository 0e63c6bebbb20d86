/** Transcripts of how a connection begins, of lines and names, and of what a message frame looks like. */
import assert from "node:assert/strict";
import { startNsqd } from "../support/running_nsqd.ts";
import { channelStats, topicNames, until } from "./observe.ts";
import { bytes, mpub, WireClient, withBody } from "./wire_client.ts";

const LONGEST_NAME = "n".repeat(64), LONGEST_EPHEMERAL = `${"e".repeat(54)}#ephemeral`;

Deno.test("nsqd says nothing to a client that leaves within the magic, or sends no more than it", async () => {
  await using server = await startNsqd();
  for (const magic of [" ", "  V", "  V2"]) {
    using client = await WireClient.open(server.tcpPort, "");
    await client.send(magic);
    await client.closeWrite();
    assert.equal(await client.answer(), "closed", JSON.stringify(magic));
  }
});

Deno.test("nsqd takes the magic byte by byte, and what follows it in the same packet", async () => {
  await using server = await startNsqd();
  using client = await WireClient.open(server.tcpPort, "");
  for (const byte of "  V") await client.send(byte);
  await client.send(bytes("2", withBody("PUB t", "x"), withBody("PUB t", "y")));
  assert.deepEqual([await client.answer(), await client.answer()], ["response OK", "response OK"]);
});

Deno.test("nsqd refuses other protocols in one bare word, that of lookupd among them", async () => {
  await using server = await startNsqd();
  for (const magic of ["  V1", "  V3", "\0\0\0\0", "GET / HTTP/1.1\r\n\r\n"]) {
    using client = await WireClient.open(server.tcpPort, magic);
    const frame = (await client.frame())!;
    assert.deepEqual([frame.type, frame.text], [1, "E_BAD_PROTOCOL"], magic);
    assert.equal(await client.answer(), "closed", magic);
  }
});

Deno.test("nsqd sends a message as size, type 2, time, attempts, id and body", async () => {
  await using server = await startNsqd();
  const beforeNs = BigInt(Date.now() - 1) * 1_000_000n;
  using client = await WireClient.open(server.tcpPort);
  await client.subscribe("t", "c", 1);
  assert.equal(await client.ask(withBody("PUB t", "x")), "response OK");
  const { type, data } = (await client.frame())!, view = new DataView(data.buffer);
  assert.deepEqual([type, data.length], [2, 27]);
  const timestampNs = view.getBigInt64(0);
  assert.ok(timestampNs >= beforeNs && timestampNs <= BigInt(Date.now() + 1) * 1_000_000n, `${timestampNs}`);
  assert.equal(view.getUint16(8), 1);
  const text = new TextDecoder().decode(data.subarray(10));
  assert.match(text, /^[0-9a-f]{16}x$/);
});

Deno.test("nsqd gives the messages of a topic rising ids, also within one MPUB", async () => {
  await using server = await startNsqd();
  using client = await WireClient.open(server.tcpPort);
  await client.ask(mpub("t", ["a", "b", "c"]));
  await client.ask(withBody("PUB t", "d"));
  await client.subscribe("t", "c", 10);
  const ids: string[] = [];
  for (let i = 0; i < 4; i++) ids.push((await client.message()).id);
  assert.deepEqual(ids, [...new Set(ids)].sort());
});

Deno.test("nsqd ends a line at its newline, less one return, and ignores parameters that are too many", async () => {
  await using server = await startNsqd();
  using client = await WireClient.open(server.tcpPort);
  for (const line of ["PUB t\r", "PUB t more and more", "PUB t ", "DPUB t 0 more\r"]) {
    assert.equal(await client.ask(withBody(line, "x")), "response OK", line);
  }
  assert.equal(await client.ask("SUB t c more\n"), "response OK");
  await client.send("NOP with parameters\nRDY 4 more\n");
  const held = [];
  for (let i = 0; i < 4; i++) held.push(await client.message());
  await client.send(`FIN ${held[0].id} more\nREQ ${held[1].id} 3600000 more\nTOUCH ${held[2].id} more\n`);
  await until("the answers", async () => {
    const { in_flight_count, deferred_count } = await channelStats(server);
    return in_flight_count === 2 && deferred_count === 1;
  });
  assert.equal(await client.ask("CLS more\n"), "response CLOSE_WAIT");
});

Deno.test("nsqd takes a line of 16,384 bytes, its newline included, and none of one more", async () => {
  await using server = await startNsqd();
  using client = await WireClient.open(server.tcpPort);
  const longest = `NOP ${"x".repeat(16_379)}\n`;
  assert.equal(longest.length, 16_384);
  await client.send(longest);
  assert.equal(await client.ask(withBody("PUB t", "x")), "response OK");
  assert.equal(await client.ask(`x${longest}`), "closed");
});

Deno.test("nsqd repeats parameters as they came, and quotes names as Go does", async () => {
  await using server = await startNsqd();
  const utf8 = (text: string) => new TextEncoder().encode(text);
  const cases: [Uint8Array, Uint8Array][] = [
    [
      bytes(new Uint8Array([0xff, 0, 0x41]), "\n"),
      bytes("E_INVALID invalid command ", new Uint8Array([0xff, 0, 0x41])),
    ],
    [utf8("\tNOP\n"), utf8("E_INVALID invalid command \tNOP")],
    [
      bytes('PUB "\\\x07\b\f\t\v\x01\x7f', new Uint8Array([0xff, 0x80]), "é中\u200b\n"),
      utf8('E_BAD_TOPIC PUB topic name "\\"\\\\\\a\\b\\f\\t\\v\\x01\\x7f\\xff\\x80é中\\u200b" is not valid'),
    ],
    [utf8("DPUB t ١\n"), utf8("E_INVALID DPUB could not parse timeout ١")],
  ];
  for (const [sent, expected] of cases) {
    using client = await WireClient.open(server.tcpPort);
    await client.send(sent);
    const frame = (await client.frame())!;
    assert.deepEqual([frame.type, [...frame.data]], [1, [...expected]], frame.text);
  }
});

Deno.test("nsqd takes names of 1 to 64 bytes, a suffix included, and no others", async () => {
  await using server = await startNsqd();
  const valid = ["a", ".-_09azAZ", "a#ephemeral", LONGEST_NAME, LONGEST_EPHEMERAL];
  for (const name of valid) {
    using client = await WireClient.open(server.tcpPort);
    assert.equal(await client.ask(withBody(`PUB ${name}`, "x")), "response OK", name);
    assert.equal(await client.ask(`SUB ${name} ${name}\n`), "response OK", name);
  }
  const lasting = valid.filter((name) => !name.endsWith("#ephemeral"));
  await until(
    "the end of ephemeral topics",
    async () => (await topicNames(server)).length === lasting.length,
  );
  assert.deepEqual(await topicNames(server), lasting.toSorted());
  for (const name of [`${LONGEST_NAME}n`, `e${LONGEST_EPHEMERAL}`, "a#eph", "a#ephemeral#ephemeral", "a/b"]) {
    for (const command of ["PUB", "DPUB", "MPUB", "SUB"]) {
      using client = await WireClient.open(server.tcpPort);
      const answer = await client.ask(`${command} ${name} 1\n`);
      const code = command === "MPUB" ? "E_BAD_TOPIC E_BAD_TOPIC" : "E_BAD_TOPIC";
      assert.equal(answer, `error ${code} ${command} topic name "${name}" is not valid`);
    }
    using client = await WireClient.open(server.tcpPort);
    const answer = await client.ask(`SUB t ${name}\n`);
    assert.equal(answer, `error E_BAD_CHANNEL SUB channel name "${name}" is not valid`);
  }
});
