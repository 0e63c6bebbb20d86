import assert from "node:assert/strict";
import { readBody } from "../../src/http/body.ts";
import { get, post, postChunked, send, serveRoutes } from "./raw_http.ts";

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
