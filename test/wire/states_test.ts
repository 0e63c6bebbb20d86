/** Which command is legal in which state of a connection: every pair of the table of the protocol. */
import assert from "node:assert/strict";
import { startNsqd } from "../support/running_nsqd.ts";
import { bytes, mpub, WireClient, withBody } from "./wire_client.ts";

const ID = "0123456789abcdef";
const GONE = "failed ID not in flight";

type State = "init" | "subscribed" | "closing";
const STATES: State[] = ["init", "subscribed", "closing"];

/** `wrong`: refused in that state, and the connection ends. Else the frame it is answered with; "" for none. */
type Expected = "wrong" | string;

const TABLE: [command: string, sent: string | Uint8Array, Record<State, Expected>][] = [
  [
    "IDENTIFY",
    withBody("IDENTIFY", "{}"),
    { init: "response OK", subscribed: "wrong", closing: "wrong" },
  ],
  [
    "AUTH",
    withBody("AUTH", "secret"),
    { init: "error E_AUTH_DISABLED AUTH disabled", subscribed: "wrong", closing: "wrong" },
  ],
  ["SUB", "SUB other c\n", { init: "response OK", subscribed: "wrong", closing: "wrong" }],
  [
    "PUB",
    withBody("PUB p", "x"),
    { init: "response OK", subscribed: "response OK", closing: "response OK" },
  ],
  [
    "MPUB",
    mpub("p", ["x", "y"]),
    { init: "response OK", subscribed: "response OK", closing: "response OK" },
  ],
  [
    "DPUB",
    withBody("DPUB p 10", "x"),
    { init: "response OK", subscribed: "response OK", closing: "response OK" },
  ],
  ["RDY", "RDY 5\n", { init: "wrong", subscribed: "", closing: "" }],
  // Not even read after CLS.
  [
    "RDY",
    "RDY x\n",
    { init: "wrong", subscribed: "error E_INVALID RDY could not parse count x", closing: "" },
  ],
  [
    "FIN",
    `FIN ${ID}\n`,
    {
      init: "wrong",
      subscribed: `error E_FIN_FAILED FIN ${ID} ${GONE}`,
      closing: `error E_FIN_FAILED FIN ${ID} ${GONE}`,
    },
  ],
  [
    "REQ",
    `REQ ${ID} 0\n`,
    {
      init: "wrong",
      subscribed: `error E_REQ_FAILED REQ ${ID} ${GONE}`,
      closing: `error E_REQ_FAILED REQ ${ID} ${GONE}`,
    },
  ],
  [
    "TOUCH",
    `TOUCH ${ID}\n`,
    {
      init: "wrong",
      subscribed: `error E_TOUCH_FAILED TOUCH ${ID} ${GONE}`,
      closing: `error E_TOUCH_FAILED TOUCH ${ID} ${GONE}`,
    },
  ],
  ["CLS", "CLS\n", { init: "wrong", subscribed: "response CLOSE_WAIT", closing: "wrong" }],
  ["NOP", "NOP\n", { init: "", subscribed: "", closing: "" }],
];

const FATAL = /^error (?!E_FIN_FAILED|E_REQ_FAILED|E_TOUCH_FAILED)/;

async function openIn(state: State, port: number): Promise<WireClient> {
  const client = await WireClient.open(port);
  if (state !== "init") await client.subscribe("t", "c", 1);
  if (state === "closing") assert.equal(await client.ask("CLS\n"), "response CLOSE_WAIT");
  return client;
}

Deno.test("nsqd takes or refuses each command by the state of its connection", async () => {
  await using server = await startNsqd();
  for (const state of STATES) {
    for (const [command, sent, expected] of TABLE) {
      const what = `${command} in state ${state}`;
      using client = await openIn(state, server.tcpPort);
      const wanted = expected[state] === "wrong"
        ? `error E_INVALID cannot ${command} in current state`
        : expected[state];
      if (wanted !== "") assert.equal(await client.ask(sent), wanted, what);
      else await client.send(sent);
      if (FATAL.test(wanted)) assert.equal(await client.answer(), "closed", what);
      else assert.equal(await client.ask(withBody("PUB probe", "alive")), "response OK", what);
    }
  }
});

Deno.test("nsqd checks the state before the parameters and the body of a command", async () => {
  await using server = await startNsqd();
  for (const line of ["FIN\n", "REQ x\n", "TOUCH\n", "RDY x\n", "CLS now\n"]) {
    using client = await openIn("init", server.tcpPort);
    const command = line.split(/[ \n]/)[0];
    assert.equal(await client.ask(line), `error E_INVALID cannot ${command} in current state`);
  }
  for (const sent of ["SUB\n", "AUTH x\n", "AUTH \n", bytes("IDENTIFY\n", -1)]) {
    using client = await openIn("subscribed", server.tcpPort);
    assert.match(await client.ask(sent), /^error E_INVALID cannot (SUB|AUTH|IDENTIFY) in current state$/);
  }
});

Deno.test("nsqd runs nothing of what follows a fatal error, and answers what came before it", async () => {
  for (const durability of ["memory", "os", "disk"]) {
    await using server = await startNsqd([`--durability=${durability}`]);
    using client = await WireClient.open(server.tcpPort);
    await client.send(bytes(withBody("PUB before", "x"), "FOO\n", withBody("PUB after", "x")));
    assert.deepEqual(
      [await client.answer(), await client.answer(), await client.answer()],
      ["response OK", "error E_INVALID invalid command FOO", "closed"],
      durability,
    );
    const { topics } = JSON.parse(await server.http("GET", "/stats?format=json"));
    assert.deepEqual(topics.map((topic: { topic_name: string }) => topic.topic_name), ["before"]);
  }
});

Deno.test("nsqd answers what came before a line that is too long", async () => {
  for (const durability of ["memory", "os", "disk"]) {
    await using server = await startNsqd([`--durability=${durability}`]);
    using client = await WireClient.open(server.tcpPort);
    await client.send(bytes(withBody("PUB t", "x"), "N".repeat(16_384)));
    assert.deepEqual([await client.answer(), await client.answer()], ["response OK", "closed"], durability);
  }
});

Deno.test("nsqd answers what a client sent before it closed its sending half", async () => {
  for (const durability of ["memory", "os", "disk"]) {
    await using server = await startNsqd([`--durability=${durability}`]);
    for (
      const [cut, error] of [["", null], [bytes("PUB t\n", 5, "ab"), "E_BAD_MESSAGE PUB failed"]] as const
    ) {
      using client = await WireClient.open(server.tcpPort);
      await client.send(bytes(withBody("PUB t", "x"), cut));
      await client.closeWrite();
      assert.equal(await client.answer(), "response OK", durability);
      if (error !== null) assert.match(await client.answer(), new RegExp(`^error ${error}`));
      assert.equal(await client.answer(), "closed", durability);
    }
  }
});
