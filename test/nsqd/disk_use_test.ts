/** What a data path holds once a backlog is drained. */
import assert from "node:assert/strict";
import { startNsqd } from "../support/running_nsqd.ts";
import { until } from "../support/program_process.ts";
import { bytes, WireClient, withBody } from "../wire/wire_client.ts";

const FILE_BYTES = 1 << 20;

function sizeOf(directory: string): number {
  let size = 0;
  for (const { name } of Deno.readDirSync(directory)) {
    try {
      size += Deno.statSync(`${directory}/${name}`).size;
    } catch (error) {
      // Files go while they are counted.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return size;
}

Deno.test("nsqd holds less than two log files after a drain, also while a little traffic goes on", async () => {
  const directory = Deno.makeTempDirSync({ prefix: "nsqd-test-" });
  for (const durability of ["os", "disk"]) {
    const flags = [`--max-bytes-per-file=${FILE_BYTES}`, "--sync-timeout=50ms", `--durability=${durability}`];
    await using server = await startNsqd(flags, { directory });
    const body = "x".repeat(1000), batch = Array.from({ length: 500 }, () => body).join("\n");
    await server.http("POST", "/channel/create?topic=orders&channel=archive");
    for (let i = 0; i < 16; i++) assert.equal(await server.http("POST", "/mpub?topic=orders", batch), "OK");
    assert.ok(sizeOf(directory) > 7 * FILE_BYTES);
    using consumer = await WireClient.open(server.tcpPort);
    await consumer.subscribe("orders", "archive", 2500);
    for (let i = 0; i < 8000; i++) await consumer.send(`FIN ${(await consumer.message()).id}\n`);
    await until(
      "the data path is small",
      () => sizeOf(directory) < 2 * FILE_BYTES,
      () => `${sizeOf(directory)}`,
    );
    // It stays so while single messages come and go.
    using producer = await WireClient.open(server.tcpPort);
    for (let i = 0; i < 100; i++) {
      await producer.send(bytes(withBody("PUB orders", "a small one")));
      assert.equal(await producer.answer(), "response OK");
      await consumer.send(`FIN ${(await consumer.message()).id}\n`);
      assert.ok(sizeOf(directory) < 2 * FILE_BYTES, `${sizeOf(directory)} bytes`);
    }
    assert.equal(await consumer.ask("CLS\n"), "response CLOSE_WAIT", "the FINs before it were not taken");
    const { topics: [{ channels: [channel] }] } = JSON.parse(await server.http("GET", "/stats?format=json"));
    assert.deepEqual([channel.depth, channel.in_flight_count], [0, 0]);
  }
  Deno.removeSync(directory, { recursive: true });
});
