import assert from "node:assert/strict";
import { Answer, AnswerHead } from "../../../src/http/answer.ts";
import { readBody } from "../../../src/http/body.ts";
import { serveHttps } from "../../../src/http/https_server.ts";
import { createApp, type Route } from "../../../src/http/router.ts";
import { type Handler, serve } from "../../../src/http/server.ts";
import { Logger } from "../../../src/log/logger.ts";
import { converse, serveHandler, serveRoutes } from "../raw_http.ts";
import { certificate } from "../raw_https.ts";

const MEBIBYTE = 1 << 20;

const ECHO: Route[] = [
  ...(["GET", "POST", "PUT", "DELETE"] as const).map((method): Route => ({
    method,
    path: "/echo",
    async handle({ request }) {
      const { bytes } = await readBody(request, 8 * MEBIBYTE);
      return `${method} ${bytes.length} ${bytes.reduce((sum, byte) => sum + byte, 0)}`;
    },
  })),
  { method: "POST", path: "/ignore", handle: () => "left" },
];

const logger = new Logger("info", "", () => {});

/** Sends `pieces`, closes the sending side at once, and reads to the end. */
async function sendAndClose(port: number, ...pieces: (string | Uint8Array)[]): Promise<string> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  return await talk(conn, ...pieces);
}

async function talk(conn: Deno.Conn, ...pieces: (string | Uint8Array)[]): Promise<string> {
  const reading = new Response(conn.readable).text();
  for (const piece of pieces) {
    const bytes = typeof piece === "string" ? new TextEncoder().encode(piece) : piece;
    for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
  }
  await conn.closeWrite();
  return await reading;
}

function bodyOf(answer: string): string {
  return answer.slice(answer.indexOf("\r\n\r\n") + 4);
}

const SIZES = [0, 1, 299, 300, 500, 2048, 65_536, 5 * MEBIBYTE];

Deno.test("a client that closes its sending side behind its request is answered, whatever the size and method", async () => {
  await using api = serveRoutes(ECHO);
  for (const method of ["POST", "PUT", "DELETE"]) {
    for (const size of SIZES) {
      const head = `${method} /echo HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`;
      const answer = await sendAndClose(api.port, head, new Uint8Array(size).fill(1));
      assert.equal(bodyOf(answer), `${method} ${size} ${size}`);
      const chunked = `${method} /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`;
      const size16 = size.toString(16), last = size === 0 ? "0\r\n\r\n" : "\r\n0\r\n\r\n";
      const pieces = size === 0 ? [last] : [`${size16}\r\n`, new Uint8Array(size).fill(1), last];
      assert.equal(bodyOf(await sendAndClose(api.port, chunked, ...pieces)), `${method} ${size} ${size}`);
    }
  }
  assert.equal(bodyOf(await sendAndClose(api.port, "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")), "GET 0 0");
  assert.match(
    await sendAndClose(api.port, "GET /echo HTTP/1.0\r\n\r\n"),
    /^HTTP\/1\.0 200 OK\r\n[^]*GET 0 0$/,
  );
  assert.match(await sendAndClose(api.port, "HEAD /echo HTTP/1.1\r\nHost: a\r\n\r\n"), /^HTTP\/1\.1 405 /);
  const unread = `POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: ${MEBIBYTE}\r\n\r\n`;
  assert.equal(bodyOf(await sendAndClose(api.port, unread, new Uint8Array(MEBIBYTE))), "left");
});

Deno.test("several requests before the sending side is closed are all answered", async () => {
  await using api = serveRoutes(ECHO);
  const one = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n\x01\x01\x01";
  const answers = await sendAndClose(api.port, one.repeat(50));
  assert.equal(answers.match(/POST 3 3/g)?.length, 50);
});

Deno.test("a client that closes its sending side is answered over HTTPS too", async () => {
  const tls = {
    server: {
      cert: certificate("server"),
      key: certificate("server_key"),
      minVersion: "TLSv1.2",
      requestCert: false,
      rejectUnauthorized: false,
    },
    required: "no",
    clientCertificate: "none",
    clientRoots: [],
  } as const;
  const server = serveHttps("127.0.0.1:0", tls, createApp(ECHO, { logger }), logger);
  for (const size of SIZES) {
    using conn = await Deno.connectTls({
      hostname: "localhost",
      port: server.port,
      caCerts: [certificate("ca")],
    });
    const head = `POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`;
    assert.equal(bodyOf(await talk(conn, head, new Uint8Array(size).fill(1))), `POST ${size} ${size}`);
  }
  await server.shutdown();
});

