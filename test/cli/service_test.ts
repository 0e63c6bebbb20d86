/** The program as a process: what it prints where, and its exit codes. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));
const TIMESTAMP = String.raw`\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6}`;

async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "-A", `--config=${CONFIG}`, MAIN, ...args],
    env: { NO_COLOR: "1" },
  });
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test("runService() prints version and help on standard output and exits with 0", async () => {
  const builtWith = `v1.3.0 (built w/deno${Deno.version.deno})\n`;
  assert.deepEqual(await run("nsqd", "--version"), { code: 0, stdout: `nsqd ${builtWith}`, stderr: "" });
  assert.deepEqual(await run("lookupd", "-version"), {
    code: 0,
    stdout: `nsqlookupd ${builtWith}`,
    stderr: "",
  });
  const help = await run("nsqlookupd", "-h");
  assert.deepEqual([help.code, help.stderr], [0, ""]);
  assert.match(help.stdout, /^nsqlookupd - .*\n\nUsage: nsq lookupd \[flags\]\n/);
});

Deno.test("runCommandLine() takes help and a command for the help of the command", async () => {
  assert.deepEqual(await run("help", "doctor"), await run("doctor", "--help"));
  assert.equal((await run("help", "nsdq")).stderr, 'unknown command "nsdq", did you mean nsqd?\n');
  assert.match((await run("help")).stdout, /^Usage: nsq <command>/);
});

Deno.test("runService() tells a wrong flag on standard error and exits with 2", async () => {
  const stderr = "flag provided but not defined: -msg-timeot, did you mean -msg-timeout? " +
    "(see nsq nsqd --help)\n";
  assert.deepEqual(await run("nsqd", "--msg-timeot=1s"), { code: 2, stdout: "", stderr });
});

Deno.test("runService() logs one FATAL line under the program's name for a value out of range", async () => {
  const { code, stdout, stderr } = await run("nsqd", "--log-prefix=mine ", "--node-id=1024");
  assert.deepEqual([code, stdout], [1, ""]);
  const text = String.raw`FATAL: failed to instantiate nsqd - --node-id must be \[0,1024\)`;
  assert.match(stderr, new RegExp(String.raw`^\[nsqd\] ${TIMESTAMP} ${text}\n$`));
});

Deno.test("runService() logs one FATAL line for a config file that cannot be used", async () => {
  const { code, stdout, stderr } = await run("lookupd", "--config=/nonexistent.toml");
  assert.deepEqual([code, stdout], [1, ""]);
  const text = "FATAL: failed to load config file /nonexistent.toml - there is no such file";
  assert.match(stderr, new RegExp(String.raw`^\[nsqlookupd\] ${TIMESTAMP} ${text}\n$`));
});

Deno.test("runService() logs one FATAL line when the service cannot start", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { code, stdout, stderr } = await run("nsqd", `--data-path=${join(folder, "missing")}`);
    assert.deepEqual([code, stdout], [1, ""]);
    const last = stderr.trimEnd().split("\n").at(-1)!;
    assert.match(last, new RegExp(String.raw`^\[nsqd\] ${TIMESTAMP} FATAL: failed to instantiate nsqd - .`));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("runService() with --check-config prints OK, or all that is wrong, and starts nothing", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const good = { code: 0, stdout: "OK\n", stderr: "" };
    assert.deepEqual(await run("nsqd", "--check-config", `--data-path=${folder}`), good);
    assert.deepEqual(await run("lookupd", "--check-config"), good);
    assert.deepEqual(await run("standalone", "--check-config", `--data-path=${folder}`), good);

    const path = join(folder, "nsqd.toml");
    await Deno.writeTextFile(path, 'id = 5000\nmsg_timout = "1s"\nsync_every = "x"\n');
    const lines = [
      `config file ${path} - line 3: sync_every = "x": use a whole number`,
      `--node-id must be [0,1024) (config file ${path} - line 1: id)`,
      `config file ${path} - line 2: msg_timout is an unknown key, ignored; did you mean msg_timeout?`,
      "--lookupd-listen-http-address and --http-address listen on the same address",
      '--lookupd-tcp-address: Cannot connect to "a": it must be host:port',
      `--data-path: there is no directory ${folder}/missing`,
      "failed to build TLS config - tls-cert and tls-key go together, but tls-key is not set",
      "--auth-http-request-method must be post or get",
    ];
    const answer = await run(
      "standalone",
      ...["--check-config", `--config=${path}`, `--data-path=${folder}/missing`, "--lookupd-tcp-address=a"],
      ...["--tls-cert=x.pem", "--auth-http-request-method=put", "--lookupd-listen-http-address=:4151"],
    );
    assert.deepEqual(answer, { code: 1, stdout: lines.map((line) => `${line}\n`).join(""), stderr: "" });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("runService() with --check-config calls wrong what a start would only warn of", async () => {
  const answer = await run("nsqd", "--check-config", "--msg-timeout=0", "--max-msg-size=5000000000", "start");
  assert.deepEqual(answer, {
    code: 1,
    stdout: 'unexpected argument "start": only flags are allowed here; it and what follows it is ignored\n' +
      "--msg-timeout must be at least 1ms, is 0s; 1ms is used\n" +
      "--max-msg-size must be from 1 to 1GiB, is 5000000000; 1GiB is used\n",
    stderr: "",
  });
});

Deno.test("runService() starts with what Go nsqd starts with, and warns of what it takes instead", async () => {
  const flags = ["--msg-timeout=0", "--mem-queue-size=-1", "--data-path=/nowhere/at/all", "start"];
  const { code, stderr } = await run("nsqd", ...flags);
  // It got as far as the data path.
  assert.equal(code, 1);
  assert.match(stderr, /FATAL: failed to instantiate nsqd - failed to lock data-path/);
  for (
    const text of ["--msg-timeout must be at least 1ms", "--mem-queue-size must be at least 0", '"start"']
  ) {
    assert.ok(stderr.split("\n").some((line) => line.includes("WARNING") && line.includes(text)), text);
  }
});

Deno.test("runService() logs JSON with --log-format=json, also why it cannot start", async () => {
  const { code, stderr } = await run("nsqd", "--log-format=json", "--log-prefix=mine ", "--node-id=1024");
  assert.equal(code, 1);
  const { level, program, prefix, message } = JSON.parse(stderr);
  assert.deepEqual([level, program, prefix], ["fatal", "nsqd", "[nsqd]"]);
  assert.equal(message, "failed to instantiate nsqd - --node-id must be [0,1024)");
});

Deno.test("runCommandLine() exits with 2 and one line for an unknown command", async () => {
  const stderr = 'unknown command "nsdq", did you mean nsqd?\n';
  assert.deepEqual(await run("nsdq"), { code: 2, stdout: "", stderr });
  assert.equal((await run()).code, 2);
});
