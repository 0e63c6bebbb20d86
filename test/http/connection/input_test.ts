import assert from "node:assert/strict";
import { BodySource } from "../../../src/http/connection/body_source.ts";
import { Input, MAX_HEAD_BYTES } from "../../../src/http/connection/input.ts";
import { BadRequest } from "../../../src/http/connection/request_head.ts";
import type { Transport } from "../../../src/transport/transport.ts";

/** A client that sends `bytes` in pieces of at most `pieceBytes`, and then nothing more. */
class Sender implements Transport {
  #rest: Uint8Array;

  constructor(text: string, readonly pieceBytes = Infinity) {
    this.#rest = new TextEncoder().encode(text);
  }

  read(into: Uint8Array): Promise<number | null> {
    if (this.#rest.length === 0) return Promise.resolve(null);
    const piece = this.#rest.subarray(0, Math.min(into.length, this.pieceBytes));
    into.set(piece);
    this.#rest = this.#rest.subarray(piece.length);
    return Promise.resolve(piece.length);
  }

  write = (bytes: Uint8Array) => Promise.resolve(bytes.length);
  closeWrite = () => Promise.resolve();
  close() {}
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

async function nextHead(input: Input) {
  for (let head = input.takeHead();; head = input.takeHead()) {
    if (head !== null) return head;
    if (!await input.fill()) return null;
  }
}

/** What a server reads of `sent`: targets and bodies, in turn. */
async function conversation(sent: string, pieceBytes: number): Promise<string[]> {
  const input = new Input(new Sender(sent, pieceBytes)), seen: string[] = [];
  for (let head = await nextHead(input); head !== null; head = await nextHead(input)) {
    const body = new BodySource(input, head.bodyBytes, null);
    seen.push(head.target, text(await body.readAll()));
    assert.ok(await body.discard(0));
  }
  return seen;
}

const SENT = "\r\nPOST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello" +
  "POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0A\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n" +
  "\r\n\r\nGET /c HTTP/1.1\nHost: h\n\n" +
  `GET /d HTTP/1.1\r\nX: ${"x".repeat(5000)}\r\n\r\n`;

Deno.test("Input and BodySource find the same requests wherever the bytes are cut", async () => {
  for (const pieceBytes of [1, 2, 3, 5, 7, 64, 1000, 4096, Infinity]) {
    assert.deepEqual(await conversation(SENT, pieceBytes), [
      "/a",
      "hello",
      "/b",
      "abc0123456789",
      "/c",
      "",
      "/d",
      "",
    ]);
  }
});

Deno.test("Input refuses a head that is too long before it holds much more", async () => {
  const input = new Input(new Sender(`GET / HTTP/1.1\r\nX: ${"x".repeat(2 * MAX_HEAD_BYTES)}`));
  await assert.rejects(nextHead(input), (error) => error instanceof BadRequest && error.status === 431);
  assert.ok(input.unreadBytes < 2.1 * MAX_HEAD_BYTES);
});

Deno.test("BodySource.read() gives a body piece by piece, and nothing behind it", async () => {
  const input = new Input(new Sender("0123456789next", 4));
  const body = new BodySource(input, 10, null);
  let read = "";
  for (let piece = await body.read(); piece !== null; piece = await body.read()) read += text(piece);
  assert.equal(read, "0123456789");
  assert.ok(body.isSettled);
  while (await input.fill());
  assert.equal(text(input.take(100)), "next");
});

Deno.test("BodySource.discard() drops no more than it may", async () => {
  const whole = new BodySource(new Input(new Sender("x".repeat(1000), 100)), 1000, null);
  assert.equal(await whole.discard(2000), true);
  const long = new BodySource(new Input(new Sender("x".repeat(10_000), 100)), 10_000, null);
  assert.equal(await long.discard(500), false);
  const endless = new BodySource(new Input(new Sender("1\r\nx\r\n".repeat(1000), 100)), -1, null);
  assert.equal(await endless.discard(500), false);
});

Deno.test("BodySource rejects chunks that are none, and a body that ends too early", async () => {
  for (
    const sent of ["x\r\n", "-1\r\n", "1\r\nab\r\n", "11111111111111111\r\n", "\r\n", `1;${"x".repeat(5000)}`]
  ) {
    const body = new BodySource(new Input(new Sender(sent)), -1, null);
    await assert.rejects(body.readAll(), BadRequest, JSON.stringify(sent.slice(0, 20)));
  }
  for (const [sent, bodyBytes] of [["abc", 4], ["3\r\nabc\r\n", -1], ["", 1]] as const) {
    const body = new BodySource(new Input(new Sender(sent)), bodyBytes, null);
    await assert.rejects(body.readAll(), /the client went away/);
  }
});

Deno.test("BodySource tells a client to go on once, and only when its body is wanted", async () => {
  let told = 0;
  const goOn = () => Promise.resolve(void told++);
  const body = new BodySource(new Input(new Sender("abc", 1)), 3, goOn);
  assert.equal(body.isAwaited, true);
  assert.equal(told, 0);
  assert.equal(text(await body.readAll()), "abc");
  assert.equal(told, 1);
  assert.equal(body.isAwaited, false);
});
