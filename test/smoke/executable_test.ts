/**
 * Proves that the executables serve: `NSQ_EXECUTABLES` names those to try, with colons between. TLS is left out,
 * because an executable may be compiled with an older Deno than the pinned one.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { dirname, join } from "node:path";
import { commands } from "../../src/cli/commands.ts";
import { ProgramProcess } from "../support/program_process.ts";

const EXECUTABLES = (Deno.env.get("NSQ_EXECUTABLES") ?? "").split(":").filter((path) => path !== "");
const FRAME_RESPONSE = 0;
const FRAME_MESSAGE = 2;
/** Somebody who owns nothing. */
const NOBODY = 65534;

interface Started {
  code: number;
  out: string;
  error: string;
}

async function run(path: string, args: readonly string[]): Promise<Started> {
  const { code, stdout, stderr } = await new Deno.Command(path, { args: [...args] }).output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), error: text.decode(stderr) };
}

/** A V2 connection that sends lines and reads whole frames. */
class V2Connection implements Disposable {
  readonly #conn: Deno.TcpConn;
  #received = Buffer.alloc(0);

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  static async open(port: number): Promise<V2Connection> {
    const connection = new V2Connection(await Deno.connect({ hostname: "127.0.0.1", port }));
    await connection.send("  V2");
    return connection;
  }

