/** A connection on a transport of the test's own: its states, and what moves it from one to the next. */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { Broker } from "../../../src/broker/broker.ts";
import { BufferPool } from "../../../src/buffers/buffer_pool.ts";
import { Logger } from "../../../src/log/logger.ts";
import { Connection } from "../../../src/nsqd/tcp/connection.ts";
import { resolveOptions } from "../../../src/options/merge.ts";
import { nsqdOptions } from "../../../src/options/tables/nsqd_options.ts";
import type { Transport } from "../../../src/transport/transport.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { bytes, withBody } from "../../wire/wire_client.ts";

const decoder = new TextDecoder();

/** Gives what the test sends, and keeps what is written; writes wait while `isStalled`. */
class TestTransport implements Transport {
  isClosed = false;
  isWriteClosed = false;
  isStalled = false;
  received: Uint8Array[] = [];
  readCount = 0;
  #read: { into: Uint8Array; settle: PromiseWithResolvers<number | null> } | null = null;
  #writes: (() => void)[] = [];

  get isReading(): boolean {
    return this.#read !== null;
  }

  read(into: Uint8Array): Promise<number | null> {
    assert.equal(this.#read, null, "two reads are out");
    const settle = Promise.withResolvers<number | null>();
    this.#read = { into, settle };
    this.readCount++;
    return settle.promise;
  }

  /** What the client sends; all of it must be asked for. */
  send(data: string | Uint8Array): number {
    const content = typeof data === "string" ? bytes(data) : data, { into, settle } = this.#read!;
    const taken = Math.min(content.length, into.length);
    into.set(content.subarray(0, taken));
    this.#read = null;
    settle.resolve(taken);
    return taken;
  }

  end(): void {
    const { settle } = this.#read!;
    this.#read = null;
    settle.resolve(null);
  }

  write(data: Uint8Array): Promise<number> {
    const copy = data.slice(), settle = Promise.withResolvers<number>();
    const take = () => {
      this.received.push(copy);
      settle.resolve(copy.length);
    };
    if (this.isStalled) this.#writes.push(take);
    else take();
    return settle.promise;
  }

  /** The client reads again. */
  relieve(): void {
    this.isStalled = false;
    for (const take of this.#writes.splice(0)) take();
  }

  closeWrite(): Promise<void> {
    this.isWriteClosed = true;
    return Promise.resolve();
  }

  close(): void {
    this.isClosed = true;
  }

  /** The frames that came since the last call, as `type text`. */
  frames(): string[] {
    const all = bytes(...this.received.splice(0)), view = new DataView(all.buffer), frames = [];
    for (let at = 0; at < all.length; at += 4 + view.getInt32(at)) {
      const data = all.subarray(at + 8, at + 4 + view.getInt32(at));
      frames.push(`${["response", "error", "message"][view.getInt32(at + 4)]} ${decoder.decode(data)}`);
    }
    return frames;
  }
}

/** A connection and all that it stands on. */
class Bench implements Disposable {
  readonly clock = new FakeClock();
  readonly store = new MemoryStore();
  readonly pool = new BufferPool(1 << 20);
  readonly transport = new TestTransport();
  readonly lines: string[] = [];
  readonly broker: Broker;
  readonly connection: Connection;
  checkAtMs = 0;
  isEnded = false;

  constructor(flags: string[] = []) {
    const resolved = resolveOptions(nsqdOptions, flags, { name: "nsqd", summary: "", versionText: "" });
    if (resolved.kind === "exit") throw new Error(resolved.text);
    const options = resolved.values;
    this.broker = new Broker(options, this.clock, this.store, this.pool);
    this.connection = new Connection(
      {
        broker: this.broker,
        options,
        pool: this.pool,
        logger: new Logger("debug", "", (line) => this.lines.push(line)),
        authenticator: null,
        tls: null,
        checkBy: (_slot, timeMs) => this.checkAtMs = Math.min(this.checkAtMs, timeMs),
        connectionEnded: () => this.isEnded = true,
      },
      this.transport,
      "10.0.0.9:40000",
      "10.0.0.1:4150",
    );
    this.connection.start();
  }

  /** Sends all of `data`, read by read, and lets the turn end after each. */
  async send(data: string | Uint8Array): Promise<void> {
    const content = typeof data === "string" ? bytes(data) : data;
    for (let at = 0; at < content.length;) {
      at += this.transport.send(content.subarray(at));
      await this.settle();
      // With many answers it takes turns until it reads again.
      for (let i = 0; i < 100 && !this.transport.isReading && !this.isEnded; i++) await this.settle();
    }
  }

  async settle(): Promise<void> {
    for (let i = 0; i < 4; i++) {
      await setImmediate();
      this.broker.endTurn();
    }
    this.connection.output.invariants();
  }

  /** Lets time pass and has the deadlines looked at. */
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    this.broker.endTurn();
    this.connection.check(this.clock.monotonicMs());
    await this.settle();
  }

  [Symbol.dispose](): void {
    this.connection.end("");
    this.broker.stop();
  }
}

Deno.test("Connection sends no heartbeat, and waits for ever, before the magic has come", async () => {
  using bench = new Bench();
  await bench.pass(3_600_000);
  assert.deepEqual(bench.transport.frames(), []);
  assert.ok(!bench.isEnded);
  await bench.send("  V2");
  await bench.pass(29_999);
  assert.deepEqual(bench.transport.frames(), []);
  await bench.pass(1);
  assert.deepEqual(bench.transport.frames(), ["response _heartbeat_"]);
});

Deno.test("Connection refuses another magic, and ends when the client has gone or time is over", async () => {
  for (const leaves of [true, false]) {
    using bench = new Bench();
    await bench.send("HTTP");
    assert.deepEqual(bench.transport.frames(), ["error E_BAD_PROTOCOL"]);
    assert.ok(bench.transport.isWriteClosed && !bench.isEnded, "it lingers");
    await bench.send("more, which nobody looks at");
    if (leaves) {
      bench.transport.end();
      await bench.settle();
    } else await bench.pass(1000);
    assert.ok(bench.isEnded && bench.transport.isClosed);
  }
});

Deno.test("Connection takes magic and commands a byte at a time", async () => {
  using bench = new Bench();
  for (const byte of bytes("  V2NOP\n", withBody("PUB t", "x"))) await bench.send(Uint8Array.of(byte));
  assert.deepEqual(bench.transport.frames(), ["response OK"]);
});

Deno.test("Connection ends when the client is silent for two heartbeat intervals, in the middle of a command with its error", async () => {
  for (
    const [sent, frames] of [["", []], ["PUB t\n", [
      "error E_BAD_MESSAGE PUB failed to read message body size",
    ]]] as const
  ) {
    using bench = new Bench();
    await bench.send(`  V2${sent}`);
    await bench.pass(59_999);
    assert.ok(!bench.isEnded);
    bench.transport.frames();
    await bench.pass(1);
    assert.deepEqual(bench.transport.frames(), frames);
    await bench.pass(1000);
    assert.ok(bench.isEnded);
  }
});

Deno.test("Connection ends when its client takes no bytes for a heartbeat interval", async () => {
  using bench = new Bench();
  await bench.send("  V2");
  bench.transport.isStalled = true;
  await bench.send(withBody("PUB t", "x"));
  await bench.pass(30_000);
  assert.ok(!bench.isEnded);
  await bench.pass(1);
  assert.ok(bench.isEnded);
  assert.match(bench.lines.join(""), /closing: it takes no bytes/);
});

Deno.test("Connection runs nothing behind a fatal error, and what was answered before it goes out", async () => {
  using bench = new Bench();
  await bench.send(bytes("  V2", withBody("PUB a", "x"), "FOO\n", withBody("PUB b", "x")));
  assert.deepEqual(bench.transport.frames(), ["response OK", "error E_INVALID invalid command FOO"]);
  assert.deepEqual([...bench.broker.topics.keys()], ["a"]);
});

Deno.test("Connection leaves its channel as soon as it lingers", async () => {
  using bench = new Bench();
  await bench.send("  V2SUB t c\nRDY 1\n");
  const channel = bench.broker.topics.get("t")!.channels.get("c")!;
  assert.equal(channel.subscriptions.length, 1);
  await bench.send("FOO\n");
  assert.equal(channel.subscriptions.length, 0);
  assert.equal(bench.connection.subscription, null);
});

Deno.test("Connection answers all that came before the client closed its sending half, then ends", async () => {
  using bench = new Bench();
  await bench.send(bytes("  V2", withBody("PUB t", "x")));
  bench.transport.end();
  await bench.settle();
  assert.deepEqual(bench.transport.frames(), ["response OK"]);
  assert.ok(bench.isEnded);
});

Deno.test("Connection survives no defect of a command, but says so, answers what came before, and hits nobody else", async () => {
  using bench = new Bench();
  const topic = bench.broker.topic("t", false);
  topic.channel = () => {
    throw new Error("a defect");
  };
  await bench.send(bytes("  V2", withBody("PUB a", "x"), "SUB t c\n", withBody("PUB b", "x")));
  assert.deepEqual(bench.transport.frames(), ["response OK"]);
  assert.match(
    bench.lines.join(""),
    /ERROR: \[10\.0\.0\.9:40000\] a command failed, closing - Error: a defect/,
  );
  await bench.pass(1000);
  assert.ok(bench.isEnded && !bench.broker.topics.has("b"));
});

Deno.test("Connection reads no more while its client does not read answers, and goes on where it stopped", async () => {
  using bench = new Bench();
  await bench.send("  V2");
  bench.transport.isStalled = true;
  const publish = withBody("PUB t", "x"), batch = bytes(...Array.from({ length: 1000 }, () => publish));
  let sentBatches = 0;
  for (; bench.transport.isReading; sentBatches++) {
    assert.ok(sentBatches < 100, "it reads without end");
    for (let at = 0; at < batch.length && bench.transport.isReading;) {
      at += bench.transport.send(batch.subarray(at));
      await bench.settle();
    }
  }
  assert.ok(bench.pool.lentBytes < 2 << 20, `${bench.pool.lentBytes} bytes are held`);
  bench.transport.relieve();
  await bench.settle();
  assert.ok(bench.transport.isReading, "it reads again");
  for (const frame of bench.transport.frames()) assert.equal(frame, "response OK");
});

Deno.test("Connection runs all the commands of one read, however many answers they have, in order", async () => {
  using bench = new Bench();
  await bench.send("  V2SUB t c\n");
  bench.transport.frames();
  const ids = Array.from({ length: 20_000 }, (_, i) => String(i).padStart(16, "0"));
  await bench.send(ids.map((id) => `FIN ${id}\n`).join(""));
  const expected = ids.map((id) => `error E_FIN_FAILED FIN ${id} failed ID not in flight`);
  assert.deepEqual(bench.transport.frames(), expected);
});

Deno.test("Connection that is told that its group failed ends with one error, and drops what was staged behind", async () => {
  using bench = new Bench();
  await bench.send("  V2");
  bench.store.writeError = new Error("no space left on device");
  await bench.send(bytes(withBody("PUB t", "x"), withBody("PUB t", "y")));
  assert.deepEqual(bench.transport.frames(), ["error E_PUB_FAILED PUB failed no space left on device"]);
  await bench.pass(1000);
  assert.ok(bench.isEnded);
});
