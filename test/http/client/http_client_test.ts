import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { HttpRequestError } from "../../../src/http/client/errors.ts";
import { HttpClient, type HttpClientSettings } from "../../../src/http/client/http_client.ts";
import { urlOf } from "../../../src/http/client/url.ts";
import { loadTlsClientSettings } from "../../../src/net/tls_client_settings.ts";

const CERTIFICATES = fileURLToPath(new URL("../../support/certificates/", import.meta.url));
const TIMES = { connectTimeoutMs: 5_000, requestTimeoutMs: 10_000 };

interface Served extends AsyncDisposable {
  url: string;
  connectionCount: number;
}

async function served(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
  server: Server = createServer(),
): Promise<Served> {
  const running = {
    url: "",
    connectionCount: 0,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  server.on("request", handle);
  server.on("connection", () => running.connectionCount++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  running.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return running;
}

function pem(name: string): string {
  return Deno.readTextFileSync(join(CERTIFICATES, `${name}.pem`));
}

function fails(kind: string, message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof HttpRequestError);
    assert.equal(error.kind, kind, error.message);
    assert.match(error.message, message);
    return true;
  };
}

const text = (body: Uint8Array) => new TextDecoder().decode(body);

Deno.test("HttpClient.request() sends method, headers and body, and resolves with a reply of any status", async () => {
  await using server = await served((request, response) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (chunk) => body += chunk);
    request.on("end", () => {
      response.writeHead(418, { "X-Kind": "pot" });
      response.end(
        `${request.method} ${request.url} ${request.headers["x-a"]} ${request.headers["user-agent"]} ${body}`,
      );
    });
  });
  const client = new HttpClient({ ...TIMES, userAgent: "nsq_test/1" });
  const reply = await client.request(`${server.url}/put?topic=a%20b`, {
    method: "PUT",
    headers: { "X-A": "b" },
    body: "né",
  });
  assert.equal(reply.status, 418);
  assert.equal(reply.headers["x-kind"], "pot");
  assert.equal(text(reply.body), "PUT /put?topic=a%20b b nsq_test/1 né");
});

Deno.test("HttpClient.request() sends user and password of the URL as basic authorization, escapes undone", async () => {
  await using server = await served((request, response) => response.end(request.headers.authorization));
  const url = server.url.replace("//", "//bob:p%40ss@");
  assert.equal(text((await new HttpClient(TIMES).request(url)).body), `Basic ${btoa("bob:p@ss")}`);
});

Deno.test("HttpClient.request() gives up on a connection that does not come about in time", async () => {
  // A TLS handshake that is never answered: TCP stands, the connection does not.
  const silent = createTcpServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  try {
    const client = new HttpClient({ connectTimeoutMs: 30, requestTimeoutMs: 60_000 });
    const { port } = silent.address() as AddressInfo;
    await assert.rejects(
      client.request(`https://127.0.0.1:${port}/`),
      fails("connect", /^no connection to it within 30 ms$/),
    );
  } finally {
    silent.close();
  }
});

Deno.test("HttpClient.request() gives up on a reply that does not come, or not to its end, in time", async () => {
  await using server = await served((request, response) => {
    if (request.url === "/part") response.write("beginning");
  });
  const client = new HttpClient({ connectTimeoutMs: 60_000, requestTimeoutMs: 50 });
  await assert.rejects(
    client.request(`${server.url}/none`),
    fails("timeout", /^no reply from it within 50 ms$/),
  );
  await assert.rejects(
    client.request(`${server.url}/part`),
    fails("timeout", /^no reply from it within 50 ms$/),
  );
});

Deno.test("HttpClient.request() ends when its signal aborts, before and while it runs", async () => {
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
  await using server = await served(() => arrive());
  const client = new HttpClient(TIMES);
  await assert.rejects(
    client.request(server.url, { signal: AbortSignal.abort() }),
    fails("aborted", /^given up$/),
  );
  const giveUp = new AbortController();
  const running = client.request(server.url, { signal: giveUp.signal });
  await arrived;
  giveUp.abort();
  await assert.rejects(running, fails("aborted", /^given up$/));
});

Deno.test("HttpClient.request() refuses a reply that is longer than allowed, also one that only unpacks to it", async () => {
  await using server = await served((request, response) => {
    if (request.headers["accept-encoding"] !== "gzip") return void response.end("x".repeat(1001));
    response.setHeader("Content-Encoding", "gzip");
    response.end(gzipSync("x".repeat(request.url === "/fits" ? 1000 : 1001)));
  });
  const plain = new HttpClient({ ...TIMES, maxReplyBytes: 1000 });
  await assert.rejects(plain.request(server.url), fails("reply", /^the reply is longer than 1000 bytes$/));
  const packed = new HttpClient({ ...TIMES, maxReplyBytes: 1000, isCompressionAccepted: true });
  await assert.rejects(packed.request(server.url), fails("reply", /^the reply is longer than 1000 bytes$/));
  assert.equal((await packed.request(`${server.url}/fits`)).body.length, 1000);
});

Deno.test("HttpClient.request() says when a reply breaks off", async () => {
  await using server = await served((_request, response) => {
    response.setHeader("Content-Length", "100");
    response.write("short", () => response.destroy());
  });
  await assert.rejects(
    new HttpClient(TIMES).request(server.url),
    fails("reply", /^(the reply broke off|connection closed)$/),
  );
});

