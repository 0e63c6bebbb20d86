import assert from "node:assert/strict";
import { startNsqd } from "../support/running_nsqd.ts";
import { runLookupd } from "../../src/lookupd/lookupd.ts";
import { resolveOptions } from "../../src/options/merge.ts";
import { lookupdOptions } from "../../src/options/tables/lookupd_options.ts";
import { Logger } from "../../src/log/logger.ts";

const ENCODER = new TextEncoder();

/** Sends bytes to a Unix socket and returns what comes until `end` was seen. */
async function exchange(path: string, text: string, end: RegExp): Promise<string> {
  using conn = await Deno.connect({ transport: "unix", path });
  await conn.write(ENCODER.encode(text));
  const buffer = new Uint8Array(10_000), decoder = new TextDecoder();
  let answer = "";
  while (!end.test(answer)) {
    const count = await conn.read(buffer);
    if (count === null) throw new Error(`closed after ${answer}`);
    answer += decoder.decode(buffer.subarray(0, count));
  }
  return answer;
}

function getOver(path: string, target: string): Promise<string> {
  return exchange(path, `GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`, /\r\n\r\n[^]+/);
}

async function withDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = Deno.makeTempDirSync();
  try {
    await run(directory);
    assert.deepEqual([...Deno.readDirSync(directory)].map(({ name }) => name), [], "sockets are removed");
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("nsqd serves TCP and HTTP on Unix sockets, and removes them when it stops", async () => {
  await withDirectory(async (directory) => {
    const tcp = `${directory}/tcp.sock`, http = `${directory}/http.sock`;
    await using started = await startNsqd([`--tcp-address=${tcp}`, `--http-address=${http}`]);
    assert.equal(started.nsqd.tcpAddress, tcp);
    assert.equal(started.nsqd.httpAddress, http);
    assert.match(await getOver(http, "/ping"), /^HTTP\/1\.1 200 OK\r\n[^]*OK$/);
    assert.match(await getOver(http, "/info"), /"http_port":-1,"tcp_port":-1/);
    assert.match(await exchange(tcp, "  V2PUB orders\n\0\0\0\x01a", /OK/), /OK$/);
    assert.ok(started.lines.some((line) => line.includes("GET /info (@)")));
    await assert.rejects(startNsqd([`--tcp-address=${tcp}`]), {
      message: `listen (${tcp}) failed - listen unix ${tcp}: bind: address already in use`,
    });
  });
});

Deno.test("lookupd serves TCP and HTTP on Unix sockets, and removes them when it stops", async () => {
  await withDirectory(async (directory) => {
    const tcp = `${directory}/tcp.sock`, http = `${directory}/http.sock`;
    const flags = [`--tcp-address=${tcp}`, `--http-address=${http}`];
    const resolved = resolveOptions(lookupdOptions, flags, { name: "", summary: "", versionText: "" });
    assert.ok(resolved.kind !== "exit");
    const lookupd = await runLookupd(resolved.values, new Logger("info", "", () => {}));
    assert.equal(lookupd.tcpAddress, tcp);
    assert.equal(lookupd.httpAddress, http);
    assert.match(await getOver(http, "/ping"), /^HTTP\/1\.1 200 OK\r\n[^]*OK$/);
    assert.equal(await exchange(tcp, "  V1PING\n", /OK/), "\0\0\0\x02OK");
    await lookupd.stop();
    await lookupd.done;
  });
});
