import assert from "node:assert/strict";
import { join } from "node:path";
import { packExecutable } from "../../scripts/unpacking_executable.ts";

/** Stands for the runtime: tells how it was started, and ends with 7. */
const RUNTIME = `#!/bin/sh
echo "pid $$"
for word in "$@"; do echo "word $word"; done
if [ "\${NSQ_TEST_WAIT:-}" != "" ]; then trap 'echo caught; exit 9' TERM; echo waits; while :; do sleep 0.05; done; fi
exit 7
`;
const FLAGS = ["--allow-net", "--v8-flags=--a=1,--b"];

/** An executable of a few kilobytes in a folder of its own, and where it unpacks to. */
interface Packed {
  executable: string;
  cache: string;
  folder: string;
}

async function withPacked(body: (packed: Packed) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "nsq_unpack_" });
  try {
    const content = join(folder, "content");
    await Deno.mkdir(join(content, "app"), { recursive: true });
    await Deno.writeTextFile(join(content, "deno"), RUNTIME, { mode: 0o755 });
    await Deno.writeTextFile(join(content, "app/main.js"), "// main");
    await Deno.writeTextFile(join(content, "app/chunk-A.js"), "// chunk");
    const executable = join(folder, "nsq");
    await packExecutable(executable, content, FLAGS);
    await body({ executable, cache: join(folder, "cache"), folder });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

interface Ended {
  code: number;
  out: string;
  error: string;
}

async function start(path: string, env: Record<string, string>, args: string[] = []): Promise<Ended> {
  const { code, stdout, stderr } = await new Deno.Command(path, {
    args,
    env: { PATH: Deno.env.get("PATH")!, ...env },
    clearEnv: true,
  }).output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), error: text.decode(stderr) };
}

function words(out: string): string[] {
  return [...out.matchAll(/^word (.*)$/gm)].map(([, word]) => word);
}

Deno.test("an executable that unpacks itself runs the program with its flags, words and exit code", () =>
  withPacked(async ({ executable, cache }) => {
    for (const _ of ["unpacks", "is unpacked"]) {
      const { code, out } = await start(executable, { NSQ_UNPACK_DIR: cache }, ["nsqd", "--x=a b", ""]);
      assert.equal(code, 7);
      const all = words(out);
      assert.equal(all[0], "run");
      for (const flag of FLAGS) assert.ok(all.includes(flag), flag);
      assert.match(all.at(-4)!, /\/app\/main\.js$/);
      assert.deepEqual(all.slice(-3), ["nsqd", "--x=a b", ""]);
    }
  }));

Deno.test("an executable that unpacks itself stays the process that was started, signals included", () =>
  withPacked(async ({ executable, cache }) => {
    const child = new Deno.Command(executable, {
      env: { NSQ_UNPACK_DIR: cache, NSQ_TEST_WAIT: "1" },
      stdout: "piped",
    }).spawn();
    let out = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      if (!out.includes("waits") && (out + text).includes("waits")) child.kill("SIGTERM");
      out += text;
    }
    assert.equal((await child.status).code, 9);
    assert.match(out, new RegExp(`^pid ${child.pid}$`, "m"));
    assert.match(out, /^caught$/m);
  }));

Deno.test("an executable that unpacks itself is the program that a link to it names", () =>
  withPacked(async ({ executable, cache, folder }) => {
    for (const name of ["nsqd", "nsqlookupd", "nsqadmin", "nsq_tail", "nsq_to_file", "to_nsq"]) {
      await Deno.symlink(executable, join(folder, name));
      const { out } = await start(join(folder, name), { NSQ_UNPACK_DIR: cache }, ["--version"]);
      assert.deepEqual(words(out).slice(-2), [name, "--version"]);
    }
    await Deno.symlink(executable, join(folder, "broker"));
    const { out } = await start(join(folder, "broker"), { NSQ_UNPACK_DIR: cache }, ["--version"]);
    assert.match(words(out).at(-2)!, /main\.js$/);
  }));

Deno.test("an executable that unpacks itself may be started many times at once", () =>
  withPacked(async ({ executable, cache }) => {
    const all = await Promise.all(
      Array.from({ length: 12 }, () => start(executable, { NSQ_UNPACK_DIR: cache }, ["x"])),
    );
    for (const { code, error } of all) assert.deepEqual([code, error], [7, ""]);
    const [version] = [...Deno.readDirSync(join(cache, "nsq"))];
    const left = [...Deno.readDirSync(join(cache, "nsq", version.name))].map(({ name }) => name);
    assert.deepEqual(left.sort(), ["app", "complete", "deno"]);
  }));

Deno.test("an executable that unpacks itself says so when its archive is damaged, and leaves nothing behind", () =>
  withPacked(async ({ executable, cache }) => {
    const bytes = await Deno.readFile(executable);
    bytes[bytes.length - 20] ^= 1;
    await Deno.writeFile(executable, bytes);
    const { code, error } = await start(executable, { NSQ_UNPACK_DIR: cache });
    assert.equal(code, 126);
    assert.match(error, /damaged: its archive has another SHA-256/);
    const [version] = [...Deno.readDirSync(join(cache, "nsq"))];
    assert.deepEqual([...Deno.readDirSync(join(cache, "nsq", version.name))], []);
  }));

Deno.test("an executable that unpacks itself trusts no folder that others may write to", () =>
  withPacked(async ({ executable, cache }) => {
    assert.equal((await start(executable, { NSQ_UNPACK_DIR: cache })).code, 7);
    const [version] = [...Deno.readDirSync(join(cache, "nsq"))];
    const unpacked = join(cache, "nsq", version.name);
    await Deno.chmod(unpacked, 0o777);
    const { code, error } = await start(executable, { NSQ_UNPACK_DIR: cache });
    assert.equal(code, 126);
    assert.match(error, /others may write to it/);
  }));

Deno.test("an executable that unpacks itself takes the next folder when one cannot be written to", () =>
  withPacked(async ({ executable, cache, folder }) => {
    await Deno.writeTextFile(join(folder, "file"), "");
    const nowhere = join(folder, "file", "below");
    const env = { NSQ_UNPACK_DIR: nowhere, XDG_CACHE_HOME: nowhere, HOME: nowhere, TMPDIR: cache };
    await Deno.mkdir(cache);
    assert.equal((await start(executable, env)).code, 7);
    const { code, error } = await start(executable, { ...env, TMPDIR: nowhere });
    assert.equal(code, 126);
    assert.match(error, /no folder to unpack into: set NSQ_UNPACK_DIR/);
  }));
