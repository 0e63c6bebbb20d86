/**
 * Commands over sockets to a real nsqd. A model says what each connection must be answered, frame by frame;
 * messages that come are looked at and answered for in turn.
 */
import type { Random } from "../support/random.ts";
import { mutate } from "./bytes.ts";
import { FuzzedConnection, LIMITS } from "./fuzzed_connection.ts";
import { ServedNsqd, ServedSession } from "./served_nsqd.ts";
import { talk } from "./talk.ts";
import { count, type Tally, type Target } from "./target.ts";
import { PlainWire } from "./wire.ts";

const FLAGS = [`--max-msg-size=${LIMITS.maxMsgSize}`, `--max-body-size=${LIMITS.maxBodySize}`];
const MAGIC = "  V2";

async function converse(server: ServedNsqd, random: Random, tally: Tally): Promise<void> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: server.tcpPort });
  const connection = new FuzzedConnection(new PlainWire(conn));
  try {
    if (random.chance(0.01)) return await badMagic(connection, random);
    const goesOn = await talk(connection, random, tally, MAGIC);
    // Some leave in the middle of things.
    if (!goesOn || random.chance(0.2)) return;
    await connection.closeWrite();
    await connection.readToEnd();
  } finally {
    connection.close();
    count(tally, "connections", 1);
    count(tally, "frames", connection.frames);
    count(tally, "messages", connection.messages);
  }
}

async function badMagic(connection: FuzzedConnection, random: Random): Promise<void> {
  const magic = mutate(random, MAGIC);
  if (magic.startsWith(MAGIC)) connection.model.run(magic.slice(MAGIC.length));
  else if (magic.length >= MAGIC.length) {
    connection.model.answers.push({ text: "E_BAD_PROTOCOL", isCertain: true, isPrefix: false });
  }
  await connection.send(magic, () => 1 << 20);
  await connection.closeWrite();
  await connection.readToEnd();
}

export const tcpServer: Target = {
  name: "tcp_server",
  summary: "nsqd behind its TCP socket, beside a model of its answers",
  batchRounds: 50_000,
  shortRounds: 25_000,
  open: async () => new ServedSession(await ServedNsqd.start(FLAGS), "commands", converse),
};
