/**
 * Makes an executable that needs no base runtime of `deno compile`: a shell script with a compressed archive behind
 * it. The archive holds the pinned Deno, from the npm registry, and the bundled program.
 *
 * At its first start the file unpacks itself into the user's cache and from then on hands over to what lies there,
 * in the same process: process id, signals and exit code are the program's. `unpacking_header.sh` is that script.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runtimePackages, type Target, targetOf } from "./targets.ts";

const CHECKOUT = fileURLToPath(new URL("..", import.meta.url));
const PINNED = Deno.readTextFileSync(join(CHECKOUT, ".dvmrc")).trim();

/**
 * Writes the executable for `target` to `output`.
 *
 * @param flags what the runtime is started with
 * @throws when there is no such runtime, or a tool that is needed fails
 */
export async function makeUnpackingExecutable(
  output: string,
  target: Target,
  flags: string[],
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "nsq_compile_" });
  try {
    const content = join(folder, "content");
    await Deno.mkdir(join(content, "app"), { recursive: true });
    await bundle(join(content, "app"));
    await placeRuntime(join(content, "deno"), target, folder);
    await packExecutable(output, content, flags);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * Writes the executable that unpacks `content`: an executable file `deno`, and a folder `app` with `main.js`.
 *
 * @param flags what `deno run` is started with
 */
export async function packExecutable(output: string, content: string, flags: string[]): Promise<void> {
  const archive = `${output}.archive`;
  try {
    // Owner, times and order do not depend on who makes it.
    await run("tar", [
      "--sort=name",
      "--owner=0",
      "--group=0",
      "--numeric-owner",
      "--mtime=@0",
      "--use-compress-program=gzip -9n",
      "-cf",
      archive,
      "-C",
      content,
      "app",
      "deno",
    ]);
    await assemble(output, archive, flags);
  } finally {
    await Deno.remove(archive);
  }
}

/** Bundles the program and the packages that it imports into a few JavaScript files. */
async function bundle(folder: string): Promise<void> {
  await run(Deno.execPath(), [
    "bundle",
    "--quiet",
    "--no-check",
    "--frozen",
    "--platform=deno",
    "--code-splitting",
    `--outdir=${folder}`,
    "main.ts",
  ]);
}

/** Puts the pinned runtime for `target` to `path`: the one that runs this, or that of the npm registry. */
async function placeRuntime(path: string, target: Target, folder: string): Promise<void> {
  if (target === targetOf(Deno.build) && Deno.version.deno === PINNED) {
    await Deno.copyFile(Deno.execPath(), path);
  } else {
    const name = runtimePackages[target];
    if (name === null) {
      throw new Error(`Cannot make a file that unpacks itself for ${target}: it needs a shell`);
    }
    await run("npm", ["pack", "--silent", `--pack-destination=${folder}`, `${name}@${PINNED}`]);
    const packed = [...Deno.readDirSync(folder)].find((entry) => entry.name.endsWith(".tgz"));
    if (packed === undefined) throw new Error(`npm packed no ${name}@${PINNED}`);
    await run("tar", ["-xzf", join(folder, packed.name), "-C", folder, "package/deno"]);
    await Deno.rename(join(folder, "package/deno"), path);
  }
  await Deno.chmod(path, 0o755);
}

/** Writes the script, filled in for `archive`, and the archive behind it. */
async function assemble(output: string, archive: string, flags: string[]): Promise<void> {
  const template = await Deno.readTextFile(join(CHECKOUT, "scripts/unpacking_header.sh"));
  const digest = await sha256(archive);
  const fill = (offset: string) =>
    template
      .replace("@DIGEST@", digest)
      .replace("@FLAGS@", flags.map((flag) => `'${flag}'`).join(" "))
      .replace("@OFFSET@", offset);
  // As many digits as the offset has, which is that of the first byte behind the script.
  const digits = 8;
  const offset = new TextEncoder().encode(fill("0".repeat(digits))).length + 1;
  const header = new TextEncoder().encode(fill(String(offset).padEnd(digits)));
  const file = await Deno.open(output, { write: true, create: true, truncate: true, mode: 0o755 });
  try {
    await file.write(header);
    const source = await Deno.open(archive);
    await source.readable.pipeTo(file.writable);
  } catch (cause) {
    await Deno.remove(output);
    throw cause;
  }
  await Deno.chmod(output, 0o755);
}

/** SHA-256 of a file, in hex. */
export async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("hex");
}

/** @throws with what it said when it exits with anything but 0 */
async function run(command: string, args: string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command(command, {
    args,
    cwd: CHECKOUT,
    env: { NO_COLOR: "1" },
    stdout: "null",
    stderr: "piped",
  }).output();
  if (code === 0) return;
  throw new Error(`${command} ${args[0]} failed with ${code}: ${new TextDecoder().decode(stderr).trim()}`);
}
