/**
 * Builds the programs that drive the official clients, outside of the checkout. What is downloaded stays in the
 * caches of the user, so that only the first run on a machine has to wait for it.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BuiltClient } from "./client_program.ts";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
/** For one step of a build, which may have to download. */
const LIMIT_MS = 60_000;

const GO_MODULE = `module go_client

go 1.21

require github.com/nsqio/go-nsq v1.1.0

require github.com/golang/snappy v0.0.1 // indirect
`;
const GO_SUMS = `github.com/golang/snappy v0.0.1 h1:Qgr9rKW7uDUkrbSmQeiDsGa8SjGyCOGtuasMWwvp2P4=
github.com/golang/snappy v0.0.1/go.mod h1:/XxbfmMg8lxefKM7IXC3fBNl/7bRcc72aCRzEWrmP2Q=
github.com/nsqio/go-nsq v1.1.0 h1:PQg+xxiUjA7V+TLdXw7nVrJ5Jbl3sN86EhGCQj4+FYE=
github.com/nsqio/go-nsq v1.1.0/go.mod h1:vKq36oyeVXgsS5Q8YEO7WghqidAVXQlcFxzQbQTuDEY=
`;
const PYTHON_PACKAGES = ["pynsq==0.9.1", "tornado==6.5.2", "python-snappy==0.7.3"];

/** A step that failed, and how. */
class BuildError extends Error {}

/** @throws {BuildError} */
async function run(command: string, args: string[], options: Deno.CommandOptions = {}): Promise<string> {
  try {
    const signal = AbortSignal.timeout(LIMIT_MS);
    const { success, code, stdout, stderr } = await new Deno.Command(command, { args, signal, ...options })
      .output();
    const decoder = new TextDecoder();
    if (success) return decoder.decode(stdout).trim();
    const text = decoder.decode(stderr).trim().split("\n").slice(-3).join(" ");
    throw new BuildError(`${command} ${args[0]} exited with ${code}: ${text}`);
  } catch (cause) {
    if (cause instanceof BuildError) throw cause;
    throw new BuildError(`${command} ${args[0]} cannot be run: ${(cause as Error).message}`, { cause });
  }
}

/** Runs a build; when it fails the client cannot be tested here, which is said once. */
async function buildOrSkip(name: string, build: () => Promise<BuiltClient>): Promise<BuiltClient> {
  try {
    return await build();
  } catch (cause) {
    if (!(cause instanceof BuildError)) throw cause;
    console.log(`Skipped: the tests with ${name}, because ${cause.message}`);
    return { reason: cause.message };
  }
}

/** The Go program, built in a temporary folder that is removed when this process ends. */
export function buildGoClient(): Promise<BuiltClient> {
  return buildOrSkip("the official Go client", async () => {
    await run("go", ["version"]);
    const folder = await Deno.makeTempDir({ prefix: "nsq-go-client-" });
    addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
    await Deno.writeTextFile(join(folder, "go.mod"), GO_MODULE);
    await Deno.writeTextFile(join(folder, "go.sum"), GO_SUMS);
    await Deno.copyFile(join(FOLDER, "go_client/main.go"), join(folder, "main.go"));
    const program = join(folder, Deno.build.os === "windows" ? "client.exe" : "client");
    const inModule = { cwd: folder, env: { GOTOOLCHAIN: "local" } };
    await run("go", ["mod", "download"], inModule);
    try {
      await run("go", ["build", "-o", program, "."], inModule);
    } catch (cause) {
      // All that it needs is here: this is a fault of our program.
      throw new Error(`Cannot build the Go client: ${(cause as Error).message}`, { cause });
    }
    return { command: program, args: [] };
  });
}

/** The Python program with its packages, which are installed once. */
export function buildPythonClient(): Promise<BuiltClient> {
  return buildOrSkip("the official Python client", async () => {
    const version = await run("python3", ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]);
    const folder = join(
      cacheFolder(),
      `python-${version}-${PYTHON_PACKAGES.join("-").replaceAll("==", "-")}`,
    );
    const python = join(folder, "bin", "python");
    if (!await exists(python)) await installPackages(folder);
    return { command: python, args: ["-u", join(FOLDER, "py_client/client.py")] };
  });
}

/** Makes the environment beside its place first, so that one that was begun is never taken for a whole one. */
async function installPackages(folder: string): Promise<void> {
  await Deno.mkdir(cacheFolder(), { recursive: true });
  const fresh = await Deno.makeTempDir({ dir: cacheFolder(), prefix: "installing-" });
  try {
    await run("python3", ["-m", "venv", fresh]);
    await run(join(fresh, "bin", "python"), ["-m", "pip", "install", "--quiet", ...PYTHON_PACKAGES]);
    await Deno.rename(fresh, folder);
  } catch (cause) {
    await Deno.remove(fresh, { recursive: true });
    // Another run may have been faster.
    if (!await exists(folder)) throw cause;
  }
}

function cacheFolder(): string {
  const home = Deno.env.get("HOME"), caches = Deno.env.get("XDG_CACHE_HOME");
  return join(caches ?? (home === undefined ? tmpdir() : join(home, ".cache")), "nsq-interop");
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return false;
    throw cause;
  }
}
