/** All file descriptors used up by connections: who is there is served, the log rolls, and it heals by itself. */
import assert from "node:assert/strict";
import { V1Client } from "../lookupd/v1_client.ts";
import { ProgramProcess, until } from "../support/program_process.ts";
import { WireClient, withBody } from "../wire/wire_client.ts";

const LIMIT = 160;
const CROWD = 400;

/** Connections that say nothing. */
class Crowd implements Disposable {
  readonly #conns: Deno.Conn[] = [];

  /** Comes to `port`; those that are refused stay away. */
  static async at(port: number): Promise<Crowd> {
    const crowd = new Crowd();
    for (let i = 0; i < CROWD; i++) {
      try {
        crowd.#conns.push(await Deno.connect({ hostname: "127.0.0.1", port }));
      } catch {
        break;
      }
    }
    return crowd;
  }

  get size(): number {
    return this.#conns.length;
  }

  [Symbol.dispose](): void {
    for (const conn of this.#conns.splice(0)) conn.close();
  }
}

/** The program with few descriptors. */
function startLimited(command: string, flags: string[]): Promise<ProgramProcess> {
  const limited = [
    "sh",
    "-c",
    `ulimit -n ${LIMIT}; exec "$0" run --no-prompt -A main.ts "$@"`,
    Deno.execPath(),
  ];
  const ports = ["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0"];
  return ProgramProcess.start({ command, flags: [...ports, ...flags], executable: limited });
}

Deno.test({
  name: "nsqd without descriptors serves who is there, rolls its log, and accepts again when it can",
  ignore: Deno.build.os === "windows",
  async fn() {
    const dataPath = Deno.makeTempDirSync({ prefix: "nsqd-test-" });
    try {
      await using program = await startLimited("nsqd", [
        `--data-path=${dataPath}`,
        "--max-bytes-per-file=1MiB",
        "--mem-limit=1MiB",
      ]);
      const port = program.port("nsqd", "TCP");
      using client = await WireClient.open(port);
      const body = new Uint8Array(300_000);
      assert.equal(await client.ask(withBody("PUB t", body)), "response OK");
      using crowd = await Crowd.at(port);
      assert.ok(crowd.size > LIMIT, "the crowd is too small to use all up");
      await until("it is out of descriptors", () => /accept failed/.test(program.log), () => program.log);
      for (let i = 0; i < 16; i++) assert.equal(await client.ask(withBody("PUB t", body)), "response OK");
      const lines = program.log.match(/accept failed/g)!.length;
      crowd[Symbol.dispose]();
      using late = await WireClient.open(port);
      assert.equal(await late.ask(withBody("PUB t", "x")), "response OK");
      assert.ok(lines < 20, `${lines} lines in the log:\n${program.log}`);
      assert.doesNotMatch(program.log, /failed to (?!accept)|Uncaught/);
      assert.equal(await program.stop(), 0);
    } finally {
      Deno.removeSync(dataPath, { recursive: true });
    }
  },
});

Deno.test({
  name: "lookupd without descriptors goes on, and accepts again when it can",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using program = await startLimited("lookupd", []);
    const port = program.port("nsqlookupd", "TCP");
    using crowd = await Crowd.at(port);
    assert.ok(crowd.size > LIMIT, "the crowd is too small to use all up");
    await until("it is out of descriptors", () => /accept failed/.test(program.log), () => program.log);
    crowd[Symbol.dispose]();
    const late = await V1Client.connect(port);
    assert.equal(await late.request("PING\n"), "OK");
    late.close();
    assert.equal(await program.stop(), 0);
  },
});
