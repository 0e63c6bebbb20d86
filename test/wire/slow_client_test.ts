/** Clients that do not read their answers, or send more than anybody can take in: they stop themselves and nobody else. */
import assert from "node:assert/strict";
import { constants, createDeflateRaw } from "node:zlib";
import { Random } from "../support/random.ts";
import { startNsqd } from "../support/running_nsqd.ts";
import { topicNames, until } from "./observe.ts";
import { negotiate, openUpgraded, TLS_FLAGS, type Wishes } from "./upgrade_client.ts";
import { bytes, type Stream, WireClient, withBody } from "./wire_client.ts";

const CHUNK_COMMANDS = 2000;
/** More than the buffers of the system hold on both sides of a connection, and much less than a server without bounds takes. */
const MAX_TAKEN_BYTES = 48 << 20;
/** A write that takes so long is not going to end. */
const STUCK_MS = 1500;

/** Sends `chunk` again and again, reading nothing, until the server takes no more. Returns how many were begun. */
async function flood(stream: Stream, chunk: Uint8Array): Promise<{ count: number; rest: Promise<void> }> {
  for (let count = 1;; count++) {
    assert.ok(count * chunk.length < MAX_TAKEN_BYTES, `${count * chunk.length} bytes were taken`);
    const rest = (async () => {
      for (let at = 0; at < chunk.length;) at += await stream.write(chunk.subarray(at));
    })();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stuck = new Promise<boolean>((resolve) => timer = setTimeout(() => resolve(true), STUCK_MS));
    const isStuck = await Promise.race([stuck, rest.then(() => false)]);
    clearTimeout(timer);
    if (isStuck) return { count, rest };
  }
}

/** Commands and the answer to each. */
interface Traffic {
  readonly what: string;
  readonly commands: Uint8Array[];
  answer(index: number): string;
}

const random = new Random(1);
/** No two are alike, so that no compression makes nothing of them. */
const IDS = Array.from({ length: CHUNK_COMMANDS }, () => {
  const halves = [0, 0].map(() => random.int(2 ** 32).toString(16).padStart(8, "0"));
  return halves.join("");
});
const PUBLISHES: Traffic = {
  what: "publishes",
  commands: IDS.map((id) => withBody("PUB t", id)),
  answer: () => "response OK",
};
const LATE_FINS: Traffic = {
  what: "FINs that are too late",
  commands: IDS.map((id) => bytes(`FIN ${id}\n`)),
  answer: (index) => `error E_FIN_FAILED FIN ${IDS[index]} failed ID not in flight`,
};

const CASES: [stream: string, Wishes, Traffic][] = [
  ["plain", {}, PUBLISHES],
  ["TLS", { tls_v1: true }, PUBLISHES],
  // Compressed, a great many OKs find room in the buffers of the system.
  ["deflate", { deflate: true }, LATE_FINS],
  ["snappy", { snappy: true }, LATE_FINS],
];

for (const [stream, wishes, { what, commands, answer }] of CASES) {
  Deno.test(`nsqd reads no more of ${what} on ${stream} while their answers are not read, and then all`, async () => {
    await using server = await startNsqd([...TLS_FLAGS]);
    using client = await openUpgraded(server.tcpPort, { ...wishes, heartbeat_interval: 60_000 });
    assert.equal(await client.ask("SUB t c\n"), "response OK");
    let raw!: Stream;
    await client.change((conn) => raw = conn);
    const { count, rest } = await flood(raw, bytes(...commands));
    assert.equal(await server.http("GET", "/ping"), "OK");
    for (let i = 0; i < count * CHUNK_COMMANDS; i++) {
      const got = await client.answer(), wanted = answer(i % CHUNK_COMMANDS);
      if (got !== wanted) assert.equal(got, wanted);
    }
    await rest;
    assert.equal(await client.ask(withBody("PUB t", "the end")), "response OK");
  });
}

Deno.test("nsqd serves others while one client's stream inflates to commands without end", async () => {
  await using server = await startNsqd();
  using bomber = await WireClient.open(server.tcpPort);
  await negotiate(bomber, { deflate: true });
  const deflate = createDeflateRaw({ level: 9, flush: constants.Z_SYNC_FLUSH });
  const pieces: Uint8Array[] = [];
  deflate.on("data", (piece) => pieces.push(piece));
  for (let i = 0; i < 64; i++) deflate.write("NOP\n".repeat(250_000));
  await new Promise<void>((resolve) => deflate.write(withBody("PUB bomb", "x"), () => resolve()));
  // The server is in this process: what gets a turn here gets one there.
  let turns = 0, isOver = false;
  const count = () => {
    turns++;
    if (!isOver) setTimeout(count, 0);
  };
  count();
  await bomber.send(bytes(...pieces));
  await until("the end of the bomb", async () => (await topicNames(server)).includes("bomb"));
  isOver = true;
  assert.ok(turns > 60, `others had ${turns} turns while 64 MB of commands were run`);
  await new Promise((resolve) => setTimeout(resolve, 0));
});
