/** SIGHUP, and a stop that is forced, as an operator meets them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { ProgramProcess, until } from "../support/program_process.ts";
import { pemPath } from "../wire/upgrade_client.ts";

const LISTENERS: Readonly<Record<string, readonly string[]>> = {
  nsqd: ["tcp-address", "http-address"],
  lookupd: ["tcp-address", "http-address"],
  standalone: [
    "tcp-address",
    "http-address",
    "lookupd-listen-tcp-address",
    "lookupd-listen-http-address",
    "admin-listen-http-address",
  ],
};

/** Starts `command` with a config file of `text`; `write` replaces it and has it loaded again. */
async function withProgram(
  command: string,
  text: string,
  use: (program: ProgramProcess, write: (text: string) => Promise<void>) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "config.toml");
    await Deno.writeTextFile(path, text);
    const listeners = LISTENERS[command].map((flag) => `--${flag}=127.0.0.1:0`);
    const flags = [`--config=${path}`, `--data-path=${folder}`, ...listeners];
    await using program = await ProgramProcess.start({ command, flags });
    let loads = 0;
    await use(program, async (next) => {
      await Deno.writeTextFile(path, next);
      program.signal("SIGHUP");
      loads++;
      const answers = () => program.log.match(/config (not )?loaded again/g) ?? [];
      await until("config loaded again", () => answers().length >= loads, () => program.log);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The texts of the log with their levels, without prefix and time. */
function texts(program: ProgramProcess): string[] {
  return program.log.trimEnd().split("\n").map((line) => line.replace(/^.*?\d{6} /, ""));
}

async function configOf(program: ProgramProcess, key: string): Promise<string> {
  return await (await fetch(`http://${program.address("nsqd", "HTTP")}/config/${key}`)).text();
}

Deno.test({
  name: "SIGHUP puts what may change in force, and says what needs a restart",
  ignore: Deno.build.os === "windows",
  async fn() {
    await withProgram("nsqd", "max_rdy_count = 100\n", async (program, write) => {
      assert.equal(await configOf(program, "max_rdy_count"), "100");
      await write('max_rdy_count = 50\nlog_level = "debug"\nmem_queue_size = 5\nbogus = 1\n');
      assert.equal(await configOf(program, "max_rdy_count"), "50");
      assert.equal(await configOf(program, "log_level"), "1");
      assert.equal(await configOf(program, "mem_queue_size"), "10000");
      for (
        const text of [
          "INFO: max_rdy_count is 50 now, was 100",
          "INFO: log_level is debug now, was info",
          "WARNING: mem_queue_size has another value now, which needs a restart",
        ]
      ) assert.ok(texts(program).includes(text), text);
      assert.match(program.log, /WARNING: config file .*line 4: bogus is an unknown key, ignored\n/);

      await write("max_rdy_count = 7\nlog_level = 5\n");
      assert.match(
        program.log,
        /ERROR: config not loaded again, nothing changes - config file .* - line 2: log_level/,
      );
      assert.equal(await configOf(program, "max_rdy_count"), "50");
      assert.equal(await program.stop(), 0);
    });
  },
});

Deno.test({
  name: "SIGHUP changes the lookupds of a standalone, but never takes its own away",
  ignore: Deno.build.os === "windows",
  async fn() {
    await withProgram("standalone", "", async (program, write) => {
      const own = program.address("nsqlookupd", "TCP");
      await write('log_level = "debug"\nnsqlookupd_tcp_addresses = ["127.0.0.1:9"]\n');
      const addresses = await configOf(program, "nsqlookupd_tcp_addresses");
      assert.deepEqual(JSON.parse(addresses), [own, "127.0.0.1:9"]);
      const changes = texts(program).filter((text) => text === "INFO: log_level is debug now, was info");
      assert.equal(changes.length, 3, "nsqd, lookupd and the console have a log level each");
      assert.equal(await program.stop(), 0);
    });
  },
});

Deno.test({
  name: "SIGHUP changes the log level of lookupd",
  ignore: Deno.build.os === "windows",
  async fn() {
    await withProgram("lookupd", "", async (program, write) => {
      await write('log_level = "debug"\ntombstone_lifetime = "1m"\n');
      assert.ok(texts(program).includes("INFO: log_level is debug now, was info"));
      assert.ok(
        texts(program).includes("WARNING: tombstone_lifetime has another value now, which needs a restart"),
      );
      assert.equal(await program.stop(), 0);
    });
  },
});

Deno.test({
  name: "SIGHUP has renewed certificates read also without a config file",
  ignore: Deno.build.os === "windows",
  async fn() {
    const folder = await Deno.makeTempDir();
    const certPath = join(folder, "cert.pem"), keyPath = join(folder, "key.pem");
    const install = async (name: string) => {
      await Deno.copyFile(pemPath(name), certPath);
      await Deno.copyFile(pemPath(`${name}_key`), keyPath);
    };
    try {
      await install("server");
      const listeners = [...LISTENERS.nsqd, "https-address"].map((flag) => `--${flag}=127.0.0.1:0`);
      const flags = [`--data-path=${folder}`, `--tls-cert=${certPath}`, `--tls-key=${keyPath}`, ...listeners];
      await using program = await ProgramProcess.start({ command: "nsqd", flags });
      await install("stranger");
      program.signal("SIGHUP");
      await until("renewed", () => program.log.includes("TLS: certificates loaded again"), () => program.log);
      assert.equal(await program.stop(), 0);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("a second signal ends nsqd at once with 1, while a request keeps it from stopping", async () => {
  await withProgram("nsqd", "", async (program) => {
    const { port, hostname } = new URL(`http://${program.address("nsqd", "HTTP")}`);
    using client = await Deno.connect({ hostname, port: Number(port) });
    const head =
      "POST /pub?topic=orders HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n";
    await client.write(new TextEncoder().encode(head));
    await client.read(new Uint8Array(100));
    program.signal("SIGTERM");
    await until("stopping", () => program.log.includes("SIGTERM: stopping"));
    program.signal("SIGINT");
    assert.equal(await program.ended(), 1);
    assert.ok(texts(program).includes("WARNING: SIGINT again: stopping at once"));
    assert.ok(!texts(program).includes("INFO: NSQ: bye"));
  });
});