  async send(text: string): Promise<void> {
    let rest = new TextEncoder().encode(text);
    while (rest.length > 0) rest = rest.subarray(await this.#conn.write(rest));
  }

  async readFrame(): Promise<{ type: number; data: Buffer }> {
    const header = await this.#read(8);
    return { type: header.readInt32BE(4), data: await this.#read(header.readInt32BE(0) - 4) };
  }

  async #read(bytes: number): Promise<Buffer> {
    while (this.#received.length < bytes) {
      const chunk = Buffer.alloc(4096);
      const count = await this.#conn.read(chunk);
      if (count === null) throw new Error(`nsqd closed the connection, ${bytes} bytes were due`);
      this.#received = Buffer.concat([this.#received, chunk.subarray(0, count)]);
    }
    const taken = this.#received.subarray(0, bytes);
    this.#received = this.#received.subarray(bytes);
    return taken;
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}

async function publish(nsqd: ProgramProcess, topic: string, body: string): Promise<void> {
  const url = `http://127.0.0.1:${nsqd.port("nsqd", "HTTP")}/pub?topic=${topic}`;
  const response = await fetch(url, { method: "POST", body });
  assert.equal(await response.text(), "OK");
  assert.equal(response.status, 200);
}

/** Finishes messages until all of `bodies` have come. */
async function consume(nsqd: ProgramProcess, topic: string, bodies: readonly string[]): Promise<void> {
  using consumer = await V2Connection.open(nsqd.port("nsqd", "TCP"));
  await consumer.send(`SUB ${topic} c\nRDY ${bodies.length}\n`);
  const subscribed = await consumer.readFrame();
  assert.deepEqual([subscribed.type, subscribed.data.toString()], [FRAME_RESPONSE, "OK"]);
  const missing = new Set(bodies);
  while (missing.size > 0) {
    const { type, data } = await consumer.readFrame();
    assert.equal(type, FRAME_MESSAGE, data.toString());
    missing.delete(data.toString("utf8", 26));
    await consumer.send(`FIN ${data.toString("latin1", 10, 26)}\n`);
  }
}

/** Runs `body` with an empty folder. */
async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "nsq_smoke_" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function startNsqd(words: readonly string[], dataPath: string, env = {}): Promise<ProgramProcess> {
  const listening = ["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0"];
  const [command, ...executable] = [...words].reverse();
  return ProgramProcess.start({
    executable: executable.reverse(),
    command,
    flags: [...listening, `--data-path=${dataPath}`],
    env,
  });
}

/** Why the test of a read-only root cannot run here, or null. */
async function readOnlyRootMissing(): Promise<string | null> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return "it needs root on Linux";
  const { code } = await new Deno.Command("unshare", { args: ["-m", "true"], stderr: "null" }).output()
    .catch(() => ({ code: 1 }));
  return code === 0 ? null : "no mount namespace can be made here";
}

const skipped = EXECUTABLES.length === 0 ? "NSQ_EXECUTABLES names no executable" : null;
if (skipped !== null) console.log(`The smoke test is skipped: ${skipped}`);
const rootSkipped = await readOnlyRootMissing();
if (rootSkipped !== null) console.log(`The smoke test with a read-only root is skipped: ${rootSkipped}`);

for (const path of skipped === null ? EXECUTABLES : [""]) {
  const name = path === "" ? "an executable" : `${dirname(path).split("/").at(-1)}/nsq`;
  const ignore = skipped !== null;

  Deno.test({
    name: `${name} helps with every command, and says what a wrong one is`,
    ignore,
    async fn() {
      for (const command of commands) {
        for (const word of [command.name, ...command.aliases]) {
          const { code, out, error } = await run(path, [word, "--help"]);
          assert.deepEqual([code, error], [0, ""], word);
          assert.match(out, /^Usage: /m, word);
        }
      }
      const { code, error } = await run(path, ["nsqdd"]);
      assert.deepEqual([code, error.trim()], [2, 'unknown command "nsqdd", did you mean nsqd?']);
    },
  });

  Deno.test({
    name: `${name} called through a link is the program of that name`,
    ignore,
    fn: () =>
      withFolder(async (folder) => {
        for (const link of commands.flatMap(({ aliases }) => aliases).concat("nsqd")) {
          await Deno.symlink(path, join(folder, link));
          const { code, out } = await run(join(folder, link), ["--version"]);
          assert.equal(code, 0, link);
          assert.match(out, new RegExp(`^${link.replaceAll("nsq_to_nsq", "(nsq_)?to_nsq")} v\\d`), link);
        }
      }),
  });

  Deno.test({
    name: `${name} delivers, loses nothing to kill -9, and stops cleanly on SIGTERM`,
    ignore,
    fn: () =>
      withFolder(async (folder) => {
        await using first = await startNsqd([path, "nsqd"], folder);
        await publish(first, "t", "hello");
        await consume(first, "t", ["hello"]);
        const bodies = Array.from({ length: 100 }, (_, i) => `message ${i}`);
        for (const body of bodies) await publish(first, "t", body);
        await first.kill();

        await using second = await startNsqd([path, "nsqd"], folder);
        await consume(second, "t", bodies);
        assert.equal(await second.stop(), 0, second.log);
      }),
  });

  Deno.test({
    name: `${name} is broker, discovery and console in one`,
    ignore,
    fn: () =>
      withFolder(async (folder) => {
        await using standalone = await ProgramProcess.start({
          executable: [path],
          command: "standalone",
          flags: [
            "--tcp-address=127.0.0.1:0",
            "--http-address=127.0.0.1:0",
            "--lookupd-listen-tcp-address=127.0.0.1:0",
            "--lookupd-listen-http-address=127.0.0.1:0",
            "--admin-listen-http-address=127.0.0.1:0",
            `--data-path=${folder}`,
          ],
        });
        await publish(standalone, "t", "hello");
        const lookup = `http://${standalone.address("nsqlookupd", "HTTP")}/lookup?topic=t`;
        assert.equal((await (await fetch(lookup)).json()).producers.length, 1);
        const home = `http://${standalone.address("nsqadmin", "HTTP")}`;
        const page = await (await fetch(`${home}/`)).text();
        const assets = [...new Set([...page.matchAll(/"(\/static\/[^"]+)"/g)].map(([, asset]) => asset))];
        assert.ok(assets.length > 2, page.slice(0, 500));
        for (const asset of assets) {
          const response = await fetch(home + asset);
          assert.equal(response.status, 200, asset);
          assert.ok((await response.bytes()).length > 0, asset);
        }
        assert.equal(await standalone.stop(), 0, standalone.log);
      }),
  });

  Deno.test({
    name: `${name} serves a foreign user on a read-only root`,
    ignore: ignore || rootSkipped !== null,
    fn: () =>
      withFolder(async (folder) => {
        const [bin, data, cache] = ["bin", "data", "cache"].map((part) => join(folder, part));
        for (const part of [bin, data, cache]) await Deno.mkdir(part);
        await Deno.copyFile(path, join(bin, "nsq"));
        await Deno.chmod(folder, 0o755);
        for (const part of [data, cache]) await Deno.chown(part, NOBODY, NOBODY);
        const readOnly =
          'mount --make-rprivate / && for d in "$DATA" "$CACHE"; do mount --bind "$d" "$d"; done && ' +
          'mount -o remount,bind,ro / && exec setpriv --reuid=65534 --regid=65534 --clear-groups "$0" "$@"';
        const env = { DATA: data, CACHE: cache, CACHE_DIRECTORY: cache, TMPDIR: cache, HOME: "/nonexistent" };
        const words = ["unshare", "-m", "sh", "-c", readOnly, join(bin, "nsq"), "nsqd"];
        await using nsqd = await startNsqd(words, data, env);
        await publish(nsqd, "t", "hello");
        await consume(nsqd, "t", ["hello"]);
        assert.equal(await nsqd.stop(), 0, nsqd.log);
      }),
  });
}
