/** Our client at one end, the official Go client at the other, and our nsqd between them. */
import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import { type ConnectionOptions, Consumer, Producer } from "../../src/client/mod.ts";
import { startNsqd } from "../support/running_nsqd.ts";
import { pem, pemPath, TLS_FLAGS } from "../wire/upgrade_client.ts";
import { buildGoClient } from "./build.ts";
import { ClientProgram, type ClientSettings } from "./client_program.ts";

const client = await buildGoClient();

const STREAMS: readonly [string, ConnectionOptions, ClientSettings][] = [
  ["plain", {}, {}],
  ["TLS", { tls: { ca: pem("ca"), serverName: "localhost" } }, { tls_ca: pemPath("ca") }],
  ["deflate", { deflate: true }, { deflate: true }],
  ["snappy", { snappy: true }, { snappy: true }],
];
const encoder = new TextEncoder();
const COUNT = 300;

function bodies(): string[] {
  return Array.from({ length: COUNT }, (_, i) => `${i} `.padEnd(1 + i * 7, `text ${i} `));
}

/** What tells bodies apart on both sides. */
function sums(all: readonly string[]): string[] {
  return all.map((body) => encoder.encode(body)).map((bytes) => `${bytes.length}/${crc32(bytes)}`).sort();
}

for (const [stream, options, settings] of STREAMS) {
  Deno.test({
    name: `Our client and the official Go client exchange messages both ways over ${stream}`,
    ignore: "reason" in client,
    async fn() {
      await using server = await startNsqd([...TLS_FLAGS]);
      const nsqd = `127.0.0.1:${server.tcpPort}`;
      const address = "tls_ca" in settings ? `localhost:${server.tcpPort}` : nsqd;
      await using go = new ClientProgram(client as { command: string; args: string[] }, {
        nsqd: address,
        ...settings,
      });
      const sent = bodies();
      await using producer = new Producer({ nsqd, ...options });
      await producer.publishMany("to_go", sent);
      await go.consume("to_go", "go", { max_in_flight: 50 });
      await go.until("all messages", () => go.of("finished").length === COUNT);
      assert.deepEqual(go.of("message").map(({ length, sum }) => `${length}/${sum}`).sort(), sums(sent));
      assert.equal(await go.publish("from_go", sent), null);
      await using consumer = new Consumer("from_go", "ours", { nsqd, maxInFlight: 50, ...options });
      const got: string[] = [];
      for await (const message of consumer) {
        got.push(message.text());
        message.finish();
        if (got.length === COUNT) break;
      }
      assert.deepEqual(sums(got), sums(sent));
    },
  });
}
