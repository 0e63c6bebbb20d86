/** All file descriptors used up by connections: who is there is served, the log rolls, and it heals by itself. */
import assert from "node:assert/strict";
import { V1Client } from "../lookupd/v1_client.ts";
import { ProgramProcess, until } from "../support/program_process.ts";
import { TLS_FLAGS } from "../wire/upgrade_client.ts";
import { WireClient, withBody } from "../wire/wire_client.ts";

const LIMIT = 160;
const CROWD = 400;

/** Connections that say nothing. */
class Crowd implements Disposable {
  readonly #conns: Deno.Conn[] = [];

  /** Comes to the ports in turn; those that are refused stay away. */
  static async at(ports: readonly number[]): Promise<Crowd> {
    const crowd = new Crowd();
    for (let i = 0; i < CROWD; i++) {
      const connecting = Deno.connect({ hostname: "127.0.0.1", port: ports[i % ports.length] });
      await connecting.then((conn) => crowd.#conns.push(conn), () => {});
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

/** The answer of `/ping`, on a connection of its own. */
async function ping(scheme: "http" | "https", port: number): Promise<string> {
  const ca = Deno.readTextFileSync(new URL("../support/certificates/ca.pem", import.meta.url));
  using client = Deno.createHttpClient({ caCerts: [ca], poolMaxIdlePerHost: 0 });
  const answer = await fetch(`${scheme}://localhost:${port}/ping`, { client });
  return await answer.text();
}

type Listener = "TCP" | "HTTP" | "HTTPS";

for (const crowded of [["TCP"], ["HTTP"], ["HTTPS"], ["TCP", "HTTP", "HTTPS"]] as Listener[][]) {
  Deno.test({
    name: `nsqd whose descriptors ${
      crowded.join(", ")
    } used up serves who is there, rolls its log, and heals`,
    ignore: Deno.build.os === "windows",
    async fn() {
      const dataPath = Deno.makeTempDirSync({ prefix: "nsqd-test-" });
      try {
        await using program = await startLimited("nsqd", [
          `--data-path=${dataPath}`,
          "--max-bytes-per-file=1MiB",
          "--mem-limit=1MiB",
          ...TLS_FLAGS,
        ]);
        await until("HTTPS is listened on", () => /HTTPS: listening/.test(program.log));
        const ports = {
          TCP: program.port("nsqd", "TCP"),
          HTTP: program.port("nsqd", "HTTP"),
          HTTPS: Number(/HTTPS: listening on \S+:(\d+)/.exec(program.log)![1]),
        };
        using client = await WireClient.open(ports.TCP);
        const body = new Uint8Array(300_000);
        assert.equal(await client.ask(withBody("PUB t", body)), "response OK");
        using crowd = await Crowd.at(crowded.map((listener) => ports[listener]));
        assert.ok(crowd.size > LIMIT, `${crowd.size} are too few to use all up`);
        const beganMs = performance.now();
        await until("it is out of descriptors", () => /accept failed/.test(program.log), () => program.log);
        for (let i = 0; i < 16; i++) assert.equal(await client.ask(withBody("PUB t", body)), "response OK");
        const lines = program.log.match(/accept failed/g)!.length;
        const seconds = Math.ceil((performance.now() - beganMs) / 1000);
        assert.ok(lines <= crowded.length * (seconds + 1), `${lines} lines in ${seconds} s:\n${program.log}`);
        crowd[Symbol.dispose]();
        using late = await WireClient.open(ports.TCP);
        assert.equal(await late.ask(withBody("PUB t", "x")), "response OK");
        assert.equal(await ping("http", ports.HTTP), "OK");
        assert.equal(await ping("https", ports.HTTPS), "OK");
        assert.doesNotMatch(program.log, /failed to (?!accept)|Uncaught/);
        assert.equal(await program.stop(), 0);
      } finally {
        Deno.removeSync(dataPath, { recursive: true });
      }
    },
  });
}

for (const crowded of [["TCP"], ["HTTP"], ["TCP", "HTTP"]] as ("TCP" | "HTTP")[][]) {
  Deno.test({
    name: `lookupd whose descriptors ${crowded.join(", ")} used up goes on, and heals`,
    ignore: Deno.build.os === "windows",
    async fn() {
      await using program = await startLimited("lookupd", []);
      const port = program.port("nsqlookupd", "TCP"), httpPort = program.port("nsqlookupd", "HTTP");
      const early = await V1Client.connect(port);
      assert.equal(await early.request("PING\n"), "OK");
      using crowd = await Crowd.at(crowded.map((listener) => program.port("nsqlookupd", listener)));
      assert.ok(crowd.size > LIMIT, `${crowd.size} are too few to use all up`);
      await until("it is out of descriptors", () => /accept failed/.test(program.log), () => program.log);
      assert.equal(await early.request("PING\n"), "OK");
      crowd[Symbol.dispose]();
      const late = await V1Client.connect(port);
      assert.equal(await late.request("PING\n"), "OK");
      assert.equal(await ping("http", httpPort), "OK");
      early.close();
      late.close();
      assert.equal(await program.stop(), 0);
    },
  });
}
