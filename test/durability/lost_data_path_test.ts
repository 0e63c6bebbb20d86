/** A data path that goes away under a running nsqd, on real files. */
import assert from "node:assert/strict";
import { until } from "../support/program_process.ts";
import { startNsqd, type TestNsqd } from "../support/running_nsqd.ts";

type Loss = (directory: string) => void | Promise<void>;

async function bodies(directory: string): Promise<number> {
  await using server = await startNsqd([], { directory });
  const { topics } = JSON.parse(await server.http("GET", "/stats?format=json&topic=orders"));
  return topics[0]?.channels[0]?.depth ?? 0;
}

async function publish(server: TestNsqd): Promise<boolean> {
  return await server.http("POST", "/pub?topic=orders", "x".repeat(100)) === "OK";
}

/** Publishes until the loss is noticed. @returns how many were answered OK */
async function publishUntilRefused(server: TestNsqd): Promise<number> {
  let count = 0;
  await until("publishes are refused", async () => {
    if (!await publish(server)) return true;
    count++;
    return false;
  });
  return count;
}

function currentLog(directory: string): string {
  const names = [...Deno.readDirSync(directory)].map(({ name }) => name);
  return `${directory}/${names.filter((name) => name.startsWith("commit.")).sort().at(-1)!}`;
}

/** How it is lost, how it comes back, and what `/ping` says meanwhile. */
const LOSSES: { name: string; lose: Loss; giveBack: Loss; ping: RegExp }[] = [
  {
    name: "renamed and renamed back",
    lose: (directory) => Deno.renameSync(directory, `${directory}.away`),
    giveBack: (directory) => Deno.renameSync(`${directory}.away`, directory),
    ping: /data path .* is gone/,
  },
  {
    name: "removed and made anew",
    lose: (directory) => Deno.removeSync(directory, { recursive: true }),
    giveBack: (directory) => Deno.mkdirSync(directory),
    ping: /data path .* is gone/,
  },
];
for (const durability of ["os", "disk"]) {
  for (const { name, lose, giveBack, ping } of LOSSES) {
    Deno.test(`A data path that is ${name} at level ${durability} is named by /ping, and nothing OK'd is lost`, async () => {
      const directory = Deno.makeTempDirSync({ prefix: "nsqd-test-" });
      let count = 0;
      {
        await using server = await startNsqd([`--durability=${durability}`], { directory });
        await server.http("POST", "/topic/create?topic=orders");
        await server.http("POST", "/channel/create?topic=orders&channel=archive");
        for (let i = 0; i < 50; i++) if (await publish(server)) count++;
        await lose(directory);
        count += await publishUntilRefused(server);
        assert.match(await server.http("GET", "/ping"), ping);
        await giveBack(directory);
        await until("/ping is well", async () => await server.http("GET", "/ping") === "OK");
        assert.ok(await publish(server));
        count++;
        const copy = `${directory}.killed`;
        Deno.mkdirSync(copy);
        // What a kill would leave.
        for (const { name } of Deno.readDirSync(directory)) {
          Deno.copyFileSync(`${directory}/${name}`, `${copy}/${name}`);
        }
      }
      assert.equal(await bodies(`${directory}.killed`), count);
      assert.equal(await bodies(directory), count);
      for (const path of [directory, `${directory}.killed`]) Deno.removeSync(path, { recursive: true });
    });
  }
}

for (const name of ["unlinked", "cut"]) {
  Deno.test(`A log file that is ${name} while it is written is written anew, with all that was OK'd`, async () => {
    const directory = Deno.makeTempDirSync({ prefix: "nsqd-test-" });
    let count = 0;
    {
      await using server = await startNsqd([], { directory });
      await server.http("POST", "/topic/create?topic=orders");
      await server.http("POST", "/channel/create?topic=orders&channel=archive");
      for (let i = 0; i < 50; i++) if (await publish(server)) count++;
      const path = currentLog(directory);
      if (name === "cut") Deno.truncateSync(path, 100);
      else Deno.removeSync(path);
      const newer = () => currentLog(directory) > path;
      await until("there is a new file", newer);
      await until("/ping is well", async () => await server.http("GET", "/ping") === "OK");
      assert.ok(await publish(server));
      count++;
    }
    assert.equal(await bodies(directory), count);
    Deno.removeSync(directory, { recursive: true });
  });
}

Deno.test("A stop without a data path says so and ends with code 1", async () => {
  const directory = Deno.makeTempDirSync({ prefix: "nsqd-test-" });
  const server = await startNsqd([], { directory });
  assert.ok(await publish(server));
  Deno.removeSync(directory, { recursive: true });
  await server.nsqd.stop();
  assert.equal(await server.nsqd.done, 1);
  assert.match(server.lines.join(""), /ERROR: failed to save everything - data path .* is gone/);
});
