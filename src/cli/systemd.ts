/**
 * The subcommand `systemd`: `install` writes unit files, a user's declaration and config files to begin with.
 *
 * It starts nothing: it may write files, but run no other program, and says what to run. Tested in
 * test/packaging/systemd_test.ts.
 */
import { resolveOptions } from "../options/merge.ts";
import { systemdOptions } from "../options/tables/systemd_options.ts";
import { installFiles } from "../packaging/systemd/install.ts";
import { defaultPlaces, systemdFiles } from "../packaging/systemd/units.ts";
import { buildInfo } from "../version.ts";

export const options = systemdOptions;
export const words = "install";

const program = {
  name: "nsq systemd",
  command: "nsq systemd install",
  summary: "writes unit files, to run as services under systemd",
  versionText: buildInfo("nsq systemd"),
};

const NEXT = `
Next, as root:
  systemd-sysusers
  systemctl daemon-reload
  systemctl enable --now nsqlookupd nsqd`;

/** Resolves with 0, 1 when a file cannot be written, 2 when the command line cannot be read. */
// deno-lint-ignore require-await
export async function run(args: readonly string[]): Promise<number> {
  const isInstall = args[0] === "install";
  const resolved = resolveOptions<typeof systemdOptions>(
    systemdOptions,
    isInstall ? args.slice(1) : args,
    program,
  );
  if (resolved.kind === "exit") {
    if (resolved.to === "stdout") console.log(resolved.text);
    else console.error(resolved.text);
    return resolved.code;
  }
  if (!isInstall) {
    console.error("what is to be done? nsq systemd install (see nsq systemd --help)");
    return 2;
  }
  const { dryRun, executable, root, unitDir, configDir } = resolved.values;
  const files = systemdFiles({ ...defaultPlaces, executable, unitFolder: unitDir, configFolder: configDir });
  if (dryRun) {
    console.log(files.map(({ path, text }) => `# ${root}${path}\n${text}`).join("\n"));
    return 0;
  }
  try {
    for (const { path, did } of installFiles(files, root)) console.log(`${did.padEnd(9)} ${path}`);
  } catch (cause) {
    console.error((cause as Error).message);
    return 1;
  }
  console.log(NEXT);
  return 0;
}
