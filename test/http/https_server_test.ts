import assert from "node:assert/strict";
import { HttpError } from "../../src/http/errors.ts";
import { serveHttps } from "../../src/http/https_server.ts";
import type { TlsServerOptions, TlsSettings } from "../../src/net/tls_settings.ts";
import { readBody } from "../../src/http/body.ts";
import { createApp, type Route } from "../../src/http/router.ts";
import { Logger } from "../../src/log/logger.ts";
import { certificate, connectTls, readUntil, sendTls } from "./raw_https.ts";

const SETTINGS: TlsServerOptions = {
  cert: certificate("server"),
  key: certificate("server_key"),
  minVersion: "TLSv1.2",
  requestCert: false,
  rejectUnauthorized: false,
};

function tlsSettings(
  changes: Partial<TlsServerOptions> = {},
  clientCertificate: TlsSettings["clientCertificate"] = "none",
): TlsSettings {
  const server = { ...SETTINGS, ...changes, requestCert: clientCertificate !== "none" };
  return { server, required: "no", clientCertificate, clientRoots: [certificate("ca")] };
}

const quiet = new Logger("fatal", "", () => {});

const ROUTES: Route[] = [
  { method: "GET", path: "/ping", style: "plain", handle: () => "OK" },
  {
    method: "POST",
    path: "/echo",
    async handle({ request, query }) {
      const { bytes, isCut } = await readBody(request, Number(query.get("max") ?? 100_000));
      if (isCut) throw new HttpError(413, "MSG_TOO_BIG");
      return `${bytes.length} ${new TextDecoder().decode(bytes.subarray(0, 10))}`;
    },
  },
  { method: "POST", path: "/ignore", handle: () => ({ done: true }) },
];

interface TestHttps extends AsyncDisposable {
  port: number;
  lines: string[];
  shutdown(graceMs?: number): Promise<void>;
}

function startHttps(
  settings: Partial<TlsServerOptions> = {},
  routes = ROUTES,
  clientCertificate: TlsSettings["clientCertificate"] = "none",
): TestHttps {
  const lines: string[] = [];
  const app = createApp(routes, { logger: new Logger("info", "", (line) => lines.push(line)) });
  const server = serveHttps("127.0.0.1:0", tlsSettings(settings, clientCertificate), app, quiet);
  return { ...server, lines, [Symbol.asyncDispose]: () => server.shutdown() };
}

function bodyOf(answer: string): string {
  return answer.slice(answer.indexOf("\r\n\r\n") + 4);
}

Deno.test("serveHttps() answers as the plain listener does", async () => {
  await using api = startHttps();
  const ask = (line: string, rest = "") =>
    sendTls(api.port, `${line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${rest}\r\n`);
  const ping = await ask("GET /ping");
  assert.match(ping, /^HTTP\/1\.1 200 OK\r\n/);
  assert.match(ping, /\r\nContent-Length: 2\r\n/);
  assert.equal(bodyOf(ping), "OK");
  assert.match(await ask("HEAD /ping"), /^HTTP\/1\.1 405 [^]*\r\nAllow: GET, OPTIONS\r\n/);
  assert.match(await ask("OPTIONS /ping"), /^HTTP\/1\.1 200 OK\r\n[^]*Allow: GET, OPTIONS\r\n/);
  assert.match(await ask("TRACE /ping"), /^HTTP\/1\.1 405 /);
  assert.match(await ask("GET /none"), /\r\nX-Nsq-Content-Type: nsq; version=1\.0\r\n/);
  for (const path of ["//ping", "/x/../ping", "/PING/"]) {
    assert.match(await ask(`GET ${path}`), /^HTTP\/1\.1 301 [^]*\r\nLocation: \/ping\r\n/, path);
  }
  assert.match(await sendTls(api.port, "GET /ping HTTP/1.0\r\n\r\n"), /^HTTP\/1\.[01] 200 OK\r\n[^]*OK$/);
  assert.ok(api.lines.some((line) => /INFO: 200 GET \/ping \(127\.0\.0\.1:\d+\) /.test(line)), api.lines[0]);
});

Deno.test("serveHttps() takes bodies with and without a length, and no more of them than is read", async () => {
  await using api = startHttps();
  const post = (target: string, headers: string, body: string) =>
    sendTls(api.port, `POST ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${headers}\r\n\r\n${body}`);
  const large = "x".repeat(90_000);
  assert.equal(bodyOf(await post("/echo", "Content-Length: 3", "abc")), "3 abc");
  assert.equal(bodyOf(await post("/echo", "Content-Length: 90000", large)), "90000 xxxxxxxxxx");
  const chunks = "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
  assert.equal(bodyOf(await post("/echo", "Transfer-Encoding: chunked", chunks)), "5 abcde");
  assert.match(await post("/echo?max=4", "Content-Length: 5", "abcde"), /^HTTP\/1\.1 413 /);
  assert.match(await post("/echo?max=4", "Transfer-Encoding: chunked", chunks), /^HTTP\/1\.1 413 /);
  assert.match(await post("/echo", "Content-Length: 99999999", "abc"), /^HTTP\/1\.1 413 /);
});

Deno.test("serveHttps() keeps a connection for the next request, whatever was read of the body", async () => {
  await using api = startHttps();
  const socket = await connectTls(api.port);
  for (const target of ["/echo", "/ignore", "/none", "/echo?max=1"]) {
    const answered = readUntil(socket, /(3 abc|"done":true\}|NOT_FOUND"\}|MSG_TOO_BIG"\})$/);
    socket.write(`POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc`);
    await answered;
  }
  const answered = readUntil(socket, /OK$/);
  socket.write("GET /ping HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
  assert.match(await answered, /^HTTP\/1\.1 200 OK/);
  socket.destroy();
});

