/**
 * Makes the client's package for npm: `deno task pack [file, default dist/nsq-client-<version>.tgz]`.
 *
 * It holds the client and what it imports, as JavaScript with types, and the client's page. The rest of the
 * checkout is Deno's and stays out. `deno pack` does the work on a copy of those files; the manifest it writes then
 * gets what it cannot know: OpenTelemetry's API is a peer that may be missing, and versions are exact.
 */
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import config from "../deno.json" with { type: "json" };

const CHECKOUT = fileURLToPath(new URL("..", import.meta.url));
const PEER = "@opentelemetry/api";
const OLDEST_PEER = "^1.4.0";
const OLDEST_NODE = ">=20.16.0";

/** @throws with what it said when it exits with anything but 0 */
async function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    cwd,
    env: { NO_COLOR: "1" },
  })
    .output();
  const text = new TextDecoder();
  if (code === 0) return text.decode(stdout);
  throw new Error(`${command} ${args[0]} failed with ${code}: ${text.decode(stderr).trim()}`);
}

/** The files that the exports of the package consist of, relative to the checkout. */
async function packageFiles(): Promise<string[]> {
  const files = new Set<string>();
  for (const entry of Object.values(config.exports)) {
    const { modules } = JSON.parse(await run(Deno.execPath(), ["info", "--json", entry], CHECKOUT)) as {
      modules: { specifier: string }[];
    };
    for (const { specifier } of modules) {
      if (specifier.startsWith("file:")) files.add(relative(CHECKOUT, fileURLToPath(specifier)));
    }
  }
  return [...files].sort();
}

interface Manifest {
  dependencies: Record<string, string>;
  [field: string]: unknown;
}

/** What `deno pack` wrote, with what it cannot know. */
function complete(manifest: Manifest): Manifest {
  const imports: Record<string, string> = config.imports;
  const exact = Object.keys(manifest.dependencies).filter((name) => name !== PEER);
  return {
    ...manifest,
    description: "The client for NSQ: producers and consumers for Deno, Node and Bun",
    keywords: ["nsq", "nsqd", "message queue", "broker", "client"],
    engines: { node: OLDEST_NODE },
    sideEffects: false,
    dependencies: Object.fromEntries(exact.map((name) => [name, imports[name].slice(`npm:${name}@`.length)])),
    peerDependencies: { [PEER]: OLDEST_PEER },
    peerDependenciesMeta: { [PEER]: { optional: true } },
  };
}

async function pack(output: string): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "nsq_npm_" });
  try {
    for (const file of await packageFiles()) {
      await Deno.mkdir(join(folder, dirname(file)), { recursive: true });
      await Deno.copyFile(join(CHECKOUT, file), join(folder, file));
    }
    const { name, version, license, exports, imports } = config;
    await Deno.writeTextFile(
      join(folder, "deno.json"),
      JSON.stringify({ name, version, license, exports, imports }),
    );
    await run(Deno.execPath(), ["pack", "--allow-dirty", "--output=packed.tgz"], folder);
    await run("tar", ["-xzf", "packed.tgz"], folder);
    const path = join(folder, "package", "package.json");
    const manifest = complete(JSON.parse(await Deno.readTextFile(path)) as Manifest);
    await Deno.writeTextFile(path, JSON.stringify(manifest, null, 2) + "\n");
    await Deno.copyFile(join(CHECKOUT, "src/client/README.md"), join(folder, "package", "README.md"));
    await Deno.mkdir(dirname(output), { recursive: true });
    await run("tar", ["--owner=0", "--group=0", "-czf", output, "package"], folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const output = resolve(Deno.args[0] ?? join(CHECKOUT, "dist", `nsq-client-${config.version}.tgz`));
try {
  await pack(output);
  console.log(output);
} catch (cause) {
  console.error(`pack: ${(cause as Error).message}`);
  Deno.exit(1);
}
