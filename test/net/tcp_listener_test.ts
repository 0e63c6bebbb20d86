import assert from "node:assert/strict";
import { Logger } from "../../src/log/logger.ts";
import { listen } from "../../src/net/listen.ts";
import { type Accepted, TcpListener } from "../../src/net/tcp_listener.ts";

const quiet = new Logger("fatal", "", () => {});

/** A listener whose `accept()` gives what the test says, in turn, and waits when there is nothing more. */
class ScriptedListener {
  readonly addr: Deno.Addr = { transport: "tcp", hostname: "127.0.0.1", port: 4150 };
  acceptCount = 0;
  readonly #script: (() => Deno.Conn)[];
  readonly #closed = Promise.withResolvers<never>();

  constructor(script: (() => Deno.Conn)[]) {
    this.#script = script;
    // It may be closed while nobody waits for a connection.
    this.#closed.promise.catch(() => {});
  }

  accept(): Promise<Deno.Conn> {
    this.acceptCount++;
    const next = this.#script.shift();
    return next === undefined ? this.#closed.promise : new Promise((resolve) => resolve(next()));
  }

  close(): void {
    this.#closed.reject(new Deno.errors.BadResource("listener is closed"));
  }
}

function fails(cause: Error): () => never {
  return () => {
    throw cause;
  };
}

Deno.test("TcpListener hands over what it accepts, with its addresses, and counts it", async () => {
  const opened = Promise.withResolvers<Accepted>();
  const listener = new TcpListener(listen("127.0.0.1:0"), (accepted) => {
    opened.resolve(accepted);
    return accepted;
  }, quiet);
  using client = await Deno.connect({ hostname: "127.0.0.1", port: listener.port });
  const accepted = await opened.promise, { port } = client.localAddr as Deno.NetAddr;
  assert.equal(accepted.remoteAddress, `127.0.0.1:${port}`);
  assert.equal(accepted.localAddress, `127.0.0.1:${listener.port}`);
  assert.deepEqual([listener.acceptedCount, [...listener.connections]], [1, [accepted]]);
  listener.close();
  listener.close();
  assert.equal(await listener.ended, null);
  accepted.conn.close();
});

Deno.test("TcpListener goes on after accepting failed, and after a connection that could not be opened", async () => {
  const real = listen("127.0.0.1:0"), { port } = real.addr as Deno.NetAddr;
  const clients = await Promise.all([0, 1].map(() => Deno.connect({ hostname: "127.0.0.1", port })));
  const conns = [await real.accept(), await real.accept()];
  const scripted = new ScriptedListener([
    fails(new Error("Too many open files (os error 24)")),
    () => conns[0],
    fails(new Error("Software caused connection abort")),
    () => conns[1],
  ]);
  const done = Promise.withResolvers<void>();
  let openCount = 0;
  const listener = new TcpListener(scripted as unknown as Deno.Listener, ({ conn }) => {
    if (++openCount === 1) throw new Error("gone already");
    done.resolve();
    return conn;
  }, quiet);
  await done.promise;
  await Promise.resolve();
  assert.deepEqual([...listener.connections], [conns[1]]);
  assert.equal(await clients[0].read(new Uint8Array(1)), null, "the first was closed");
  listener.close();
  assert.equal(await listener.ended, null);
  for (const { close } of [real, conns[1], ...clients].map((each) => ({ close: () => each.close() }))) {
    close();
  }
});

Deno.test("TcpListener.close() ends a pause", async () => {
  const causes = Array.from({ length: 8 }, () => fails(new Error("Too many open files (os error 24)")));
  const scripted = new ScriptedListener(causes);
  const listener = new TcpListener(scripted as unknown as Deno.Listener, () => null, quiet);
  await Promise.resolve();
  listener.close();
  assert.equal(await listener.ended, null);
  assert.ok(scripted.acceptCount <= 2);
});

Deno.test("TcpListener ends with the failure of a listener that the system took away", async () => {
  const cause = new Deno.errors.BadResource("Bad resource ID");
  const scripted = new ScriptedListener([fails(cause)]);
  const listener = new TcpListener(scripted as unknown as Deno.Listener, () => null, quiet);
  assert.equal(await listener.ended, cause);
});

/** The timer of the connection between two ports of this machine, as the system shows it; "" when it does not. */
function connectionTimer(localPort: number, remotePort: number): string {
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, "0");
  for (const line of Deno.readTextFileSync("/proc/net/tcp").split("\n")) {
    const [, local = "", remote = "", , , timer = ""] = line.trim().split(/\s+/);
    if (local.endsWith(`:${hex(localPort)}`) && remote.endsWith(`:${hex(remotePort)}`)) {
      return timer.slice(0, 2);
    }
  }
  return "";
}

Deno.test({
  name: "TcpListener has the system look after peers whose machine is gone",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const opened = Promise.withResolvers<Accepted>();
    const listener = new TcpListener(listen("127.0.0.1:0"), (accepted) => opened.resolve(accepted), quiet);
    using client = await Deno.connect({ hostname: "127.0.0.1", port: listener.port });
    const accepted = await opened.promise;
    // 02 is the timer of keep-alive; without it there is none, 00.
    assert.equal(connectionTimer(listener.port, (client.localAddr as Deno.NetAddr).port), "02");
    listener.close();
    accepted.conn.close();
  },
});
