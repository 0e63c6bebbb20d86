import assert from "node:assert/strict";
import { join } from "node:path";
import { Logger } from "../../src/log/logger.ts";
import { ServiceManager } from "../../src/net/service_manager.ts";
import { ProgramProcess } from "../support/program_process.ts";

/** Stands for systemd: keeps what is told. */
class Manager implements Disposable {
  readonly path: string;
  readonly told: string[] = [];
  readonly #socket: ReturnType<typeof Deno.listenDatagram>;

  constructor(folder: string) {
    this.path = join(folder, "manager");
    this.#socket = Deno.listenDatagram({ transport: "unixpacket", path: this.path });
  }

  /** Resolves with the next datagram. */
  async next(): Promise<string> {
    const [bytes] = await this.#socket.receive();
    this.told.push(new TextDecoder().decode(bytes));
    return this.told.at(-1)!;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

async function withManager(body: (manager: Manager, folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "nsq_notify_" });
  try {
    using manager = new Manager(folder);
    await body(manager, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function loggerTo(lines: string[]): Logger {
  return new Logger("debug", "", (line) => lines.push(line));
}

Deno.test("ServiceManager tells when the program is ready and stops, and feeds the watchdog meanwhile", () =>
  withManager(async (systemd, folder) => {
    const manager = ServiceManager.find(loggerTo([]), {
      NOTIFY_SOCKET: systemd.path,
      RUNTIME_DIRECTORY: folder,
      WATCHDOG_USEC: "30000",
    })!;
    manager.ready("serving");
    assert.equal(await systemd.next(), "READY=1\nSTATUS=serving");
    assert.equal(await systemd.next(), "WATCHDOG=1");
    assert.equal(await systemd.next(), "WATCHDOG=1");
    await manager.stopping();
    let last = await systemd.next();
    while (last === "WATCHDOG=1") last = await systemd.next();
    assert.equal(last, "STOPPING=1\nSTATUS=stopping");
    await manager.close();
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["manager"]);
  }));

Deno.test("ServiceManager is silent where nobody listens, and says why where it cannot speak", () => {
  const lines: string[] = [];
  assert.equal(ServiceManager.find(loggerTo(lines), {}), null);
  assert.deepEqual(lines, []);
  assert.equal(ServiceManager.find(loggerTo(lines), { NOTIFY_SOCKET: "@/org/abstract" }), null);
  assert.match(
    lines[0],
    /the service manager is not told how this goes - @\/org\/abstract is an abstract address/,
  );
});

Deno.test("nsq lookupd, started by a service manager, tells that it is ready and that it stops", () =>
  withManager(async (systemd, folder) => {
    await using lookupd = await ProgramProcess.start({
      command: "lookupd",
      flags: ["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0"],
      env: { NOTIFY_SOCKET: systemd.path, RUNTIME_DIRECTORY: folder },
    });
    assert.equal(await systemd.next(), "READY=1\nSTATUS=serving");
    const told = systemd.next();
    assert.equal(await lookupd.stop(), 0);
    assert.equal(await told, "STOPPING=1\nSTATUS=stopping");
  }));
