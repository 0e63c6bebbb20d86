/** What publishers and consumers on a socket see of groups: answers held back, and groups that fail. */
import assert from "node:assert/strict";
import { MemoryFileSystem } from "../support/memory_file_system.ts";
import { startNsqd } from "../support/running_nsqd.ts";
import { bytes, WireClient, withBody } from "./wire_client.ts";

Deno.test("nsqd answers E_PUB_FAILED when the disk refuses, also to a client that has finished sending", async () => {
  for (const durability of ["os", "disk"]) {
    const fileSystem = new MemoryFileSystem();
    await using server = await startNsqd([`--durability=${durability}`], { fileSystem });
    using before = await WireClient.open(server.tcpPort);
    assert.equal(await before.ask(withBody("PUB t", "kept")), "response OK");
    const refuse = () => {
      if (durability === "disk") fileSystem.syncError = new Error("Input/output error (os error 5)");
      else fileSystem.freeBytes = 0;
    };
    const heal = () => {
      fileSystem.syncError = null;
      fileSystem.freeBytes = Infinity;
    };
    for (const ending of ["open", "half-closed", "after another error"]) {
      using client = await WireClient.open(server.tcpPort);
      refuse();
      const then = ending === "after another error" ? "FOO\n" : "";
      await client.send(bytes(withBody("PUB t", "lost"), withBody("DPUB t 5", "lost"), then));
      if (ending === "half-closed") await client.closeWrite();
      assert.match(await client.answer(), /^error E_(PUB|DPUB)_FAILED D?PUB failed .*os error/, ending);
      assert.equal(await client.answer(), "closed", ending);
      heal();
    }
    assert.equal(await before.ask(withBody("PUB t", "kept too")), "response OK");
    using consumer = await WireClient.open(server.tcpPort);
    await consumer.subscribe("t", "c", 10);
    assert.deepEqual([(await consumer.message()).body, (await consumer.message()).body], [
      "kept",
      "kept too",
    ]);
  }
});

/** Publishes to a topic of its own and subscribes to one with a backlog, in one packet; then gives the sync its way. */
async function publishAndSubscribe(syncError: Error | null): Promise<string[]> {
  const fileSystem = new MemoryFileSystem();
  await using server = await startNsqd(["--durability=disk"], { fileSystem });
  using before = await WireClient.open(server.tcpPort);
  assert.equal(await before.ask(withBody("PUB backlog", "waiting")), "response OK");
  let decide = () => {};
  const decided = new Promise<void>((resolve) => decide = resolve), begun = Promise.withResolvers<void>();
  fileSystem.pause = () => {
    begun.resolve();
    return decided;
  };
  using client = await WireClient.open(server.tcpPort);
  const answers: string[] = [];
  const reading = (async () => {
    for (;;) {
      const answer = await client.answer();
      answers.push(answer.startsWith("message ") ? "message" : answer);
      if (answer === "closed" || answer.startsWith("message ")) break;
    }
  })();
  await client.send(bytes(withBody("PUB t", "a"), withBody("PUB t", "b"), "SUB backlog c\nRDY 10\n"));
  await begun.promise;
  // Another connection is served meanwhile, so there was time for an answer that was not held back.
  assert.match(await server.http("GET", "/ping"), /OK/);
  assert.deepEqual(answers, [], "answered before the sync was over");
  fileSystem.syncError = syncError;
  decide();
  await reading;
  fileSystem.syncError = null;
  return answers;
}

Deno.test("nsqd holds SUB's OK and the messages behind it back until the publishes before it are safe", async () => {
  assert.deepEqual(await publishAndSubscribe(null), ["response OK", "response OK", "response OK", "message"]);
});

Deno.test("nsqd answers a failed group once on a connection, and nothing that was staged behind it", async () => {
  const answers = await publishAndSubscribe(new Error("Input/output error (os error 5)"));
  assert.deepEqual(answers, ["error E_PUB_FAILED PUB failed Input/output error (os error 5)", "closed"]);
});