Deno.test("serveHttps() tells a client to go on when its body is wanted, and only then", async () => {
  await using api = startHttps();
  const head = (length: number) =>
    `HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;
  const socket = await connectTls(api.port);
  const told = readUntil(socket, /100 Continue\r\n\r\n$/);
  socket.write(`POST /echo ${head(3)}`);
  await told;
  const answered = readUntil(socket, /3 abc$/);
  socket.write("abc");
  await answered;
  socket.destroy();
  const refused = await sendTls(api.port, `POST /echo ${head(200_000)}`);
  assert.match(refused, /^HTTP\/1\.1 413 [^]*\r\nConnection: close\r\n/);
});

Deno.test("serveHttps() tells plain HTTP that this is HTTPS", async () => {
  await using api = startHttps();
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: api.port });
  await conn.write(new TextEncoder().encode("GET /ping HTTP/1.1\r\nHost: a\r\n\r\n"));
  assert.equal(
    await new Response(conn.readable).text(),
    "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
  );
});

Deno.test("serveHttps() answers 400 to what is no request", async () => {
  await using api = startHttps();
  for (
    const text of ["FOO /p ing HTTP/1.1\r\nHost: a\r\n\r\n", "\0\0\0\x05PUB\r\n\r\n"]
  ) {
    assert.match(await sendTls(api.port, text), /^HTTP\/1\.1 400 Bad Request\r\n/, text);
  }
});

Deno.test("serveHttps() speaks no HTTP/2, and no version of TLS below the lowest", async () => {
  await using api = startHttps({ minVersion: "TLSv1.3" });
  const socket = await connectTls(api.port, { ALPNProtocols: ["h2", "http/1.1"] });
  assert.equal(socket.alpnProtocol, "http/1.1");
  assert.equal(socket.getProtocol(), "TLSv1.3");
  socket.destroy();
  await assert.rejects(sendTls(api.port, "", { maxVersion: "TLSv1.2" }));
});

Deno.test("serveHttps() asks for certificates of clients, and refuses those of another authority", async () => {
  await using api = startHttps({}, ROUTES, "verified");
  const request = "GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  const known = { cert: certificate("client"), key: certificate("client_key") };
  assert.match(await sendTls(api.port, request, known), /OK$/);
  const stranger = { cert: certificate("stranger"), key: certificate("stranger_key") };
  for (const refused of [{}, stranger]) {
    const answer = await sendTls(api.port, request, refused).catch(() => "");
    assert.equal(answer, "");
  }
});

Deno.test("serveHttps() leaves a client without a certificate that it must show without an answer", async () => {
  const app = createApp(ROUTES, { logger: new Logger("info", "", () => {}) });
  const server = serveHttps("127.0.0.1:0", tlsSettings({}, "any"), app, quiet);
  const request = "GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  assert.equal(await sendTls(server.port, request).catch(() => ""), "");
  await server.shutdown();
});

Deno.test("serveHttps() lets running requests finish at a stop, and closes idle connections", async () => {
  const started = Promise.withResolvers<void>(), finish = Promise.withResolvers<string>();
  await using api = startHttps({}, [{
    method: "GET",
    path: "/slow",
    handle() {
      started.resolve();
      return finish.promise;
    },
  }]);
  const idle = await connectTls(api.port),
    silent = await Deno.connect({ hostname: "127.0.0.1", port: api.port });
  const busy = await connectTls(api.port);
  busy.write("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  await started.promise;
  const answer = readUntil(busy), idleEnd = readUntil(idle);
  const down = api.shutdown();
  await idleEnd.catch(() => "");
  await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port: api.port }));
  finish.resolve("late");
  assert.match(await answer, /late$/);
  await down;
  silent.close();
});

Deno.test("serveHttps() does not wait for a request for longer than its grace", async () => {
  const started = Promise.withResolvers<void>(), finish = Promise.withResolvers<string>();
  await using api = startHttps({}, [{
    method: "GET",
    path: "/slow",
    handle() {
      started.resolve();
      return finish.promise;
    },
  }]);
  const socket = await connectTls(api.port);
  const answer = readUntil(socket).catch(() => "");
  socket.write("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  await started.promise;
  await api.shutdown(1);
  assert.equal(await answer, "");
  finish.resolve("late");
});

Deno.test("serveHttps() cancels an answer that nobody reads on", async () => {
  const cancelled = Promise.withResolvers<void>();
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(10_000)),
    cancel: () => cancelled.resolve(),
  });
  await using api = startHttps({}, [{
    method: "GET",
    path: "/endless",
    handle: () => new Response(endless),
  }]);
  const socket = await connectTls(api.port);
  const begun = readUntil(socket, /\r\n\r\n/);
  socket.write("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
  await begun;
  socket.destroy();
  await cancelled.promise;
});

Deno.test("serveHttps() says which address cannot be bound", async () => {
  await using api = startHttps();
  const start = (address: string) => serveHttps(address, tlsSettings(), () => new Response(), quiet);
  const taken = `127.0.0.1:${api.port}`;
  assert.throws(() => start(taken), {
    name: "StartupError",
    message: `listen (${taken}) failed - listen tcp ${taken}: bind: address already in use`,
  });
  assert.throws(() => start("/run/https.sock"), {
    name: "StartupError",
    message: "listen (/run/https.sock) failed - listen tcp: address /run/https.sock: missing port in address",
  });
});
