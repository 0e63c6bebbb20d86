import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Logger } from "../../../src/log/logger.ts";
import { StartupError } from "../../../src/log/startup_error.ts";
import { Authenticator, type AuthQuerySettings } from "../../../src/nsqd/auth/authenticator.ts";
import { authEndpoint, jsonForm, queryForm } from "../../../src/nsqd/auth/auth_query.ts";
import { resolveOptions } from "../../../src/options/merge.ts";
import { type NsqdOptions, nsqdOptions } from "../../../src/options/tables/nsqd_options.ts";
import { allowAll, AuthServer } from "../../support/auth_server.ts";

const certificates = fileURLToPath(new URL("../../support/certificates/", import.meta.url));
const pem = (name: string) => Deno.readTextFileSync(certificates + name);
const tls = { key: pem("server_key.pem"), cert: pem("server.pem") };

const SETTINGS: AuthQuerySettings = {
  method: "get",
  connectTimeoutMs: 2000,
  requestTimeoutMs: 5000,
  maxReplyBytes: 10_000,
  rootCertificates: null,
  minTlsVersion: "TLSv1.2",
};
const SUBJECT = {
  secret: new TextEncoder().encode("s3cr&t +"),
  remoteIp: "127.0.0.1",
  tls: false,
  commonName: "",
};

function ask(
  addresses: string[],
  settings: Partial<AuthQuerySettings> = {},
  { random = 0, signal = new AbortController().signal, lines = [] as string[] } = {},
) {
  const logger = new Logger("debug", "", (line) => lines.push(line));
  return new Authenticator(addresses, { ...SETTINGS, ...settings }, logger, () => random).query(
    SUBJECT,
    signal,
  );
}

function options(...flags: string[]): NsqdOptions {
  const resolved = resolveOptions(nsqdOptions, flags, { name: "nsqd", summary: "", versionText: "" });
  if (resolved.kind === "exit") assert.fail(resolved.text);
  return resolved.values;
}

Deno.test("authEndpoint() takes a URL as it is and completes host:port", () => {
  assert.equal(authEndpoint("auth.example:4181"), "http://auth.example:4181/auth");
  assert.equal(authEndpoint("https://auth.example/check?a=b"), "https://auth.example/check?a=b");
});

Deno.test("queryForm() and jsonForm() write the subject as the original does, whatever bytes the secret has", () => {
  assert.equal(queryForm(SUBJECT), "common_name=&remote_ip=127.0.0.1&secret=s3cr%26t+%2B&tls=false");
  const odd = {
    ...SUBJECT,
    secret: new Uint8Array([0x00, 0xff, 0x7e, 0x2a]),
    tls: true,
    commonName: "a b=<é>",
  };
  assert.equal(
    queryForm(odd),
    "common_name=a+b%3D%3C%C3%A9%3E&remote_ip=127.0.0.1&secret=%00%FF~%2A&tls=true",
  );
  assert.equal(
    jsonForm(SUBJECT),
    '{"common_name":[""],"remote_ip":["127.0.0.1"],"secret":["s3cr\\u0026t +"],"tls":["false"]}',
  );
  assert.match(jsonForm(odd), /^\{"common_name":\["a b=\\u003cé\\u003e"\],.*"tls":\["true"\]\}$/);
});

Deno.test("Authenticator.query() sends GET with a query string, and POST with JSON", async () => {
  await using server = await AuthServer.start(allowAll());
  const authorization = await ask([server.address]);
  assert.deepEqual([authorization.identity, authorization.ttlSeconds], ["bob", 3600]);
  await ask([`http://${server.address}/check?realm=eu`], { method: "post" });
  await ask([`http://${server.address}/check?realm=eu`]);
  assert.deepEqual(
    server.requests.map(({ method, target, body }) => `${method} ${target} ${body}`),
    [
      `GET /auth?${queryForm(SUBJECT)} `,
      `POST /check?realm=eu ${jsonForm(SUBJECT)}`,
      `GET /check?realm=eu&${queryForm(SUBJECT)} `,
    ],
  );
  for (const { headers } of server.requests) assert.equal(headers.accept, "application/vnd.nsq; version=1.0");
  assert.equal(server.requests[1].headers["content-type"], "application/json");
});

