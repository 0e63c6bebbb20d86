import assert from "node:assert/strict";
import { boundAddress, boundPort, listen, open, removeAbandonedSocket } from "../../src/net/listen.ts";
import { remoteAddressOf } from "../../src/net/address.ts";

/** The remote address that `listener` sees of a client that connects to `hostname`. */
async function clientAddress(listener: Deno.Listener, hostname: string): Promise<string> {
  const accepted = listener.accept();
  using _client = await Deno.connect({ hostname, port: boundPort(listener.addr) });
  using conn = await accepted;
  return remoteAddressOf(conn.remoteAddr);
}

function hasIpv6(): boolean {
  return Deno.networkInterfaces().some(({ family, address }) => family === "IPv6" && address === "::1");
}

Deno.test("listen() on every interface takes IPv4 and, where there is one, IPv6", async () => {
  for (const address of [":0", "0.0.0.0:0", "[::]:0"]) {
    using listener = listen(address);
    assert.match(await clientAddress(listener, "127.0.0.1"), /^127\.0\.0\.1:\d+$/);
    if (!hasIpv6()) continue;
    assert.match(await clientAddress(listener, "::1"), /^\[::1\]:\d+$/);
    assert.equal(boundAddress(listener.addr, address), `[::]:${boundPort(listener.addr)}`);
  }
});

Deno.test("listen() on one address takes that alone", async () => {
  using listener = listen("127.0.0.1:0");
  assert.match(await clientAddress(listener, "127.0.0.1"), /^127\.0\.0\.1:\d+$/);
  await assert.rejects(Deno.connect({ hostname: "::1", port: boundPort(listener.addr) }));
});

Deno.test("open() takes IPv4 alone when the machine has no IPv6", () => {
  const tried: string[] = [];
  const opened = open(":4150", (hostname) => {
    tried.push(hostname);
    if (hostname === "::") throw new Error("Address family not supported by protocol (os error 97)");
    return hostname;
  }, (path) => path);
  assert.equal(opened, "0.0.0.0");
  assert.deepEqual(tried, ["::", "0.0.0.0"]);
});

Deno.test("open() does not fall back to IPv4 when the address is in use", () => {
  using listener = listen(":0");
  const port = boundPort(listener.addr);
  assert.throws(() => listen(`:${port}`), {
    name: "StartupError",
    message: `listen (:${port}) failed - listen tcp :${port}: bind: address already in use`,
  });
});

Deno.test("listen() removes its Unix socket when it closes", () => {
  const directory = Deno.makeTempDirSync();
  const path = `${directory}/nsqd.sock`;
  const listener = listen(path);
  assert.equal(boundPort(listener.addr), -1);
  assert.equal(boundAddress(listener.addr, path), path);
  assert.ok(Deno.lstatSync(path).isSocket);
  listener.close();
  assert.throws(() => Deno.lstatSync(path), Deno.errors.NotFound);
  Deno.removeSync(directory);
});

Deno.test("removeAbandonedSocket() removes the socket of a killed process, and no other file", async () => {
  const directory = Deno.makeTempDirSync();
  const path = `${directory}/nsqd.sock`;
  const code = `Deno.listen({ transport: "unix", path: ${
    JSON.stringify(path)
  } }); Deno.kill(Deno.pid, "SIGKILL");`;
  await new Deno.Command(Deno.execPath(), { args: ["eval", code], stderr: "null" }).output();
  assert.ok(Deno.lstatSync(path).isSocket);
  assert.throws(() => listen(path), /address already in use/);
  await removeAbandonedSocket(path);
  const listener = listen(path);
  await removeAbandonedSocket(path);
  assert.throws(() => listen(path), {
    name: "StartupError",
    message: `listen (${path}) failed - listen unix ${path}: bind: address already in use`,
  });
  listener.close();
  Deno.writeTextFileSync(path, "precious");
  await removeAbandonedSocket(path);
  assert.equal(Deno.readTextFileSync(path), "precious");
  await removeAbandonedSocket("127.0.0.1:0");
  await removeAbandonedSocket("");
  Deno.removeSync(directory, { recursive: true });
});

/** The most that the system allows to wait; 0 when it does not tell. */
function waitingLimit(): number {
  try {
    return Number(Deno.readTextFileSync("/proc/sys/net/core/somaxconn"));
  } catch {
    return 0;
  }
}

Deno.test({
  name: "listen() has a thousand connections wait to be accepted, as after a restart",
  ignore: waitingLimit() < 1500,
  async fn() {
    using listener = listen("127.0.0.1:0");
    const port = boundPort(listener.addr), conns: Deno.Conn[] = [];
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error(`only ${conns.length} could connect`)), 20_000);
    try {
      while (conns.length < 1000) {
        conns.push(await Promise.race([Deno.connect({ hostname: "127.0.0.1", port }), late.promise]));
      }
    } finally {
      clearTimeout(timer);
      for (const conn of conns) conn.close();
    }
  },
});
