import assert from "node:assert/strict";
import { LookupdProcess } from "./lookupd_process.ts";
import { until } from "./fixtures.ts";
import { V1Client } from "./v1_client.ts";

async function withLookupd(flags: string[], run: (lookupd: LookupdProcess) => Promise<void>): Promise<void> {
  const lookupd = await LookupdProcess.create(...flags);
  try {
    await run(lookupd);
  } finally {
    await lookupd.remove();
  }
}

/** The broadcast addresses that `/lookup` shows, sorted; undefined for 404. */
async function lookup(lookupd: LookupdProcess, topic: string): Promise<string[] | undefined> {
  const response = await fetch(
    `http://127.0.0.1:${lookupd.httpPort}/lookup?topic=${encodeURIComponent(topic)}`,
  );
  const answer = await response.json() as { producers?: { broadcast_address: string }[] };
  return answer.producers?.map((producer) => producer.broadcast_address).sort();
}

async function register(lookupd: LookupdProcess, name: string, ...topics: string[]): Promise<V1Client> {
  const client = await V1Client.connect(lookupd.tcpPort);
  await client.identify({ broadcast_address: name });
  for (const topic of topics) assert.equal(await client.request(`REGISTER ${topic} c\n`), "OK");
  return client;
}

/** What is on disk, as text; "" before the first snapshot. */
async function snapshotText(lookupd: LookupdProcess): Promise<string> {
  try {
    return await Deno.readTextFile(`${lookupd.dataPath}/nsqlookupd.dat`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

Deno.test("lookupd killed with -9 and restarted answers as before and recognises nodes that return", async () => {
  await withLookupd([], async (lookupd) => {
    const a = await register(lookupd, "nodeA", "orders", "logs");
    const b = await register(lookupd, "nodeB", "orders");
    const c = await register(lookupd, "nodeC", "orders");
    await until(async () => (await snapshotText(lookupd)).includes("nodeC"));
    c.close();
    await until(async () => !(await snapshotText(lookupd)).includes("nodeC"));
    await lookupd.kill();
    await lookupd.start();
    assert.deepEqual(await lookup(lookupd, "orders"), ["nodeA", "nodeB"], "nodeC left before the crash");
    assert.deepEqual(await lookup(lookupd, "logs"), ["nodeA"]);
    const again = await register(lookupd, "nodeA", "orders");
    assert.deepEqual(await lookup(lookupd, "orders"), ["nodeA", "nodeB"], "replaced, not doubled");
    await again.request("PING\n");
    assert.deepEqual(await lookup(lookupd, "logs"), [], "not registered again by the first PING");
    again.close();
    await until(async () => (await lookup(lookupd, "orders"))?.join() === "nodeB");
    for (const client of [a, b]) client.close();
  });
});

Deno.test("lookupd stopped by SIGTERM exits with 0 and knows its producers after a restart", async () => {
  await withLookupd([], async (lookupd) => {
    const client = await register(lookupd, "nodeA", "orders");
    assert.equal(await lookupd.stop(), 0);
    assert.equal(await client.reply(), null);
    assert.match(lookupd.log, /TCP: closing[^]*HTTP: closing/);
    await lookupd.start();
    assert.deepEqual(await lookup(lookupd, "orders"), ["nodeA"]);
    client.close();
  });
});

Deno.test("lookupd forgets a restored producer after --inactive-producer-timeout", async () => {
  await withLookupd(["--inactive-producer-timeout=1s"], async (lookupd) => {
    const client = await register(lookupd, "nodeA", "orders");
    await until(async () => (await snapshotText(lookupd)).includes("nodeA"));
    await lookupd.kill();
    await lookupd.start();
    await until(async () => (await lookup(lookupd, "orders"))?.length === 0);
    await until(async () => !(await snapshotText(lookupd)).includes("nodeA"));
    client.close();
  });
});

Deno.test("lookupd with a damaged snapshot starts empty and says so", async () => {
  await withLookupd([], async (lookupd) => {
    const client = await register(lookupd, "nodeA", "orders");
    await lookupd.stop();
    await Deno.writeTextFile(`${lookupd.dataPath}/nsqlookupd.dat`, "damaged");
    await lookupd.start();
    assert.match(lookupd.log, /WARNING.*starting empty/);
    assert.equal(await lookup(lookupd, "orders"), undefined);
    client.close();
  });
});

Deno.test("lookupd on a data path in use exits with 1 and one FATAL line", async () => {
  await withLookupd([], async (lookupd) => {
    await assert.rejects(
      LookupdProcess.create(`--data-path=${lookupd.dataPath}`),
      /exited with 1 .*FATAL.*in use by another instance/s,
    );
  });
});
