/**
 * The package for npm, used by programs of Node and Bun from its tarball. Where a runtime is missing its tests are
 * skipped, and say why.
 */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { startNsqd } from "../../support/running_nsqd.ts";
import { pem, TLS_FLAGS } from "../../wire/upgrade_client.ts";

const CHECKOUT = fileURLToPath(new URL("../../..", import.meta.url));
const PROGRAM = new URL("program.mjs", import.meta.url);
const LIMIT_MS = 60_000;
const COUNT = 500;

interface Said {
  code: number;
  stdout: string;
  stderr: string;
}

async function run(command: string, args: readonly string[], cwd: string): Promise<Said> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    cwd,
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(LIMIT_MS),
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) await copyFolder(join(from, name), join(to, name));
    else await Deno.copyFile(join(from, name), join(to, name));
  }
}

/** A folder in which the package is installed, with its one dependency. */
async function installed(): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "nsq-npm-test-" });
  addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  const tarball = join(folder, "client.tgz");
  const packed = await run(Deno.execPath(), ["task", "pack", tarball], CHECKOUT);
  assert.equal(packed.code, 0, packed.stderr);
  await run("tar", ["-xzf", tarball], folder);
  await Deno.mkdir(join(folder, "node_modules/@nsq"), { recursive: true });
  await Deno.rename(join(folder, "package"), join(folder, "node_modules/@nsq/client"));
  const snappy = createRequire(join(CHECKOUT, "deno.json")).resolve("snappyjs");
  await copyFolder(dirname(snappy), join(folder, "node_modules/snappyjs"));
  await Deno.copyFile(PROGRAM, join(folder, "program.mjs"));
  await Deno.writeTextFile(join(folder, "package.json"), JSON.stringify({ type: "module", private: true }));
  return folder;
}

let folder: Promise<string> | undefined;
/** Why `command` cannot be run here; null when it can. */
async function missing(command: string): Promise<string | null> {
  try {
    const { code } = await run(command, ["--version"], ".");
    return code === 0 ? null : `${command} --version exited with ${code}`;
  } catch (cause) {
    return (cause as Error).message;
  }
}

const STREAMS = {
  plain: {},
  "TLS": { tls: { ca: pem("ca"), serverName: "localhost" } },
  deflate: { deflate: true },
  "TLS and snappy": { tls: { ca: pem("ca"), serverName: "localhost" }, snappy: true },
};

for (const runtime of ["node", "bun"]) {
  const reason = await missing(runtime);
  if (reason !== null) console.log(`Skipped: the client on ${runtime}, because ${reason}`);
  for (const [stream, options] of Object.entries(STREAMS)) {
    Deno.test({
      name: `The npm package publishes and consumes over ${stream} on ${runtime}`,
      ignore: reason !== null,
      async fn() {
        const path = await (folder ??= installed());
        await using server = await startNsqd([...TLS_FLAGS]);
        const argument = JSON.stringify({ nsqd: `127.0.0.1:${server.tcpPort}`, options, count: COUNT });
        const said = await run(runtime, ["program.mjs", argument], path);
        assert.equal(said.code, 0, said.stderr);
        assert.deepEqual(JSON.parse(said.stdout), {
          distinct: COUNT + 1,
          twice: 0,
          attempts: 2,
          refusal: ["ERR_NSQ_REFUSED", "E_BAD_MESSAGE"],
          runtime,
        });
      },
    });
  }
}

Deno.test("The npm package has types for all of its exports, and wants no more than it says", async () => {
  const path = await (folder ??= installed());
  const manifest = JSON.parse(await Deno.readTextFile(join(path, "node_modules/@nsq/client/package.json")));
  assert.deepEqual(Object.keys(manifest.dependencies), ["snappyjs"]);
  assert.equal(manifest.peerDependenciesMeta["@opentelemetry/api"].optional, true);
  const program = `
    import { Consumer, json, type Message, Producer } from "@nsq/client";
    import { startBroker, type TestBroker } from "@nsq/client/testing";
    export const broker: Promise<TestBroker> = startBroker({ data: "folder" });
    export const producer = new Producer({ nsqd: "a:1" });
    export const consumer = new Consumer("t", "c", { nsqd: "a:1", codec: json<{ id: number }>() });
    export async function first(): Promise<number> {
      for await (const message of consumer) return message.value.id;
      return 0;
    }
    export function id(message: Message<{ id: number }>): number {
      // @ts-expect-error values have the type of the codec, which has no such field
      return message.value.missing;
    }
  `;
  await Deno.writeTextFile(join(path, "types.ts"), program);
  await Deno.writeTextFile(join(path, "deno.json"), JSON.stringify({ nodeModulesDir: "manual" }));
  const checked = await run(Deno.execPath(), ["check", "types.ts"], path);
  assert.equal(checked.code, 0, checked.stderr);
});
