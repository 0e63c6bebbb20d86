/**
 * Makes a release: `deno task release [--dry-run] [folder, default dist/release]`.
 *
 * For each target an archive with the executable, completions, manual pages, unit files and README; a bill of
 * materials; and `SHA256SUMS` over all of it. It refuses a tree with changes, for nobody could say what is in the
 * release. A dry run takes any tree, makes what can be made where it runs, and says what cannot.
 */
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { describeCommands } from "../src/cli/commands.ts";
import { bashCompletion } from "../src/packaging/completions/bash.ts";
import { fishCompletion } from "../src/packaging/completions/fish.ts";
import { zshCompletion } from "../src/packaging/completions/zsh.ts";
import { commandPage, programPage } from "../src/packaging/manual/page.ts";
import { defaultPlaces, systemdFiles } from "../src/packaging/systemd/units.ts";
import { releaseDate, version } from "../src/version.ts";
import { billOfMaterials } from "./bill_of_materials.ts";
import { type Target, targets } from "./targets.ts";
import { sha256 } from "./unpacking_executable.ts";

const CHECKOUT = fileURLToPath(new URL("..", import.meta.url));

/** @throws with what it said when it exits with anything but 0 */
async function run(command: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    cwd: CHECKOUT,
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  if (code === 0) return text.decode(stdout);
  throw new Error(`${command} ${args[0]} failed with ${code}: ${text.decode(stderr).trim()}`);
}

/** What goes into every archive beside the executable, by its path there. */
async function commonFiles(): Promise<Map<string, string>> {
  const commands = await describeCommands(), release = { version, date: releaseDate };
  return new Map([
    ["README.md", await Deno.readTextFile(join(CHECKOUT, "README.md"))],
    ["completions/nsq.bash", bashCompletion(commands)],
    ["completions/_nsq", zshCompletion(commands)],
    ["completions/nsq.fish", fishCompletion(commands)],
    ["man/nsq.1", programPage(commands, release)],
    ...commands.map((command) => [`man/nsq-${command.name}.1`, commandPage(command, release)] as const),
    ...systemdFiles(defaultPlaces).map(({ path, text }) => [`systemd/${basename(path)}`, text] as const),
  ]);
}

/** Makes the archive of `target` in `folder`. @throws when the executable cannot be made */
async function makeArchive(folder: string, target: Target, common: Map<string, string>): Promise<void> {
  const name = `nsq-${version}-${target}`, content = join(folder, name);
  try {
    const executable = join(content, target.includes("windows") ? "nsq.exe" : "nsq");
    await run(Deno.execPath(), ["run", "-A", "scripts/compile.ts", `--target=${target}`, executable]);
    for (const [path, text] of common) {
      await Deno.mkdir(join(content, path, ".."), { recursive: true });
      await Deno.writeTextFile(join(content, path), text);
    }
    await run("tar", ["--owner=0", "--group=0", "-czf", `${content}.tar.gz`, "-C", folder, name]);
  } finally {
    await Deno.remove(content, { recursive: true }).catch(() => {/* nothing was made */});
  }
}

async function writeChecksums(folder: string): Promise<void> {
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name !== "SHA256SUMS")
    .sort();
  const lines = await Promise.all(
    names.map(async (name) => `${await sha256(join(folder, name))}  ${name}\n`),
  );
  await Deno.writeTextFile(join(folder, "SHA256SUMS"), lines.join(""));
}

/** Resolves with the exit code. */
async function release(folder: string, isDry: boolean): Promise<number> {
  const changes = await run("git", ["status", "--porcelain"]);
  if (changes !== "" && !isDry) {
    console.error(`The tree has changes, so nobody could say what is in the release:\n${changes.trimEnd()}`);
    return 1;
  }
  await Deno.mkdir(folder, { recursive: true });
  if ([...Deno.readDirSync(folder)].length > 0) {
    console.error(`${folder} is not empty: give a new folder, or empty it`);
    return 1;
  }
  const common = await commonFiles();
  let failures = 0;
  for (const target of targets) {
    try {
      await makeArchive(folder, target, common);
      console.log(`made     ${target}`);
    } catch (cause) {
      failures++;
      console.log(`not made ${target}: ${(cause as Error).message.split("\n").at(-1)}`);
    }
  }
  const info = JSON.parse(await run(Deno.execPath(), ["info", "--json", "main.ts"]));
  const lock = JSON.parse(await Deno.readTextFile(join(CHECKOUT, "deno.lock")));
  const bill = billOfMaterials(info, lock, version, Deno.version.deno);
  await Deno.writeTextFile(join(folder, `nsq-${version}.cdx.json`), JSON.stringify(bill, null, 2) + "\n");
  await writeChecksums(folder);
  console.log(`${targets.length - failures} of ${targets.length} archives in ${folder}`);
  return failures > 0 && !isDry ? 1 : 0;
}

const { values, positionals } = parseArgs({
  args: Deno.args,
  options: { "dry-run": { type: "boolean", default: false } },
  allowPositionals: true,
});
Deno.exit(await release(resolve(positionals[0] ?? join(CHECKOUT, "dist/release")), values["dry-run"]));
