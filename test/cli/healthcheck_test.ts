import assert from "node:assert/strict";
import { run } from "../../src/cli/healthcheck.ts";
import { ProgramProcess } from "../support/program_process.ts";

Deno.test("nsq healthcheck exits with 0 while nsqd and lookupd are well, and with 1 when nobody answers", async () => {
  await using standalone = await ProgramProcess.start({
    command: "lookupd",
    flags: ["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0"],
  });
  const address = `--http-address=${standalone.address("nsqlookupd", "HTTP")}`;
  assert.equal(await run([address, "--path=/live"]), 0);
  assert.equal(await run([address, "--path=/ping"]), 0);
  assert.equal(await run([address, "--path=/no-such-path"]), 1);
  await standalone.stop();
  assert.equal(await run([address, "--path=/live"]), 1);
  assert.equal(await run(["--timeout=0s"]), 1);
  assert.equal(await run(["--bogus"]), 2);
});

Deno.test("nsq healthcheck asks nsqd whether it takes work", async () => {
  const dataPath = await Deno.makeTempDir();
  try {
    await using nsqd = await ProgramProcess.start({
      command: "nsqd",
      flags: ["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0", `--data-path=${dataPath}`],
    });
    const address = `--http-address=${nsqd.address("nsqd", "HTTP")}`;
    for (const path of ["/ready", "/live", "/ping"]) {
      assert.equal(await run([address, `--path=${path}`]), 0, path);
    }
    assert.equal(await run([address]), 0);
  } finally {
    await Deno.remove(dataPath, { recursive: true });
  }
});
