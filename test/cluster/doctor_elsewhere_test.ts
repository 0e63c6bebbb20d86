/** What `nsq doctor` says about a standalone on another machine, which a network namespace stands for. */
import assert from "node:assert/strict";
import { runChecks } from "../../src/cluster/doctor_checks.ts";
import { ProgramProcess, until } from "../support/program_process.ts";
import { createPartition } from "./partition.ts";

Deno.test("runChecks() names --broadcast-address for a standalone elsewhere that announces loopback", async () => {
  const partition = await createPartition();
  if (typeof partition === "string" || partition.namespace === undefined) {
    const reason = typeof partition === "string" ? partition : partition.description;
    return console.log(`    skipped, no network namespace: ${reason}`);
  }
  const { namespace, insideHost } = partition;
  const dataPath = await Deno.makeTempDir({ prefix: "doctor-test-" });
  const check = async (...flags: string[]) => {
    await using program = await ProgramProcess.start({
      command: "standalone",
      flags: [`--data-path=${dataPath}`, ...flags],
      namespace,
    });
    await until("it is registered", () => program.log.includes("registrations to send"));
    return await runChecks({
      lookupdHttpAddresses: [`${insideHost}:${program.port("nsqlookupd", "HTTP")}`],
      nsqdHttpAddresses: [],
      timeoutMs: 5_000,
    });
  };
  try {
    const [, loopback] = await check();
    assert.deepEqual([loopback.status, loopback.check], ["FAIL", "resolve"]);
    assert.match(
      loopback.detail,
      /^127\.0\.0\.1 is a loopback address, .* on the machine of lookupd 198\.18/,
    );
    assert.match(loopback.advice, /set --broadcast-address/);
    const reachable = await check(`--broadcast-address=${insideHost}`);
    assert.deepEqual(reachable.map(({ status, check }) => `${status} ${check}`), [
      "ok http",
      "ok resolve",
      "ok tcp",
      "ok http",
    ]);
  } finally {
    await partition.remove();
    await Deno.remove(dataPath, { recursive: true });
  }
});
