import assert from "node:assert/strict";
import { join } from "node:path";
import { run } from "../../src/cli/systemd.ts";
import { installFiles } from "../../src/packaging/systemd/install.ts";
import { defaultPlaces, systemdFiles } from "../../src/packaging/systemd/units.ts";

async function withFolder(body: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "nsq_systemd_" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const hasAnalyze = await new Deno.Command("systemd-analyze", { args: ["--version"], stdout: "null" }).output()
  .then(() => true, () => false);
if (!hasAnalyze) console.log("The check of unit files by systemd-analyze is skipped: it is not here");

Deno.test("installFiles() writes everything once, and never over a config file", () =>
  withFolder((root) => {
    const files = systemdFiles(defaultPlaces);
    for (const { did } of installFiles(files, root)) assert.equal(did, "wrote");
    for (const { did } of installFiles(files, root)) assert.equal(did, "unchanged");
    const config = join(root, "etc/nsq/nsqd.toml"), unit = join(root, "etc/systemd/system/nsqd.service");
    Deno.writeTextFileSync(config, "# mine");
    Deno.writeTextFileSync(unit, "# old");
    const outcomes = new Map(installFiles(files, root).map(({ path, did }) => [path, did]));
    assert.deepEqual([outcomes.get(config), outcomes.get(unit)], ["kept", "wrote"]);
    assert.equal(Deno.readTextFileSync(config), "# mine");
  }));

Deno.test("installFiles() names the file that it cannot write", () =>
  withFolder((root) => {
    Deno.writeTextFileSync(join(root, "etc"), "a file");
    assert.throws(
      () => installFiles(systemdFiles(defaultPlaces), root),
      /^Error: Cannot \w+ .*\/etc\/systemd\/system\//,
    );
  }));

Deno.test("nsq systemd install answers a command line that cannot be meant with 2, and a dry run with 0", async () => {
  assert.equal(await run([]), 2);
  assert.equal(await run(["remove"]), 2);
  assert.equal(await run(["install", "--bogus"]), 2);
  assert.equal(await run(["install", "--dry-run"]), 0);
});

Deno.test({
  name: "unit files have nothing that systemd-analyze complains of",
  ignore: !hasAnalyze,
  fn: () =>
    withFolder(async (root) => {
      // An executable that is there, or that is all it complains of.
      const files = systemdFiles({ ...defaultPlaces, executable: Deno.execPath() });
      installFiles(files, root);
      const units = files.map(({ path }) => path).filter((path) => path.endsWith(".service"));
      const { success, stderr } = await new Deno.Command("systemd-analyze", {
        args: [
          "verify",
          "--man=no",
          ...units.map((path) => (root + path).replace("@.service", "@one.service")),
        ],
        env: { SYSTEMD_LOG_LEVEL: "warning", SYSTEMD_LOG_COLOR: "0" },
      }).output();
      const said = new TextDecoder().decode(stderr).split("\n").filter((line) => line.includes(root));
      assert.deepEqual(said, []);
      assert.ok(success, new TextDecoder().decode(stderr));
    }),
});
