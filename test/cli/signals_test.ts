import assert from "node:assert/strict";
import {
  runUntilStopped,
  type Service,
  type SignalHandlers,
  type SignalSource,
  withoutEchoes,
} from "../../src/cli/signals.ts";
import { Logger } from "../../src/log/logger.ts";
import { ProgramProcess, until } from "../support/program_process.ts";

/** Signals that the test sends. */
class FakeSignals implements SignalSource {
  ignoresHangups = false;
  #handlers: SignalHandlers | null = null;

  listen(handlers: SignalHandlers): () => void {
    this.#handlers = handlers;
    return () => this.#handlers = null;
  }

  ignoreHangups(): () => void {
    this.ignoresHangups = true;
    return () => this.ignoresHangups = false;
  }

  get isListening(): boolean {
    return this.#handlers !== null;
  }

  get listensForReload(): boolean {
    return this.#handlers?.reload !== undefined;
  }

  send(signal: string): void {
    assert.ok(this.#handlers, `nobody listens for ${signal}`);
    if (signal === "SIGHUP") this.#handlers.reload!();
    else this.#handlers.stop(signal);
  }
}

/** A service that notes the calls of `stop()` and ends when the test says so. */
class FakeService implements Service {
  readonly stops: boolean[] = [];
  readonly #done = Promise.withResolvers<number>();
  readonly done = this.#done.promise;
  stopFailure: Error | null = null;

  stop(force = false): Promise<void> {
    this.stops.push(force);
    return this.stopFailure === null ? Promise.resolve() : Promise.reject(this.stopFailure);
  }

  end(code: number): void {
    this.#done.resolve(code);
  }

  fail(cause: Error): void {
    this.#done.reject(cause);
  }
}

function setUp(reload?: () => void) {
  const lines: string[] = [];
  const logger = new Logger("info", "", (line) => lines.push(line.replace(/^\S+ \S+ /, "").trimEnd()));
  const service = new FakeService();
  const signals = new FakeSignals();
  return { lines, service, signals, exitCode: runUntilStopped(service, logger, reload, signals) };
}

Deno.test("runUntilStopped() resolves with the code of a service that ends by itself", async () => {
  const { service, signals, exitCode } = setUp();
  service.end(3);
  assert.equal(await exitCode, 3);
  assert.deepEqual(service.stops, []);
  assert.equal(signals.isListening, false);
});

Deno.test("runUntilStopped() stops the service in good order at the first signal", async () => {
  for (const signal of ["SIGINT", "SIGTERM"]) {
    const { lines, service, signals, exitCode } = setUp();
    signals.send(signal);
    assert.deepEqual(service.stops, [false]);
    service.end(0);
    assert.equal(await exitCode, 0);
    assert.deepEqual(lines, [`INFO: ${signal}: stopping`]);
  }
});

Deno.test("runUntilStopped() forces the stop at the second signal and leaves the third to the system", async () => {
  const { service, signals, exitCode } = setUp();
  signals.send("SIGTERM");
  signals.send("SIGTERM");
  assert.equal(signals.isListening, false);
  assert.equal(await exitCode, 1);
  assert.deepEqual(service.stops, [false, true]);
});

Deno.test("runUntilStopped() resolves with 1 after a forced stop, also when the service ends with 0", async () => {
  const { service, signals, exitCode } = setUp();
  signals.send("SIGINT");
  signals.send("SIGTERM");
  service.end(0);
  assert.equal(await exitCode, 1);
});

Deno.test("runUntilStopped() logs why a stop failed and resolves with 1", async () => {
  const { lines, service, signals, exitCode } = setUp();
  service.stopFailure = new Error("disk full");
  signals.send("SIGTERM");
  assert.equal(await exitCode, 1);
  assert.equal(lines.at(-1), "FATAL: failed to stop - disk full");
});

Deno.test("runUntilStopped() logs why the service failed and resolves with 1", async () => {
  const { lines, service, signals, exitCode } = setUp();
  service.fail(new Error("listener is gone"));
  assert.equal(await exitCode, 1);
  assert.match(lines.at(-1)!, /^FATAL: .*listener is gone$/);
  assert.equal(signals.isListening, false);
});

Deno.test("runUntilStopped() reloads for each SIGHUP, but not once it stops", async () => {
  let reloads = 0;
  const { service, signals, exitCode } = setUp(() => reloads++);
  signals.send("SIGHUP");
  signals.send("SIGHUP");
  signals.send("SIGTERM");
  signals.send("SIGHUP");
  assert.equal(reloads, 2);
  service.end(0);
  assert.equal(await exitCode, 0);
});

Deno.test("runUntilStopped() leaves SIGHUP to the system when there is nothing to reload", async () => {
  const { service, signals, exitCode } = setUp();
  assert.equal(signals.listensForReload, false);
  service.end(0);
  assert.equal(await exitCode, 0);
});

Deno.test("runUntilStopped() ignores SIGHUP while it stops, also with nothing to reload", async () => {
  const { service, signals, exitCode } = setUp();
  assert.ok(!signals.ignoresHangups);
  signals.send("SIGTERM");
  assert.ok(signals.ignoresHangups);
  service.end(0);
  await exitCode;
  assert.ok(!signals.ignoresHangups);
});

/** Signals that Go nsqd survives. */
const HARMLESS: Deno.Signal[] = [
  "SIGUSR1",
  "SIGUSR2",
  "SIGALRM",
  "SIGVTALRM",
  "SIGPROF",
  "SIGIO",
  "SIGPWR",
  "SIGXCPU",
  "SIGXFSZ",
];

/** Flags of a server on free ports, on a data path of its own that is removed at the end. */
class Place implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "nsq-test-" });
  readonly flags = ["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0", `--data-path=${this.path}`];

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