Deno.test("Authenticator.query() starts at a random server and goes on to the next after any failure", async () => {
  await using down = await AuthServer.start(allowAll());
  const { address: refused } = down;
  await down[Symbol.asyncDispose]();
  const failing = [
    { status: 500, body: allowAll().body },
    { status: 201, body: allowAll().body },
    { status: 403, body: "no" },
    { status: 403, body: '{"https_port":0}' },
    { body: "no json" },
    { body: '{"ttl":0}' },
    { body: "x".repeat(20_000) },
  ];
  await using good = await AuthServer.start(allowAll(7));
  for (const failure of failing) {
    await using bad = await AuthServer.start(failure);
    const addresses = [good.address, bad.address, refused], lines: string[] = [];
    assert.equal((await ask(addresses, {}, { random: 0.4, lines })).ttlSeconds, 7);
    assert.equal(bad.requests.length, 1, JSON.stringify(failure).slice(0, 60));
    assert.equal(lines.length, 2);
    assert.doesNotMatch(lines.join(), /s3cr/);
    await assert.rejects(ask([bad.address, refused]), /no auth server gave a valid reply/);
  }
  await using other = await AuthServer.start(allowAll(8));
  for (const [random, ttl] of [[0, 7], [0.49, 7], [0.5, 8], [0.99, 8]]) {
    assert.equal((await ask([good.address, other.address], {}, { random })).ttlSeconds, ttl);
  }
});

Deno.test("Authenticator.query() gives a server up that does not answer in time", async () => {
  const never = new Promise<never>(() => {});
  await using slow = await AuthServer.start(() => never);
  await using good = await AuthServer.start(allowAll(7));
  assert.equal((await ask([slow.address, good.address], { requestTimeoutMs: 50 })).ttlSeconds, 7);
  await assert.rejects(ask([slow.address], { requestTimeoutMs: 50 }), /no reply from it within 50 ms/);
});

Deno.test("Authenticator.query() ends when its signal aborts, without asking further servers", async () => {
  const never = new Promise<never>(() => {}), abort = new AbortController();
  await using slow = await AuthServer.start(() => {
    abort.abort();
    return never;
  });
  await using other = await AuthServer.start(allowAll());
  await assert.rejects(
    ask([slow.address, other.address], {}, { signal: abort.signal }),
    /the client is gone/,
  );
  assert.equal(other.requests.length, 0);
});

Deno.test("Authenticator.query() trusts the configured roots for HTTPS, and no others", async () => {
  await using server = await AuthServer.start(allowAll(9), tls);
  const address = `https://${server.address}/auth`;
  assert.equal((await ask([address], { rootCertificates: pem("ca.pem") })).ttlSeconds, 9);
  assert.equal((await ask([address], { rootCertificates: pem("ca.pem"), method: "post" })).ttlSeconds, 9);
  await assert.rejects(ask([address]), /certificate/);
  await assert.rejects(ask([address], { rootCertificates: pem("stranger.pem") }), /certificate/i);
  assert.equal(server.requests.length, 2);
});

Deno.test("Authenticator.query() keeps to the lowest version of TLS", async () => {
  await using old = await AuthServer.start(allowAll(), { ...tls, maxVersion: "TLSv1.2" });
  const address = `https://${old.address}/auth`, rootCertificates = pem("ca.pem");
  await ask([address], { rootCertificates });
  await assert.rejects(ask([address], { rootCertificates, minTlsVersion: "TLSv1.3" }), /ProtocolVersion/);
});

Deno.test("Authenticator.query() turns to the HTTPS port that a 403 names", async () => {
  await using secure = await AuthServer.start(allowAll(5), tls);
  await using plain = await AuthServer.start({ status: 403, body: `{"https_port":${secure.port}}` });
  const rootCertificates = pem("ca.pem");
  for (const method of ["get", "post"] as const) {
    assert.equal((await ask([plain.address], { rootCertificates, method })).ttlSeconds, 5);
  }
  assert.deepEqual(
    secure.requests,
    plain.requests.map((request, i) => ({
      ...request,
      headers: secure.requests[i].headers,
    })),
  );
  secure.answer = () => ({ status: 403, body: `{"https_port":${secure.port}}` });
  await assert.rejects(ask([plain.address], { rootCertificates }), /status 403/);
});

Deno.test("Authenticator.of() checks the options, and is null without an auth server", () => {
  const logger = new Logger("debug", "", () => {});
  assert.equal(Authenticator.of(options(), logger), null);
  assert.ok(Authenticator.of(options("--auth-http-address=a:1", "--auth-http-request-method=post"), logger));
  const refused: [string[], RegExp][] = [
    [["--auth-http-request-method=GET"], /^--auth-http-request-method must be post or get$/],
    [["--auth-http-address=ftp://x"], /--auth-http-address "ftp:\/\/x"/],
    [["--auth-http-address=a b:1"], /--auth-http-address "a b:1"/],
    [["--auth-http-address=a:1", "--tls-root-ca-file=/nowhere"], /there is no such file/],
  ];
  for (const [flags, message] of refused) {
    assert.throws(() => Authenticator.of(options(...flags), logger), (error: Error) => {
      assert.ok(error instanceof StartupError);
      assert.match(error.message, message);
      return true;
    });
  }
});