Deno.test("an answer that takes time goes to a client that only closed its sending side, and ends without one that left", async () => {
  const cancelled = Promise.withResolvers<void>(), answering = Promise.withResolvers<void>();
  let finish: () => void = () => {};
  const handler: Handler = () => {
    const body = new ReadableStream<Uint8Array>({
      async start(controller) {
        answering.resolve();
        await new Promise<void>((resolve) => finish = resolve);
        controller.enqueue(new TextEncoder().encode("late"));
        controller.close();
      },
      cancel: () => cancelled.resolve(),
    });
    return new Answer(new AnswerHead(200), body);
  };
  await using api = serveHandler(handler);
  const reading = sendAndClose(api.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await answering.promise;
  // Long enough for both probes.
  await new Promise((resolve) => setTimeout(resolve, 250));
  finish();
  // The probes are zeros in front of the size of the chunk.
  assert.match(await reading, /\r\n\r\n0*4\r\nlate\r\n0\r\n\r\n$/);

  const leaver = await Deno.connect({ hostname: "127.0.0.1", port: api.port });
  await leaver.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  await leaver.read(new Uint8Array(1000));
  leaver.close();
  await cancelled.promise;
});

Deno.test("a head of 600 KB, a target of 70 KB and 150 headers pass; what is over 1 MiB is refused", async () => {
  await using api = serveRoutes(ECHO);
  const ask = (target: string, headers: string) =>
    sendAndClose(api.port, `GET ${target} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`);
  assert.equal(bodyOf(await ask("/echo", `X-A: ${"a".repeat(600_000)}\r\n`)), "GET 0 0");
  assert.equal(bodyOf(await ask(`/echo?x=${"a".repeat(70_000)}`, "")), "GET 0 0");
  const many = Array.from({ length: 150 }, (_, i) => `X-${i}: ${i}\r\n`).join("");
  assert.equal(bodyOf(await ask("/echo", many)), "GET 0 0");
  assert.match(await ask("/echo", `X-A: ${"a".repeat(1_100_000)}\r\n`), /^HTTP\/1\.1 431 /);
});

Deno.test("OPTIONS * is answered 200, whatever paths there are", async () => {
  await using api = serveRoutes(ECHO);
  const answer = await sendAndClose(api.port, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.match(answer, /^HTTP\/1\.1 200 OK\r\n[^]*Content-Length: 0\r\n/);
  assert.match(await sendAndClose(api.port, "GET * HTTP/1.1\r\nHost: a\r\n\r\n"), /^HTTP\/1\.1 404 /);
});

Deno.test("what is no request is refused with its status, and ends the connection", async () => {
  await using api = serveRoutes(ECHO);
  const cases: [string, number][] = [
    ["\0\0\0\x05PUB\r\n\r\n", 400],
    ["GET /echo\r\n\r\n", 400],
    ["GET /echo HTTP/2.0\r\n\r\n", 505],
    ["GET echo HTTP/1.1\r\n\r\n", 400],
    ["GET /echo HTTP/1.1\r\nX A: b\r\n\r\n", 400],
    ["GET /echo HTTP/1.1\r\nX-A : b\r\n\r\n", 400],
    ["GET /echo HTTP/1.1\r\nX-A: b\r\n folded\r\n\r\n", 400],
    ["GET /echo HTTP/1.1\r\nX-A: b\x01\r\n\r\n", 400],
    ["POST /echo HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400],
    ["POST /echo HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400],
    ["POST /echo HTTP/1.1\r\nContent-Length: +1\r\n\r\na", 400],
    ["POST /echo HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\na", 400],
    ["POST /echo HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501],
    ["POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400],
    ["POST /echo HTTP/1.1\r\nExpect: coffee\r\n\r\n", 417],
    ["GET /echo HTTP/1.1\r\nHost: a", 400],
  ];
  for (const [request, status] of cases) {
    const answer = await sendAndClose(api.port, request);
    assert.match(
      answer,
      new RegExp(`^HTTP/1\\.1 ${status} [^]*Connection: close\r\n\r\n$`),
      JSON.stringify(request),
    );
  }
});

Deno.test("a request whose length could be read in two ways is the last of its connection", async () => {
  await using api = serveRoutes(ECHO);
  const twofold = "POST /echo HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  const answers = await sendAndClose(api.port, twofold + "GET /echo HTTP/1.1\r\n\r\n");
  assert.match(answers, /Connection: close\r\n\r\nPOST 0 0$/);
});

Deno.test("HTTP/1.0 ends its connection with the answer, unless it asks to keep it", async () => {
  await using api = serveRoutes(ECHO);
  const kept = "GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", last = "GET /echo HTTP/1.0\r\n\r\n";
  const answers = await converse(api.port, [[kept, "GET 0 0"], [kept, "GET 0 0"]]);
  assert.equal(answers.match(/HTTP\/1\.0 200 OK\r\n/g)?.length, 2);
  assert.equal(answers.match(/\r\nConnection: keep-alive\r\n/g)?.length, 2);
  assert.match(await sendAndClose(api.port, last + last), /Connection: close\r\n\r\nGET 0 0$/);
});

Deno.test("a connection that is silent where something is awaited is closed, and so is a request that never ends", async () => {
  const limits = { idleMs: 600, requestMs: 60_000 };
  const server = serve("127.0.0.1:0", createApp(ECHO, { logger }), logger, () => limits);
  const ending = async (...pieces: string[]) => {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    for (const piece of pieces) await conn.write(new TextEncoder().encode(piece));
    const buffer = new Uint8Array(1000);
    let text = "";
    for (let count = await conn.read(buffer); count !== null; count = await conn.read(buffer)) {
      text += new TextDecoder().decode(buffer.subarray(0, count));
    }
    return text;
  };
  assert.equal(await ending(), "");
  assert.equal(await ending("GET /ec"), "");
  assert.match(await ending("GET /echo HTTP/1.1\r\n\r\n"), /GET 0 0$/);
  limits.idleMs = 60_000;
  limits.requestMs = 600;
  assert.doesNotMatch(
    await ending("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"),
    / 200 /,
  );
  await server.shutdown();
});

Deno.test("an answer that waits for its next piece is not taken for a silent connection", async () => {
  let push: (text: string) => void = () => {};
  const handler: Handler = () =>
    new Response(
      new ReadableStream({
        start(controller) {
          push = (text) => controller.enqueue(new TextEncoder().encode(text));
        },
      }),
    );
  const server = serve("127.0.0.1:0", handler, logger, () => ({ idleMs: 100, requestMs: 100 }));
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await conn.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  const buffer = new Uint8Array(1000);
  await conn.read(buffer);
  // Two rounds of looking for silent connections.
  await new Promise((resolve) => setTimeout(resolve, 2200));
  push("still here");
  const count = await conn.read(buffer);
  assert.match(new TextDecoder().decode(buffer.subarray(0, count!)), /still here/);
  conn.close();
  await server.shutdown(100);
});