const isLinux = Deno.build.os === "linux";

for (const command of ["nsqd", "lookupd"]) {
  Deno.test({
    name: `${command} goes on after the signals that Go programs ignore, and ends at SIGHUP`,
    ignore: !isLinux,
    async fn() {
      using place = new Place();
      await using program = await ProgramProcess.start({ command, flags: place.flags });
      for (const signal of HARMLESS) program.signal(signal);
      const name = command === "nsqd" ? "nsqd" : "nsqlookupd";
      const answer = await fetch(`http://${program.address(name, "HTTP")}/ping`);
      assert.equal(await answer.text(), "OK");
      program.signal("SIGHUP");
      assert.equal(await program.ended(), 129);
    },
  });

  Deno.test({
    name: `${command} that was started with nohup goes on when its terminal closes`,
    ignore: !isLinux,
    async fn() {
      using place = new Place();
      const executable = ["nohup", Deno.execPath(), "run", "--no-prompt", "-A", "main.ts"];
      await using program = await ProgramProcess.start({ command, flags: place.flags, executable });
      program.signal("SIGHUP");
      const name = command === "nsqd" ? "nsqd" : "nsqlookupd";
      const answer = await fetch(`http://${program.address(name, "HTTP")}/ping`);
      assert.equal(await answer.text(), "OK");
      assert.equal(await program.stop(), 0);
    },
  });
}

Deno.test({
  name: "nsqd answers an error when a file may not get larger, and goes on",
  ignore: !isLinux,
  async fn() {
    using place = new Place();
    const limited = [
      "sh",
      "-c",
      `ulimit -f 16384; exec "$0" run --no-prompt -A main.ts "$@"`,
      Deno.execPath(),
    ];
    await using program = await ProgramProcess.start({
      command: "nsqd",
      flags: place.flags,
      executable: limited,
    });
    const url = `http://${program.address("nsqd", "HTTP")}`, body = new Uint8Array(1 << 20);
    let refused = 0;
    for (let i = 0; i < 20; i++) {
      const answer = await fetch(`${url}/pub?topic=t`, { method: "POST", body });
      await answer.body?.cancel();
      if (answer.status !== 200) refused++;
    }
    assert.ok(refused > 0, "nothing was refused");
    assert.match(await (await fetch(`${url}/ping`)).text(), /File too large/);
  },
});

Deno.test({
  name: "a terminal that closes while nsqd stops does not cut that short",
  ignore: !isLinux,
  async fn() {
    using place = new Place();
    await using program = await ProgramProcess.start({ command: "nsqd", flags: place.flags });
    const { port, hostname } = new URL(`http://${program.address("nsqd", "HTTP")}`);
    // A request that is under way keeps it from stopping at once.
    using client = await Deno.connect({ hostname, port: Number(port) });
    const head = "POST /pub?topic=t HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
    await client.write(new TextEncoder().encode(head));
    await client.read(new Uint8Array(100));
    program.signal("SIGTERM");
    await until("stopping", () => program.log.includes("SIGTERM: stopping"));
    program.signal("SIGHUP");
    await client.write(new TextEncoder().encode("last"));
    const answer = new Uint8Array(500), byteCount = await client.read(answer);
    assert.match(new TextDecoder().decode(answer.subarray(0, byteCount ?? 0)), /^HTTP\/1\.1 200 OK/);
    assert.equal(await program.ended(), 0);
    assert.match(program.log, /NSQ: bye/);
  },
});

Deno.test("withoutEchoes() takes a signal that comes twice at once for one, as after Ctrl-C in a task", () => {
  const handled: string[] = [];
  let nowMs = 0;
  const handle = withoutEchoes((signal) => handled.push(`${signal} at ${nowMs}`), () => nowMs);
  for (const [signal, atMs] of [["SIGINT", 0], ["SIGINT", 1], ["SIGTERM", 2], ["SIGINT", 300]] as const) {
    nowMs = atMs;
    handle(signal);
  }
  assert.deepEqual(handled, ["SIGINT at 0", "SIGTERM at 2", "SIGINT at 300"]);
});
