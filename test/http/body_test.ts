import assert from "node:assert/strict";
import { readBody } from "../../src/http/body.ts";
import { converse, get, post, postChunked, send, serveRoutes } from "./raw_http.ts";

const LIMIT = 10;

function bodyApi() {
  return serveRoutes([{
    method: "POST",
    path: "/body",
    async handle({ request }) {
      const { bytes, isCut } = await readBody(request, LIMIT);
      return `${isCut ? "cut " : ""}${new TextDecoder().decode(bytes)}`;
    },
  }, {
    method: "GET",
    path: "/body",
    handle: async ({ request }) => (await readBody(request, LIMIT)).bytes.length,
  }, {
    method: "POST",
    path: "/unread",
    handle: () => "OK",
  }]);
}

Deno.test("readBody() takes a body of declared length up to the limit", async () => {
  await using api = bodyApi();
  assert.equal((await post(api.port, "/body", "0123456789")).body, "0123456789");
  assert.equal((await post(api.port, "/body", "")).body, "");
  assert.equal((await post(api.port, "/body", "0123456789a")).body, "cut ");
  assert.equal((await get(api.port, "/body")).body, "0");
});

Deno.test("readBody() answers a body that declares to be too long before it has come", async () => {
  await using api = bodyApi();
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: api.port });
  await conn.write(
    new TextEncoder().encode("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"),
  );
  const buffer = new Uint8Array(1000);
  const count = await conn.read(buffer);
  assert.match(new TextDecoder().decode(buffer.subarray(0, count!)), /^HTTP\/1\.1 200 OK\r\n/);
});

Deno.test("readBody() cuts a chunked body at the limit", async () => {
  await using api = bodyApi();
  assert.equal((await postChunked(api.port, "/body", ["01234", "56789"])).body, "0123456789");
  assert.equal((await postChunked(api.port, "/body", ["01234", "56789", "a"])).body, "cut 0123456789");
  assert.equal((await postChunked(api.port, "/body", ["0".repeat(100_000)])).body, "cut 0000000000");
  assert.equal((await postChunked(api.port, "/body", [])).body, "");
});

Deno.test("a client that sends far more than is read gets its answer all the same", async () => {
  await using api = bodyApi();
  const large = new Uint8Array(4 << 20);
  assert.equal((await post(api.port, "/body", large)).body, "cut ");
  assert.equal((await post(api.port, "/unread", large)).body, "OK");
  const expecting = `POST /body HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: ${large.length}`;
  assert.match((await send(api.port, expecting, large)).body, /cut $/);
});

Deno.test("readBody() bounds a body whose Content-Length came twice", async () => {
  await using api = bodyApi();
  const twice = (length: number) =>
    `POST /body HTTP/1.1\r\nContent-Length: ${length}\r\nContent-Length: ${length}`;
  assert.equal((await send(api.port, twice(10), "0123456789")).body, "0123456789");
  assert.equal((await send(api.port, twice(11), "0123456789a")).body, "cut 0123456789");
  assert.equal((await send(api.port, twice(100_000), "0".repeat(100_000))).body, "cut 0000000000");
});

Deno.test("readBody() keeps none of the buffers that many small chunks came in", async () => {
  const maxBytes = 1000, shared = new Uint8Array(65_536);
  let count = 0;
  const chunks = new ReadableStream<Uint8Array>({
    pull(controller) {
      shared[0] = count % 251;
      controller.enqueue(count === 0 ? new Uint8Array([0]) : shared.subarray(0, 1));
      count++;
    },
  }, { highWaterMark: 0 });
  const request = new Request("http://test/", { method: "POST", body: chunks });
  const { bytes, isCut } = await readBody(request, maxBytes);
  assert.equal(isCut, true);
  assert.deepEqual([...bytes], Array.from({ length: maxBytes }, (_, i) => i % 251));
  assert.equal(bytes.buffer.byteLength, maxBytes);
});

Deno.test("readBody() does not copy a body that comes as one chunk", async () => {
  const chunk = new TextEncoder().encode("orders");
  const request = new Request("http://test/", { method: "POST", body: ReadableStream.from([chunk]) });
  assert.equal((await readBody(request, LIMIT)).bytes.buffer, chunk.buffer);
});

Deno.test("a connection can be used again after a body that was not read to its end", async () => {
  await using api = bodyApi();
  const long = "x".repeat(100_000), ping = "POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
  const cases: [string, string][] = [
    ["POST /unread", "OK"],
    ["POST /body", "cut "],
    ["POST /nope", `{"message":"NOT_FOUND"}`],
    ["DELETE /body", `{"message":"METHOD_NOT_ALLOWED"}`],
    ["POST /body/", "\r\n\r\n"],
  ];
  for (const [request, end] of cases) {
    const head = `${request} HTTP/1.1\r\nHost: a\r\nContent-Length: ${long.length}\r\n\r\n`;
    // The answer comes without the body, and the next one when both have come.
    await converse(api.port, [[head, end], [long + ping, "OK"]]);
  }
  const chunked = `POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n`;
  await converse(api.port, [[chunked, "cut 0123456789"], [`1\r\nb\r\n0\r\n\r\n${ping}`, "OK"]]);
});

Deno.test("a connection ends with the answer when the rest of the body is too long to take in", async () => {
  await using api = bodyApi();
  const answerTo = (path: string, length: number, end: string) => {
    const head = `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`;
    return converse(api.port, [[head, end]]);
  };
  for (const [path, end] of [["/body", "cut "], ["/unread", "OK"], ["/nope", "}"]]) {
    assert.doesNotMatch(await answerTo(path, 16 << 20, end), /^Connection: close\r$/m, path);
    assert.match(await answerTo(path, (16 << 20) + 1, end), /^Connection: close\r$/m, path);
  }
});

Deno.test("a client that goes away in the middle of its body leaves the server at work", async () => {
  await using api = bodyApi();
  for (const path of ["/body", "/unread", "/nope"]) {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: api.port });
    await conn.write(
      new TextEncoder().encode(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc`),
    );
    conn.close();
  }
  assert.equal((await post(api.port, "/body", "0123456789")).body, "0123456789");
});