Deno.test("HttpClient.request() names what is wrong in plain words, and never the password", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const client = new HttpClient(TIMES);
  await assert.rejects(
    client.request(`http://a:secret@127.0.0.1:${port}/`),
    fails("connect", /^Connection refused$/),
  );
  await assert.rejects(client.request("http://a:secret@h:p/"), fails("connect", /^this is no URL$/));
  await assert.rejects(client.request("ftp://a:secret@h/"), fails("connect", /^"ftp:\/\/" is neither/));
  await assert.rejects(
    client.request(urlOf("/nowhere/at/all.sock", "/ping")),
    fails("connect", /^no such socket$/),
  );
});

Deno.test("HttpClient.request() goes through a Unix socket", async () => {
  const folder = await Deno.makeTempDir({ prefix: "nsq_http_client_" });
  const path = join(folder, "http.sock");
  const server = createServer((request, response) => response.end(`through ${request.url}`));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    const reply = await new HttpClient(TIMES).request(urlOf(path, "/stats?format=json"));
    assert.equal(text(reply.body), "through /stats?format=json");
  } finally {
    await new Promise((resolve) => server.close(resolve));
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("HttpClient trusts its own roots, shows its certificate, and refuses a server of another root", async () => {
  const secured = createSecureServer({
    cert: pem("server"),
    key: pem("server_key"),
    ca: pem("ca"),
    requestCert: true,
    rejectUnauthorized: true,
  });
  await using server = await served(
    (_request, response) => response.end("let in"),
    secured as unknown as Server,
  );
  const url = server.url.replace("http:", "https:").replace("127.0.0.1", "localhost");
  const files = {
    rootCaFile: join(CERTIFICATES, "ca.pem"),
    certFile: join(CERTIFICATES, "client.pem"),
    keyFile: join(CERTIFICATES, "client_key.pem"),
  };
  const request = (changes: Partial<HttpClientSettings>) =>
    new HttpClient({ ...TIMES, ...changes }).request(url);
  const tls = loadTlsClientSettings(files);
  assert.equal(text((await request({ tls })).body), "let in");
  assert.equal(
    text((await request({ tls: { ...tls, rootCertificates: null, isVerified: false } })).body),
    "let in",
  );
  await assert.rejects(request({ tls: { ...tls, rootCertificates: null } }), HttpRequestError);
  await assert.rejects(request({ tls: { ...tls, rootCertificates: pem("stranger") } }), HttpRequestError);
  await assert.rejects(request({ tls: { ...tls, identity: null } }), HttpRequestError);
});

Deno.test("HttpClient keeps as many connections as it may, and sends a GET once more when a kept one was closed", async () => {
  await using server = await served((request, response) => {
    response.end("ok");
    if (request.url === "/last") response.on("finish", () => request.socket.destroy());
  });
  const client = new HttpClient({ ...TIMES, maxIdleConnections: 1 });
  for (let i = 0; i < 3; i++) await client.request(server.url);
  assert.equal(server.connectionCount, 1);
  await client.request(`${server.url}/last`);
  assert.equal(text((await client.request(server.url)).body), "ok");
  assert.equal(server.connectionCount, 2);
  client.close();
});

Deno.test("HttpClient without kept connections opens one for each request", async () => {
  await using server = await served((_request, response) => response.end("ok"));
  const client = new HttpClient(TIMES);
  for (let i = 0; i < 3; i++) await client.request(server.url);
  assert.equal(server.connectionCount, 3);
});

Deno.test("HttpClient follows redirects up to its limit, and tells other hosts no credentials", async () => {
  await using other = await served((request, response) =>
    response.end(`${request.method} ${request.headers.authorization ?? "nobody"}`)
  );
  await using server = await served((request, response) => {
    const to = request.url === "/away" ? `${other.url}/x` : request.url === "/loop" ? "/loop" : "/away";
    response.writeHead(request.url === "/post" ? 307 : 302, { Location: to });
    response.end();
  });
  const url = server.url.replace("//", "//bob:secret@");
  const client = new HttpClient({ ...TIMES, maxRedirects: 3 });
  assert.equal(
    text((await client.request(`${url}/start`, { headers: { cookie: "a=b" } })).body),
    "GET nobody",
  );
  assert.equal(text((await client.request(`${url}/post`, { method: "POST", body: "m" })).body), "GET nobody");
  await assert.rejects(client.request(`${url}/loop`), fails("reply", /^redirected more than 3 times$/));
  assert.equal((await new HttpClient(TIMES).request(`${url}/start`)).status, 302);
});

Deno.test("HttpClient.getJson() resolves with the value, and says which status or text was no answer", async () => {
  await using server = await served((request, response) => {
    if (request.url === "/good") return void response.end('{"a":[1]}');
    if (request.url === "/text") return void response.end("<html>");
    response.writeHead(404);
    response.end('{"message":"TOPIC_NOT_FOUND"}');
  });
  const client = new HttpClient(TIMES);
  assert.deepEqual(await client.getJson(`${server.url}/good`), { a: [1] });
  await assert.rejects(
    client.getJson(`${server.url}/text`),
    fails("reply", /^the reply is no JSON: "<html>"$/),
  );
  await assert.rejects(client.getJson(`${server.url}/none`), (error: HttpRequestError) => {
    assert.equal(error.status, 404);
    assert.match(error.message, /^answered status 404 .*TOPIC_NOT_FOUND/);
    return true;
  });
});
