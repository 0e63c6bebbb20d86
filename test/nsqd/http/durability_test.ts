import assert from "node:assert/strict";
import { denoFileSystem, type FileSystem } from "../../../src/storage/file_system.ts";
import { get, post } from "../../http/raw_http.ts";
import { RunningBroker } from "../../support/running_broker.ts";

/** The machine's files, on a disk that can be made to refuse every write. */
function failingDisk(): { fileSystem: FileSystem; setFull(isFull: boolean): void } {
  let full = false;
  const refuse = () => {
    if (full) throw new Error("No space left on device (os error 28)");
  };
  const fileSystem: FileSystem = {
    ...denoFileSystem,
    open(path, mode) {
      const handle = denoFileSystem.open(path, mode);
      return {
        ...handle,
        writeSync(bytes) {
          refuse();
          return handle.writeSync(bytes);
        },
      };
    },
  };
  return { fileSystem, setFull: (isFull) => full = isFull };
}

Deno.test("a message and a channel that were answered outlive the process at once", async () => {
  const crashed = Deno.makeTempDirSync();
  {
    await using running = new RunningBroker();
    const { port } = running.http;
    for (
      const target of [
        "/topic/create?topic=t",
        "/channel/create?topic=t&channel=c",
        "/topic/create?topic=gone",
      ]
    ) {
      assert.equal((await post(port, target)).status, 200);
    }
    assert.equal((await post(port, "/mpub?topic=t", "a\nb")).status, 200);
    assert.equal((await post(port, "/pub?topic=t&defer=60000", "later")).status, 200);
    assert.equal((await post(port, "/topic/delete?topic=gone")).status, 200);
    // The files as they are now are what a kill would leave.
    running.copyFiles(crashed);
  }
  {
    await using running = new RunningBroker({ directory: crashed });
    const { topics } = running.broker;
    assert.deepEqual([...topics.keys()], ["t"]);
    const channel = topics.get("t")!.channels.get("c")!;
    assert.equal(channel.depth, 2);
    assert.equal(channel.deferredCount, 1);
  }
  Deno.removeSync(crashed, { recursive: true });
});

Deno.test("POST /pub answers EXITING while the disk refuses, /ping and /stats say why, and both heal", async () => {
  for (const durability of ["os", "disk"] as const) {
    const disk = failingDisk();
    await using running = new RunningBroker({ fileSystem: disk.fileSystem, durability });
    const { port } = running.http;
    const answer = async (target: string, body: string) => {
      const { status, body: text } = await post(port, target, body);
      return `${status} ${text}`;
    };
    assert.equal(await answer("/pub?topic=t", "first"), "200 OK");
    disk.setFull(true);
    assert.equal(await answer("/pub?topic=t", "lost"), `503 {"message":"EXITING"}`);
    assert.equal(await answer("/mpub?topic=t", "lost\nlost"), `503 {"message":"EXITING"}`);
    assert.equal(await answer("/channel/create?topic=t&channel=c", ""), `503 {"message":"EXITING"}`);
    assert.equal(await answer("/pub?topic=e%23ephemeral", "kept in memory"), "200 OK");
    const ping = await get(port, "/ping");
    assert.equal(ping.status, 500);
    assert.equal(ping.body, "NOK - No space left on device (os error 28)");
    assert.equal(JSON.parse((await get(port, "/stats?format=json")).body).health, ping.body);
    assert.match(
      (await get(port, "/stats")).body,
      /^Health: NOK - No space left on device \(os error 28\)$/m,
    );
    disk.setFull(false);
    assert.equal(await answer("/pub?topic=t", "second"), "200 OK");
    assert.equal((await get(port, "/ping")).body, "OK");
    assert.equal(running.broker.topics.get("t")!.messageCount, 2);
  }
});
