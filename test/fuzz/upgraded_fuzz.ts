/**
 * Connections that were upgraded to TLS, deflate or snappy: what the model says must come through them as it does
 * over a plain one, and bytes that are no such stream end the connection.
 */
import { fileURLToPath } from "node:url";
import type { Random } from "../support/random.ts";
import { anyBody, int32, latin1, mutate, textOf } from "./bytes.ts";
import { FuzzedConnection, LIMITS } from "./fuzzed_connection.ts";
import { ServedNsqd, ServedSession } from "./served_nsqd.ts";
import { talk } from "./talk.ts";
import { count, type Tally, type Target } from "./target.ts";
import { deflated, DeflateWire, PlainWire, SnappyWire, type Wire } from "./wire.ts";

const CERTIFICATES = fileURLToPath(new URL("../support/certificates/", import.meta.url));
const FLAGS = [
  `--max-msg-size=${LIMITS.maxMsgSize}`,
  `--max-body-size=${LIMITS.maxBodySize}`,
  `--tls-cert=${CERTIFICATES}server.pem`,
  `--tls-key=${CERTIFICATES}server_key.pem`,
];
/** Rows of commands on one connection before it ends or is spoilt. */
const MAX_ROWS = 3;
const CA = Deno.readTextFileSync(`${CERTIFICATES}ca.pem`);
const KINDS = ["deflate", "deflate", "snappy", "snappy", "tls_v1", "no TLS"] as const;

async function converse(server: ServedNsqd, random: Random, tally: Tally): Promise<void> {
  const kind = random.pick(KINDS);
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: server.tcpPort });
  let plain: Wire = new PlainWire(conn);
  const connection = new FuzzedConnection(plain);
  try {
    await identify(connection, kind === "no TLS" ? "tls_v1" : kind);
    if (kind === "no TLS") return await spoil(connection, plain, anyBody(random, 1 + random.int(200)));
    if (kind === "tls_v1") {
      const tls = await Deno.startTls(conn, { hostname: "localhost", caCerts: [CA] });
      await connection.upgrade(() => plain = new PlainWire(tls));
    } else {await connection.upgrade((wire) =>
        kind === "deflate" ? new DeflateWire(wire) : new SnappyWire(wire)
      );}
    if (!await talk(connection, random, tally, "", MAX_ROWS) || random.chance(0.2)) return;
    if (random.chance(0.5)) await spoil(connection, plain, spoiltStream(random, kind));
    else {
      // A TLS connection has no half that could be closed alone.
      if (kind === "tls_v1") return;
      await connection.closeWrite();
      await connection.readToEnd();
    }
  } finally {
    connection.close();
    count(tally, kind, 1);
    count(tally, "frames", connection.frames);
  }
}

async function identify(connection: FuzzedConnection, feature: string): Promise<void> {
  const body = `{"feature_negotiation":true,"${feature}":true}`;
  const command = `IDENTIFY\n${int32(body.length)}${body}`;
  connection.model.run(command);
  connection.isUpgrading = true;
  await connection.send(`  V2${command}`, () => 1 << 20);
  await connection.readAnswers();
}

/** Something like a compressed piece, or nothing like it. */
function spoiltStream(random: Random, kind: string): string {
  const text = "PUB a\n" + int32(5) + "abcde";
  if (kind === "deflate" && random.chance(0.7)) return mutate(random, textOf(deflated(latin1(text))));
  if (kind === "snappy" && random.chance(0.7)) return mutate(random, `\x01\x14\0\0\0\0\0\0${text}`);
  return anyBody(random, 1 + random.int(600));
}

/** Sends what is no good behind what was, and waits for the end. */
async function spoil(connection: FuzzedConnection, plain: Wire, bytes: string): Promise<void> {
  connection.model.isUnsure = true;
  connection.isUpgrading = false;
  await plain.send(latin1(bytes));
  await plain.closeWrite();
  await connection.readToEnd();
}

export const upgraded: Target = {
  name: "upgraded",
  summary: "nsqd behind TLS, deflate and snappy",
  batchRounds: 20_000,
  shortRounds: 5_000,
  open: async () => new ServedSession(await ServedNsqd.start(FLAGS), "commands", converse),
};
