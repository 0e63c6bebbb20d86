import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { GREETING, LoadClient, publishCommand, Tally } from "./load_client.ts";

const OK = Buffer.from("\0\0\0\x06\0\0\0\0OK", "latin1");
const HEARTBEAT = Buffer.from("\0\0\0\x0f\0\0\0\0_heartbeat_", "latin1");

function messageFrame(id: string, attempts: number, body: Uint8Array): Buffer {
  const frame = Buffer.alloc(34 + body.length);
  frame.writeInt32BE(30 + body.length, 0);
  frame.writeInt32BE(2, 4);
  frame.writeUInt16BE(attempts, 16);
  frame.write(id, 18, "latin1");
  frame.set(body, 34);
  return frame;
}

/** The other end of one connection. */
class FakeServer implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #conn = this.#listener.accept();

  get port(): number {
    return this.#listener.addr.port;
  }

  /** Reads exactly as many bytes as `expected` has and compares them. */
  async expect(expected: Uint8Array | string): Promise<void> {
    const wanted = Buffer.from(expected as string, "latin1"), got = Buffer.alloc(wanted.length);
    const conn = await this.#conn;
    for (let at = 0; at < got.length;) {
      const byteCount = await conn.read(got.subarray(at));
      assert.ok(byteCount !== null, "the client closed the connection");
      at += byteCount;
    }
    assert.deepEqual(got, wanted);
  }

  async send(...parts: Uint8Array[]): Promise<void> {
    const bytes = Buffer.concat(parts), conn = await this.#conn;
    for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
  }

  /** A client that is connected, and whose greeting was answered. */
  async client(tally?: Tally): Promise<LoadClient> {
    const [client] = await Promise.all([
      LoadClient.connect(this.port, tally),
      this.expect(GREETING).then(() => this.send(OK)),
    ]);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    (await this.#conn).close();
  }
}

Deno.test("publishCommand() makes a PUB of one message and an MPUB of several", () => {
  const text = (count: number) => Buffer.from(publishCommand("t", count, 2).bytes).toString("latin1");
  assert.equal(text(1), "PUB t\n\0\0\0\x02xx");
  assert.equal(text(2), "MPUB t\n\0\0\0\x10\0\0\0\x02\0\0\0\x02xx\0\0\0\x02xx");
});

Deno.test("LoadClient.publish() resolves with the OK, and answers a heartbeat before it", async () => {
  await using server = new FakeServer();
  const client = await server.client(), command = publishCommand("t", 3, 5);
  const published = client.publish(command);
  await server.expect(command.bytes);
  await server.send(HEARTBEAT);
  await server.expect("NOP\n");
  await server.send(OK);
  await published;
  assert.equal(client.okCount, 1);
  client.close();
});

Deno.test("LoadClient.keepReading() FINs and counts every message, however the frames are cut", async () => {
  await using server = new FakeServer();
  const tally = new Tally(), client = await server.client(tally);
  const subscribed = client.subscribe("t", "ch", 7);
  await server.expect("SUB t ch\n");
  await server.send(OK);
  await subscribed;
  await server.expect("RDY 7\n");
  const reading = client.keepReading();
  const first = messageFrame("0123456789abcdef", 1, Buffer.from("a"));
  const second = messageFrame("fedcba9876543210", 2, Buffer.from("bc"));
  await server.send(first, second.subarray(0, 20));
  await server.expect("FIN 0123456789abcdef\n");
  await server.send(second.subarray(20));
  await server.expect("FIN fedcba9876543210\n");
  client.close();
  await reading;
  assert.deepEqual([tally.received, tally.redelivered], [2, 1]);
});

Deno.test("LoadClient.send() stamps a message so that its latency can be told", async () => {
  await using server = new FakeServer();
  const tally = new Tally(), client = await server.client(tally), command = publishCommand("t", 1, 8);
  tally.latenciesMs = [];
  await client.send(command);
  await server.expect(command.bytes);
  const reading = client.keepReading();
  await server.send(OK, messageFrame("0123456789abcdef", 1, command.bytes.subarray(command.bodyAt)));
  await server.expect("FIN 0123456789abcdef\n");
  client.close();
  await reading;
  assert.equal(client.okCount, 1);
  assert.equal(tally.latenciesMs.length, 1);
  assert.ok(tally.latenciesMs[0] >= 0);
});

Deno.test("LoadClient throws what the server answers as an error", async () => {
  await using server = new FakeServer();
  const client = await server.client();
  const published = assert.rejects(client.publish(publishCommand("t", 1, 1)), /E_PUB_FAILED/);
  await server.send(Buffer.from("\0\0\0\x10\0\0\0\x01E_PUB_FAILED", "latin1"));
  await published;
  client.close();
});
